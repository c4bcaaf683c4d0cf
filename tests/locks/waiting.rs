//! Nobody waits behind us for longer than we wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::{account, books, reader};
use crate::support::{Kind, Session, TestDatabase, Train, on_every_server, run};

/// How long the table is held.
const HELD: Duration = Duration::from_millis(1_500);

const ADDING: &[&str] = &[
    "add_column: { table: books, column: { name: pages, type: integer } }",
    "create_index: { table: books, name: books_title, columns: [title] }",
    "drop_not_null: { table: books, column: title }",
    "add_foreign_key: { table: books, name: books_shelf, columns: [shelf], references: { table: shelves, columns: [id] } }",
    "sync: { name: notes, table: books, forward: { label: note }, backward: { note: label } }",
];

const REMOVING: &[&str] = &[
    "set_default: { table: books, column: note, value: none }",
    "set_not_null: { table: books, column: note }",
    "drop_index: { table: books, name: books_title }",
    "drop_constraint: { table: books, name: books_shelf }",
    "drop_column: { table: books, column: shelf }",
];

/// What the server's lock views said while a step was kept waiting.
struct Watched {
    /// How long somebody waited behind a session of ours, in milliseconds.
    behind: f64,
    /// Whether a session of ours was seen to wait.
    asked: bool,
}

/// Looks at the server's lock views until it is told to stop.
async fn watch(kind: Kind, url: String, database: String, stop: Arc<AtomicBool>) -> Watched {
    let mut session = Session::open(kind, &url).await;
    let mut watched = Watched { behind: 0.0, asked: false };
    let (behind, asked) = match kind {
        Kind::Postgres => (
            "SELECT extract(epoch FROM max(clock_timestamp() - l.waitstart)) * 1000 FROM pg_locks l JOIN pg_stat_activity a \
             ON a.pid = l.pid WHERE NOT l.granted AND a.datname = current_database() AND EXISTS (SELECT 1 FROM \
             unnest(pg_blocking_pids(l.pid)) AS b(pid) JOIN pg_stat_activity o ON o.pid = b.pid WHERE o.application_name = \
             'concertina')"
                .to_owned(),
            "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid WHERE NOT l.granted AND \
             a.application_name = 'concertina' AND a.datname = current_database()"
                .to_owned(),
        ),
        // Whoever waits for a table's metadata waits behind somebody who wants it for himself, and nobody but us does. An ALTER
        // that waits is ours.
        _ => (
            format!(
                "SELECT MAX(TIME_MS) FROM information_schema.PROCESSLIST WHERE DB = '{database}' AND STATE LIKE 'Waiting for table \
                 metadata%' AND INFO LIKE 'UPDATE%'"
            ),
            format!(
                "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE DB = '{database}' AND (INFO LIKE 'ALTER%' OR INFO LIKE \
                 'CREATE%TRIGGER%')"
            ),
        ),
    };
    while !stop.load(Ordering::Relaxed) {
        let waited = session.value(&behind).await.and_then(|text| text.parse().ok()).unwrap_or(0.0);
        watched.behind = watched.behind.max(waited);
        watched.asked |= session.value(&asked).await.is_some_and(|count| count != "0");
    }
    watched
}

/// Writes to the table all the time; gives the longest wait of a write.
async fn write(kind: Kind, url: String, stop: Arc<AtomicBool>) -> Duration {
    let mut session = Session::open(kind, &url).await;
    let mut longest = Duration::ZERO;
    let mut turn = 0_u32;
    while !stop.load(Ordering::Relaxed) {
        turn += 1;
        let since = Instant::now();
        session.run(format!("UPDATE books SET title = 'title {turn}' WHERE id = {}", turn % 40 + 1)).await;
        longest = longest.max(since.elapsed());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    longest
}

/// Runs work with its own runtime, in a thread.
fn beside<T: Send + 'static>(work: impl AsyncFnOnce() -> T + Send + 'static) -> std::thread::JoinHandle<T> {
    std::thread::spawn(move || crate::support::alone(work))
}

