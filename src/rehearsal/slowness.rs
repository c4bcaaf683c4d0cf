//! How slow each stage was, against the quiet one of its hop.

use std::collections::BTreeMap;
use std::time::Duration;

use super::conductor::{Played, ms};
use super::measure::{Measured, Sample};
use super::report::Impact;
use super::statistics::{FLOOR_MS, LEVEL, WINDOW_MS, fisher, holm, rosenbaum};
use crate::catalog::Stage;

/// From how many quiet latencies on an operation has a median of its own.
const ENOUGH: usize = 10;

/// What is usual of each operation: the median of its quiet latencies, in milliseconds. A threshold of each operation's own would be
/// the largest of its few quiet latencies, and quiet itself would then never be slow; so one threshold is for all, of latencies
/// divided by what is usual.
#[derive(Debug)]
pub(super) struct Slowness<'m> {
    measured: &'m Measured,
    played: &'m [Played],
    usual: BTreeMap<String, f64>,
    usual_of_all: f64,
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// A value that this share of a sample does not exceed.
fn quantile(mut values: Vec<f64>, share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a place in a list"
    )]
    let at = ((values.len() as f64 * share).ceil() as usize).saturating_sub(1);
    values.get(at).copied().unwrap_or(0.0)
}

impl<'m> Slowness<'m> {
    pub(super) fn of(measured: &'m Measured, played: &'m [Played]) -> Self {
        let mut all = Vec::new();
        let mut own: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        let is_quiet = |sample: &&Sample| played.get(sample.stage).is_some_and(|played| played.stage == Stage::Quiet);
        for sample in measured.samples.iter().filter(is_quiet) {
            let latency = milliseconds(sample.latency);
            all.push(latency);
            own.entry(measured.subjects[sample.task].operation.clone()).or_default().push(latency);
        }
        let usual = own.into_iter().filter(|(_, values)| values.len() >= ENOUGH);
        let usual = usual.map(|(operation, values)| (operation, quantile(values, 0.5))).collect();
        Self { measured, played, usual, usual_of_all: quantile(all, 0.5) }
    }

    fn usual(&self, operation: &str) -> f64 {
        // A microsecond more or less is nothing.
        self.usual.get(operation).copied().unwrap_or(self.usual_of_all).max(1.0)
    }

    /// How many times what is usual an operation took; 0 where nobody feels it.
    fn value(&self, sample: &Sample) -> f64 {
        let latency = milliseconds(sample.latency);
        if latency <= FLOOR_MS { 0.0 } else { latency / self.usual(&self.measured.subjects[sample.task].operation) }
    }

