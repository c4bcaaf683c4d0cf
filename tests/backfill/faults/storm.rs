//! Other sessions want the same rows, in the opposite order, many times a second.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::{Counting, LIMIT, got_over, key_of};
use crate::backfill::COUNT;
use crate::support::{DbFailure, Kind, Session, TestDatabase, alone, on_every_database};

/// How many rows there are at first, and how many more come where no storm has met a batch yet.
const ROWS: usize = 2_000;

/// Batches that hold many rows, and an end to their patience.
const SETTINGS: &str = "batch: { rows: 100 }\nlocks: { retry_for: 20s }";

/// How many rows one of the others' transactions writes, and how far apart they are at most.
const WRITES: usize = 8;
const APART: usize = 200;

/// A session that writes rows from the last to the first, until it is told to stop.
struct Storm {
    stop: Arc<AtomicBool>,
    /// How many rows there are: it goes for the last ones.
    rows: Arc<AtomicUsize>,
    refused: Arc<AtomicUsize>,
    sessions: Vec<JoinHandle<usize>>,
}

impl Storm {
    fn start(db: &TestDatabase) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (rows, refused) = (Arc::new(AtomicUsize::new(ROWS)), Arc::new(AtomicUsize::new(0)));
        // SQLite has one writer at a time; more of them would leave nothing for `migrate`.
        let sessions = (0..if db.kind() == Kind::Sqlite { 1 } else { 4 })
            .map(|seed| {
                let (kind, url) = (db.kind(), db.owner_url().to_owned());
                let (stop, rows, refused) = (Arc::clone(&stop), Arc::clone(&rows), Arc::clone(&refused));
                thread::spawn(move || alone(async || blow(kind, &url, seed, &stop, &rows, &refused).await))
            })
            .collect();
        Self { stop, rows, refused, sessions }
    }

    /// Ends it, and gives how many rows it has written.
    fn end(self) -> usize {
        self.stop.store(true, Ordering::SeqCst);
        self.sessions.into_iter().map(|session| session.join().expect("it ends well")).sum()
    }
}

async fn blow(kind: Kind, url: &str, seed: u64, stop: &AtomicBool, rows: &AtomicUsize, refused: &AtomicUsize) -> usize {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut session = Session::open(kind, url).await;
    // Whoever reads first and then wants to write is refused at once, and never gets anywhere.
    let begin = if kind == Kind::Sqlite { "BEGIN IMMEDIATE" } else { "BEGIN" };
    // Its pace, some hundred transactions a second. Who waits for SQLite's one lock looks for it now and then, and on a busy machine
    // never finds it free where the pause is shorter than the transaction.
    let pause = Duration::from_millis(if kind == Kind::Sqlite { 40 } else { 5 });
    let mut written = 0;
    while !stop.load(Ordering::SeqCst) {
        let rows = rows.load(Ordering::SeqCst);
        let first = random.usize(rows - ROWS..rows - APART);
        let mut numbers = random.choose_multiple(first..first + APART, WRITES);
        numbers.sort_unstable_by(|one, other| other.cmp(one));
        if write(&mut session, begin, &numbers).await.is_ok() {
            written += WRITES;
        } else {
            // It is for the application to try again.
            session.execute("ROLLBACK").await.ok();
            refused.fetch_add(1, Ordering::SeqCst);
        }
        tokio::time::sleep(pause).await;
    }
    written
}

/// One transaction over rows from the last to the first.
async fn write(session: &mut Session, begin: &str, numbers: &[usize]) -> Result<(), DbFailure> {
    session.execute(begin).await?;
    for number in numbers {
        session.execute(format!("UPDATE items SET hits = hits + 1 WHERE id = {}", key_of(*number))).await?;
        // As much as an application thinks between two statements; the rows are locked meanwhile.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    session.execute("COMMIT").await.map(drop)
}

on_every_database! {
    async fn a_storm_of_deadlocks_stops_nothing(db: TestDatabase) {
        let mut counting = Counting::of(&db, ROWS, SETTINGS, COUNT).await;
        let storm = Storm::start(&db);
        let deadline = Instant::now() + LIMIT;
        let mut met = 0;
        for round in 1.. {
            let output = counting.concertina().run(counting.migrate());
            // Either side may be the one that a deadlock ends.
            met += output.stderr.matches("waiting").count() + storm.refused.swap(0, Ordering::SeqCst);
            if got_over(&output) {
                // What it gets over at once it does not speak of.
                if met > 0 || round >= 3 {
                    break;
                }
                counting.add(ROWS).await;
                storm.rows.store(counting.rows, Ordering::SeqCst);
            }
            assert!(Instant::now() < deadline, "it never gets through:\n{output}");
        }
        let written = storm.end();
        counting.finish().await;
        let hits = counting.session.value("SELECT SUM(hits) FROM items").await;
        assert_eq!(hits, Some(written.to_string()), "what the others wrote is there");
        assert!(written > 0, "there was no storm");
    }
}
