//! SQLite's signals: the clock and the operator's queries. It has no sessions, no replicas, and one writer at a time.

use super::Sqlite;
use crate::dialect::signals::subquery;
use crate::dialect::{Dialect, ReplicaLag, Signals};

impl Signals for Sqlite {
    fn clock(&self) -> String {
        format!("SELECT {}", self.now())
    }
    fn query_limit(&self, _: u32) -> Option<String> {
        None
    }
    fn running_sessions(&self) -> Option<String> {
        None
    }
    fn replica_lag(&self) -> Option<ReplicaLag> {
        None
    }
    fn signal_rights(&self) -> &'static str {
        ""
    }
    fn throttle_number(&self, sql: &str) -> String {
        format!("SELECT CAST({} AS TEXT)", subquery(sql))
    }
    fn commits_beside(&self) -> bool {
        false
    }
}
