//! SQLite: `INSERT OR FAIL` keeps what a statement did before it failed, also what a trigger of it did.

use std::time::Duration;

use super::{expand, item};
use crate::support::{Kind, Session, TestDatabase, run};

/// Items whose new column, or old column, is unique.
async fn unique(db: &TestDatabase, column: &str) -> Session {
    let mut session = db.owner().await;
    session.run("CREATE TABLE items (id INTEGER NOT NULL PRIMARY KEY, o VARCHAR(40), other INTEGER)").await;
    expand(
        db,
        &format!(
            "
  - add_column: {{ table: items, column: {{ name: n, type: string(40) }} }}
  - create_index: {{ table: items, name: one_of_a_kind, columns: [{column}], unique: true }}
  - sync: {{ name: items_case, table: items, forward: {{ n: upper(o) }}, backward: {{ o: lower(n) }} }}"
        ),
    );
    session.run("INSERT INTO items (id, o, n) VALUES (1, 'taken', 'TAKEN')").await;
    session
}

async fn expect_synced_after(db: &TestDatabase, column: &str, failing: &str) {
    let mut session = unique(db, column).await;
    for round in 1..=10 {
        let id = round * 10;
        let transaction = round % 2 == 0;
        if transaction {
            session.run("BEGIN").await;
        }
        let failure = session.execute(failing.replace("ID", &id.to_string())).await.expect_err("it is taken");
        assert!(failure.message.contains("UNIQUE"), "{failure:?}");
        // What the statement left behind is in force for the rest of its millisecond.
        std::thread::sleep(Duration::from_millis(5));
        session.run(format!("INSERT INTO items (id, o) VALUES ({}, 'Old {round}')", id + 1)).await;
        session.run(format!("INSERT INTO items (id, n) VALUES ({}, 'New {round}')", id + 2)).await;
        if transaction {
            session.run("COMMIT").await;
        }
        assert_eq!(item(&mut session, id + 1).await, format!("Old {round}|OLD {round}|-"), "in round {round}");
        assert_eq!(item(&mut session, id + 2).await, format!("new {round}|New {round}|-"), "in round {round}");
        session.run(format!("DELETE FROM items WHERE id = {id}")).await;
    }
}

#[test]
fn an_old_writer_fails_on_the_new_column() {
    run(Kind::Sqlite, "or_fail_new", async |db| {
        // 'Taken' is not there, but what it becomes is.
        expect_synced_after(&db, "n", "INSERT OR FAIL INTO items (id, o) VALUES (ID, 'Taken')").await;
    });
}

#[test]
fn a_new_writer_fails_on_the_old_column() {
    run(Kind::Sqlite, "or_fail_old", async |db| {
        expect_synced_after(&db, "o", "INSERT OR FAIL INTO items (id, n) VALUES (ID, 'Taken')").await;
    });
}
