UPDATE images SET owner = 'nobody' WHERE owner IS NULL;
