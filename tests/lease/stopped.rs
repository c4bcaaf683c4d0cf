//! A runner that stood still for longer than its lease lasts (a laptop's lid, a frozen virtual machine) changes nothing once
//! another has the lease, wherever it stopped.

use crate::conformance::{introspect, schema::Schema};
use crate::support::{Kind, Session, TestDatabase, Train, on_every_server, run};

use super::{counted, slow_of};

const STEPS: &str = "steps:
  - add_column: { table: items, column: { name: word, type: text, nullable: true } }
  - create_index: { table: items, name: items_done, columns: [done] }
";
const DONE: &str = "SELECT step_id, attempts, started_at, finished_at FROM concertina_step ORDER BY 1";

/// What the database has, and what our tables say of it.
async fn state(db: &TestDatabase, session: &mut Session) -> (Schema, Vec<String>, Vec<String>) {
    let history = session.lines("SELECT COUNT(*) FROM concertina_history").await;
    (introspect::schema(db).await, session.lines(DONE).await, history)
}

on_every_server! {
    async fn in_the_middle_of_a_step(db: TestDatabase) {
        let mut session = db.owner().await;
        session.run("CREATE TABLE items (id INTEGER NOT NULL PRIMARY KEY, done INTEGER)").await;
        let mut train = Train::new(&db);
        train.add(&[("expand/01_word.yaml", STEPS)]);
        let mut other = db.owner().await;
        other.run("BEGIN").await;
        other.run("SELECT * FROM items").await;
        let first = train.concertina().spawn(&["expand"]);
        first.wait_for_stderr("waiting to add column");
        first.signal("STOP");
        session.run("UPDATE concertina_lease SET expires_at = 0").await;
        other.run("ROLLBACK").await;
        train.concertina().run(&["expand"]).expect_code(0);
        let before = state(&db, &mut session).await;
        first.signal("CONT");
        first.finish().expect_code(7).expect_stderr("the lease was lost: another runner took over");
        let after = state(&db, &mut session).await;
        assert_eq!(Schema::differences(&before.0, &after.0), []);
        assert_eq!((before.1, before.2), (after.1, after.2));
    }

    async fn in_the_middle_of_a_batch(db: TestDatabase) {
        let (mut session, train) = slow_of(&db, 300).await;
        let mut other = db.owner().await;
        other.run("BEGIN").await;
        other.run("UPDATE items SET counter = counter WHERE id = 100").await;
        // A short lease instead of a long wait; whoever comes has another.
        let first = train.concertina().env("CONCERTINA_LEASE_MS", "3000").spawn(&["migrate"]);
        while session.value("SELECT 1 FROM items WHERE id = 99 AND done = 1").await.is_none() {}
        let waits = match db.kind() {
            Kind::Postgres => {
                "SELECT 1 FROM pg_stat_activity WHERE application_name = 'concertina' AND datname = current_database() \
                 AND wait_event_type = 'Lock'"
            }
            _ => {
                "SELECT 1 FROM information_schema.processlist WHERE info LIKE 'UPDATE%items%' AND db = DATABASE() \
                 AND info NOT LIKE '%processlist%'"
            }
        };
        while session.value(waits).await.is_none() {}
        first.signal("STOP");
        other.run("ROLLBACK").await;
        let taken = loop {
            let output = train.concertina().run(&["migrate", "--max-rows", "1"]);
            // Until the lease has run out both migrate.
            if session.value("SELECT COUNT(*) FROM concertina_worker").await.as_deref() == Some("0") {
                break output;
            }
        };
        taken.expect_code(4);
        let counts = counted(&mut session).await;
        first.signal("CONT");
        first.finish().expect_code(7).expect_stderr("the lease was lost: another runner took over");
        assert_eq!(counted(&mut session).await, counts);
        train.concertina().run(&["migrate"]).expect_code(0);
        assert_eq!(counted(&mut session).await, "300|300");
    }
}

