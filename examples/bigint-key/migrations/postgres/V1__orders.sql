-- Ids come from the application, which takes them by the hundred (hi/lo, as Hibernate does).
CREATE TABLE orders (
    id INTEGER NOT NULL,
    customer VARCHAR(100) NOT NULL,
    status VARCHAR(20) NOT NULL,
    created_at TIMESTAMP NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX ix_orders_status ON orders (status);
CREATE TABLE order_lines (
    id VARCHAR(36) NOT NULL,
    order_id INTEGER NOT NULL,
    article VARCHAR(100) NOT NULL,
    quantity INTEGER NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT order_lines_order_id_fkey FOREIGN KEY (order_id) REFERENCES orders (id)
);
CREATE INDEX ix_order_lines_order_id ON order_lines (order_id);
