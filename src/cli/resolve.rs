//! `concertina resolve`

use serde::Serialize;

use super::{Failure, Shell, exit};
use crate::engine::{Answer, resolve};

/// Say what only a person can know: that a step took effect, that it did not, or that a changed file is as good
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("answer").required(true).args(["applied", "not_applied", "accept"])))]
pub(super) struct Resolve {
    /// The id of a step, or the path of a file
    subject: String,
    /// The step took effect before the run died
    #[arg(long)]
    applied: bool,
    /// The step did not take effect, and may run again
    #[arg(long)]
    not_applied: bool,
    /// The file's new text is as good as the one that was applied
    #[arg(long)]
    accept: bool,
}

#[derive(Serialize)]
struct Resolved {
    resolved: Vec<String>,
}

impl Resolve {
    pub(super) async fn run(self, shell: &Shell) -> Result<u8, Failure> {
        let answer = if self.applied {
            Answer::Applied
        } else if self.not_applied {
            Answer::NotApplied
        } else {
            Answer::Accept
        };
        let resolved = resolve(&shell.project, &shell.target, &self.subject, answer, &shell.talk).await?;
        shell.print(&Resolved { resolved }, |result| format!("recorded for {}", result.resolved.join(", ")))?;
        Ok(exit::DONE)
    }
}
