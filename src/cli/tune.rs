//! `concertina tune`

use serde::Serialize;

use super::tuning::Tuning;
use super::{Failure, Shell, exit};
use crate::engine::{Overrides, tune};

/// Change the pace and throttles of backfills while they run; what is tuned counts from the next batch, and stays
#[derive(Debug, clap::Args)]
pub(super) struct Tune {
    /// Forget what was tuned before, and go by the command line and the manifest again
    #[arg(long)]
    reset: bool,
    #[command(flatten)]
    tuning: Tuning,
}

#[derive(Serialize)]
struct Tuned {
    tuned: Overrides,
}

impl Tune {
    pub(super) async fn run(self, shell: &Shell) -> Result<u8, Failure> {
        let (reset, given) = (self.reset, self.tuning.overrides()?);
        if given.is_empty() && !reset {
            return Err(Failure::usage("nothing to tune: give a pace, a throttle, or --reset".to_owned()));
        }
        let change = |before: Overrides| if reset { given } else { before.then(given) };
        let tuned = tune(&shell.project, &shell.target, change, &shell.talk).await?;
        shell.print(&Tuned { tuned }, |result| {
            if result.tuned.is_empty() {
                "tuned: nothing; backfills go by the command line and the manifest".to_owned()
            } else {
                format!("tuned: {}", result.tuned.words())
            }
        })?;
        Ok(exit::DONE)
    }
}
