ALTER TABLE images ALTER COLUMN owner TYPE uuid USING owner::uuid;
