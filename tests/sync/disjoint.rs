//! Sessions that write different rows at once: a sync makes none of them wait for another, nor fail on account of another.
//! The record of when a side last wrote is what could, so it is due each time.

use super::{expand, options};
use crate::support::{Kind, Session, TestDatabase, run};

/// How many sessions there are, and how far apart their rows: so far that no two of them are on one page of the key.
const SESSIONS: u32 = 6;
const APART: u32 = 800;

/// Items that nobody has migrated, without a sync yet, and what each session may write.
async fn items(db: &TestDatabase) -> Session {
    let mut owner = db.owner().await;
    owner
        .run(format!(
            "CREATE TABLE items (id INTEGER NOT NULL PRIMARY KEY, o VARCHAR(40) NOT NULL, n VARCHAR(40)) {}",
            options(db.kind())
        ))
        .await;
    let rows: Vec<_> = (0..SESSIONS * APART).map(|id| format!("({id}, 'Row {id}')")).collect();
    owner.run(format!("INSERT INTO items (id, o) VALUES {}", rows.join(", "))).await;
    owner.run(if db.kind() == Kind::Postgres { "ANALYZE items" } else { "ANALYZE TABLE items" }).await;
    db.grant_application(&["items"]).await;
    owner
}

fn sync(db: &TestDatabase) {
    expand(
        db,
        "
  - drop_not_null: { table: items, column: o }
  - sync: { name: items_case, table: items, forward: { n: upper(o) }, backward: { o: lower(n) } }",
    );
}

/// Makes the next write of either side be one that has to be recorded.
async fn make_due(kind: Kind, owner: &mut Session) {
    if kind == Kind::Postgres {
        owner.run("SELECT setval('concertina_items_case_old', 1), setval('concertina_items_case_new', 1)").await;
    } else {
        for side in ["old", "new"] {
            owner.run(format!("ALTER TABLE concertina_items_case_{side} AUTO_INCREMENT = 1")).await;
        }
    }
}

/// How many of the sync's two sides were seen since they were made due.
async fn sides_seen(kind: Kind, owner: &mut Session) -> Option<String> {
    let seen = if kind == Kind::Postgres {
        "SELECT count(*) FROM (SELECT last_value FROM concertina_items_case_old UNION ALL \
         SELECT last_value FROM concertina_items_case_new) s WHERE last_value > 1"
    } else {
        "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE() \
         AND table_name IN ('concertina_items_case_old', 'concertina_items_case_new') AND auto_increment > 1"
    };
    owner.value(seen).await
}

/// Runs rounds in which every session writes rows of its own while the transactions of all others are open. Gives how many
/// statements the database refused; one that waits is refused.
async fn rounds(db: &TestDatabase, owner: &mut Session, isolation: &str, due: bool) -> u32 {
    let kind = db.kind();
    let mut sessions = Vec::new();
    for _ in 0..SESSIONS {
        let mut session = db.application().await;
        if kind == Kind::Postgres {
            session.run(format!("SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL {isolation}")).await;
            // A scan of the whole table would conflict with everybody, sync or none. What is forbidden costs so much that the
            // planner would compile it.
            session
                .run("SET lock_timeout = '1s'; SET enable_seqscan = off; SET enable_bitmapscan = off; SET jit = off")
                .await;
        } else {
            session.run(format!("SET SESSION TRANSACTION ISOLATION LEVEL {isolation}")).await;
            session.run("SET SESSION innodb_lock_wait_timeout = 1, lock_wait_timeout = 1").await;
        }
        sessions.push(session);
    }
    let mut refused = 0;
    for round in 0..4 {
        if due {
            make_due(kind, owner).await;
            // A session of MySQL's remembers for a minute that it has said so.
            for session in sessions.iter_mut().filter(|_| kind == Kind::MySql) {
                session.run("SET @concertina_seen_items_case_old = NULL, @concertina_seen_items_case_new = NULL").await;
            }
        }
        for session in &mut sessions {
            session.run("BEGIN").await;
        }
        for (number, column) in [(0, "o"), (1, "n"), (2, "o"), (3, "n")] {
            for (session, first) in sessions.iter_mut().zip((0..).step_by(APART as usize)) {
                let id = first + 10 * round + number;
                let write = format!("UPDATE items SET {column} = 'Round {round}' WHERE id = {id}");
                refused += u32::from(session.execute(write).await.is_err());
            }
        }
        // The last to begin is the first to commit.
        for session in sessions.iter_mut().rev() {
            refused += u32::from(session.execute("COMMIT").await.is_err());
        }
    }
    refused
}

async fn nobody_waits(db: TestDatabase, isolation: &str) {
    let kind = db.kind();
    let mut owner = items(&db).await;
    assert_eq!(rounds(&db, &mut owner, isolation, false).await, 0, "without the sync");
    owner.run("UPDATE items SET o = 'Before', n = NULL WHERE n IS NOT NULL OR o LIKE 'Round%'").await;
    sync(&db);
    assert_eq!(rounds(&db, &mut owner, isolation, true).await, 0, "with the sync");
    assert_eq!(sides_seen(kind, &mut owner).await.as_deref(), Some("2"));
    let bytes = if kind == Kind::MySql { "BINARY " } else { "" };
    for (written, number) in [
        (format!("{bytes}o LIKE 'Round%' AND n = upper(o)"), 0),
        (format!("{bytes}n LIKE 'Round%' AND o = lower(n)"), 1),
    ] {
        let found = owner.value(format!("SELECT COUNT(*) FROM items WHERE id % 2 = {number} AND {written}")).await;
        assert_eq!(found, Some((SESSIONS * 4 * 2).to_string()), "{written}");
    }
}

#[test]
fn nobody_waits_on_postgres_at_read_committed() {
    run(Kind::Postgres, "nobody_waits", async |db| nobody_waits(db, "READ COMMITTED").await);
}

#[test]
fn nobody_waits_or_fails_on_postgres_at_serializable() {
    run(Kind::Postgres, "nobody_waits", async |db| nobody_waits(db, "SERIALIZABLE").await);
}

#[test]
fn nobody_waits_on_mysql_at_read_committed() {
    run(Kind::MySql, "nobody_waits", async |db| nobody_waits(db, "READ COMMITTED").await);
}

#[test]
fn nobody_waits_on_mysql_at_repeatable_read() {
    run(Kind::MySql, "nobody_waits", async |db| nobody_waits(db, "REPEATABLE READ").await);
}
