//! What a database can say of its own load, for the throttles of a backfill.

/// Where the lag of replicas is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplicaLag {
    /// On the primary: a query with one row a replica: its name; its lag in milliseconds, NULL where it does not say; the bytes
    /// it has not replayed; 1 where this role may not see.
    Primary(String),
    /// On each replica, by its own URL.
    Replica(ReplicaStatus),
}

/// How a replica is asked for its lag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplicaStatus {
    /// The statement; a row for each source that it follows, and none where it follows nobody.
    pub sql: &'static str,
    /// The columns, whichever is there, with its lag in seconds; NULL where it does not replicate.
    pub behind: &'static [&'static str],
    /// The columns, whichever are there, that say why it does not replicate.
    pub errors: &'static [&'static str],
}

/// The signals of one database, in a file of their own beside its [`Dialect`](super::Dialect).
pub trait Signals {
    /// A query with one row, one integer: milliseconds since the epoch.
    fn clock(&self) -> String;
    /// A statement that makes the server end each later query of this session after some seconds: whoever asked for its result
    /// may have gone.
    fn query_limit(&self, seconds: u32) -> Option<String>;
    /// A query with one row, two integers: the sessions, but ours, that run a statement, and those that this role may not see.
    fn running_sessions(&self) -> Option<String>;
    /// Where the lag of replicas is read; `None` where there are none.
    fn replica_lag(&self) -> Option<ReplicaLag>;
    /// What the role needs to see the signals, as a statement or advice.
    fn signal_rights(&self) -> &'static str;
    /// The query of an operator's as one with one row, one text. A text, since what is no number would be counted as 0 by some.
    fn throttle_number(&self, sql: &str) -> String;
    /// Whether a small commit can be had beside a batch, so that its latency means something.
    fn commits_beside(&self) -> bool {
        true
    }
}

/// The text of a query as a subquery: without the semicolon at its end, and with a comment there closed.
pub(super) fn subquery(sql: &str) -> String {
    format!("({}\n)", sql.trim().trim_end_matches(';'))
}
