-- A block storage service in the manner of OpenStack's Cinder: what is deleted stays, with deleted = TRUE.
CREATE TABLE volumes (
    id VARCHAR(36) NOT NULL,
    project_id VARCHAR(32) NOT NULL,
    name VARCHAR(255),
    size INTEGER NOT NULL,
    status VARCHAR(20) NOT NULL,
    created_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP,
    deleted_at TIMESTAMP,
    deleted BOOLEAN NOT NULL DEFAULT FALSE,
    PRIMARY KEY (id)
);
CREATE INDEX ix_volumes_project_id ON volumes (project_id, deleted);
CREATE TABLE snapshots (
    id VARCHAR(36) NOT NULL,
    volume_id VARCHAR(36) NOT NULL,
    name VARCHAR(255),
    created_at TIMESTAMP NOT NULL,
    deleted_at TIMESTAMP,
    deleted BOOLEAN NOT NULL DEFAULT FALSE,
    PRIMARY KEY (id),
    CONSTRAINT snapshots_volume_id_fkey FOREIGN KEY (volume_id) REFERENCES volumes (id)
);
CREATE INDEX ix_snapshots_volume_id ON snapshots (volume_id);
CREATE TABLE snapshot_notes (
    snapshot_id VARCHAR(36) NOT NULL,
    line INTEGER NOT NULL,
    note TEXT,
    PRIMARY KEY (snapshot_id, line),
    CONSTRAINT snapshot_notes_snapshot_id_fkey FOREIGN KEY (snapshot_id) REFERENCES snapshots (id)
);
CREATE TABLE volume_metadata (              -- without a foreign key, as old tables are
    volume_id VARCHAR(36) NOT NULL,
    meta_key VARCHAR(100) NOT NULL,
    meta_value VARCHAR(255),
    deleted BOOLEAN NOT NULL DEFAULT FALSE,
    PRIMARY KEY (volume_id, meta_key)
);
CREATE TABLE quota_usages (                 -- what a project has; nothing of it may go
    project_id VARCHAR(32) NOT NULL,
    volume_id VARCHAR(36) NOT NULL,
    gigabytes INTEGER NOT NULL,
    PRIMARY KEY (project_id, volume_id)
);
