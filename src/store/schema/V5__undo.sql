-- What was there before a step ran, as far as its undo needs it (a dropped default, say).
CREATE TABLE IF NOT EXISTS concertina_undo (
  step_id VARCHAR(190) NOT NULL,
  memory TEXT /*!(16000000)*/ NOT NULL,
  remembered_at BIGINT NOT NULL,
  PRIMARY KEY (step_id)
) /*! ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin */;
