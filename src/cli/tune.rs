//! `concertina tune`

use super::Failure;
use super::tuning::Tuning;
use crate::engine::Overrides;

/// Change the pace and throttles of backfills while they run; what is tuned counts from the next batch, and stays
#[derive(Debug, clap::Args)]
pub(super) struct Tune {
    /// Forget what was tuned before, and go by the command line and the manifest again
    #[arg(long)]
    reset: bool,
    #[command(flatten)]
    tuning: Tuning,
}

impl Tune {
    /// What is tuned from now on, by what was tuned before.
    pub(super) fn tuned(self, before: Overrides) -> Result<Overrides, Failure> {
        let given = self.tuning.overrides()?;
        if given.is_empty() && !self.reset {
            return Err(Failure::usage("nothing to tune: give a pace, a throttle, or --reset".to_owned()));
        }
        Ok(if self.reset { given } else { before.then(given) })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        tune: Tune,
    }

    fn tuned(arguments: &[&str], before: Overrides) -> Option<Overrides> {
        Line::try_parse_from(["tune"].iter().chain(arguments)).unwrap().tune.tuned(before).ok()
    }

    #[test]
    fn what_was_tuned_stays_until_it_is_reset() {
        let before = Overrides { duty: Some(20), batch_rows: Some(9), ..Overrides::default() };
        let duty = Overrides { duty: Some(30), ..Overrides::default() };
        assert_eq!(tuned(&[], before.clone()), None);
        assert_eq!(tuned(&["--duty", "30"], before.clone()), Some(Overrides { batch_rows: Some(9), ..duty.clone() }));
        assert_eq!(tuned(&["--reset"], before.clone()), Some(Overrides::default()));
        assert_eq!(tuned(&["--reset", "--duty", "30"], before), Some(duty));
    }
}
