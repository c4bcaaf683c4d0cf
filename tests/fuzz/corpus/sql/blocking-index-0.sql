CREATE INDEX images_owner ON images (owner);
