-- Ids come from the application, which takes them by the hundred (hi/lo, as Hibernate does).
CREATE TABLE IF NOT EXISTS orders (
    id INTEGER NOT NULL,
    customer VARCHAR(100) NOT NULL,
    status VARCHAR(20) NOT NULL,
    created_at DATETIME NOT NULL,
    PRIMARY KEY (id),
    KEY ix_orders_status (status)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
CREATE TABLE IF NOT EXISTS order_lines (
    id VARCHAR(36) NOT NULL,
    order_id INTEGER NOT NULL,
    article VARCHAR(100) NOT NULL,
    quantity INTEGER NOT NULL,
    PRIMARY KEY (id),
    KEY ix_order_lines_order_id (order_id),
    CONSTRAINT order_lines_order_id_fkey FOREIGN KEY (order_id) REFERENCES orders (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
