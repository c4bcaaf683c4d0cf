-- Users and their passwords, of which the newest counts.
CREATE TABLE IF NOT EXISTS users (
    id VARCHAR(36) NOT NULL,
    name VARCHAR(255) NOT NULL,
    domain_id VARCHAR(64) NOT NULL,
    enabled BOOLEAN NOT NULL,
    PRIMARY KEY (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
CREATE TABLE IF NOT EXISTS passwords (
    id VARCHAR(36) NOT NULL,
    user_id VARCHAR(36) NOT NULL,
    password_hash VARCHAR(255),
    self_service BOOLEAN NOT NULL DEFAULT FALSE,
    created_at DATETIME NOT NULL,
    expires_at DATETIME,                    -- NULL: never
    PRIMARY KEY (id),
    KEY ix_passwords_user_id (user_id),
    KEY ix_passwords_expires_at (expires_at),
    CONSTRAINT passwords_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
