//! Backfills from outside: every key kind, every way of being stopped, and what goes on beside them.

mod again;
mod beside;
mod command;
mod control;
mod copy;
mod delete;
mod faults;
mod glance_train;
mod keys;
mod keys_of_time;
mod outrun;
mod plans;
mod related;
mod roundtrip;
mod stopping;
mod tables;
mod throttled;
mod throttles;
mod verify;

use crate::support::{Concertina, Kind, Output, Running, Session, TestDatabase, Train};
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

/// How many rows a table under test has.
const ROWS: usize = 2_500;

/// One change that counts how often each row was transformed.
const COUNT: &str = "backfill: { table: items, set: { counter: counter + 1, done: 1 }, where: done = 0 }\n";

/// A train with one release of a backfill, expanded: `migrate` is what comes next.
fn counting(db: &TestDatabase, batch: u32) -> Train {
    train_of(db, batch, COUNT)
}

fn train_of(db: &TestDatabase, batch: u32, backfill: &str) -> Train {
    let mut train = Train::with_settings(db, &format!("batch: {{ rows: {batch} }}"));
    train.add(&[("data/01_count.yaml", backfill)]);
    train.concertina().run(&["expand"]).expect_code(0);
    train
}

/// Makes the table `items` with these key columns, and rows with the keys that `key` gives.
async fn make_items(db: &TestDatabase, columns: &str, constraint: &str, key: impl Fn(usize) -> String) -> Session {
    let mut session = db.owner().await;
    let options = if db.kind() == Kind::MySql { "ENGINE=InnoDB" } else { "" };
    session
        .run(format!(
            "CREATE TABLE items ({columns}, counter INTEGER NOT NULL DEFAULT 0, done INTEGER NOT NULL DEFAULT 0, \
             payload VARCHAR(40){constraint}) {options}"
        ))
        .await;
    insert_items(&mut session, ROWS, key).await;
    session
}

async fn insert_items(session: &mut Session, rows: usize, key: impl Fn(usize) -> String) {
    let names = columns_of_key(session).await;
    let numbers: Vec<usize> = (0..rows).collect();
    for chunk in numbers.chunks(500) {
        let values: Vec<String> = chunk.iter().map(|number| format!("({}, 'p')", key(*number))).collect();
        session.run(format!("INSERT INTO items ({names}, payload) VALUES {}", values.join(", "))).await;
    }
}

/// The key's columns are those in front of `counter`.
async fn columns_of_key(session: &mut Session) -> String {
    let sql = match session {
        Session::Sqlite(_) => "SELECT name FROM pragma_table_info('items') ORDER BY cid",
        Session::Postgres(_) => {
            "SELECT column_name FROM information_schema.columns WHERE table_name = 'items' ORDER BY ordinal_position"
        }
        Session::MySql(_) => {
            "SELECT column_name FROM information_schema.columns WHERE table_name = 'items' \
             AND table_schema = DATABASE() ORDER BY ordinal_position"
        }
    };
    session.lines(sql).await.into_iter().take_while(|name| name != "counter").collect::<Vec<_>>().join(", ")
}

/// Walks the table with one worker, and then once more with several, which cut its ranges where rows are locked one by one.
async fn expect_walks(session: &mut Session, concertina: &Concertina, rows: usize) {
    concertina.run(&["migrate"]).expect_code(0);
    expect_each_once(session, rows).await;
    let changed = session.value("SELECT SUM(rows_changed) FROM concertina_range").await;
    assert_eq!(changed, Some(rows.to_string()));
    session.run("UPDATE items SET done = 0, counter = 0").await;
    concertina.run(&["migrate", "--workers", "3"]).expect_code(0);
    expect_each_once(session, rows).await;
    let changed = session.value("SELECT SUM(rows_changed) FROM concertina_range").await;
    assert_eq!(changed, Some((2 * rows).to_string()));
}

/// A program of the project, by the name that `run` takes.
fn program(train: &Train, name: &str, text: &str) -> String {
    let path = format!("programs/{name}");
    train.project().write(&path, text);
    let file = train.project().path().join(&path);
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).expect("the program can be run");
    path
}

/// What stands behind a CREATE TABLE.
fn options(kind: Kind) -> &'static str {
    if kind == Kind::MySql { "ENGINE=InnoDB" } else { "" }
}

/// Fails unless every row was transformed exactly once.
async fn expect_each_once(session: &mut Session, rows: usize) {
    let found = session.lines("SELECT counter, done, COUNT(*) FROM items GROUP BY counter, done ORDER BY 1, 2").await;
    assert_eq!(found, [format!("1|1|{rows}")]);
}

/// Waits for a `migrate` beside writers, and tells these to stop, however it ends.
fn ending(running: Running, stop: &Arc<AtomicBool>) -> JoinHandle<Output> {
    struct Stops(Arc<AtomicBool>);
    impl Drop for Stops {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let stops = Stops(Arc::clone(stop));
    std::thread::spawn(move || {
        let _stops = stops;
        running.finish()
    })
}
