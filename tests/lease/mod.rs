//! One runner at a time: who is refused, who takes over from whom, and what a holder that lost its lease does.

mod hosts;
mod stopped;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::conformance::glance::{Node, at_newton};
use crate::conformance::{introspect, schema::Schema};
use crate::support::{Concertina, Kind, Session, TestDatabase, Train, on_every_database, run};

/// A table of some rows, and a release that is expanded and has a backfill of single-row batches.
async fn slow(db: &TestDatabase) -> (Session, Train) {
    slow_of(db, 2_000).await
}

async fn slow_of(db: &TestDatabase, rows: usize) -> (Session, Train) {
    let mut session = db.owner().await;
    let options = if db.kind() == Kind::MySql { "ENGINE=InnoDB" } else { "" };
    session
        .run(format!(
            "CREATE TABLE items (id INTEGER NOT NULL PRIMARY KEY, done INTEGER NOT NULL, counter INTEGER NOT NULL) {options}"
        ))
        .await;
    let rows: Vec<String> = (0..rows).map(|id| format!("({id}, 0, 0)")).collect();
    session.run(format!("INSERT INTO items VALUES {}", rows.join(", "))).await;
    let mut train = Train::with_settings(db, "batch: { rows: 1, target: 1ms }");
    train.add(&[(
        "data/01_count.yaml",
        "backfill: { table: items, set: { done: 1, counter: counter + 1 }, where: done = 0 }\n",
    )]);
    train.concertina().run(&["expand"]).expect_code(0);
    (session, train)
}

async fn counted(session: &mut Session) -> String {
    session.lines("SELECT SUM(done), SUM(counter) FROM items").await.concat()
}

/// Stops a process where it is in no transaction: inside one it would hold rows that whoever takes over wants.
async fn stop_between_batches(db: &TestDatabase, running: &crate::support::Running) {
    let mut probe = db.owner().await;
    probe
        .run(match db.kind() {
            Kind::Postgres => "SET lock_timeout = '20ms'",
            Kind::MySql => "SET SESSION innodb_lock_wait_timeout = 0",
            Kind::Sqlite => "PRAGMA busy_timeout = 20",
        })
        .await;
    loop {
        running.signal("STOP");
        if probe.execute("UPDATE items SET id = id").await.is_ok()
            && probe.execute("UPDATE concertina_range SET batches = batches").await.is_ok()
        {
            return;
        }
        running.signal("CONT");
    }
}

