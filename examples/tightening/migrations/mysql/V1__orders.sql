CREATE TABLE IF NOT EXISTS orders (
    id INTEGER NOT NULL AUTO_INCREMENT,
    customer VARCHAR(100) NOT NULL,
    currency VARCHAR(3),                    -- NULL: the shop's own, EUR
    total DECIMAL(12, 2) NOT NULL DEFAULT 0,
    created_at DATETIME NOT NULL,
    paid_at DATETIME,
    PRIMARY KEY (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
CREATE TABLE IF NOT EXISTS order_lines (
    order_id INTEGER NOT NULL,
    position INTEGER NOT NULL,
    article VARCHAR(100) NOT NULL,
    price DECIMAL(12, 2) NOT NULL,
    PRIMARY KEY (order_id, position),
    CONSTRAINT order_lines_order_id_fkey FOREIGN KEY (order_id) REFERENCES orders (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
