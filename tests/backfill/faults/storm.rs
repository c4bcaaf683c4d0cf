//! Other sessions want the same rows, in the opposite order, many times a second.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::{Counting, LIMIT, got_over, key_of};
use crate::backfill::COUNT;
use crate::support::{Kind, Session, TestDatabase, alone, on_every_database};

const ROWS: usize = 4_000;

/// Batches that hold many rows, and an end to their patience.
const SETTINGS: &str = "batch: { rows: 400 }\nlocks: { retry_for: 20s }";

/// How many rows one of the others' transactions writes.
const WRITES: usize = 8;

/// A session that writes rows from the last to the first, until it is told to stop.
struct Storm {
    stop: Arc<AtomicBool>,
    sessions: Vec<JoinHandle<usize>>,
}

impl Storm {
    fn start(db: &TestDatabase) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let sessions = (0..2)
            .map(|seed| {
                let (kind, url, stop) = (db.kind(), db.owner_url().to_owned(), Arc::clone(&stop));
                thread::spawn(move || alone(async || blow(kind, &url, seed, &stop).await))
            })
            .collect();
        Self { stop, sessions }
    }

    /// Ends it, and gives how many rows it has written.
    fn end(self) -> usize {
        self.stop.store(true, Ordering::SeqCst);
        self.sessions.into_iter().map(|session| session.join().expect("it ends well")).sum()
    }
}

async fn blow(kind: Kind, url: &str, seed: u64, stop: &AtomicBool) -> usize {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut session = Session::open(kind, url).await;
    // SQLite has one writer at a time: whoever reads first, and then wants to write, is refused at once.
    let begin = if kind == Kind::Sqlite { "BEGIN IMMEDIATE" } else { "BEGIN" };
    let mut written = 0;
    while !stop.load(Ordering::SeqCst) {
        let mut numbers: Vec<usize> = random.choose_multiple(0..ROWS, WRITES);
        numbers.sort_unstable_by(|one, other| other.cmp(one));
        let mut statements = vec![begin.to_owned()];
        let write = |number: &usize| format!("UPDATE items SET hits = hits + 1 WHERE id = {}", key_of(*number));
        statements.extend(numbers.iter().map(write));
        statements.push("COMMIT".to_owned());
        let mut done = true;
        for statement in statements {
            if session.execute(statement).await.is_err() {
                // A deadlock or a timeout; it is for the application to try again.
                session.execute("ROLLBACK").await.ok();
                done = false;
                break;
            }
        }
        written += if done { WRITES } else { 0 };
        // Its pace, some hundred transactions a second.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    written
}

on_every_database! {
    async fn a_storm_of_deadlocks_stops_nothing(db: TestDatabase) {
        let mut counting = Counting::of(&db, ROWS, SETTINGS, COUNT).await;
        let storm = Storm::start(&db);
        let deadline = Instant::now() + LIMIT;
        while !got_over(&counting.concertina().run(counting.migrate())) {
            assert!(Instant::now() < deadline, "it never gets through");
        }
        let written = storm.end();
        counting.finish().await;
        let hits = counting.session.value("SELECT SUM(hits) FROM items").await;
        assert_eq!(hits, Some(written.to_string()), "what the others wrote is there");
        assert!(written > 0, "there was no storm");
    }
}