/// Runs a step of a phase while a reader has the table for a while, and looks who waits.
async fn held(db: &TestDatabase, train: &mut Train, phase: &str, step: &str) {
    let folder = format!("{phase}/01_step.yaml");
    let mut files = vec![(folder.as_str(), format!("steps:\n  - {step}\n"))];
    if step.starts_with("sync") {
        files.push((
            "data/01_notes.yaml",
            "backfill: { table: books, set: { label: note }, where: label IS NULL }\n".to_owned(),
        ));
    }
    train.add(&files.iter().map(|(path, text)| (*path, text.as_str())).collect::<Vec<_>>());
    for before in ["expand", "migrate"].iter().take_while(|before| **before != phase) {
        train.concertina().run(&[before]).expect_code(0);
    }
    // Whoever has written is in the way of every step, and of no other row's writer.
    let mut holder = db.owner().await;
    holder.run("BEGIN").await;
    holder.run("UPDATE books SET note = 'held' WHERE id = 50").await;
    let stop = Arc::new(AtomicBool::new(false));
    let (kind, admin, owner) = (db.kind(), db.admin_url(), db.owner_url().to_owned());
    let database = owner.rsplit('/').next().unwrap_or_default().to_owned();
    let (seen, told) = (Arc::clone(&stop), Arc::clone(&stop));
    let watched = beside(move || watch(kind, admin, database, seen));
    let wrote = beside(move || write(kind, owner, told));
    let arguments: &[&str] = if phase == "contract" { &["contract", "--quiet-period", "0s"] } else { &["expand"] };
    let running = train.concertina().spawn(arguments);
    running.wait_for_stderr("waiting to");
    std::thread::sleep(HELD);
    holder.run("ROLLBACK").await;
    let released = Instant::now();
    running.finish().expect_code(0);
    let took = released.elapsed();
    stop.store(true, Ordering::Relaxed);
    let watched = watched.join().expect("the watch");
    let longest = wrote.join().expect("the writer");
    assert!(watched.asked || kind == Kind::MySql, "{step}: nobody of ours was ever seen to wait");
    // 50 ms on PostgreSQL, nothing on MariaDB; the rest is what a machine that does other things takes.
    assert!(watched.behind < 400.0, "{step}: somebody waited behind us for {} ms", watched.behind);
    assert!(longest < Duration::from_millis(1_200), "{step}: a write took {longest:?}");
    assert!(took < Duration::from_secs(8), "{step}: it took {took:?} after the table was free");
    if phase == "expand" {
        train.concertina().run(&["migrate"]).expect_code(0);
        train.concertina().run(&["contract", "--quiet-period", "0s"]).expect_code(0);
    }
}

on_every_server! {
    async fn nobody_waits_behind_a_step_that_waits(db: TestDatabase) {
        let mut session = books(&db).await;
        session.run("ALTER TABLE books ADD COLUMN label VARCHAR(40)").await;
        let mut train = Train::new(&db);
        for step in ADDING {
            held(&db, &mut train, "expand", step).await;
        }
        session.run("UPDATE books SET note = 'note'").await;
        for step in REMOVING {
            held(&db, &mut train, "contract", step).await;
        }
    }
}

#[test]
fn a_step_has_its_own_timeout_and_limit() {
    run(Kind::Postgres, "a_step_has_its_own_timeout", async |db: TestDatabase| {
        let _session = books(&db).await;
        let mut train = Train::with_settings(&db, "locks: { timeout: 20ms, retry_for: 5m }");
        train.add(&[(
            "expand/01_pages.yaml",
            "steps:\n  - add_column: { table: books, column: { name: pages, type: integer } }\n    locks: { timeout: 15ms, \
             retry_for: 3s }\n",
        )]);
        let mut holder = reader(&db).await;
        let since = Instant::now();
        train.concertina().run(&["expand"]).expect_code(1).expect_stderr("it was kept from its lock by session");
        assert!(since.elapsed() < Duration::from_secs(30), "it went on for {:?}", since.elapsed());
        // Beside a step it is no part of what was applied: changing it is no drift.
        train.project().edit("expand/r1/01_pages.yaml", "timeout: 15ms", "timeout: 60ms");
        holder.run("ROLLBACK").await;
        train.concertina().run(&["expand"]).expect_code(0);
        train.project().edit("expand/r1/01_pages.yaml", "    locks: { timeout: 60ms, retry_for: 3s }\n", "");
        train.concertina().run(&["check"]).expect_code(5);
    });
}

/// Transactions of 40 ms one after the other, in several sessions: at no instant has nobody the table.
#[test]
fn a_table_that_is_never_free_is_waited_for_a_moment() {
    run(Kind::MySql, "a_table_that_is_never_free", async |db: TestDatabase| {
        let mut session = books(&db).await;
        let owner = db.owner_url().to_owned();
        let mut admin = db.admin().await;
        let account = account(&mut session, &mut admin).await;
        admin.run(format!("GRANT PROCESS ON *.* TO {account}")).await;
        let stop = Arc::new(AtomicBool::new(false));
        let writers: Vec<_> = (1..=6)
            .map(|writer| {
                let (stop, url) = (Arc::clone(&stop), owner.clone());
                beside(move || async move {
                    let mut session = Session::open(Kind::MySql, &url).await;
                    let mut longest = Duration::ZERO;
                    while !stop.load(Ordering::Relaxed) {
                        let since = Instant::now();
                        session.run("BEGIN").await;
                        session.run(format!("UPDATE books SET title = 'mine' WHERE id = {writer}")).await;
                        longest = longest.max(since.elapsed());
                        tokio::time::sleep(Duration::from_millis(40)).await;
                        session.run("COMMIT").await;
                    }
                    longest
                })
            })
            .collect();
        let mut train = Train::with_settings(&db, "locks: { retry_for: 20s }");
        train.add(&[(
            "expand/01_pages.yaml",
            "steps:\n  - add_column: { table: books, column: { name: pages, type: integer } }\n",
        )]);
        let output = train.concertina().run(&["expand"]);
        stop.store(true, Ordering::Relaxed);
        for writer in writers {
            let longest = writer.join().expect("a writer");
            assert!(longest < Duration::from_millis(1_500), "a write waited for {longest:?}");
        }
        output.expect_code(0);
    });
}
