//! Nothing lost: whatever breaks while a backfill runs, each row is transformed exactly once, and the next run finishes.
//!
//! A run may get over a fault by itself, or stop with an error that says how to go on: the tests take both, and never
//! that a row is lost, done twice, or that nothing goes on.

mod cut;
mod full_disk;
mod kill;
mod locked;
mod restart;
mod storm;

use std::time::{Duration, Instant};

use super::COUNT;
use crate::support::{Concertina, Kind, Output, Session, TestDatabase, Train};

/// How many rows a table has whose every batch meets a fault.
const ROWS: usize = 250;

/// The ways to run it, which the lives of a backfill take in turn.
const MIGRATES: &[&[&str]] = &[&["migrate"], &["migrate", "--workers", "2"]];

/// Batches of a few rows that stay so small: a target of a millisecond is missed by each.
const SMALL: &str = "batch: { rows: 5, target: 1ms }";

/// How long anything may take that a test waits for.
const LIMIT: Duration = Duration::from_secs(50);

/// A backfill that is next, its table, and a session to look at it.
struct Counting {
    train: Train,
    session: Session,
    rows: usize,
    lives: usize,
}

impl Counting {
    async fn start(db: &TestDatabase, rows: usize) -> Self {
        Self::of(db, rows, SMALL, COUNT).await
    }

    /// The same with other settings, and a backfill that sets `counter` and `done` as [`COUNT`] does.
    async fn of(db: &TestDatabase, rows: usize, settings: &str, backfill: &str) -> Self {
        let mut session = db.owner().await;
        let options = if db.kind() == Kind::MySql { "ENGINE=InnoDB" } else { "" };
        session
            .run(format!(
                "CREATE TABLE items (id BIGINT NOT NULL PRIMARY KEY, counter INTEGER NOT NULL DEFAULT 0, \
                 done INTEGER NOT NULL DEFAULT 0, hits INTEGER NOT NULL DEFAULT 0, payload TEXT) {options}"
            ))
            .await;
        let mut train = Train::with_settings(db, settings);
        train.add(&[("data/01_count.yaml", backfill)]);
        train.concertina().run(&["expand"]).expect_code(0);
        let mut counting = Self { train, session, rows: 0, lives: 0 };
        counting.add(rows).await;
        counting
    }

    /// Adds rows behind those that are there.
    async fn add(&mut self, rows: usize) {
        let numbers: Vec<usize> = (self.rows..self.rows + rows).collect();
        for chunk in numbers.chunks(500) {
            let values: Vec<String> = chunk.iter().map(|number| format!("({}, 'p')", key_of(*number))).collect();
            self.session.run(format!("INSERT INTO items (id, payload) VALUES {}", values.join(", "))).await;
        }
        self.rows += rows;
    }

    fn concertina(&self) -> Concertina {
        self.train.concertina()
    }

    /// The command for the next life.
    fn migrate(&mut self) -> &'static [&'static str] {
        self.lives += 1;
        MIGRATES[(self.lives - 1) % MIGRATES.len()]
    }

    /// How many rows are done.
    async fn done(&mut self) -> usize {
        number(self.session.value("SELECT COUNT(*) FROM items WHERE done = 1").await)
    }

    /// Waits until more rows are done than `before`, if there are any: a run is then in the middle of its work.
    async fn wait_for_more_than(&mut self, before: usize) {
        let wanted = self.rows.min(before + 1);
        self.wait_for(wanted).await;
    }

    /// Waits until so many rows are done.
    async fn wait_for(&mut self, wanted: usize) {
        let deadline = Instant::now() + LIMIT;
        loop {
            let done = self.done().await;
            if done >= wanted {
                return;
            }
            assert!(Instant::now() < deadline, "only {done} rows are done, and never {wanted}");
        }
    }

    /// Goes on with nothing in the way, which must succeed, and looks at every row.
    async fn finish(&mut self) {
        self.concertina().run(&["migrate"]).expect_code(0);
        self.expect_each_once().await;
        let recorded = self.session.value("SELECT SUM(rows_changed) FROM concertina_range").await;
        assert_eq!(recorded, Some(self.rows.to_string()), "rows counted are rows changed");
    }

    /// Fails unless every row was transformed exactly once, and nothing is left to do.
    async fn expect_each_once(&mut self) {
        let rows = self.rows;
        let found =
            self.session.lines("SELECT counter, done, COUNT(*) FROM items GROUP BY counter, done ORDER BY 1, 2");
        assert_eq!(found.await, [format!("1|1|{rows}")], "each row once");
        self.concertina().run(&["check"]).expect_code(5);
    }
}

/// Keys with gaps, as they are in life.
fn key_of(number: usize) -> usize {
    number * 3 + 100
}

fn number(value: Option<String>) -> usize {
    value.expect("a number").parse().expect("a number")
}

/// Fails unless a run got over a fault, or stopped as it should; gives whether it got over it.
#[track_caller]
fn got_over(output: &Output) -> bool {
    assert!(!output.stderr.contains("panicked"), "{output}");
    match output.code {
        Some(0) => true,
        // 7 says that somebody else took over what it had.
        Some(1 | 7) => {
            output.expect_stderr("error: ");
            false
        }
        _ => panic!("it should be done, or have stopped with an error:\n{output}"),
    }
}
