CREATE TABLE images (
    id VARCHAR(36) NOT NULL, -- a UUID, in text
    "name" VARCHAR(255) COLLATE nocase,
    size BIGINT CHECK (size >= 0), /* bytes */
    status VARCHAR(30) CONSTRAINT status_given NOT NULL ON CONFLICT ABORT DEFAULT 'queued',
    is_public BOOLEAN NOT NULL,
    owner REFERENCES owners ON DELETE SET NULL NOT DEFERRABLE,
    label AS (upper("name")) STORED,
    PRIMARY KEY (id),
    CHECK (is_public IN (0, 1)),
    CONSTRAINT named CHECK (length("name") > 0 OR status = 'queued') -- the last one
)