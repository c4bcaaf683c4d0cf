ALTER TABLE images DROP COLUMN is_public;
