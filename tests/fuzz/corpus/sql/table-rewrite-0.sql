ALTER TABLE images ADD COLUMN token uuid DEFAULT gen_random_uuid();