/// What is locked at the server by a runner of another host that stood still, for another that is at work meanwhile.
async fn a_locked_range(db: TestDatabase) {
    let (mut session, train) = slow_of(&db, 300).await;
    train.concertina().run(&["migrate", "--max-rows", "5"]).expect_code(4);
    let mut stopped = db.owner().await;
    let (mark, now) = match db.kind() {
        Kind::Postgres => {
            stopped.run("SET application_name = 'concertina'").await;
            let mark = "SELECT pid || '/' || extract(epoch FROM backend_start) FROM pg_stat_activity WHERE pid = pg_backend_pid()";
            (stopped.value(mark).await.expect("its mark"), "(extract(epoch FROM clock_timestamp()) * 1000)::bigint")
        }
        _ => {
            // A lock's name is at most 64 characters.
            let mark = stopped.value("SELECT CONCAT('stopped-', CONNECTION_ID())").await.expect("its mark");
            stopped.value(format!("SELECT GET_LOCK('{mark}', 0)")).await;
            (mark, "CAST(UNIX_TIMESTAMP(SYSDATE(3)) * 1000 AS SIGNED)")
        }
    };
    session
        .run(format!(
            "INSERT INTO concertina_worker (worker_id, holder, process, sessions, command, started_at, expires_at, seen_at, batch_rows) \
             VALUES ('gone', 'ops@node1 pid 7 (1.0.0)', 'another-boot/pid:[7]/7/77', '{mark}', 'migrate', {now}, {now} + 3000, {now}, 1)"
        ))
        .await;
    session.run("UPDATE concertina_range SET worker = 'gone' WHERE state = 'open'").await;
    stopped.run("BEGIN").await;
    stopped.run("UPDATE concertina_range SET batches = batches + 1").await;
    train.concertina().run(&["migrate"]).expect_code(0);
    assert_eq!(counted(&mut session).await, "300|300");
    assert!(stopped.execute("COMMIT").await.is_err(), "its session was ended");
}

#[test]
fn a_range_that_is_locked_is_taken_over_on_postgres() {
    run(Kind::Postgres, "locked_range", a_locked_range);
}

#[test]
fn a_range_that_is_locked_is_taken_over_on_mysql() {
    run(Kind::MySql, "locked_range", a_locked_range);
}

/// A build that waits for an older transaction, with nothing left to do but to be marked as valid.
async fn an_index_build(db: TestDatabase) {
    let mut session = db.owner().await;
    session.run("CREATE TABLE items (id INTEGER NOT NULL PRIMARY KEY, done INTEGER)").await;
    let mut train = Train::new(&db);
    train.add(&[(
        "expand/01_index.yaml",
        "steps:\n  - create_index: { table: items, name: items_done, columns: [done] }\n",
    )]);
    let mut old = db.owner().await;
    old.run("BEGIN ISOLATION LEVEL REPEATABLE READ").await;
    old.run("SELECT count(*) FROM items").await;
    let first = train.concertina().spawn(&["expand"]);
    let builds = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'CREATE INDEX CONCURRENTLY%' \
                  AND wait_event_type = 'Lock'";
    while session.value(builds).await.is_none() {}
    first.signal("STOP");
    session.run("UPDATE concertina_lease SET expires_at = 0").await;
    let second = train.concertina().spawn(&["expand"]);
    // Its build was ended at the server, before the second began its own.
    while session.value("SELECT 1 FROM concertina_lease WHERE token > 1 AND expires_at > 0").await.is_none() {}
    old.run("COMMIT").await;
    second.finish().expect_code(0);
    let before = state(&db, &mut session).await;
    first.signal("CONT");
    first.finish().expect_code(7).expect_stderr("the lease was lost: another runner took over");
    let after = state(&db, &mut session).await;
    assert_eq!(Schema::differences(&before.0, &after.0), []);
    assert_eq!((before.1, before.2), (after.1, after.2));
    let valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'items_done'::regclass";
    assert_eq!(session.lines(valid).await, ["t"]);
}

#[test]
fn in_the_middle_of_an_index_build() {
    run(Kind::Postgres, "index_build", an_index_build);
}

/// Whoever lost the lease takes nothing back either: what is there under the name may be the new holder's.
async fn a_build_that_fails(db: TestDatabase) {
    let mut session = db.owner().await;
    session.run("CREATE TABLE items (id INTEGER NOT NULL PRIMARY KEY, done INTEGER)").await;
    session.run("INSERT INTO items VALUES (1, 7), (2, 8)").await;
    let mut train = Train::new(&db);
    let unique = "steps:\n  - create_index: { table: items, name: items_done, columns: [done], unique: true }\n";
    train.add(&[("expand/01_index.yaml", unique)]);
    let mut old = db.owner().await;
    old.run("BEGIN").await;
    old.run("UPDATE items SET done = 7").await;
    let first = train.concertina().spawn(&["expand", "--force", "lint"]);
    let builds = "SELECT 1 FROM pg_index WHERE indexrelid = to_regclass('items_done')";
    while session.value(builds).await.is_none() {}
    // As who comes behind a pooler does it, where there may be no session to end.
    session.run("UPDATE concertina_lease SET token = token + 1").await;
    old.run("COMMIT").await;
    first.finish().expect_code(7).expect_stderr("the lease was lost: another runner took over");
    assert_eq!(session.value(builds).await.as_deref(), Some("1"), "it dropped the index");
}

#[test]
fn who_lost_the_lease_takes_nothing_back() {
    run(Kind::Postgres, "fails", a_build_that_fails);
}
