-- Concertina's own tables. BIGINT and text alone, so that one statement serves every database; times are milliseconds
-- since the epoch by the database's clock. The comment behind each table is read by MySQL alone.

CREATE TABLE IF NOT EXISTS concertina_phase (
  release_name VARCHAR(190) NOT NULL,
  phase VARCHAR(16) NOT NULL,
  started_at BIGINT NOT NULL,
  finished_at BIGINT,
  PRIMARY KEY (release_name, phase)
) /*! ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin */;

CREATE TABLE IF NOT EXISTS concertina_step (
  step_id VARCHAR(190) NOT NULL,
  release_name VARCHAR(190) NOT NULL,
  phase VARCHAR(16) NOT NULL,
  kind VARCHAR(64) NOT NULL,
  summary TEXT NOT NULL,
  file TEXT NOT NULL,
  checksum VARCHAR(64) NOT NULL,
  body TEXT /*!(16000000)*/ NOT NULL,
  attempts BIGINT NOT NULL,
  started_at BIGINT NOT NULL,
  finished_at BIGINT,
  failure TEXT /*!(16000000)*/,
  PRIMARY KEY (step_id)
) /*! ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin */;

CREATE TABLE IF NOT EXISTS concertina_backfill (
  backfill_id VARCHAR(190) NOT NULL,
  release_name VARCHAR(190) NOT NULL,
  table_name VARCHAR(190) NOT NULL,
  file TEXT NOT NULL,
  checksum VARCHAR(64) NOT NULL,
  body TEXT /*!(16000000)*/ NOT NULL,
  started_at BIGINT NOT NULL,
  finished_at BIGINT,
  PRIMARY KEY (backfill_id)
) /*! ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin */;

CREATE TABLE IF NOT EXISTS concertina_range (
  backfill_id VARCHAR(190) NOT NULL,
  range_number BIGINT NOT NULL,
  cursor_key TEXT,
  pass BIGINT NOT NULL,
  rows_walked BIGINT NOT NULL,
  rows_changed BIGINT NOT NULL,
  batches BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (backfill_id, range_number)
) /*! ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin */;

CREATE TABLE IF NOT EXISTS concertina_history (
  event_id VARCHAR(64) NOT NULL,
  happened_at BIGINT NOT NULL,
  runner TEXT NOT NULL,
  command TEXT NOT NULL,
  subject TEXT NOT NULL,
  outcome VARCHAR(32) NOT NULL,
  detail TEXT /*!(16000000)*/,
  duration_ms BIGINT,
  PRIMARY KEY (event_id)
) /*! ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin */;
