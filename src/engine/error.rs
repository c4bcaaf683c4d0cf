//! How a command can fail. `cli` maps each variant to a message, a hint and an exit code by one match.

use super::Blocker;
use crate::catalog::{Diagnostic, Diagnostics};
use crate::db::{Class, DbError};
use crate::plan::{Drift, Finding, Refused};
use crate::store::StoreError;

/// An error of a command.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The project's files are not sound, alone or against this database; nothing was changed.
    #[error(transparent)]
    Project(#[from] Diagnostics),
    /// The files of a phase do not fit this database; nothing of the phase was run.
    #[error("{phase}: {}", unfit_words(.diagnostics.0.len()))]
    Unfit {
        /// The phase and its release.
        phase: String,
        /// What is wrong.
        diagnostics: Diagnostics,
    },
    /// The database.
    #[error(transparent)]
    Db(#[from] DbError),
    /// Our own tables.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A gate.
    #[error("{}", .0.reason)]
    Refused(Refused),
    /// Lint found errors; nothing was run.
    #[error("lint: {} in the files of {}", error_words(*.errors), .releases.join(", "))]
    Lint {
        /// The releases that have them.
        releases: Vec<String>,
        /// How many of the findings are errors.
        errors: usize,
        /// What it found, warnings as well.
        findings: Vec<Finding>,
    },
    /// The server does not allow what a release needs; nothing of the release was run.
    #[error("{what}: {reason}")]
    Preflight {
        /// What cannot be done.
        what: String,
        /// Why not.
        reason: String,
        /// What to do.
        remedy: Option<String>,
    },
    /// Files that are not what was applied, or triggers that are not there.
    #[error("{}", drift_words(.0.len()))]
    Drift(Vec<Drift>),
    /// Sync triggers are not what expand installed.
    #[error("the database has not what expand installed: {}", .0.join("; "))]
    BrokenTriggers(Vec<String>),
    /// A step failed.
    #[error("{summary}: {source}")]
    Step {
        /// Where it is.
        place: Box<Diagnostic>,
        /// What it does.
        summary: String,
        /// Who kept it from its lock, where that is known.
        blockers: Vec<Blocker>,
        /// Why it failed.
        source: Box<DbError>,
        /// Whether nothing of it is in force.
        clean: bool,
    },
    /// Rows that a check of a step found.
    #[error("{summary}: {message}")]
    StepCheck {
        /// Where it is.
        place: Box<Diagnostic>,
        /// What it does.
        summary: String,
        /// What the rows mean.
        message: String,
    },
    /// Only a person can know whether a step took effect.
    #[error("an earlier run died inside {id}, and the database does not tell whether it took effect")]
    NeedsPerson {
        /// The step.
        id: String,
        /// Its statements.
        sql: Vec<String>,
    },
    /// Only a person can know how far an earlier run came in a file of the baseline.
    #[error("an earlier run did not come to the end of {label}, and this database keeps what it had done: {reason}")]
    BaselineHalfDone {
        /// The file.
        label: String,
        /// Why it could not be run once more.
        reason: String,
    },
    /// A backfill cannot go on.
    #[error("backfill {id}: {reason}")]
    Backfill {
        /// Which.
        id: String,
        /// Why.
        reason: String,
    },
    /// A throttle's signal is not to be had; no batch was run.
    #[error("throttle: {signal}: {reason}")]
    Throttle {
        /// Which.
        signal: String,
        /// Why not, in the database's words where it has some.
        reason: String,
        /// What to do.
        remedy: Option<String>,
    },
    /// The database has not what the baseline makes.
    #[error("the database is not what the baseline makes")]
    BaselineDiffers(Vec<String>),
    /// A name on the command line means nothing.
    #[error("{0}")]
    Usage(String),
    /// Asked to stop; state is saved.
    #[error("interrupted; state is saved, run the same command to go on")]
    Interrupted,
}

fn error_words(count: usize) -> String {
    if count == 1 { "1 error".to_owned() } else { format!("{count} errors") }
}

fn unfit_words(count: usize) -> String {
    match count {
        1 => "1 error in its files, on this database".to_owned(),
        count => format!("{count} errors in its files, on this database"),
    }
}

impl EngineError {
    /// Whether the connection was lost, at whatever it was doing.
    pub(super) fn is_disconnected(&self) -> bool {
        let class = match self {
            Self::Db(error) | Self::Store(StoreError::Db(error)) => error.class(),
            Self::Step { source, .. } => source.class(),
            _ => return false,
        };
        class == Class::Disconnected
    }
}

fn drift_words(count: usize) -> String {
    match count {
        1 => "a file is not what was applied".to_owned(),
        count => format!("{count} files are not what was applied"),
    }
}

impl From<Refused> for EngineError {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}
