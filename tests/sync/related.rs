//! Rows of another table that change what the new column must be, in the shape of Glance's image members.

use super::{expand, options};
use crate::support::{Session, TestDatabase, on_every_database};

/// A new image that gains a member is shared: what the sync of ocata says.
const OCATA: &str = "
        visibility: CASE WHEN is_public THEN 'public' ELSE 'shared' END";

/// The same, but looked up in the members; so it can be undone as well.
const LOOKED_UP: &str = "
        visibility: >-
          CASE WHEN is_public THEN 'public'
               WHEN EXISTS (SELECT 1 FROM image_members m WHERE m.image_id = images.id AND NOT m.deleted) THEN 'shared'
               ELSE 'private' END";

/// Images and members, synced. Gives a session of the application.
async fn images(db: &TestDatabase, forward: &str, when: &str) -> Session {
    let mut owner = db.owner().await;
    let (end, no) = (options(db.kind()), db.kind().boolean(false));
    owner
        .run(format!(
            "CREATE TABLE images (id VARCHAR(36) NOT NULL PRIMARY KEY, is_public BOOLEAN NOT NULL, name VARCHAR(40)) {end}"
        ))
        .await;
    owner
        .run(format!(
            "CREATE TABLE image_members (id INTEGER NOT NULL PRIMARY KEY, image_id VARCHAR(36) NOT NULL REFERENCES images (id), \
             member VARCHAR(40) NOT NULL, deleted BOOLEAN NOT NULL DEFAULT {no}) {end}"
        ))
        .await;
    owner.run(format!("INSERT INTO images (id, is_public) VALUES ('unmigrated', {no})")).await;
    expand(
        db,
        &format!(
            "
  - add_column:
      table: images
      column: {{ name: visibility, type: {{ enum: [private, public, shared, community], name: image_visibility }} }}
  - drop_not_null: {{ table: images, column: is_public }}
  - sync:
      name: images_visibility
      table: images
      forward:{forward}
      backward: {{ is_public: visibility = 'public' }}
      conflict: reject
      related:
        - {{ table: image_members, key: {{ image_id: id }}, when: \"{when}\" }}"
        ),
    );
    db.grant_application(&["images", "image_members"]).await;
    let mut session = db.application().await;
    session
        .run(
            "INSERT INTO images (id, visibility) VALUES ('a', 'private'), ('b', 'private'), ('c', 'private'), \
             ('community', 'community'), ('public', 'public')",
        )
        .await;
    session
}

/// Gives each image's visibility, and the one bit where it is public.
async fn visibility(session: &mut Session) -> String {
    let lines = session
        .lines(
            "SELECT id, visibility, CASE WHEN is_public THEN 'yes' WHEN NOT is_public THEN 'no' END \
             FROM images ORDER BY id",
        )
        .await;
    for line in &lines {
        let public = line.contains("|public|");
        assert!(line.ends_with(if public { "|yes" } else { "|no" }), "{line}");
    }
    lines.iter().filter_map(|line| line.rsplit_once('|')).map(|(line, _)| line).collect::<Vec<_>>().join(" ")
}

on_every_database! {
    async fn members_as_in_ocata(db: TestDatabase) {
        let mut session = images(&db, OCATA, "visibility = 'private' AND NOT related.deleted").await;
        let (yes, no) = (db.kind().boolean(true), db.kind().boolean(false));
        let start = "a|private b|private c|private community|community public|public unmigrated|-";
        assert_eq!(visibility(&mut session).await, start);
        // A deleted member shares nothing, and neither does one of an image that is not private.
        session
            .run(format!(
                "INSERT INTO image_members (id, image_id, member, deleted) VALUES (1, 'a', 'x', {yes}), \
                 (2, 'community', 'x', {no}), (3, 'public', 'x', {no}), (4, 'unmigrated', 'x', {no})"
            ))
            .await;
        assert_eq!(visibility(&mut session).await, start);
        // Several at once, also of one image.
        session
            .run("INSERT INTO image_members (id, image_id, member) VALUES (5, 'b', 'x'), (6, 'b', 'y'), (7, 'public', 'y')")
            .await;
        let b = "a|private b|shared c|private community|community public|public unmigrated|-";
        assert_eq!(visibility(&mut session).await, b);
        // Undeleted: it is a member again.
        session.run(format!("UPDATE image_members SET deleted = {no} WHERE id = 1")).await;
        let ab = b.replace("a|private", "a|shared");
        assert_eq!(visibility(&mut session).await, ab);
        // Moved to another image, which is shared from now on; the one that it left stays as it is.
        session.run("UPDATE image_members SET image_id = 'c' WHERE id = 5").await;
        let abc = ab.replace("c|private", "c|shared");
        assert_eq!(visibility(&mut session).await, abc);
        session.run("DELETE FROM image_members WHERE id IN (1, 5, 6)").await;
        assert_eq!(visibility(&mut session).await, abc);
        // A new node takes it back; a deleted member that goes changes nothing, one that counts does.
        session.run("INSERT INTO image_members (id, image_id, member) VALUES (8, 'a', 'x'), (9, 'b', 'x')").await;
        session.run("UPDATE images SET visibility = 'private' WHERE id IN ('a', 'b')").await;
        session.run(format!("UPDATE image_members SET deleted = {yes} WHERE id = 8")).await;
        session.run("DELETE FROM image_members WHERE id = 8").await;
        let bc = abc.replace("a|shared", "a|private").replace("b|shared", "b|private");
        assert_eq!(visibility(&mut session).await, bc);
        session.run("DELETE FROM image_members WHERE id = 9").await;
        assert_eq!(visibility(&mut session).await, bc.replace("b|private", "b|shared"));
        // Images themselves are synced as ever, in the transaction that writes members too.
        session.run("BEGIN").await;
        session.run(format!("INSERT INTO images (id, is_public) VALUES ('d', {no})")).await;
        session.run("INSERT INTO images (id, visibility) VALUES ('e', 'private')").await;
        session.run("INSERT INTO image_members (id, image_id, member) VALUES (10, 'e', 'x')").await;
        session.run(format!("UPDATE images SET is_public = {yes} WHERE id = 'a'")).await;
        session.run("COMMIT").await;
        let found = visibility(&mut session).await;
        assert!(found.contains("a|public ") && found.contains("d|shared e|shared"), "{found}");
    }

    async fn members_that_are_looked_up(db: TestDatabase) {
        let when = "visibility IN ('private', 'shared')";
        let mut session = images(&db, LOOKED_UP, when).await;
        let yes = db.kind().boolean(true);
        let start = "a|private b|private c|private community|community public|public unmigrated|-";
        session
            .run(
                "INSERT INTO image_members (id, image_id, member) VALUES (1, 'a', 'x'), (2, 'a', 'y'), (3, 'b', 'x'), \
                 (4, 'community', 'x'), (5, 'unmigrated', 'x')",
            )
            .await;
        let ab = start.replace("a|private b|private", "a|shared b|shared");
        assert_eq!(visibility(&mut session).await, ab);
        // Both of the images that a member moves between follow.
        session.run("UPDATE image_members SET image_id = 'c' WHERE id = 3").await;
        assert_eq!(visibility(&mut session).await, ab.replace("b|shared c|private", "b|private c|shared"));
        session.run(format!("UPDATE image_members SET deleted = {yes} WHERE id = 1")).await;
        assert_eq!(visibility(&mut session).await, ab.replace("b|shared c|private", "b|private c|shared"));
        session.run(format!("UPDATE image_members SET deleted = {yes} WHERE id = 2")).await;
        assert_eq!(visibility(&mut session).await, start.replace("c|private", "c|shared"));
        session.run("DELETE FROM image_members").await;
        assert_eq!(visibility(&mut session).await, start);
        // An old node's write asks the members too.
        session.run("INSERT INTO image_members (id, image_id, member) VALUES (6, 'public', 'x')").await;
        let no = db.kind().boolean(false);
        session.run(format!("UPDATE images SET is_public = {no} WHERE id = 'public'")).await;
        assert_eq!(visibility(&mut session).await, start.replace("public|public", "public|shared"));
    }
}