on_every_database! {
    async fn the_second_of_two_is_told_who_runs(db: TestDatabase) {
        let (mut session, train) = slow(&db).await;
        let first = train.concertina().spawn(&["migrate"]);
        while session.value("SELECT 1 FROM items WHERE done = 1").await.is_none() {}
        stop_between_batches(&db, &first).await;
        for command in ["upgrade", "expand", "contract"] {
            let second = train.concertina().run(&[command]);
            second.expect_code(7).expect_stderr("runs `migrate`").expect_stderr("pid");
        }
        // Reading needs no lease.
        train.concertina().run(&["status"]).expect_code(0);
        train.concertina().run(&["check"]).expect_code(4);
        first.signal("CONT");
        first.finish().expect_code(0);
        assert_eq!(counted(&mut session).await, "2000|2000");
    }

    async fn several_migrates_share_the_rows(db: TestDatabase) {
        let (mut session, train) = slow(&db).await;
        let running: Vec<_> = (0..3).map(|_| train.concertina().spawn(&["migrate", "--workers", "2"])).collect();
        for process in running {
            process.finish().expect_code(0);
        }
        assert_eq!(counted(&mut session).await, "2000|2000");
        let rows = session.lines("SELECT SUM(rows_changed) FROM concertina_range").await;
        assert_eq!(rows, ["2000"], "each row is counted once");
        if db.kind() != Kind::Sqlite {
            let ranges = session.value("SELECT COUNT(*) FROM concertina_range WHERE pass = 1").await;
            assert_ne!(ranges.as_deref(), Some("1"), "nobody cut a range in two");
        }
        assert_eq!(session.lines("SELECT COUNT(*) FROM concertina_worker").await, ["0"]);
    }

    async fn of_two_expands_at_once_one_runs(db: TestDatabase) {
        let mut train = Train::new(&db);
        let steps: String =
            (0..12).map(|n| format!("  - create_table: {{ name: t{n}, columns: [{{ name: id, type: integer }}] }}\n")).collect();
        train.add(&[("expand/01_tables.yaml", &format!("steps:\n{steps}"))]);
        let concertina = train.concertina();
        drop(db.owner().await); // SQLite's file; expand makes none
        let both = [concertina.spawn(&["expand"]), concertina.spawn(&["expand"])];
        let mut codes: Vec<Option<i32>> = both.into_iter().map(|running| running.finish().code).collect();
        codes.sort_unstable();
        // The second may also have come when the first was done, and found nothing to do.
        assert!(codes == [Some(0), Some(7)] || codes == [Some(0), Some(0)], "{codes:?}");
        let schema = introspect::schema(&db).await;
        assert!((0..12).all(|n| schema.fact(&format!("table t{n}")).is_some()));
        let steps = db.owner().await.lines("SELECT COUNT(*), MAX(attempts) FROM concertina_step").await;
        assert_eq!(steps, ["12|1"]);
    }

    async fn a_killed_holders_lease_is_taken_over_at_once(db: TestDatabase) {
        let (mut session, train) = slow(&db).await;
        let first = train.concertina().spawn(&["migrate"]);
        while session.value("SELECT 1 FROM items WHERE done = 1").await.is_none() {}
        first.kill();
        // The lease has half a minute to run, by its own account.
        let left = session.value("SELECT expires_at - started_at FROM concertina_worker").await;
        assert!(left.is_some_and(|left| left.parse::<i64>().expect("a number") >= 30_000));
        let since = std::time::Instant::now();
        train.concertina().run(&["migrate", "--max-rows", "1"]).expect_code(4);
        assert!(since.elapsed().as_secs() < 10, "it waited for {:?}", since.elapsed());
        train.concertina().run(&["migrate"]).expect_code(0);
        assert_eq!(counted(&mut session).await, "2000|2000");
    }

    async fn a_holder_that_lost_its_lease_changes_nothing_more(db: TestDatabase) {
        let (mut session, train) = slow(&db).await;
        let first = train.concertina().spawn(&["migrate"]);
        while session.value("SELECT 1 FROM items WHERE done = 1").await.is_none() {}
        stop_between_batches(&db, &first).await;
        session.run("UPDATE concertina_worker SET expires_at = 0").await;
        train.concertina().run(&["migrate", "--max-rows", "10"]).expect_code(4);
        let before = counted(&mut session).await;
        let range = session.lines("SELECT cursor_key, rows_walked, rows_changed, batches FROM concertina_range ORDER BY range_number").await;
        first.signal("CONT");
        let lost = first.finish();
        lost.expect_code(7);
        assert_eq!(counted(&mut session).await, before);
        let after = session.lines("SELECT cursor_key, rows_walked, rows_changed, batches FROM concertina_range ORDER BY range_number").await;
        assert_eq!(after, range);
        train.concertina().run(&["migrate"]).expect_code(0);
        assert_eq!(counted(&mut session).await, "2000|2000");
    }
}

