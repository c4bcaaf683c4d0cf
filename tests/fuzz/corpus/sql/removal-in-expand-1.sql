-- concertina: allow unwatched-drop: no node has read it since newton
ALTER TABLE images DROP COLUMN is_public;
