//! `concertina upgrade`

use super::migrate::print_outcome;
use super::{Failure, Shell, exit};
use crate::engine::upgrade;

/// Run the baseline and every phase of every release, in one go: the offline form
#[derive(Debug, clap::Args)]
pub(super) struct Upgrade {
    /// The last release to bring the database to; left out, the newest
    #[arg(long, value_name = "RELEASE")]
    to: Option<String>,
}

impl Upgrade {
    pub(super) async fn run(self, shell: &Shell) -> Result<u8, Failure> {
        let outcome = upgrade(&shell.project, &shell.target, self.to.as_deref(), &shell.talk).await?;
        print_outcome(shell, &outcome)?;
        Ok(exit::DONE)
    }
}
