//! The size of the next batch, so that one takes as long as it should: other sessions' worst wait follows it.
//!
//! spirit's law: what ten batches took decides, by their p90, and what is far off the target is answered
//! at once.

use std::time::Duration;

/// How many batches of one size are looked at before the size is set anew.
const WINDOW: usize = 10;
/// The most that a size grows at a time.
const GROWTH: f64 = 1.5;
/// Below this part of the target a batch is so short that the size grows without waiting for more of them.
const SHORT: f64 = 0.5;
/// How many such batches it takes once a size near the target was found: one alone is luck, and growing on it would have to be
/// taken back.
const SURE: usize = 3;
/// Above this many targets a batch is so long that the size shrinks at once.
const LONG: f64 = 2.5;
/// The most that a size shrinks at a time.
const SHRINKING: f64 = 0.1;

/// Decides how many rows the next batch has.
#[derive(Debug, Clone)]
pub struct Pacer {
    size: u64,
    max_rows: u64,
    target: Duration,
    /// What batches of this size took, as parts of the target.
    measured: Vec<f64>,
    /// Whether a size near the target was found once.
    found: bool,
}

impl Pacer {
    /// Starts with a size.
    pub fn new(rows: u64, max_rows: u64, target: Duration) -> Self {
        let max_rows = max_rows.max(1);
        Self { size: rows.clamp(1, max_rows), max_rows, target, measured: Vec::with_capacity(WINDOW), found: false }
    }

    /// How many rows the next batch may have.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Takes how long a batch took. A batch of another size (cut short by a limit or by the end of the range, or begun before
    /// the size changed) says nothing of this one.
    pub fn record(&mut self, ran_rows: u64, took: Duration) {
        if ran_rows != self.size {
            return;
        }
        // A target of zero asks for the smallest batch there is, not for a division by it.
        let part = took.as_secs_f64() / self.target.as_secs_f64().max(0.000_1);
        if part > LONG {
            self.resize((1.0 / part).max(SHRINKING));
            return;
        }
        self.measured.push(part);
        if self.measured.iter().all(|part| *part < SHORT) {
            if !self.found || self.measured.len() == SURE {
                self.resize(GROWTH);
            }
            return;
        }
        self.found = true;
        if self.measured.len() == WINDOW {
            self.measured.sort_by(f64::total_cmp);
            let p90 = self.measured[WINDOW * 9 / 10 - 1];
            self.resize((1.0 / p90).min(GROWTH));
        }
    }

    /// Halves the size, after a deadlock or a lock that was not to be had.
    pub fn halve(&mut self) {
        self.resize(0.5);
    }

    /// Takes another target and another bound, changed while the backfill runs.
    pub fn retarget(&mut self, target: Duration, max_rows: u64) {
        if target != self.target {
            self.measured.clear();
            self.found = false;
        }
        self.target = target;
        self.max_rows = max_rows.max(1);
        if self.size > self.max_rows {
            self.size = self.max_rows;
            self.measured.clear();
        }
    }

    fn resize(&mut self, factor: f64) {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a batch has far fewer rows than a float counts exactly, and the factor is positive"
        )]
        let scaled = (self.size as f64 * factor).round() as u64;
        // One row grown by half must become two, or it would stay one for ever.
        let next = if factor >= GROWTH { scaled.max(self.size + 1) } else { scaled };
        self.size = next.clamp(1, self.max_rows);
        self.measured.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGET: Duration = Duration::from_millis(50);

    /// Runs batches whose rows cost this many microseconds each, and gives the sizes.
    fn simulate(pacer: &mut Pacer, batches: usize, mut cost: impl FnMut(usize) -> f64) -> Vec<u64> {
        (0..batches)
            .map(|batch| {
                let size = pacer.size();
                #[expect(clippy::cast_precision_loss, reason = "sizes are small")]
                let took = Duration::from_secs_f64(size as f64 * cost(batch) / 1_000_000.0);
                pacer.record(size, took);
                size
            })
            .collect()
    }

    fn within(size: u64, expected: u64, percent: u64) -> bool {
        size.abs_diff(expected) * 100 <= expected * percent
    }

    #[test]
    fn a_constant_cost_is_met_and_kept() {
        for (cost, expected) in [(1.0, 50_000), (10.0, 5_000), (50.0, 1_000), (700.0, 71), (10_000.0, 5)] {
            let mut pacer = Pacer::new(1_000, 50_000, TARGET);
            let sizes = simulate(&mut pacer, 100, |_| cost);
            assert!(
                sizes[50..].iter().all(|size| within(*size, expected, 15)),
                "{cost} µs a row should come to {expected} rows: {sizes:?}"
            );
        }
    }

    #[test]
    fn a_quick_table_is_at_full_size_after_ten_batches() {
        let mut pacer = Pacer::new(1_000, 50_000, TARGET);
        let sizes = simulate(&mut pacer, 11, |_| 0.2);
        assert_eq!(sizes[10], 50_000, "{sizes:?}");
    }

    #[test]
    fn a_sudden_slowdown_is_answered_in_one_batch() {
        let mut pacer = Pacer::new(1_000, 50_000, TARGET);
        simulate(&mut pacer, 60, |_| 10.0);
        let sizes = simulate(&mut pacer, 2, |_| 100.0);
        assert!(within(sizes[0], 5_000, 15) && within(sizes[1], 500, 15), "{sizes:?}");
    }

    #[test]
    fn a_stall_of_a_minute_takes_nine_tenths_at_most() {
        let mut pacer = Pacer::new(1_000, 50_000, TARGET);
        pacer.record(1_000, Duration::from_mins(1));
        assert_eq!(pacer.size(), 100);
    }

    #[test]
    fn noise_does_not_make_it_swing() {
        for seed in 0..50 {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut pacer = Pacer::new(1_000, 50_000, TARGET);
            simulate(&mut pacer, 100, |_| 10.0 * (0.5 + random.f64()));
            let sizes = simulate(&mut pacer, 1_000, |_| 10.0 * (0.5 + random.f64()));
            let (least, most) = (*sizes.iter().min().unwrap(), *sizes.iter().max().unwrap());
            assert!(most <= 2 * least, "seed {seed}: from {least} to {most}");
        }
    }

    #[test]
    fn another_size_says_nothing() {
        let mut pacer = Pacer::new(1_000, 50_000, TARGET);
        pacer.record(10, Duration::from_secs(50));
        pacer.record(2_000, Duration::from_micros(1));
        assert_eq!(pacer.size(), 1_000);
    }

    #[test]
    fn it_halves_down_to_one_row_and_comes_back() {
        let mut pacer = Pacer::new(3, 50_000, TARGET);
        for expected in [2, 1, 1] {
            pacer.halve();
            assert_eq!(pacer.size(), expected);
        }
        pacer.record(1, Duration::from_millis(1));
        assert_eq!(pacer.size(), 2);
    }

    #[test]
    fn another_target_and_another_bound_count_at_once() {
        let mut pacer = Pacer::new(1_000, 50_000, TARGET);
        pacer.retarget(Duration::from_millis(200), 400);
        assert_eq!(pacer.size(), 400);
        pacer.retarget(Duration::from_millis(200), 50_000);
        let sizes = simulate(&mut pacer, 60, |_| 10.0);
        assert!(within(sizes[59], 20_000, 15), "{sizes:?}");
        pacer.retarget(Duration::ZERO, 0);
        assert_eq!(pacer.size(), 1);
    }
}
