//! SQLite: `INSERT OR FAIL` keeps what a statement did before it failed, also what a trigger of it did.

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
    allow: {{ tightening-in-expand: a test }}
  - sync: {{ name: items_case, table: items, forward: {{ n: upper(o) }}, backward: {{ o: lower(n) }} }}"
        ),
    );
    session.run("INSERT INTO items (id, o, n) VALUES (1, 'taken', 'TAKEN')").await;
    session
}

async fn expect_synced_after(db: &TestDatabase, column: &str, failing: &str) {
    let mut session = unique(db, column).await;
    // Often, since what one statement leaves behind may be in force for a moment only.
    for round in 1..=40 {
        let id = round * 10;
        let transaction = round % 2 == 0;
        if transaction {
            session.run("BEGIN").await;
        }
        let failure = session.execute(failing.replace("ID", &id.to_string())).await.expect_err("it is taken");
        assert!(failure.message.contains("UNIQUE"), "{failure:?}");
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

#[test]
fn or_ignore_leaves_no_row_out_of_step() {
    run(Kind::Sqlite, "or_ignore", async |db| {
        let mut session = unique(&db, "n").await;
        session.run("INSERT INTO items (id, o) VALUES (5, 'free')").await;
        // The statement's own OR IGNORE rules the trigger's write as well, which would then do nothing and say nothing.
        for statement in [
            "INSERT OR IGNORE INTO items (id, o) VALUES (6, 'Taken')",
            "UPDATE OR IGNORE items SET o = 'Taken' WHERE id = 5",
        ] {
            let failure = session.execute(statement).await.expect_err("it cannot be in step");
            assert!(failure.message.contains("items_case"), "{failure:?}");
        }
        assert_eq!(item(&mut session, 5).await, "free|FREE|-");
        assert_eq!(session.lines("SELECT COUNT(*) FROM items WHERE id = 6").await, ["0"]);
    });
}

#[test]
fn or_ignore_and_replace_leave_no_pair_of_tables_out_of_step() {
    run(Kind::Sqlite, "or_ignore_moved", async |db| {
        let mut session = db.owner().await;
        session
            .run("CREATE TABLE users (id INTEGER NOT NULL PRIMARY KEY, bio VARCHAR(40) NOT NULL DEFAULT 'none')")
            .await;
        session
            .run(
                "CREATE TABLE profiles (user_id INTEGER NOT NULL PRIMARY KEY REFERENCES users (id), \
                 bio VARCHAR(40) UNIQUE, colour VARCHAR(10))",
            )
            .await;
        expand(
            &db,
            "
  - sync:
      name: users_bio
      table: users
      to: { table: profiles, key: { user_id: id } }
      forward: { bio: upper(bio) }
      backward: { bio: \"CASE WHEN bio <> 'nothing' THEN lower(bio) END\" }",
        );
        session.run("INSERT INTO users (id, bio) VALUES (1, 'Ada'), (2, 'Bob')").await;
        session.run("INSERT INTO users (id) VALUES (3)").await;
        let all = "SELECT u.id, u.bio, p.bio FROM users u LEFT JOIN profiles p ON p.user_id = u.id ORDER BY u.id";
        let before = ["1|Ada|ADA", "2|Bob|BOB", "3|none|-"];
        for statement in [
            // The old column refuses the NULL that it would become.
            "INSERT OR IGNORE INTO profiles (user_id, bio) VALUES (3, 'nothing')",
            "UPDATE OR IGNORE profiles SET bio = 'nothing' WHERE user_id = 1",
            "REPLACE INTO profiles (user_id, bio) VALUES (1, 'nothing')",
            "REPLACE INTO profiles (user_id, bio) VALUES (3, 'nothing')",
            // The new column is taken.
            "INSERT OR IGNORE INTO users (id, bio) VALUES (4, 'Bob')",
            "UPDATE OR IGNORE users SET bio = 'Ada' WHERE id IN (2, 3)",
        ] {
            let failure = session.execute(statement).await.expect_err(statement);
            assert!(failure.message.contains("users_bio"), "{statement}: {failure:?}");
            assert_eq!(session.lines(all).await, before, "after {statement}");
        }
    });
}
