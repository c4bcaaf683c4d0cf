//! What is told while a rehearsal runs. The room prints nothing itself.

use std::time::Duration;

use super::report::Injection;
use crate::catalog::Stage;

/// Something that happened.
#[derive(Debug, Clone)]
pub enum News {
    /// What is being got ready.
    Preparing(String),
    /// A stage begins.
    Stage {
        /// The releases of its hop.
        hop: String,
        /// The stage.
        stage: Stage,
        /// Nodes of the old release, and of the new.
        nodes: [usize; 2],
    },
    /// A command of ours was run to its end.
    Ran {
        /// The command.
        command: String,
        /// Its exit code; `None`: it was killed.
        code: Option<i32>,
        /// How long it took.
        took: Duration,
    },
    /// Something was done to the upgrade.
    Injected(Injection),
    /// An operation failed, or an invariant broke.
    Trouble(String),
    /// How it goes.
    Live(Live),
}

/// How it goes, in the last second.
#[derive(Debug, Clone, Copy)]
pub struct Live {
    /// Operations a second.
    pub rate: f64,
    /// The median latency.
    pub median: Duration,
    /// The longest.
    pub longest: Duration,
    /// How many operations were done so far.
    pub done: u64,
    /// How many failed so far.
    pub failed: u64,
}

/// Who is told.
pub trait Audience: Sync {
    /// Something happened.
    fn hears(&self, news: &News);
    /// Whether to stop.
    fn interrupted(&self) -> bool;
}
