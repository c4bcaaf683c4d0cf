CREATE TABLE users (
    id VARCHAR(36) NOT NULL,
    login VARCHAR(64) NOT NULL,
    password_hash VARCHAR(64) NOT NULL,
    bio TEXT,
    homepage VARCHAR(255),
    created_at DATETIME NOT NULL,
    logged_in_at DATETIME,
    PRIMARY KEY (id),
    CONSTRAINT users_login_key UNIQUE (login)
);
CREATE TABLE posts (
    id VARCHAR(36) NOT NULL,
    user_id VARCHAR(36) NOT NULL,
    title VARCHAR(200) NOT NULL,
    created_at DATETIME NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT posts_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id)
);
CREATE INDEX ix_posts_user_id ON posts (user_id);
