//! `concertina expand`

use std::time::Duration;

use super::migrate::print_outcome;
use super::{Failure, Shell, exit, schema_gate};
use crate::catalog::parse_duration;
use crate::engine::{PhaseOptions, run_phase};
use crate::plan::Gate;
use crate::step::Phase;

/// Run the expand phase: additive schema changes and syncs, while the old release runs
#[derive(Debug, clap::Args)]
pub(super) struct Expand {
    /// The release; left out, the open one, or else the next
    #[arg(long)]
    release: Option<String>,
    /// End sessions that keep a step from its lock for longer than this; left out, they are named and left alone
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    cancel_blockers_after: Option<Duration>,
    /// Override a gate, `lint` or `cluster`; the history keeps it
    #[arg(long, value_name = "GATE", value_parser = schema_gate)]
    force: Vec<Gate>,
}

impl Expand {
    pub(super) async fn run(self, shell: &Shell) -> Result<u8, Failure> {
        let options = PhaseOptions {
            release: self.release,
            force: self.force,
            cancel_blockers_after: self.cancel_blockers_after,
            ..PhaseOptions::default()
        };
        let outcome = run_phase(&shell.project, &shell.target, Phase::Expand, &options, &shell.talk).await?;
        print_outcome(shell, &outcome)?;
        Ok(exit::DONE)
    }
}
