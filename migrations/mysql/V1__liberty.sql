-- Glance's schema as its Liberty release left it: the oldest point from which this project upgrades.
--
-- MySQL and MariaDB commit every CREATE TABLE by itself, so this file can be cut short half way. Each statement
-- is therefore complete (a table comes with its indexes) and skips a table that an earlier run made.
--
-- The CHECKs have no names on purpose. MariaDB numbers them CONSTRAINT_1 and up within their table, which is
-- what Glance's databases have; MySQL wants check names to be unique in the whole schema and makes up its own.
--
-- Character set and collation are spelled out: the server's defaults differ, and a longer encoding or another
-- order of strings would be another schema.

-- Images, and what belongs to one

CREATE TABLE IF NOT EXISTS images (
    id VARCHAR(36) NOT NULL,
    name VARCHAR(255),
    size BIGINT,
    status VARCHAR(30) NOT NULL,
    is_public BOOLEAN NOT NULL,
    created_at DATETIME NOT NULL,
    updated_at DATETIME,
    deleted_at DATETIME,
    deleted BOOLEAN NOT NULL,
    disk_format VARCHAR(20),
    container_format VARCHAR(20),
    checksum VARCHAR(32),
    owner VARCHAR(255),
    min_disk INTEGER NOT NULL,
    min_ram INTEGER NOT NULL,
    protected BOOLEAN NOT NULL DEFAULT FALSE,
    virtual_size BIGINT,
    PRIMARY KEY (id),
    INDEX checksum_image_idx (checksum),
    INDEX ix_images_deleted (deleted),
    INDEX ix_images_is_public (is_public),
    INDEX owner_image_idx (owner),
    CHECK (is_public IN (0, 1)),
    CHECK (deleted IN (0, 1)),
    CHECK (protected IN (0, 1))
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb3 COLLATE = utf8mb3_general_ci;

CREATE TABLE IF NOT EXISTS image_locations (
    id INTEGER NOT NULL AUTO_INCREMENT,
    image_id VARCHAR(36) NOT NULL,
    value TEXT NOT NULL,
    created_at DATETIME NOT NULL,
    updated_at DATETIME,
    deleted_at DATETIME,
    deleted BOOLEAN NOT NULL,
    meta_data TEXT,
    status VARCHAR(30) NOT NULL DEFAULT 'active',
    PRIMARY KEY (id),
    INDEX ix_image_locations_deleted (deleted),
    INDEX ix_image_locations_image_id (image_id),
    CONSTRAINT image_locations_ibfk_1 FOREIGN KEY (image_id) REFERENCES images (id),
    CHECK (deleted IN (0, 1))
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb3 COLLATE = utf8mb3_general_ci;

CREATE TABLE IF NOT EXISTS image_members (
    id INTEGER NOT NULL AUTO_INCREMENT,
    image_id VARCHAR(36) NOT NULL,
    member VARCHAR(255) NOT NULL,
    can_share BOOLEAN NOT NULL,
    created_at DATETIME NOT NULL,
    updated_at DATETIME,
    deleted_at DATETIME,
    deleted BOOLEAN NOT NULL,
    status VARCHAR(20) NOT NULL DEFAULT 'pending',
    PRIMARY KEY (id),
    CONSTRAINT image_members_image_id_member_deleted_at_key UNIQUE (image_id, member, deleted_at),
    INDEX ix_image_members_deleted (deleted),
    INDEX ix_image_members_image_id (image_id),
    INDEX ix_image_members_image_id_member (image_id, member),
    CONSTRAINT image_members_ibfk_1 FOREIGN KEY (image_id) REFERENCES images (id),
    CHECK (can_share IN (0, 1)),
    CHECK (deleted IN (0, 1))
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb3 COLLATE = utf8mb3_general_ci;

CREATE TABLE IF NOT EXISTS image_properties (
    id INTEGER NOT NULL AUTO_INCREMENT,
    image_id VARCHAR(36) NOT NULL,
    name VARCHAR(255) NOT NULL,
    value TEXT,
    created_at DATETIME NOT NULL,
    updated_at DATETIME,
    deleted_at DATETIME,
    deleted BOOLEAN NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT ix_image_properties_image_id_name UNIQUE (image_id, name),
    INDEX ix_image_properties_deleted (deleted),
    INDEX ix_image_properties_image_id (image_id),
    CONSTRAINT image_properties_ibfk_1 FOREIGN KEY (image_id) REFERENCES images (id),
    CHECK (deleted IN (0, 1))
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb3 COLLATE = utf8mb3_general_ci;

CREATE TABLE IF NOT EXISTS image_tags (
    id INTEGER NOT NULL AUTO_INCREMENT,
    image_id VARCHAR(36) NOT NULL,
    value VARCHAR(255) NOT NULL,
    created_at DATETIME NOT NULL,
    updated_at DATETIME,
    deleted_at DATETIME,
    deleted BOOLEAN NOT NULL,
    PRIMARY KEY (id),
    INDEX ix_image_tags_image_id (image_id),
    INDEX ix_image_tags_image_id_tag_value (image_id, value),
    CONSTRAINT image_tags_ibfk_1 FOREIGN KEY (image_id) REFERENCES images (id),
    CHECK (deleted IN (0, 1))
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb3 COLLATE = utf8mb3_general_ci;

-- Tasks

CREATE TABLE IF NOT EXISTS tasks (
    id VARCHAR(36) NOT NULL,
    type VARCHAR(30) NOT NULL,
    status VARCHAR(30) NOT NULL,
    owner VARCHAR(255) NOT NULL,
    expires_at DATETIME,
    created_at DATETIME NOT NULL,
    updated_at DATETIME,
    deleted_at DATETIME,
    deleted BOOLEAN NOT NULL,
    PRIMARY KEY (id),
    INDEX ix_tasks_deleted (deleted),
    INDEX ix_tasks_owner (owner),
    INDEX ix_tasks_status (status),
    INDEX ix_tasks_type (type),
    INDEX ix_tasks_updated_at (updated_at),
    CHECK (deleted IN (0, 1))
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb3 COLLATE = utf8mb3_general_ci;

CREATE TABLE IF NOT EXISTS task_info (
    task_id VARCHAR(36) NOT NULL,
    input TEXT,
    result TEXT,
    message TEXT,
    PRIMARY KEY (task_id),
    CONSTRAINT task_info_ibfk_1 FOREIGN KEY (task_id) REFERENCES tasks (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb3 COLLATE = utf8mb3_general_ci;

-- The metadata definitions catalogue

CREATE TABLE IF NOT EXISTS metadef_namespaces (
    id INTEGER NOT NULL AUTO_INCREMENT,
    namespace VARCHAR(80) NOT NULL,
    display_name VARCHAR(80),
    description TEXT,
    visibility VARCHAR(32),
    protected BOOLEAN,
    owner VARCHAR(255) NOT NULL,
    created_at DATETIME NOT NULL,
    updated_at DATETIME,
    PRIMARY KEY (id),
    CONSTRAINT uq_metadef_namespaces_namespace UNIQUE (namespace),
    INDEX ix_metadef_namespaces_owner (owner),
    CHECK (protected IN (0, 1))
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb3 COLLATE = utf8mb3_general_ci;

CREATE TABLE IF NOT EXISTS metadef_objects (
    id INTEGER NOT NULL AUTO_INCREMENT,
    namespace_id INTEGER NOT NULL,
    name VARCHAR(80) NOT NULL,
    description TEXT,
    required TEXT,
    json_schema TEXT NOT NULL,
    created_at DATETIME NOT NULL,
    updated_at DATETIME,
    PRIMARY KEY (id),
    CONSTRAINT uq_metadef_objects_namespace_id_name UNIQUE (namespace_id, name),
    INDEX ix_metadef_objects_name (name),
    CONSTRAINT metadef_objects_ibfk_1 FOREIGN KEY (namespace_id) REFERENCES metadef_namespaces (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb3 COLLATE = utf8mb3_general_ci;

CREATE TABLE IF NOT EXISTS metadef_properties (
    id INTEGER NOT NULL AUTO_INCREMENT,
    namespace_id INTEGER NOT NULL,
    name VARCHAR(80) NOT NULL,
    json_schema TEXT NOT NULL,
    created_at DATETIME NOT NULL,
    updated_at DATETIME,
    PRIMARY KEY (id),
    CONSTRAINT uq_metadef_properties_namespace_id_name UNIQUE (namespace_id, name),
    INDEX ix_metadef_properties_name (name),
    CONSTRAINT metadef_properties_ibfk_1 FOREIGN KEY (namespace_id) REFERENCES metadef_namespaces (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb3 COLLATE = utf8mb3_general_ci;

CREATE TABLE IF NOT EXISTS metadef_tags (
    id INTEGER NOT NULL AUTO_INCREMENT,
    namespace_id INTEGER NOT NULL,
    name VARCHAR(80) NOT NULL,
    created_at DATETIME NOT NULL,
    updated_at DATETIME,
    PRIMARY KEY (id),
    CONSTRAINT uq_metadef_tags_namespace_id_name UNIQUE (namespace_id, name),
    INDEX ix_metadef_tags_name (name),
    CONSTRAINT metadef_tags_ibfk_1 FOREIGN KEY (namespace_id) REFERENCES metadef_namespaces (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb3 COLLATE = utf8mb3_general_ci;

CREATE TABLE IF NOT EXISTS metadef_resource_types (
    id INTEGER NOT NULL AUTO_INCREMENT,
    name VARCHAR(80) NOT NULL,
    protected BOOLEAN NOT NULL,
    created_at DATETIME NOT NULL,
    updated_at DATETIME,
    PRIMARY KEY (id),
    CONSTRAINT uq_metadef_resource_types_name UNIQUE (name),
    CHECK (protected IN (0, 1))
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb3 COLLATE = utf8mb3_general_ci;

CREATE TABLE IF NOT EXISTS metadef_namespace_resource_types (
    resource_type_id INTEGER NOT NULL,
    namespace_id INTEGER NOT NULL,
    properties_target VARCHAR(80),
    prefix VARCHAR(80),
    created_at DATETIME NOT NULL,
    updated_at DATETIME,
    PRIMARY KEY (resource_type_id, namespace_id),
    INDEX ix_metadef_ns_res_types_namespace_id (namespace_id),
    CONSTRAINT metadef_namespace_resource_types_ibfk_1
        FOREIGN KEY (namespace_id) REFERENCES metadef_namespaces (id),
    CONSTRAINT metadef_namespace_resource_types_ibfk_2
        FOREIGN KEY (resource_type_id) REFERENCES metadef_resource_types (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb3 COLLATE = utf8mb3_general_ci;

-- Artifacts: an experiment that Pike takes away again

CREATE TABLE IF NOT EXISTS artifacts (
    id VARCHAR(36) NOT NULL,
    name VARCHAR(255) NOT NULL,
    type_name VARCHAR(255) NOT NULL,
    type_version_prefix BIGINT NOT NULL,
    type_version_suffix VARCHAR(255),
    type_version_meta VARCHAR(255),
    version_prefix BIGINT NOT NULL,
    version_suffix VARCHAR(255),
    version_meta VARCHAR(255),
    description TEXT,
    visibility VARCHAR(32) NOT NULL,
    state VARCHAR(32) NOT NULL,
    owner VARCHAR(255) NOT NULL,
    created_at DATETIME NOT NULL,
    updated_at DATETIME NOT NULL,
    deleted_at DATETIME,
    published_at DATETIME,
    PRIMARY KEY (id),
    INDEX ix_artifact_name_and_version (name, version_prefix, version_suffix),
    INDEX ix_artifact_owner (owner),
    INDEX ix_artifact_state (state),
    INDEX ix_artifact_type (type_name, type_version_prefix, type_version_suffix),
    INDEX ix_artifact_visibility (visibility)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb3 COLLATE = utf8mb3_general_ci;

CREATE TABLE IF NOT EXISTS artifact_blobs (
    id VARCHAR(36) NOT NULL,
    artifact_id VARCHAR(36) NOT NULL,
    size BIGINT NOT NULL,
    checksum VARCHAR(32),
    name VARCHAR(255) NOT NULL,
    item_key VARCHAR(329),
    position INTEGER,
    created_at DATETIME NOT NULL,
    updated_at DATETIME NOT NULL,
    PRIMARY KEY (id),
    INDEX ix_artifact_blobs_artifact_id (artifact_id),
    INDEX ix_artifact_blobs_name (name),
    CONSTRAINT artifact_blobs_ibfk_1 FOREIGN KEY (artifact_id) REFERENCES artifacts (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb3 COLLATE = utf8mb3_general_ci;

CREATE TABLE IF NOT EXISTS artifact_blob_locations (
    id VARCHAR(36) NOT NULL,
    blob_id VARCHAR(36) NOT NULL,
    value TEXT NOT NULL,
    created_at DATETIME NOT NULL,
    updated_at DATETIME NOT NULL,
    position INTEGER,
    status VARCHAR(36),
    PRIMARY KEY (id),
    INDEX ix_artifact_blob_locations_blob_id (blob_id),
    CONSTRAINT artifact_blob_locations_ibfk_1 FOREIGN KEY (blob_id) REFERENCES artifact_blobs (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb3 COLLATE = utf8mb3_general_ci;

CREATE TABLE IF NOT EXISTS artifact_dependencies (
    id VARCHAR(36) NOT NULL,
    artifact_source VARCHAR(36) NOT NULL,
    artifact_dest VARCHAR(36) NOT NULL,
    artifact_origin VARCHAR(36) NOT NULL,
    is_direct BOOLEAN NOT NULL,
    position INTEGER,
    name VARCHAR(36),
    created_at DATETIME NOT NULL,
    updated_at DATETIME NOT NULL,
    PRIMARY KEY (id),
    INDEX ix_artifact_dependencies_dest_id (artifact_dest),
    INDEX ix_artifact_dependencies_direct_dependencies (artifact_source, is_direct),
    INDEX ix_artifact_dependencies_origin_id (artifact_origin),
    INDEX ix_artifact_dependencies_source_id (artifact_source),
    CONSTRAINT artifact_dependencies_ibfk_1 FOREIGN KEY (artifact_dest) REFERENCES artifacts (id),
    CONSTRAINT artifact_dependencies_ibfk_2 FOREIGN KEY (artifact_origin) REFERENCES artifacts (id),
    CONSTRAINT artifact_dependencies_ibfk_3 FOREIGN KEY (artifact_source) REFERENCES artifacts (id),
    CHECK (is_direct IN (0, 1))
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb3 COLLATE = utf8mb3_general_ci;

CREATE TABLE IF NOT EXISTS artifact_properties (
    id VARCHAR(36) NOT NULL,
    artifact_id VARCHAR(36) NOT NULL,
    name VARCHAR(255) NOT NULL,
    string_value VARCHAR(255),
    int_value INTEGER,
    numeric_value DECIMAL(10, 0),
    bool_value BOOLEAN,
    text_value TEXT,
    created_at DATETIME NOT NULL,
    updated_at DATETIME NOT NULL,
    position INTEGER,
    PRIMARY KEY (id),
    INDEX ix_artifact_properties_artifact_id (artifact_id),
    INDEX ix_artifact_properties_name (name),
    CONSTRAINT artifact_properties_ibfk_1 FOREIGN KEY (artifact_id) REFERENCES artifacts (id),
    CHECK (bool_value IN (0, 1))
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb3 COLLATE = utf8mb3_general_ci;

CREATE TABLE IF NOT EXISTS artifact_tags (
    id VARCHAR(36) NOT NULL,
    artifact_id VARCHAR(36) NOT NULL,
    value VARCHAR(255) NOT NULL,
    created_at DATETIME NOT NULL,
    updated_at DATETIME NOT NULL,
    PRIMARY KEY (id),
    INDEX ix_artifact_tags_artifact_id (artifact_id),
    INDEX ix_artifact_tags_artifact_id_tag_value (artifact_id, value),
    CONSTRAINT artifact_tags_ibfk_1 FOREIGN KEY (artifact_id) REFERENCES artifacts (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb3 COLLATE = utf8mb3_general_ci;
