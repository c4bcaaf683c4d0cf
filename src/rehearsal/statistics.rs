//! Whether a stage was slower than the quiet one, or only seems so.
//!
//! The unit is a window of a tenth of a second: operations that wait for the same thing are slow together, and count once. A
//! window's value is the largest of its operations' latencies, each divided by the median of that operation's quiet latencies;
//! 10 ms and less, which nobody feels, count as 0. Two one-sided tests are made of each stage:
//! - *Fisher's exact test* of the number of windows above the 99th percentile of all quiet values, against that of the quiet
//!   stage: is it slow more often?
//! - *Rosenbaum's test* (1954) of the number of windows above every quiet one: are there outliers? The probability that at least `k`
//!   of `n` windows are above all of `m` others is the product of (n - i) / (n + m - i) for i = 0 to k - 1.
//!
//! Both assume that windows are independent and, without an impact, exchangeable between the stages: that the machine is as
//! busy with other things in one as in the other. Holm's correction holds the chance that any of a rehearsal's tests finds
//! something where there is nothing at the level, 0.01.

use statrs::distribution::{DiscreteCDF, Hypergeometric};

/// The level of significance.
pub(super) const LEVEL: f64 = 0.01;
/// The length of a window.
pub(super) const WINDOW_MS: u64 = 100;
/// What is never called slow.
pub(super) const FLOOR_MS: f64 = 10.0;

/// Fisher's exact test, one-sided: how likely at least `slow` of `all` are where both are of one sort.
pub(super) fn fisher(slow: u64, all: u64, quiet_slow: u64, quiet_all: u64) -> f64 {
    if slow == 0 || all == 0 || quiet_all == 0 {
        return 1.0;
    }
    Hypergeometric::new(all + quiet_all, slow + quiet_slow, all).map_or(1.0, |drawn| drawn.sf(slow - 1))
}

/// Rosenbaum's test: how likely at least `beyond` of `all` values are above every one of `quiet_all`.
#[expect(clippy::cast_precision_loss, reason = "counts of windows")]
pub(super) fn rosenbaum(beyond: u64, all: u64, quiet_all: u64) -> f64 {
    (0..beyond).map(|i| (all - i) as f64 / (all + quiet_all - i) as f64).product()
}

/// Holm's correction: which of the tests are significant at the level.
pub(super) fn holm(p: &[f64], level: f64) -> Vec<bool> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|a, b| p[*a].total_cmp(&p[*b]));
    let mut significant = vec![false; p.len()];
    for (rank, at) in order.iter().enumerate() {
        #[expect(clippy::cast_precision_loss, reason = "a handful of tests")]
        if p[*at] > level / (p.len() - rank) as f64 {
            break;
        }
        significant[*at] = true;
    }
    significant
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fishers_test_is_the_one_in_the_books() {
        // Fisher's tea: four of four, among eight.
        assert!((fisher(4, 4, 0, 4) - 1.0 / 70.0).abs() < 1e-9);
        assert!((fisher(3, 4, 1, 4) - 17.0 / 70.0).abs() < 1e-9);
        assert!((fisher(0, 4, 0, 4) - 1.0).abs() < 1e-9);
        // Scipy: fisher_exact([[8, 2], [1, 5]], alternative='greater') has p = 0.0244755….
        assert!((fisher(8, 10, 1, 6) - 0.024_475_524).abs() < 1e-6);
    }

    #[test]
    fn rosenbaums_test_counts_what_is_above_all_others() {
        assert!((rosenbaum(1, 10, 10) - 0.5).abs() < 1e-9);
        assert!((rosenbaum(2, 10, 10) - 10.0 / 20.0 * 9.0 / 19.0).abs() < 1e-9);
        assert!((rosenbaum(0, 10, 10) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn holm_asks_more_of_the_best_of_many() {
        assert_eq!(holm(&[0.004, 0.2, 0.001], 0.01), [true, false, true]);
        assert_eq!(holm(&[0.006, 0.2, 0.3], 0.01), [false, false, false]);
    }
}
