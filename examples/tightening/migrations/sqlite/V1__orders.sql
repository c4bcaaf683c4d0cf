CREATE TABLE orders (
    id INTEGER,
    customer VARCHAR(100) NOT NULL,
    currency VARCHAR(3),                    -- NULL: the shop's own, EUR
    total DECIMAL(12, 2) NOT NULL DEFAULT 0,
    created_at DATETIME NOT NULL,
    paid_at DATETIME,
    PRIMARY KEY (id)
);
CREATE TABLE order_lines (
    order_id INTEGER NOT NULL,
    position INTEGER NOT NULL,
    article VARCHAR(100) NOT NULL,
    price DECIMAL(12, 2) NOT NULL,
    PRIMARY KEY (order_id, position),
    CONSTRAINT order_lines_order_id_fkey FOREIGN KEY (order_id) REFERENCES orders (id)
);
