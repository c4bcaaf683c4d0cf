//! `concertina contract`

use std::time::Duration;

use super::migrate::print_outcome;
use super::{Failure, Shell, exit, gate};
use crate::catalog::parse_duration;
use crate::engine::{PhaseOptions, run_phase};
use crate::plan::Gate;
use crate::step::Phase;

/// Run the contract phase: prove the data, remove the syncs and what the old release used
#[derive(Debug, clap::Args)]
pub(super) struct Contract {
    /// The release; left out, the open one
    #[arg(long)]
    release: Option<String>,
    /// How long no old-style write may have been seen; 0s turns it off [default: the manifest's, or 5m]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    quiet_period: Option<Duration>,
    /// Override a gate, `quiet`, `sessions`, `verified`, `lint` or `cluster`; the history keeps it
    #[arg(long, value_name = "GATE", value_parser = gate)]
    force: Vec<Gate>,
    /// End sessions that keep a step from its lock for longer than this; left out, they are named and left alone
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    cancel_blockers_after: Option<Duration>,
}

impl Contract {
    pub(super) async fn run(self, shell: &Shell) -> Result<u8, Failure> {
        let options = PhaseOptions {
            release: self.release,
            quiet_period: self.quiet_period,
            force: self.force,
            cancel_blockers_after: self.cancel_blockers_after,
            ..PhaseOptions::default()
        };
        let outcome = run_phase(&shell.project, &shell.target, Phase::Contract, &options, &shell.talk).await?;
        print_outcome(shell, &outcome)?;
        Ok(exit::DONE)
    }
}
