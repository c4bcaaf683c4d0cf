-- concertina: allow select-star: every query names its columns
-- concertina: allow prepared-statements: every query names its columns
ALTER TABLE images ADD COLUMN project VARCHAR(36);
