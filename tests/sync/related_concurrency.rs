//! A member that an old node adds while a new node makes the image private: whoever comes second waits, and then sees
//! what the first one did. Never is an image private that gained its member last, or before its node looked.

use super::nodes::Nodes;
use super::{expand, options};
use crate::support::{Kind, TestDatabase, run};

/// What an image with a member is, as Glance's ocata says it.
const OCATA: (&str, &str) =
    ("CASE WHEN is_public THEN 'public' ELSE 'shared' END", "visibility = 'private' AND NOT related.deleted");
/// The same, looked up in the members, so that one who leaves changes it as well.
const LOOKED_UP: (&str, &str) = (
    "CASE WHEN is_public THEN 'public' WHEN EXISTS (SELECT 1 FROM members m WHERE m.image_id = images.id AND NOT m.deleted) \
     THEN 'shared' ELSE 'private' END",
    "visibility IN ('private', 'shared')",
);

/// Images that are private and have no member, and members of nothing yet.
async fn images(db: &TestDatabase, isolation: &str, (forward, when): (&str, &str)) -> Nodes {
    let kind = db.kind();
    let mut owner = db.owner().await;
    let (end, no) = (options(kind), kind.boolean(false));
    owner.run(format!("CREATE TABLE images (id INTEGER NOT NULL PRIMARY KEY, is_public BOOLEAN NOT NULL) {end}")).await;
    owner
        .run(format!(
            "CREATE TABLE members (id INTEGER NOT NULL PRIMARY KEY, image_id INTEGER NOT NULL, \
             deleted BOOLEAN NOT NULL DEFAULT {no}) {end}"
        ))
        .await;
    owner.run("CREATE INDEX members_image ON members (image_id)").await;
    expand(
        db,
        &format!(
            "
  - add_column: {{ table: images, column: {{ name: visibility, type: string(20) }} }}
  - drop_not_null: {{ table: images, column: is_public }}
  - sync:
      name: images_visibility
      table: images
      forward: {{ visibility: \"{forward}\" }}
      backward: {{ is_public: visibility = 'public' }}
      related: [{{ table: members, key: {{ image_id: id }}, when: \"{when}\" }}]"
        ),
    );
    db.grant_application(&["images", "members"]).await;
    let mut nodes = Nodes::open(db, isolation).await;
    nodes.one.run("INSERT INTO images (id, visibility) VALUES (1, 'private'), (2, 'private'), (3, 'private')").await;
    nodes
}

async fn visibility(nodes: &mut Nodes) -> String {
    let found = nodes.one.lines("SELECT visibility, is_public FROM images ORDER BY id").await;
    let off = ["|f", "|0"];
    assert!(found.iter().all(|line| off.iter().any(|off| line.ends_with(off))), "no image is public: {found:?}");
    found.iter().map(|line| line.split('|').next().unwrap_or_default()).collect::<Vec<_>>().join(" ")
}

const JOINS: &str = "INSERT INTO members (id, image_id) VALUES (1, 1)";
/// A new node that looks: it takes the image, and leaves it alone when it has a member.
const LOOKS: [&str; 2] = [
    "SELECT id FROM images WHERE id = 1 FOR UPDATE",
    "UPDATE images SET visibility = 'private' WHERE id = 1 AND NOT EXISTS \
     (SELECT 1 FROM members WHERE members.image_id = images.id AND NOT members.deleted)",
];

async fn an_old_node_adds_a_member_first(db: TestDatabase, isolation: &str) {
    let mut nodes = images(&db, isolation, OCATA).await;
    nodes.second_waits_and_retries(&[JOINS], &[], &LOOKS).await;
    assert_eq!(visibility(&mut nodes).await, "shared private private");
    // One that does not look makes it private: the last of the two wrote so, as one after the other they would have.
    nodes.one.run("DELETE FROM members").await;
    nodes.second_waits_and_retries(&[JOINS], &[], &["UPDATE images SET visibility = 'private' WHERE id = 1"]).await;
    assert_eq!(visibility(&mut nodes).await, "private private private");
}

async fn a_new_node_makes_it_private_first(db: TestDatabase, isolation: &str) {
    let kind = db.kind();
    let mut nodes = images(&db, isolation, OCATA).await;
    // Shared and private alike before: what counts is what the first one leaves behind.
    for before in ["shared", "community", "private"] {
        nodes.one.run("DELETE FROM members").await;
        nodes.one.run(format!("UPDATE images SET visibility = '{before}' WHERE id = 1")).await;
        let first = [
            "UPDATE images SET visibility = 'shared' WHERE id = 1",
            "UPDATE images SET visibility = 'private' WHERE id = 1",
        ];
        nodes.second_waits_and_retries(&first, &[], &[JOINS]).await;
        assert_eq!(visibility(&mut nodes).await, "shared private private", "from {before}");
    }
    // With a snapshot that is older than what the first node commits.
    for joins in [
        JOINS,
        "UPDATE members SET image_id = 1 WHERE id = 20",
        match kind {
            Kind::Postgres => "UPDATE members SET deleted = false WHERE id = 10",
            _ => "UPDATE members SET deleted = 0 WHERE id = 10",
        },
        "INSERT INTO members (id, image_id) SELECT id + 100, 1 FROM members WHERE id = 30",
        "DELETE FROM members WHERE id = 40",
    ] {
        nodes.one.run("DELETE FROM members").await;
        let (yes, no) = (kind.boolean(true), kind.boolean(false));
        nodes
            .one
            .run(format!(
                "INSERT INTO members (id, image_id, deleted) VALUES (10, 1, {yes}), (20, 9, {no}), (30, 9, {no}), (40, 1, {no})"
            ))
            .await;
        nodes.one.run("UPDATE images SET visibility = 'shared' WHERE id = 1").await;
        let first = ["UPDATE images SET visibility = 'private' WHERE id = 1"];
        nodes.second_waits_and_retries(&first, &["SELECT COUNT(*) FROM images"], &[joins]).await;
        // A member that goes is a write in the members too, and what ocata says of the row before it holds.
        assert_eq!(visibility(&mut nodes).await, "shared private private", "by {joins}");
    }
}

/// What is looked up must be what is committed when the second one writes, not what was when it began.
async fn what_is_looked_up_is_not_stale(db: TestDatabase, isolation: &str) {
    let kind = db.kind();
    let mut nodes = images(&db, isolation, LOOKED_UP).await;
    let (yes, no) = (kind.boolean(true), kind.boolean(false));
    let undo = format!("UPDATE members SET deleted = {yes} WHERE id IN (10, 20)");
    let one_goes = format!("UPDATE members SET deleted = {yes} WHERE id = 20");
    let moves = "UPDATE members SET image_id = 3 WHERE id IN (10, 20)";
    for (leaves, expected) in [
        ("DELETE FROM members WHERE id = 20", "shared shared private"),
        (one_goes.as_str(), "shared shared private"),
        // The first row's trigger has looked at the members already when the second one's waits.
        ("DELETE FROM members WHERE id IN (10, 20)", "private shared private"),
        (undo.as_str(), "private shared private"),
        (moves, "private shared shared"),
    ] {
        for snapshot in [&["SELECT COUNT(*) FROM members"][..], &[]] {
            nodes.one.run("DELETE FROM members").await;
            nodes
                .one
                .run(format!("INSERT INTO members (id, image_id, deleted) VALUES (10, 1, {no}), (20, 2, {no})"))
                .await;
            assert_eq!(visibility(&mut nodes).await, "shared shared private");
            let joins = ["INSERT INTO members (id, image_id) VALUES (30, 2)"];
            nodes.second_waits_and_retries(&joins, snapshot, &[leaves]).await;
            assert_eq!(visibility(&mut nodes).await, expected, "by {leaves} behind {snapshot:?}");
        }
    }
}

/// One test for each database and level.
macro_rules! at_each_level {
    ($($body:ident: $($name:ident($kind:ident, $isolation:literal)),+;)+) => {$($(
        #[test]
        fn $name() {
            run(Kind::$kind, stringify!($name), async |db| $body(db, $isolation).await);
        }
    )+)+};
}

at_each_level! {
    an_old_node_adds_a_member_first:
        member_first_on_postgres_at_read_committed(Postgres, "READ COMMITTED"),
        member_first_on_postgres_at_repeatable_read(Postgres, "REPEATABLE READ"),
        member_first_on_mysql_at_read_committed(MySql, "READ COMMITTED"),
        member_first_on_mysql_at_repeatable_read(MySql, "REPEATABLE READ");
    a_new_node_makes_it_private_first:
        private_first_on_postgres_at_read_committed(Postgres, "READ COMMITTED"),
        private_first_on_postgres_at_repeatable_read(Postgres, "REPEATABLE READ"),
        private_first_on_mysql_at_read_committed(MySql, "READ COMMITTED"),
        private_first_on_mysql_at_repeatable_read(MySql, "REPEATABLE READ");
    what_is_looked_up_is_not_stale:
        looked_up_on_postgres_at_read_committed(Postgres, "READ COMMITTED"),
        looked_up_on_postgres_at_repeatable_read(Postgres, "REPEATABLE READ"),
        looked_up_on_mysql_at_read_committed(MySql, "READ COMMITTED"),
        looked_up_on_mysql_at_repeatable_read(MySql, "REPEATABLE READ");
}
