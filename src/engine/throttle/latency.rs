//! The latency guard's law: others' commits got slow, so the backfill backs off.

use std::collections::VecDeque;
use std::time::Duration;

/// How many probes are looked at.
const WINDOW: usize = 10;
/// How many it takes to find them slow: half a second of them.
const ENOUGH: usize = 5;
/// The longest back-off.
const MOST: u32 = 16;
/// Below this no commit is slow, however quick the quiet ones are: that is noise of schedulers and disks.
const FLOOR: Duration = Duration::from_millis(20);

/// Learns what a small commit takes when all is quiet, and says how many times longer to pause.
#[derive(Debug, Clone)]
pub(super) struct Guard {
    quiet: Option<Duration>,
    window: VecDeque<Duration>,
    back_off: u32,
    slow: Duration,
}

impl Guard {
    /// Starts with what probes took before the first batch.
    pub(super) fn new(quiet: &[Duration]) -> Self {
        let mut quiet = quiet.to_vec();
        quiet.sort_unstable();
        Self {
            quiet: quiet.get(quiet.len() / 2).copied(),
            window: VecDeque::with_capacity(WINDOW),
            back_off: 1,
            slow: Duration::ZERO,
        }
    }

    /// From where on a commit is slow.
    fn limit(&self, factor: f64) -> Duration {
        self.quiet.map_or(FLOOR, |quiet| quiet.mul_f64(factor)).max(FLOOR)
    }

    fn p90(&self) -> Duration {
        let mut window: Vec<Duration> = self.window.iter().copied().collect();
        window.sort_unstable();
        // Of less than ten the longest.
        let position = (window.len() * 9).div_ceil(10).saturating_sub(1);
        window.get(position).copied().unwrap_or_default()
    }

    /// Takes what a probe took, or has taken so far.
    pub(super) fn record(&mut self, took: Duration, factor: f64) {
        if self.window.len() == WINDOW {
            self.window.pop_front();
        }
        self.window.push_back(took);
        let full = self.window.len() == WINDOW;
        let p90 = self.p90();
        if full {
            // A busy time at the start is not taken for quiet for ever, and one lucky probe is not either.
            self.quiet = Some(self.quiet.map_or(p90, |quiet| quiet.min(p90)));
        }
        // After a step the probes before it say nothing of what it did.
        if self.window.len() >= ENOUGH && p90 > self.limit(factor) {
            self.slow = p90;
            if self.back_off < MOST {
                self.back_off *= 2;
                self.window.clear();
            }
        } else if full && self.back_off > 1 {
            self.back_off /= 2;
            self.window.clear();
        }
    }

    /// How many times as long to pause: 1, 2, 4, 8 or 16.
    pub(super) fn back_off(&self) -> u32 {
        self.back_off
    }

    /// What a small commit takes when all is quiet, as far as is known.
    pub(super) fn quiet(&self) -> Duration {
        self.quiet.unwrap_or_default()
    }

    /// What small commits took when they were slow last.
    pub(super) fn slow(&self) -> Duration {
        self.slow
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FACTOR: f64 = 4.0;

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn feed(guard: &mut Guard, took: Duration, times: usize) -> u32 {
        for _ in 0..times {
            guard.record(took, FACTOR);
        }
        guard.back_off()
    }

    fn quiet(took: u64) -> Guard {
        Guard::new(&[millis(took); WINDOW])
    }

    #[test]
    fn it_backs_off_step_by_step_and_comes_back_the_same_way() {
        let mut guard = quiet(10);
        assert_eq!(feed(&mut guard, millis(39), 50), 1);
        // Ten quick ones are still in the window, and one slow of ten may be.
        assert_eq!(feed(&mut guard, millis(50), 2), 2);
        for expected in [4, 8, 16, 16] {
            assert_eq!(feed(&mut guard, millis(50), ENOUGH), expected);
        }
        guard.window.clear();
        for expected in [8, 4, 2, 1, 1] {
            assert_eq!(feed(&mut guard, millis(10), WINDOW), expected);
        }
    }

    #[test]
    fn one_slow_commit_of_ten_is_no_reason() {
        let mut guard = quiet(10);
        for _ in 0..20 {
            feed(&mut guard, millis(10), 9);
            assert_eq!(feed(&mut guard, millis(500), 1), 1);
        }
    }

    #[test]
    fn nothing_is_slow_below_the_floor() {
        let mut guard = quiet(1);
        assert_eq!(feed(&mut guard, millis(19), 50), 1);
        assert_eq!(feed(&mut guard, millis(21), 10), 4);
    }

    #[test]
    fn a_busy_start_is_not_taken_for_quiet_for_ever() {
        let mut guard = quiet(100);
        assert_eq!(feed(&mut guard, millis(90), 20), 1);
        assert_eq!(feed(&mut guard, millis(10), WINDOW), 1);
        assert_eq!(guard.quiet(), millis(10));
        assert_eq!(feed(&mut guard, millis(90), 2), 2);
    }

    #[test]
    fn a_start_without_a_probe_has_the_floor() {
        let mut guard = Guard::new(&[]);
        assert_eq!(feed(&mut guard, millis(100), ENOUGH), 2);
        assert_eq!(Guard::new(&[millis(5)]).quiet(), millis(5));
    }
}
