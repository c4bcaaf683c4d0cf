DO $$ BEGIN PERFORM rebuild_images(); END $$;
