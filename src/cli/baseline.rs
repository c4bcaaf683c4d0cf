//! `concertina baseline`

use serde::Serialize;

use super::{Failure, Shell, exit};
use crate::engine::adopt_baseline;

/// Adopt a database that already has the baseline: compare it with what the baseline makes, then record
#[derive(Debug, clap::Args)]
pub(super) struct Baseline {
    /// The version the database is at: a number, or a file's name such as `V3__mitaka02`
    #[arg(long, value_name = "VERSION")]
    at: String,
}

#[derive(Serialize)]
struct Adopted {
    adopted: Vec<String>,
}

impl Baseline {
    pub(super) async fn run(self, shell: &Shell) -> Result<u8, Failure> {
        let adopted = adopt_baseline(&shell.project, &shell.target, &self.at, &shell.talk).await?;
        shell.print(&Adopted { adopted }, |result| {
            if result.adopted.is_empty() {
                "nothing to do: the baseline is recorded already".to_owned()
            } else {
                format!("the database is what the baseline makes; recorded: {}", result.adopted.join(", "))
            }
        })?;
        Ok(exit::DONE)
    }
}
