CREATE INDEX CONCURRENTLY images_project ON images (project);
