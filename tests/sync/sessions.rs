//! MySQL and MariaDB: what two sessions do to one another, and what a statement that failed inside a trigger leaves.

use super::{expand, item, items, options};
use crate::support::{Kind, Session, TestDatabase, run};

async fn impatient(db: &TestDatabase) -> Session {
    let mut session = db.application().await;
    session.run("SET SESSION innodb_lock_wait_timeout = 1").await;
    session.run("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ").await;
    session
}

async fn open_transactions(db: TestDatabase) {
    drop(items(&db, "reject").await);
    let (mut one, mut two) = (impatient(&db).await, impatient(&db).await);
    one.run("BEGIN").await;
    two.run("START TRANSACTION WITH CONSISTENT SNAPSHOT").await;
    // Twice: the second time the sync's own rows are there already.
    for round in [100, 200] {
        one.run(format!("INSERT INTO items (id, o) VALUES ({round}, 'One')")).await;
        two.run(format!("INSERT INTO items (id, o) VALUES ({}, 'Two')", round + 1)).await;
        two.run(format!("INSERT INTO items (id, n) VALUES ({}, 'Two')", round + 2)).await;
        one.run(format!("INSERT INTO items (id, n) VALUES ({}, 'One')", round + 3)).await;
        one.run(format!("UPDATE items SET n = 'Uno' WHERE id = {round}")).await;
        two.run(format!("UPDATE items SET o = 'Dos' WHERE id = {}", round + 2)).await;
    }
    // A third that comes later, and one that commits while the other goes on.
    let mut three = impatient(&db).await;
    three.run("INSERT INTO items (id, o) VALUES (300, 'Three'), (301, 'Three')").await;
    one.run("COMMIT").await;
    two.run("INSERT INTO items (id, o) VALUES (302, 'Two')").await;
    one.run("BEGIN").await;
    one.run("INSERT INTO items (id, n) VALUES (303, 'One')").await;
    two.run("ROLLBACK").await;
    one.run("COMMIT").await;
    let found = three.lines("SELECT id, o, n FROM items WHERE id >= 100 ORDER BY id").await;
    assert_eq!(
        found,
        [
            "100|uno|Uno",
            "103|one|One",
            "200|uno|Uno",
            "203|one|One",
            "300|Three|THREE",
            "301|Three|THREE",
            "303|one|One"
        ]
    );
    assert_eq!(item(&mut three, 1).await, "one|-|1");
}

async fn a_lock_wait(db: TestDatabase) {
    let mut owner = db.owner().await;
    let end = options(db.kind());
    owner
        .run(format!(
            "CREATE TABLE images (id INTEGER NOT NULL PRIMARY KEY, is_public BOOLEAN NOT NULL, name VARCHAR(40)) {end}"
        ))
        .await;
    owner.run(format!("CREATE TABLE members (id INTEGER NOT NULL PRIMARY KEY, image_id INTEGER NOT NULL) {end}")).await;
    expand(
        &db,
        "
  - add_column: { table: images, column: { name: visibility, type: string(20) } }
  - drop_not_null: { table: images, column: is_public }
  - sync:
      name: images_visibility
      table: images
      forward: { visibility: CASE WHEN is_public THEN 'public' ELSE 'shared' END }
      backward: { is_public: visibility = 'public' }
      related:
        - { table: members, key: { image_id: id }, when: visibility = 'private' }",
    );
    db.grant_application(&["images", "members"]).await;
    let (mut one, mut two) = (impatient(&db).await, impatient(&db).await);
    one.run("INSERT INTO images (id, visibility) VALUES (1, 'private'), (2, 'private')").await;
    for (round, transaction) in [false, true].into_iter().enumerate() {
        one.run("BEGIN").await;
        one.run("UPDATE images SET name = 'held' WHERE id = 1").await;
        if transaction {
            two.run("BEGIN").await;
        }
        let failure = two.execute("INSERT INTO members VALUES (1, 1)").await.expect_err("the image is held");
        assert_eq!(failure.code, "1205", "{failure:?}");
        // The statement is gone, and the very next ones of the same session are synced.
        let id = 10 * (round + 1);
        two.run(format!("INSERT INTO images (id, is_public) VALUES ({id}, 1)")).await;
        two.run(format!("INSERT INTO images (id, visibility) VALUES ({}, 'public')", id + 1)).await;
        two.run(format!("INSERT INTO members VALUES ({id}, {id})")).await;
        if transaction {
            two.run("COMMIT").await;
        }
        one.run("ROLLBACK").await;
        let found = two.lines(format!("SELECT is_public, visibility FROM images WHERE id IN ({id}, {id} + 1)")).await;
        assert_eq!(found, ["1|public", "1|public"]);
        assert_eq!(two.lines("SELECT id FROM members WHERE image_id = 1").await, [""; 0]);
    }
    two.run("INSERT INTO members VALUES (1, 1)").await;
    let found = two.lines("SELECT id, visibility FROM images WHERE id < 10 ORDER BY id").await;
    assert_eq!(found, ["1|shared", "2|private"]);
}

#[test]
fn open_transactions_do_not_block_each_other() {
    run(Kind::MySql, "open_transactions", open_transactions);
}

#[test]
fn a_lock_wait_inside_a_related_trigger_leaves_the_session_synced() {
    run(Kind::MySql, "a_lock_wait", a_lock_wait);
}
