//! `concertina verify`

use super::{Failure, Shell, exit};
use crate::engine::{Verification, verify};

/// Prove the data, row by row, and change nothing: no row is left to migrate, every sync's two sides agree, every copy is there
///
/// Exit codes: 0 all of it holds; 6 something does not, and the first keys are listed.
#[derive(Debug, clap::Args)]
pub(super) struct Verify {
    /// The release; left out, the open one
    #[arg(long)]
    release: Option<String>,
    /// Begin at the first row, also where a run within the last hour was interrupted
    #[arg(long)]
    restart: bool,
}

impl Verify {
    pub(super) async fn run(self, shell: &Shell) -> Result<u8, Failure> {
        let found = verify(&shell.project, &shell.target, self.release.as_deref(), self.restart, &shell.talk).await?;
        shell.print(&found, text)?;
        Ok(if found.holds { exit::DONE } else { exit::REFUSED })
    }
}

fn text(found: &Verification) -> String {
    let mut lines = Vec::new();
    for proof in &found.proofs {
        lines.push(match &proof.meaning {
            None => format!("holds: {} ({} rows)", proof.subject, proof.rows),
            Some(meaning) => format!("BROKEN: {}: {meaning}: {}", proof.subject, proof.keys.join("; ")),
        });
    }
    lines.push(match (&found.release, found.holds) {
        (None, _) => "nothing to prove: no release is open".to_owned(),
        (Some(release), true) => format!("yes: the data of {release} is complete and in step"),
        (Some(release), false) => {
            format!("no: the data of {release} is not complete; run concertina migrate, and look at rows that stay")
        }
    });
    lines.join("\n")
}
