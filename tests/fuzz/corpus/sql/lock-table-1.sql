COMMENT ON TABLE images IS 'one row an image';
