CREATE TABLE IF NOT EXISTS people (
    id INTEGER NOT NULL AUTO_INCREMENT,
    email VARCHAR(255) NOT NULL,
    full_name VARCHAR(80) NOT NULL,
    created_at DATETIME NOT NULL,
    last_seen_at DATETIME,
    PRIMARY KEY (id),
    UNIQUE KEY people_email_key (email),
    KEY ix_people_full_name (full_name)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
