//! How a signal is: fresh, failing or stale. One that fails or is stale holds the backfill, and never counts as all is well.

use std::time::{Duration, Instant};

use super::Hold;
use crate::engine::settings::seconds;

/// After this long without a fresh value a signal is stale.
const STALE: Duration = Duration::from_secs(15);

/// When a signal was heard last, and since when it fails.
#[derive(Debug, Clone)]
pub(super) struct Health {
    begun: Instant,
    heard: Option<Instant>,
    trouble: Option<(Instant, String)>,
}

impl Health {
    pub(super) fn new(now: Instant) -> Self {
        Self { begun: now, heard: None, trouble: None }
    }

    pub(super) fn heard(&mut self, now: Instant) {
        self.heard = Some(now);
        self.trouble = None;
    }

    /// Keeps since when: the error may change, the trouble goes on.
    pub(super) fn failed(&mut self, now: Instant, error: String) {
        let since = self.trouble.as_ref().map_or(now, |(since, _)| *since);
        self.trouble = Some((since, error));
    }

    /// How old the last value is; or the hold, where none may be relied on.
    pub(super) fn age(&self, name: &str, now: Instant) -> Result<Duration, Hold> {
        let for_now = |since: Instant| now.saturating_duration_since(since);
        let bad = |since: Instant, reason: String| Err(Hold { reason, failing_for: Some(for_now(since)) });
        if let Some((since, error)) = &self.trouble {
            return bad(*since, format!("{name} fails since {} s: {error}", for_now(*since).as_secs()));
        }
        match self.heard {
            Some(heard) if for_now(heard) <= STALE => Ok(for_now(heard)),
            Some(heard) => bad(heard, format!("{name}: no fresh value for {} s", for_now(heard).as_secs())),
            None => bad(self.begun, format!("{name}: no value yet, after {} s", seconds(for_now(self.begun)))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(health: &Health, now: Instant) -> (String, u64) {
        let hold = health.age("replica lag", now).unwrap_err();
        (hold.reason, hold.failing_for.unwrap().as_secs())
    }

    #[test]
    fn a_signal_that_fails_or_is_silent_holds() {
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let mut health = Health::new(start);
        assert_eq!(held(&health, at(2)), ("replica lag: no value yet, after 2 s".to_owned(), 2));
        health.heard(at(3));
        assert_eq!(health.age("replica lag", at(18)).ok(), Some(Duration::from_secs(15)));
        assert_eq!(held(&health, at(19)), ("replica lag: no fresh value for 16 s".to_owned(), 16));
        health.failed(at(20), "refused".to_owned());
        health.failed(at(30), "gone".to_owned());
        assert_eq!(held(&health, at(54)), ("replica lag fails since 34 s: gone".to_owned(), 34));
        health.heard(at(55));
        assert!(health.age("replica lag", at(55)).is_ok());
    }
}
