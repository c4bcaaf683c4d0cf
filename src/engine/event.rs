//! What the engine tells while it works. It prints nothing itself.

use std::time::Duration;

use super::Blocker;
use crate::plan::Finding;
use crate::step::Phase;

/// Something that happened.
#[derive(Debug, Clone)]
pub enum Event {
    /// A file of the baseline was run.
    Baseline {
        /// `V1__liberty`.
        label: String,
        /// How long it took.
        took: Duration,
    },
    /// A phase begins.
    PhaseStarted {
        /// The release.
        release: String,
        /// The phase.
        phase: Phase,
    },
    /// A phase is done.
    PhaseDone {
        /// The release.
        release: String,
        /// The phase.
        phase: Phase,
        /// How long this run of it took.
        took: Duration,
    },
    /// A rollback begins.
    RollbackStarted {
        /// The release.
        release: String,
    },
    /// A rollback is done.
    RollbackDone {
        /// The release.
        release: String,
        /// How long this run of it took.
        took: Duration,
    },
    /// A step begins.
    StepStarted {
        /// What it does.
        summary: String,
    },
    /// A step is done.
    StepDone {
        /// What it does.
        summary: String,
        /// How long it took; `None`: an earlier run did it and died before it could say so.
        took: Option<Duration>,
    },
    /// Something waits.
    Waiting {
        /// What waits.
        what: String,
        /// Why.
        reason: String,
    },
    /// A command waits for an answer to become yes.
    Awaiting {
        /// Until what.
        until: String,
        /// Why it is not so yet.
        reason: String,
    },
    /// A step does not get its lock, and this is who has it.
    Blocked {
        /// What waits.
        what: String,
        /// Whether it is they; otherwise they may be.
        certain: bool,
        /// Who.
        blockers: Vec<Blocker>,
    },
    /// Somebody who kept a step from its lock was ended.
    Unblocked {
        /// What waits.
        what: String,
        /// What was done, to whom.
        reason: String,
    },
    /// A backfill begins or goes on.
    BackfillStarted {
        /// Its id.
        id: String,
        /// About how many rows the table has.
        estimate: Option<u64>,
        /// Rows walked before, in this pass.
        walked: u64,
    },
    /// Batches were committed.
    Batch {
        /// The backfill.
        id: String,
        /// Rows walked in this pass.
        walked: u64,
        /// Rows changed in all.
        changed: u64,
        /// The size of the next batch.
        next_size: u64,
        /// Rows walked a second.
        rate: f64,
        /// Rows left in this pass, about.
        left: Option<u64>,
        /// How long they take at this rate.
        time_left: Option<Duration>,
        /// Why it waits, or is slower than asked for.
        throttle: Option<String>,
    },
    /// A backfill is done, or stops at its limit.
    BackfillStopped {
        /// Its id.
        id: String,
        /// Rows changed in all.
        changed: u64,
        /// Whether it is done.
        done: bool,
    },
    /// A long proof goes on.
    Verifying {
        /// What is proved.
        subject: String,
        /// How many rows were looked at so far.
        rows: u64,
    },
    /// The data was proved.
    Verified {
        /// What was.
        subject: String,
    },
    /// Somebody else changed tables that releases have changed.
    Drifted {
        /// What differs, in words.
        differences: Vec<String>,
    },
    /// Lint found something in the files that are about to run.
    Lint(Finding),
    /// A gate was overridden.
    Forced {
        /// Its word.
        gate: &'static str,
        /// What it would have said.
        reason: String,
    },
}

/// Who is told, and who may ask the engine to stop.
pub trait Observer {
    /// Takes an event.
    fn event(&self, event: Event);
    /// Whether to stop at the next safe place.
    fn interrupted(&self) -> bool;
}
