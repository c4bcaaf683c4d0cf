//! The latency guard at work: a small commit on its own session, again and again, and what the law says of it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use tracing::Instrument;

use super::Hold;
use super::health::Health;
use super::latency::Guard;
use super::signals::Trouble;
use crate::db::{Connection, Target, Value};

/// What the guard is called where it fails.
pub(super) const NAME: &str = "latency guard";
/// From one probe to the next.
const EVERY: Duration = Duration::from_millis(100);
/// How many probes learn the quiet, and how long they may take together.
const QUIET: usize = 10;
const QUIET_TIME: Duration = Duration::from_millis(300);
/// A probe that is still under way counts with what it has taken so far, this often.
const PATIENCE: Duration = Duration::from_millis(250);
/// After this long a probe is given up, with its session.
const LIMIT: Duration = Duration::from_secs(10);

/// A small commit that changes one row, which nobody else waits for.
#[derive(Debug, Clone)]
pub struct Probe {
    /// The statement, with the placeholders of the database.
    pub sql: String,
    /// Its values.
    pub values: Vec<Value>,
}

#[derive(Debug)]
struct Board {
    health: Health,
    guard: Guard,
    factor: f64,
}

/// A guard that probes; dropping it ends the task.
#[derive(Debug)]
pub(super) struct LatencyGuard {
    board: Arc<Mutex<Board>>,
    task: JoinHandle<()>,
}

impl Drop for LatencyGuard {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl LatencyGuard {
    /// Learns what is quiet, and goes on probing.
    pub(super) async fn learned(probe: Probe, primary: &Target, factor: f64) -> Result<Self, Trouble> {
        let mut prober = Prober { probe, target: primary.clone(), session: None };
        let since = Instant::now();
        let learning = tokio::time::timeout(LIMIT, async {
            // The first one pays for the session and for the statement's plan; a connection that is lost just then is no answer.
            for _ in 0..2 {
                if prober.once().await.is_ok() {
                    break;
                }
                tokio::time::sleep(EVERY).await;
            }
            prober.once().await?;
            let since = Instant::now();
            let mut quiet = Vec::new();
            while quiet.len() < QUIET && (quiet.is_empty() || since.elapsed() < QUIET_TIME) {
                quiet.push(prober.once().await?);
            }
            Ok::<_, Trouble>(quiet)
        });
        let quiet = learning.await.unwrap_or_else(|_| Err(silent()))?;
        let mut health = Health::new(since);
        health.heard(Instant::now());
        Ok(Self::of(prober, Board { health, guard: Guard::new(&quiet), factor }))
    }

    /// Goes on probing, in the middle of a backfill: what is quiet is learned as it comes.
    pub(super) fn unlearned(probe: Probe, primary: &Target, factor: f64) -> Self {
        let prober = Prober { probe, target: primary.clone(), session: None };
        Self::of(prober, Board { health: Health::new(Instant::now()), guard: Guard::new(&[]), factor })
    }

    fn of(prober: Prober, board: Board) -> Self {
        let board = Arc::new(Mutex::new(board));
        let task = tokio::spawn(probe_on(prober, Arc::clone(&board)).in_current_span());
        Self { board, task }
    }

    pub(super) fn set_factor(&self, factor: f64) {
        self.board.lock().unwrap_or_else(PoisonError::into_inner).factor = factor;
    }

    /// How many times as long to pause, why, and a hold where the probe fails.
    pub(super) fn verdict(&self, now: Instant) -> (u32, Option<String>, Option<Hold>) {
        let board = self.board.lock().unwrap_or_else(PoisonError::into_inner);
        let back_off = board.guard.back_off();
        let slowed = (back_off > 1).then(|| {
            let (slow, quiet) = (board.guard.slow().as_millis(), board.guard.quiet().as_millis().max(1));
            format!("small commits took {slow} ms, {quiet} ms when all was quiet: pauses are {back_off} times as long")
        });
        (back_off, slowed, board.health.age(NAME, now).err())
    }
}

/// The probe's own session.
#[derive(Debug)]
struct Prober {
    probe: Probe,
    target: Target,
    session: Option<Connection>,
}

impl Prober {
    async fn once(&mut self) -> Result<Duration, Trouble> {
        // Taken out, so that a probe that fails or is given up takes it along.
        let mut connection = match self.session.take() {
            Some(connection) => connection,
            None => Connection::open(&self.target, false).await?,
        };
        let since = Instant::now();
        let changed = connection.execute(&self.probe.sql, &self.probe.values).await?;
        let took = since.elapsed();
        if changed == 0 {
            return Err(Trouble::new("the probe's row is not there"));
        }
        self.session = Some(connection);
        Ok(took)
    }
}

fn silent() -> Trouble {
    Trouble::new(format!("no answer within {} s", LIMIT.as_secs()))
}

async fn probe_on(mut prober: Prober, board: Arc<Mutex<Board>>) {
    let lock = || board.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        tokio::time::sleep(EVERY).await;
        let connected = prober.session.is_some();
        let since = Instant::now();
        let mut probing = std::pin::pin!(prober.once());
        let probed = loop {
            match tokio::time::timeout(PATIENCE, &mut probing).await {
                Ok(probed) => break probed,
                Err(_) if since.elapsed() > LIMIT => {
                    break Err(silent());
                }
                Err(_) if connected => {
                    let mut board = lock();
                    let factor = board.factor;
                    board.guard.record(since.elapsed(), factor);
                }
                Err(_) => {}
            }
        };
        let mut board = lock();
        match probed {
            Ok(took) => {
                let factor = board.factor;
                board.guard.record(took, factor);
                board.health.heard(Instant::now());
            }
            Err(trouble) => {
                tracing::debug!(reason = trouble.reason, "latency probe");
                board.health.failed(Instant::now(), trouble.reason);
            }
        }
    }
}
