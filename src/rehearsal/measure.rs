//! What the nodes' operations came to: each with its stage, its time and its outcome.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::news::Live;

/// How an operation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Done,
    Failed,
}

/// An operation that was done, or failed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    /// When it was due, since the rehearsal began.
    pub(super) due: Duration,
    /// From when it was due to its end: an operation that waits because the one before it does is late as well.
    pub(super) latency: Duration,
    pub(super) stage: usize,
    pub(super) task: usize,
    /// The node that did it.
    pub(super) node: usize,
    pub(super) outcome: Outcome,
    /// How often its transaction was tried again.
    pub(super) retries: u32,
}

/// Operations that failed in one way: in a stage, of one kind.
#[derive(Debug, Clone)]
pub(super) struct Trouble {
    /// When the first did.
    pub(super) at: Duration,
    pub(super) count: u64,
    pub(super) stage: usize,
    pub(super) task: usize,
    /// The database's code, or a word for what else failed: by it failures are told to be of one kind.
    pub(super) kind: String,
    /// What the first one said.
    pub(super) message: String,
}

/// An operation of a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Subject {
    pub(super) release: String,
    pub(super) operation: String,
}

/// What was measured.
#[derive(Debug, Default)]
pub(super) struct Measured {
    pub(super) subjects: Vec<Subject>,
    pub(super) samples: Vec<Sample>,
    pub(super) troubles: Vec<Trouble>,
    /// Operations that had no row to be done with.
    pub(super) passed_over: u64,
    failed: u64,
}

/// Takes down what is measured.
#[derive(Debug)]
pub(super) struct Recorder {
    began: Instant,
    stage: AtomicUsize,
    measured: Mutex<Measured>,
}

impl Recorder {
    pub(super) fn new() -> Self {
        Self { began: Instant::now(), stage: AtomicUsize::new(0), measured: Mutex::default() }
    }

    /// Since the rehearsal began.
    pub(super) fn now(&self) -> Duration {
        self.began.elapsed()
    }

    pub(super) fn since(&self, at: Instant) -> Duration {
        at.saturating_duration_since(self.began)
    }

    pub(super) fn measured(&self) -> MutexGuard<'_, Measured> {
        self.measured.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn enter(&self, stage: usize) {
        self.stage.store(stage, Ordering::Relaxed);
    }

    pub(super) fn stage(&self) -> usize {
        self.stage.load(Ordering::Relaxed)
    }

    /// The number of an operation.
    pub(super) fn subject(&self, release: &str, operation: &str) -> usize {
        let subject = Subject { release: release.to_owned(), operation: operation.to_owned() };
        let mut measured = self.measured();
        let known = measured.subjects.iter().position(|known| *known == subject);
        known.unwrap_or_else(|| {
            measured.subjects.push(subject);
            measured.subjects.len() - 1
        })
    }

    pub(super) fn take(&self, sample: Sample) {
        let mut measured = self.measured();
        measured.failed += u64::from(sample.outcome == Outcome::Failed);
        measured.samples.push(sample);
    }

    pub(super) fn passed_over(&self) {
        self.measured().passed_over += 1;
    }

    pub(super) fn trouble(&self, trouble: Trouble) {
        let mut measured = self.measured();
        let place = |trouble: &Trouble| (trouble.stage, trouble.task, trouble.kind.clone());
        let wanted = place(&trouble);
        match measured.troubles.iter_mut().find(|known| place(known) == wanted) {
            Some(known) => known.count += 1,
            None => measured.troubles.push(trouble),
        }
    }

    /// How it goes: by what was done in the last second.
    pub(super) fn live(&self) -> Live {
        let now = self.now();
        let measured = self.measured();
        let recent = measured.samples.iter().rev().take(10_000);
        let mut latencies: Vec<Duration> = recent
            .take_while(|sample| sample.due + sample.latency + Duration::from_secs(2) > now)
            .filter(|sample| sample.due + sample.latency + Duration::from_secs(1) > now)
            .map(|sample| sample.latency)
            .collect();
        latencies.sort_unstable();
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        Live {
            rate: latencies.len() as f64,
            median: latencies.get(latencies.len() / 2).copied().unwrap_or_default(),
            longest: latencies.last().copied().unwrap_or_default(),
            done: measured.samples.len() as u64 - measured.failed,
            failed: measured.failed,
        }
    }
}
