-- concertina: allow select-star: every query names its columns
ALTER TABLE images ADD COLUMN size BIGINT NULL;
