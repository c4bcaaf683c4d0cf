CREATE TABLE tickets (
    id INTEGER PRIMARY KEY,
    subject VARCHAR(200) NOT NULL,
    status VARCHAR(7) NOT NULL DEFAULT 'open',
    assignee VARCHAR(64),
    created_at DATETIME NOT NULL,
    closed_at DATETIME,
    CONSTRAINT ticket_status CHECK (status IN ('open', 'pending', 'closed'))
);
CREATE INDEX ix_tickets_status ON tickets (status);
CREATE TABLE comments (
    id VARCHAR(36) NOT NULL,
    ticket_id INTEGER NOT NULL,
    body TEXT NOT NULL,
    created_at DATETIME NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT comments_ticket_id_fkey FOREIGN KEY (ticket_id) REFERENCES tickets (id)
);
CREATE INDEX ix_comments_ticket_id ON comments (ticket_id);
