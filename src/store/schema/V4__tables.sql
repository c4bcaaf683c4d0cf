-- What the tables that releases changed looked like when a phase was last done: what differs afterwards, somebody else did.
CREATE TABLE IF NOT EXISTS concertina_object (
  table_name VARCHAR(190) NOT NULL,
  object_number BIGINT NOT NULL,
  object TEXT NOT NULL,
  definition TEXT NOT NULL,
  seen_at BIGINT NOT NULL,
  PRIMARY KEY (table_name, object_number)
) /*! ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin */;
