-- concertina: allow unclassified-sql: tests
ALTER TABLE images ADD COLUMN a TEXT DEFAULT 'x', ADD CONSTRAINT c CHECK (a <> '') NOT VALID;
-- concertina: undo
ALTER TABLE images DROP COLUMN a;
