-- Several processes migrate at once: ranges are leased to workers. A backfill that an older version left unfinished walks its
-- table once more; rows that are done no longer match.

DROP TABLE IF EXISTS concertina_range;

CREATE TABLE IF NOT EXISTS concertina_range (
  backfill_id VARCHAR(190) NOT NULL,
  range_number BIGINT NOT NULL,
  pass BIGINT NOT NULL,
  state VARCHAR(16) NOT NULL,
  walked_by TEXT NOT NULL,
  lower_key TEXT,
  cursor_key TEXT,
  upper_key TEXT NOT NULL,
  worker VARCHAR(64) NOT NULL,
  version BIGINT NOT NULL,
  attempts BIGINT NOT NULL,
  not_before BIGINT NOT NULL,
  rows_walked BIGINT NOT NULL,
  rows_changed BIGINT NOT NULL,
  batches BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (backfill_id, range_number)
) /*! ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin */;

CREATE TABLE IF NOT EXISTS concertina_worker (
  worker_id VARCHAR(64) NOT NULL,
  holder TEXT NOT NULL,
  process TEXT NOT NULL,
  sessions TEXT NOT NULL,
  command TEXT NOT NULL,
  started_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  seen_at BIGINT NOT NULL,
  subject TEXT,
  batch_rows BIGINT NOT NULL,
  waiting TEXT,
  PRIMARY KEY (worker_id)
) /*! ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin */;

CREATE TABLE IF NOT EXISTS concertina_control (
  name VARCHAR(64) NOT NULL,
  setting TEXT NOT NULL,
  set_by TEXT NOT NULL,
  set_at BIGINT NOT NULL,
  PRIMARY KEY (name)
) /*! ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin */;
