ALTER TABLE images ALTER COLUMN owner TYPE varchar(64);  -- wider: nothing is written
