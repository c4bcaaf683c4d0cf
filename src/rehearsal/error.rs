//! Why a rehearsal could not be held. An upgrade that goes wrong is no error of these: it is what a report says.

use crate::catalog::Diagnostics;
use crate::db::DbError;
use crate::engine::EngineError;

/// Why a rehearsal could not be held.
#[derive(Debug, thiserror::Error)]
pub enum RehearsalError {
    /// Asked for something that there is not.
    #[error("{0}")]
    Usage(String),
    /// The workloads have errors.
    #[error("the workloads have {} error{}", .0.0.len(), if .0.0.len() == 1 { "" } else { "s" })]
    Workloads(Diagnostics),
    /// What nodes of a release do is not said.
    #[error("no workload says what nodes of {release} do: write tests/workloads/{release}.yaml (docs/workloads.md)")]
    NoWorkload {
        /// The release.
        release: String,
    },
    /// The database could not be got ready.
    #[error("get the rehearsal's database ready: {0}")]
    Preparing(String),
    /// A database error.
    #[error(transparent)]
    Db(#[from] DbError),
    /// The engine could not look.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The program could not be run.
    #[error("run {program}: {error}")]
    Program {
        /// Which.
        program: String,
        /// Why not.
        error: std::io::Error,
    },
    /// Somebody asked to stop.
    #[error("interrupted; nothing was saved, and the rehearsal's databases are removed")]
    Interrupted,
}
