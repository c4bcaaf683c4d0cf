//! Throttles: whether the next batch may run now, and how long to pause after one.
//!
//! Every signal is tried before the first batch, and then asked about once a second by a task with a session of its own, so that
//! the verdict between two batches costs nothing. A signal that fails or goes stale holds: it never counts as all is well.

mod guard;
mod health;
mod latency;
mod signals;
mod watch;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

pub use guard::Probe;

use super::{EngineError, Settings};
use crate::db::{Connection, Target};
use crate::dialect::Dialect;
use guard::LatencyGuard;
use signals::{Subject, Trouble, judge, subjects};
use watch::Watch;

/// Why the next batch has to wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// In an operator's words, with figures.
    pub reason: String,
    /// Where a signal fails or is stale: for how long; past [`Settings::patience`] `migrate` gives up.
    pub failing_for: Option<Duration>,
}

/// What the throttles say before a batch.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// Why to wait, if so.
    pub hold: Option<Hold>,
    /// How long to pause after a batch, as a part of what it took.
    pub pause_factor: f64,
    /// Why the pauses are longer than asked for.
    pub slowed: Option<String>,
}

/// The throttles of one `migrate`; its workers share them. Dropping them ends their sessions.
#[derive(Debug)]
pub struct Throttles {
    primary: Target,
    dialect: Arc<dyn Dialect>,
    probe: Option<Probe>,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    settings: Settings,
    watches: Vec<Watch>,
    guard: Option<LatencyGuard>,
}

impl Throttles {
    /// Tries every signal once, learns what small commits take while all is quiet (within 0.3 s), and starts to watch.
    ///
    /// Without a probe, and on a database where a commit waits for our own batch, there is no latency guard.
    pub async fn start(
        connection: &Connection,
        settings: &Settings,
        probe: Option<Probe>,
    ) -> Result<Self, EngineError> {
        let dialect = connection.shared_dialect();
        let primary = connection.target().clone();
        let mut watches = Vec::new();
        for subject in subjects(settings, dialect.as_ref()).map_err(unavailable)? {
            let watch = Watch::tried(subject.clone(), &primary).await;
            watches.push(watch.map_err(|trouble| unavailable((subject, trouble)))?);
        }
        let probe = probe.filter(|_| dialect.commits_beside());
        let guard = match (&probe, settings.latency) {
            (Some(probe), Some(factor)) => {
                let guard = LatencyGuard::learned(probe.clone(), &primary, factor).await;
                Some(guard.map_err(|Trouble { reason, remedy }| EngineError::Throttle {
                    signal: guard::NAME.to_owned(),
                    reason,
                    remedy,
                })?)
            }
            _ => None,
        };
        let inner = Mutex::new(Inner { settings: settings.clone(), watches, guard });
        Ok(Self { primary, dialect, probe, inner })
    }

    /// Whether the next batch may run, and how long to pause after it. It never waits.
    pub fn verdict(&self) -> Verdict {
        let now = Instant::now();
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let (back_off, slowed, guard_hold) = inner.guard.as_ref().map_or((1, None, None), |guard| guard.verdict(now));
        let holds = inner.watches.iter().filter_map(|watch| match watch.read(now) {
            Ok((answer, age)) => judge(watch.subject(), &answer, age, &inner.settings),
            Err(hold) => Some(hold),
        });
        Verdict {
            hold: together(holds.chain(guard_hold)),
            pause_factor: backed_off(inner.settings.pause_factor(), back_off),
            slowed,
        }
    }

    /// Goes by other settings from now on. A signal that is new is not tried first: until it answers, it holds.
    ///
    /// Fails, and changes nothing, where this database does not have a signal at all.
    pub fn retune(&self, settings: &Settings) -> Result<(), EngineError> {
        let wanted = subjects(settings, self.dialect.as_ref()).map_err(unavailable)?;
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let mut watches = Vec::new();
        for subject in wanted {
            if inner.watches.iter().all(|watch| *watch.subject() != subject) {
                let started = Watch::untried(subject.clone(), &self.primary);
                watches.push(started.map_err(|trouble| unavailable((subject, trouble)))?);
            } else if let Some(at) = inner.watches.iter().position(|watch| *watch.subject() == subject) {
                watches.push(inner.watches.swap_remove(at));
            }
        }
        inner.watches = watches;
        match (settings.latency, &inner.guard, &self.probe) {
            (Some(factor), Some(guard), _) => guard.set_factor(factor),
            (Some(factor), None, Some(probe)) => {
                inner.guard = Some(LatencyGuard::unlearned(probe.clone(), &self.primary, factor));
            }
            (Some(_), None, None) => {}
            (None, _, _) => inner.guard = None,
        }
        inner.settings = settings.clone();
        Ok(())
    }
}

fn unavailable((subject, trouble): (Subject, Trouble)) -> EngineError {
    EngineError::Throttle { signal: subject.to_string(), reason: trouble.reason, remedy: trouble.remedy }
}

/// All holds as one: every reason, and the longest failure.
fn together(holds: impl Iterator<Item = Hold>) -> Option<Hold> {
    holds.reduce(|one, other| Hold {
        reason: format!("{}; {}", one.reason, other.reason),
        failing_for: one.failing_for.max(other.failing_for),
    })
}

/// The pause of the duty, so many times as long. Where there is none to be made longer, the back-off is the pause.
fn backed_off(pause_factor: f64, back_off: u32) -> f64 {
    if pause_factor > 0.0 { pause_factor * f64::from(back_off) } else { f64::from(back_off.saturating_sub(1)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_said_and_the_longest_failure_counts() {
        let hold = |reason: &str, seconds: Option<u64>| Hold {
            reason: reason.to_owned(),
            failing_for: seconds.map(Duration::from_secs),
        };
        assert_eq!(together([].into_iter()), None);
        let all = together([hold("a", None), hold("b", Some(3)), hold("c", Some(2))].into_iter());
        assert_eq!(all, Some(hold("a; b; c", Some(3))));
    }

    #[test]
    fn the_back_off_makes_a_pause_where_there_was_none() {
        for (factor, back_off, expected) in
            [(1.0, 1, 1.0), (1.0, 4, 4.0), (0.25, 2, 0.5), (0.0, 1, 0.0), (0.0, 16, 15.0)]
        {
            assert!((backed_off(factor, back_off) - expected).abs() < 1e-9, "{factor} {back_off}");
        }
    }
}