    fn samples(&self, stage: usize) -> impl Iterator<Item = &'m Sample> {
        self.measured.samples.iter().filter(move |sample| sample.stage == stage)
    }

    /// What is slow in a hop: the 99th percentile of its quiet stage.
    fn threshold(&self, quiet: usize) -> f64 {
        quantile(self.samples(quiet).map(|sample| self.value(sample)).collect(), 0.99)
    }

    /// What makes each operation slow, in milliseconds, by the first quiet stage.
    pub(super) fn thresholds(&self) -> Vec<(String, f64)> {
        let threshold = self.threshold(0);
        let mut operations: Vec<&String> = self.measured.subjects.iter().map(|subject| &subject.operation).collect();
        operations.sort();
        operations.dedup();
        let of = |operation: &String| (threshold * self.usual(operation)).max(FLOOR_MS);
        operations.into_iter().map(|operation| (operation.clone(), (of(operation) * 1e3).round() / 1e3)).collect()
    }

    /// The windows of a stage, each with the largest of its operations' values.
    fn windows(&self, stage: usize) -> Vec<f64> {
        let mut windows: BTreeMap<u64, f64> = BTreeMap::new();
        for sample in self.samples(stage) {
            let window = windows.entry(ms(sample.due) / WINDOW_MS).or_default();
            *window = window.max(self.value(sample));
        }
        windows.into_values().collect()
    }

    /// What each stage is by the tests; `None` for the quiet ones.
    pub(super) fn impacts(&self) -> Vec<Option<Impact>> {
        let mut impacts: Vec<Option<Impact>> = (0..self.played.len()).map(|stage| self.impact(stage)).collect();
        let tests = impacts.iter().flatten().flat_map(|impact| [impact.fisher_p, impact.rosenbaum_p]);
        let significant = holm(&tests.collect::<Vec<_>>(), LEVEL);
        for (impact, pair) in impacts.iter_mut().flatten().zip(significant.chunks(2)) {
            impact.significant = pair.contains(&true);
        }
        impacts
    }

    fn impact(&self, stage: usize) -> Option<Impact> {
        let hop = &self.played[stage].hop;
        let quiet = self.played.iter().position(|other| other.hop == *hop && other.stage == Stage::Quiet)?;
        if quiet == stage {
            return None;
        }
        let threshold = self.threshold(quiet);
        let (own, calm) = (self.windows(stage), self.windows(quiet));
        let most = calm.iter().copied().fold(0.0, f64::max);
        let count = |values: &[f64], least: f64| values.iter().filter(|value| **value > least).count() as u64;
        let (all, quiet_all) = (own.len() as u64, calm.len() as u64);
        let (slow, quiet_slow, beyond) = (count(&own, threshold), count(&calm, threshold), count(&own, most));
        Some(Impact {
            windows: [all, quiet_all],
            slow: [slow, quiet_slow],
            beyond,
            fisher_p: fisher(slow, all, quiet_slow, quiet_all),
            rosenbaum_p: rosenbaum(beyond, all, quiet_all),
            significant: false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rehearsal::measure::{Outcome, Subject};

    /// Six stages of one hop, at 60 operations a second; `factor` is how much slower a stage is.
    fn rehearsal(operations: usize, rng: &mut fastrand::Rng, factor: impl Fn(usize) -> f64) -> (Measured, Vec<Played>) {
        let subject = |number: usize| Subject { release: "one".to_owned(), operation: format!("operation {number}") };
        let mut measured = Measured::default();
        measured.subjects = (0..operations).map(subject).collect();
        let (mut played, mut at) = (Vec::new(), 0.0);
        for (number, stage) in Stage::ALL.into_iter().enumerate() {
            let length = if stage == Stage::Quiet { 8.0 } else { 4.0 };
            let moment = |seconds: f64| Duration::from_secs_f64(seconds);
            played.push(Played { hop: "hop".to_owned(), stage, began: moment(at), ended: moment(at + length) });
            let mut due = at;
            loop {
                due -= (1.0 - rng.f64()).ln() / 60.0;
                if due > at + length {
                    break;
                }
                let task = rng.usize(..operations);
                // Sums of twelve are as good as normal.
                let normal = (0..12).map(|_| rng.f64()).sum::<f64>() - 6.0;
                #[expect(clippy::cast_precision_loss, reason = "a handful")]
                let median = 2.0 + task as f64;
                let latency = moment(median / 1e3 * normal.exp() * factor(number));
                measured.samples.push(Sample {
                    due: moment(due),
                    latency,
                    stage: number,
                    task,
                    node: 0,
                    outcome: Outcome::Done,
                    retries: 0,
                });
            }
            at += length;
        }
        (measured, played)
    }

    fn is_slower(operations: usize, rng: &mut fastrand::Rng, factor: impl Fn(usize) -> f64) -> bool {
        let (measured, played) = rehearsal(operations, rng, factor);
        Slowness::of(&measured, &played).impacts().iter().flatten().any(|impact| impact.significant)
    }

    /// With thresholds taken from the very data, and many operations: hardly more than one of a hundred.
    #[test]
    fn nothing_is_found_where_there_is_nothing() {
        let mut rng = fastrand::Rng::with_seed(11);
        for operations in [1, 5, 25] {
            let found = (0..400).filter(|_| is_slower(operations, &mut rng, |_| 1.0)).count();
            assert!(found <= 10, "{found} of 400 with {operations} operations");
        }
    }

    #[test]
    fn a_stage_that_is_slower_is_found() {
        let mut rng = fastrand::Rng::with_seed(12);
        let found = (0..100).filter(|_| is_slower(10, &mut rng, |stage| if stage == 2 { 4.0 } else { 1.0 })).count();
        assert!(found >= 95, "{found} of 100");
    }
}
