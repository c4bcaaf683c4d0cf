//! SQLite's one lock, of which nobody can say who has it.

use std::time::Duration;

use super::Sqlite;
use crate::dialect::{BlockersQuery, Locks, Patience};

impl Locks for Sqlite {
    fn lock_wait(&self, patience: Patience, instant: Option<Duration>) -> String {
        let milliseconds = match patience {
            Patience::Instant => instant.map_or(250, |instant| instant.as_millis()),
            Patience::Moment => 1_000,
            Patience::Seconds | Patience::Minutes => 5_000,
        };
        format!("PRAGMA busy_timeout = {milliseconds}")
    }

    fn blockers(&self, _session: i64) -> Vec<BlockersQuery> {
        Vec::new()
    }

    fn waits(&self) -> Vec<String> {
        Vec::new()
    }

    fn end_blocker(&self, _session: i64) -> [String; 2] {
        [String::new(), String::new()]
    }
}
