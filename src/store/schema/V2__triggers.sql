-- What a sync's triggers looked like in the catalog when they were installed.

CREATE TABLE IF NOT EXISTS concertina_trigger (
  table_name VARCHAR(190) NOT NULL,
  trigger_name VARCHAR(190) NOT NULL,
  fingerprint VARCHAR(64) NOT NULL,
  seen_at BIGINT NOT NULL,
  PRIMARY KEY (table_name, trigger_name)
) /*! ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin */;
