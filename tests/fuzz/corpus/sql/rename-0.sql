ALTER TABLE images RENAME COLUMN owner TO project_id;