/// The holder is stopped inside a transaction, in which it has renewed the lease: its row is locked, and nobody comes to
/// let it go. Whoever takes over must end that session first.
async fn stopped_inside_a_transaction(db: TestDatabase) {
    let (mut session, train) = slow(&db).await;
    let mut other = db.owner().await;
    other.run("BEGIN").await;
    other.run("UPDATE items SET counter = counter WHERE id = 300").await;
    let first = train.concertina().spawn(&["migrate"]);
    // It comes to the locked row, and has renewed the lease in the same transaction.
    let waits = match db.kind() {
        Kind::Postgres => {
            "SELECT 1 FROM pg_stat_activity WHERE application_name = 'concertina' AND wait_event_type = 'Lock'"
        }
        _ => {
            "SELECT 1 FROM information_schema.processlist WHERE info LIKE 'UPDATE%items%' AND db = DATABASE() AND info NOT LIKE '%processlist%'"
        }
    };
    while session.value(waits).await.is_none() {}
    first.signal("STOP");
    other.run("ROLLBACK").await;
    // As if the lease had run out before that transaction: nobody but its session can see the renewal.
    let ended = match db.kind() {
        Kind::Postgres => {
            "SELECT 1 FROM pg_stat_activity WHERE application_name = 'concertina' AND state = 'idle in transaction'"
        }
        _ => {
            "SELECT 1 FROM information_schema.processlist WHERE db = DATABASE() AND command = 'Sleep' AND id <> CONNECTION_ID()"
        }
    };
    while session.value(ended).await.is_none() {}
    let since = std::time::Instant::now();
    // Its own lease runs out by the clock; until then the answer is 7.
    let taken = loop {
        let output = train.concertina().run(&["migrate", "--max-rows", "5"]);
        if output.code != Some(7) {
            break output;
        }
        assert!(since.elapsed().as_secs() < 50, "{output}");
    };
    taken.expect_code(4);
    first.signal("CONT");
    let lost = first.finish();
    assert_ne!(lost.code, Some(0), "{lost}");
    train.concertina().run(&["migrate"]).expect_code(0);
    assert_eq!(counted(&mut session).await, "2000|2000");
}

#[test]
fn a_holder_stopped_inside_a_transaction_is_taken_over_on_postgres() {
    if crate::support::is_deep() {
        run(Kind::Postgres, "stopped_inside_a_transaction", stopped_inside_a_transaction);
    }
}

#[test]
fn a_holder_stopped_inside_a_transaction_is_taken_over_on_mysql() {
    if crate::support::is_deep() {
        run(Kind::MySql, "stopped_inside_a_transaction", stopped_inside_a_transaction);
    }
}

/// Writes the new way without a pause for as long as contract runs.
async fn new_writers_never_fail(db: TestDatabase) {
    let concertina: Concertina = at_newton(&db).await;
    let mut node = Node::start(&db).await;
    for number in 0..200 {
        node.create_old(&format!("seed{number:03}"), number % 2 == 0).await.expect("an old write");
    }
    concertina.run(&["expand"]).expect_code(0);
    concertina.run(&["migrate"]).expect_code(0);
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..2)
        .map(|writer| {
            let (kind, url, stop) = (db.kind(), db.application_url().to_owned(), Arc::clone(&stop));
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
                runtime.block_on(async {
                    let mut node = Node::on(kind, Session::open(kind, &url).await);
                    let mut written = 0;
                    while !stop.load(Ordering::Relaxed) {
                        let id = format!("new{writer}-{written:06}");
                        if let Err(failure) = node.create_new(&id, "shared").await {
                            panic!("the new writer failed after {written} writes: {failure:?}");
                        }
                        if let Err(failure) = node.update_new(&id, "community").await {
                            panic!("the new writer failed after {written} writes: {failure:?}");
                        }
                        written += 1;
                    }
                    written
                })
            })
        })
        .collect();
    let before = introspect::schema(&db).await;
    let output = concertina.run(&["contract", "--quiet-period", "0s"]);
    stop.store(true, Ordering::Relaxed);
    let written: Vec<usize> =
        writers.into_iter().map(|writer| writer.join().expect("a writer without an error")).collect();
    output.expect_code(0);
    assert!(written.iter().all(|written| *written > 5), "{written:?}");
    assert_ne!(Schema::differences(&before, &introspect::schema(&db).await), []);
    let community = db.owner().await.value("SELECT COUNT(*) FROM images WHERE visibility = 'community'").await;
    assert_eq!(community, Some(written.iter().sum::<usize>().to_string()));
}

#[test]
fn new_writers_never_fail_during_contract_on_postgres() {
    run(Kind::Postgres, "new_writers_never_fail", new_writers_never_fail);
}

#[test]
fn new_writers_never_fail_during_contract_on_mysql() {
    run(Kind::MySql, "new_writers_never_fail", new_writers_never_fail);
}
