//! `concertina upgrade`

use super::migrate::print_outcome;
use super::{Failure, Shell, exit, lint_gate};
use crate::engine::upgrade;
use crate::plan::Gate;

/// Run the baseline and every phase of every release, in one go: the offline form
#[derive(Debug, clap::Args)]
pub(super) struct Upgrade {
    /// The last release to bring the database to; left out, the newest
    #[arg(long, value_name = "RELEASE")]
    to: Option<String>,
    /// Override a gate, `lint`; the history keeps it
    #[arg(long, value_name = "GATE", value_parser = lint_gate)]
    force: Vec<Gate>,
}

impl Upgrade {
    pub(super) async fn run(self, shell: &Shell) -> Result<u8, Failure> {
        let outcome = upgrade(&shell.project, &shell.target, self.to.as_deref(), &self.force, &shell.talk).await?;
        print_outcome(shell, &outcome)?;
        Ok(exit::DONE)
    }
}
