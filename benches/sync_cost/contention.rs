//! Many old writers at once: whether the sync makes them wait for one another, or makes transactions fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::ratio::Ratio;
use super::session::{Kind, Session};
use super::tables::{PAIRS, Prepared, ROWS, Variant, Write};

/// Connections that write at the same time.
const WRITERS: usize = 200;
/// Writes of each, in one slice.
const WRITES: usize = 20;

/// Disjoint rows: gives the ratio of throughput and the lock waits seen, without and with the sync.
pub(crate) async fn disjoint(kind: Kind, url: &str, keys: &[String], rounds: usize) -> (Ratio, [u64; 2]) {
    let pair = &PAIRS[0];
    let mut watch = Session::open(kind, url).await;
    let mut sessions = Vec::new();
    for _ in 0..WRITERS {
        sessions.push(Session::open(kind, url).await);
    }
    let own = ROWS / WRITERS;
    let (mut ratio, mut waits) = (Ratio::default(), [0, 0]);
    for round in 0..=rounds {
        let mut seconds = [0.0; 2];
        // First one, then the other, and the other way round.
        for position in [round % 2, (round + 1) % 2] {
            let write = Arc::new(Prepared::new(kind, Write::Old, pair, Variant::BOTH[position]));
            let before = row_lock_waits(kind, &mut watch).await;
            let done = Arc::new(AtomicBool::new(false));
            let start = Instant::now();
            let mut writers = tokio::task::JoinSet::new();
            for (writer, mut session) in sessions.drain(..).enumerate() {
                let keys: Vec<String> = keys[writer * own..][..WRITES].to_vec();
                let write = Arc::clone(&write);
                writers.spawn(async move {
                    for key in &keys {
                        write.execute(&mut session, "", key).await.expect("a write to a row of one's own succeeds");
                    }
                    session
                });
            }
            let watching = async {
                let mut seen = 0;
                while kind == Kind::Postgres && !done.load(Ordering::Relaxed) {
                    seen += row_lock_waits(kind, &mut watch).await;
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                seen
            };
            let working = async {
                sessions = writers.join_all().await;
                seconds[position] = start.elapsed().as_secs_f64();
                done.store(true, Ordering::Relaxed);
            };
            let (seen, ()) = tokio::join!(watching, working);
            let after = row_lock_waits(kind, &mut watch).await;
            if round > 0 {
                waits[position] += if kind == Kind::Postgres { seen } else { after - before };
            }
        }
        if round > 0 {
            ratio.add(seconds[0] / seconds[1]);
        }
    }
    (ratio, waits)
}

/// MySQL counts the waits; on PostgreSQL one has to look who waits now.
async fn row_lock_waits(kind: Kind, session: &mut Session) -> u64 {
    let sql = match kind {
        Kind::Postgres => {
            "SELECT count(*)::text FROM pg_locks WHERE NOT granted AND locktype IN ('transactionid', 'tuple', 'relation')"
        }
        _ => {
            "SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = 'INNODB_ROW_LOCK_WAITS'"
        }
    };
    session.text(sql).await.parse().expect("a count")
}

/// PostgreSQL under SERIALIZABLE: how many of a thousand transactions fail, without and with the sync. Each reads some rows
/// and writes another; eight sessions choose among a few hundred.
pub(crate) async fn serializable(url: &str, keys: &[String], rounds: usize) -> [f64; 2] {
    let pair = &PAIRS[0];
    let mut failed = [0.0; 2];
    let (sessions, transactions) = (8, 60);
    for round in 0..rounds {
        for position in [round % 2, (round + 1) % 2] {
            let variant = Variant::BOTH[position];
            let mut writers = tokio::task::JoinSet::new();
            for writer in 0..sessions {
                let (url, keys) = (url.to_owned(), keys[..300].to_vec());
                writers.spawn(async move {
                    let write = Prepared::new(Kind::Postgres, Write::Old, pair, variant);
                    let read: Arc<str> = format!("SELECT is_public FROM {} WHERE id = $1", variant.table(pair)).into();
                    let mut session = Session::open(Kind::Postgres, &url).await;
                    let mut random = fastrand::Rng::with_seed((round * sessions + writer) as u64);
                    let mut failures = 0.0;
                    for _ in 0..transactions {
                        session.run("BEGIN ISOLATION LEVEL SERIALIZABLE").await;
                        let mut outcome = Ok(());
                        for _ in 0..3 {
                            if outcome.is_ok() {
                                outcome = session.execute(&read, &[&keys[random.usize(..keys.len())]]).await;
                            }
                        }
                        if outcome.is_ok() {
                            outcome = write.execute(&mut session, "", &keys[random.usize(..keys.len())]).await;
                        }
                        if outcome.is_ok() {
                            outcome = session.execute(&"COMMIT".into(), &[]).await;
                        }
                        if let Err(error) = outcome {
                            let code = error.as_database_error().and_then(|error| error.code().map(String::from));
                            assert_eq!(code.as_deref(), Some("40001"), "{error}");
                            failures += 1.0;
                            session.run("ROLLBACK").await;
                        }
                    }
                    failures
                });
            }
            failed[position] += writers.join_all().await.into_iter().sum::<f64>();
        }
    }
    failed.map(|failures| failures * 1000.0 / (rounds * sessions * transactions) as f64)
}
