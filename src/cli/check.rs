//! `concertina check`

use std::time::Duration;

use super::migrate::next_line;
use super::{Failure, Shell, exit};
use crate::catalog::parse_duration;
use crate::engine::{check, check_until};

/// Say by exit code what is needed next (0, 3, 4, 5), or whether nodes of a release may run now (0, 6)
#[derive(Debug, clap::Args)]
pub(super) struct Check {
    /// Ask whether nodes of this release may run on the database now
    #[arg(long)]
    release: Option<String>,
    /// Ask again until the answer is yes (exit code 0), for so long at most; a server that is not up yet is waited for too
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    wait: Option<Duration>,
}

impl Check {
    pub(super) async fn run(self, shell: &Shell) -> Result<u8, Failure> {
        let Shell { project, target, talk, .. } = shell;
        let release = self.release.as_deref();
        let answer = match self.wait {
            Some(patience) => check_until(project, target, release, patience, talk).await?,
            None => check(project, target, release, talk).await?,
        };
        shell.print(&answer, |answer| match (answer.allowed, &answer.reason) {
            (Some(true), Some(reason)) => format!("yes: {reason}"),
            (Some(false), Some(reason)) => format!("no: {reason}"),
            _ => next_line(&answer.next),
        })?;
        Ok(match (answer.allowed, answer.next.phase.as_str()) {
            _ if answer.is_yes() => exit::DONE,
            (Some(_), _) => exit::REFUSED,
            (None, "migrate") => exit::MIGRATE_NEEDED,
            (None, "contract") => exit::CONTRACT_NEEDED,
            // A missing baseline comes before the first expand.
            (None, _) => exit::EXPAND_NEEDED,
        })
    }
}
