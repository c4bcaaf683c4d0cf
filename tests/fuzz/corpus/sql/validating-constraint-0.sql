ALTER TABLE images ADD CONSTRAINT images_owner FOREIGN KEY (owner) REFERENCES owners (id);
