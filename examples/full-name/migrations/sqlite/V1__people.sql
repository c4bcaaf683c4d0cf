CREATE TABLE people (
    id INTEGER PRIMARY KEY,
    email VARCHAR(255) NOT NULL,
    full_name VARCHAR(80) NOT NULL,
    created_at DATETIME NOT NULL,
    last_seen_at DATETIME,
    CONSTRAINT people_email_key UNIQUE (email)
);
CREATE INDEX ix_people_full_name ON people (full_name);
