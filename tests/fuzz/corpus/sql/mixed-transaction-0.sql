-- concertina: allow select-star: every query names its columns
-- concertina: allow prepared-statements: every query names its columns
ALTER TABLE images ADD COLUMN project VARCHAR(36);
CREATE INDEX CONCURRENTLY images_project ON images (project);
