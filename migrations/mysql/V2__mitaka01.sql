-- Mitaka lists images by the time they were created or changed.
--
-- One ALTER TABLE, so that both indexes come or neither. It cannot commit together with the note that this
-- version was applied, and a server finishes an ALTER whose client is gone: therefore look before adding.
-- The ALTER is prepared from text, because ADD INDEX IF NOT EXISTS is MariaDB's alone.

SET @add_indexes = (
    SELECT IF(
        COUNT(*) = 2,
        'DO 0',
        'ALTER TABLE images
            ADD INDEX created_at_image_idx (created_at),
            ADD INDEX updated_at_image_idx (updated_at)'
    )
    FROM information_schema.statistics
    WHERE table_schema = DATABASE()
        AND table_name = 'images'
        AND index_name IN ('created_at_image_idx', 'updated_at_image_idx')
);
PREPARE add_indexes FROM @add_indexes;
EXECUTE add_indexes;
DEALLOCATE PREPARE add_indexes;
