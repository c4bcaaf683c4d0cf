//! `concertina check`

use super::migrate::next_line;
use super::{Failure, Shell, exit};
use crate::engine::check;

/// Say by exit code what is needed next (0, 3, 4, 5), or whether nodes of a release may run now (0, 6)
#[derive(Debug, clap::Args)]
pub(super) struct Check {
    /// Ask whether nodes of this release may run on the database now
    #[arg(long)]
    release: Option<String>,
}

impl Check {
    pub(super) async fn run(self, shell: &Shell) -> Result<u8, Failure> {
        let answer = check(&shell.project, &shell.target, self.release.as_deref(), &shell.talk).await?;
        shell.print(&answer, |answer| match (answer.allowed, &answer.reason) {
            (Some(true), Some(reason)) => format!("yes: {reason}"),
            (Some(false), Some(reason)) => format!("no: {reason}"),
            _ => next_line(&answer.next),
        })?;
        Ok(match (answer.allowed, answer.next.phase.as_str()) {
            (Some(true), _) | (None, "none") => exit::DONE,
            (Some(false), _) => exit::REFUSED,
            (None, "migrate") => exit::MIGRATE_NEEDED,
            (None, "contract") => exit::CONTRACT_NEEDED,
            // A missing baseline comes before the first expand.
            (None, _) => exit::EXPAND_NEEDED,
        })
    }
}
