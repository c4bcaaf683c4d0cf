//! A key that an expression reads: when it alone changes, a row that it leaves out of step follows as after an old write.

use super::{expand, options};
use crate::support::{Session, TestDatabase, on_every_database};

async fn items(db: &TestDatabase, forward: &str, backward: &str) -> Session {
    let mut owner = db.owner().await;
    owner
        .run(format!(
            "CREATE TABLE items (id INTEGER NOT NULL PRIMARY KEY, o VARCHAR(40) NOT NULL) {}",
            options(db.kind())
        ))
        .await;
    owner.run("INSERT INTO items (id, o) VALUES (1, 'Before')").await;
    expand(
        db,
        &format!(
            "
  - add_column: {{ table: items, column: {{ name: n, type: string(40) }} }}
  - drop_not_null: {{ table: items, column: o }}
  - sync: {{ name: items_case, table: items, forward: {{ n: {forward} }}, backward: {{ o: {backward} }} }}"
        ),
    );
    db.grant_application(&["items"]).await;
    let mut session = db.application().await;
    session.run("INSERT INTO items (id, o) VALUES (10, 'Old')").await;
    session.run("INSERT INTO items (id, n) VALUES (11, 'New')").await;
    session
}

const ALL: &str = "SELECT id, o, n FROM items ORDER BY id";
const KEYS: &str = "UPDATE items SET id = id + 100 WHERE id < 100";

on_every_database! {
    async fn a_row_whose_key_forward_reads_follows_its_key(db: TestDatabase) {
        let mut session = items(&db, "CASE WHEN id < 100 THEN upper(o) ELSE o END", "lower(n)").await;
        assert_eq!(session.lines(ALL).await, ["1|Before|-", "10|Old|OLD", "11|new|New"]);
        session.run(KEYS).await;
        // Never migrated; out of step by the new key; still in step, since backward gives what is there.
        assert_eq!(session.lines(ALL).await, ["101|Before|-", "110|Old|Old", "111|new|New"]);
        // With one of the sides it is that side's write.
        session.run("UPDATE items SET id = 12, o = 'Moved' WHERE id = 111").await;
        session.run("UPDATE items SET id = 13, n = 'Moved' WHERE id = 110").await;
        assert_eq!(session.lines(ALL).await, ["12|Moved|MOVED", "13|moved|Moved", "101|Before|-"]);
    }

    async fn a_row_whose_key_backward_reads_follows_its_key(db: TestDatabase) {
        let mut session = items(&db, "upper(o)", "CASE WHEN id < 100 THEN lower(n) ELSE n END").await;
        assert_eq!(session.lines(ALL).await, ["1|Before|-", "10|Old|OLD", "11|new|New"]);
        session.run(KEYS).await;
        // Still in step, since forward gives what is there; out of step, and the old side is not touched.
        assert_eq!(session.lines(ALL).await, ["101|Before|-", "110|Old|OLD", "111|new|NEW"]);
    }
}
