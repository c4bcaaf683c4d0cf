//! How long a statement waits for its lock, and who keeps it from it.

use std::time::Duration;

use super::Patience;

/// A way to ask who keeps one of our sessions from a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockersQuery {
    /// A query with a row for each session that does: its id (0: no session, but a transaction that was prepared), its user, its
    /// application or host, what it does, for how many milliseconds its transaction has been open, what it runs or ran last, and
    /// the table that it holds, where that is known.
    pub sql: String,
    /// Whether they are the ones who block, and not some who may.
    pub certain: bool,
}

/// The locks of one database, in a file of their own beside its [`Dialect`](super::Dialect).
pub trait Locks {
    /// A statement that limits how long this session waits for a table's lock, in force until the next. `instant` is how long
    /// an instant is, where somebody has said so.
    fn lock_wait(&self, patience: Patience, instant: Option<Duration>) -> String;
    /// Ways to ask who keeps a session from its lock, the best first: one that fails, or finds nobody, is followed by the next.
    fn blockers(&self, session: i64) -> Vec<BlockersQuery>;
    /// Queries with a row for each session of this database that waits for another's lock: its id, the id of that other, who that
    /// is, and what it runs or ran last. All of them are asked, since servers keep locks of several sorts in several places.
    fn waits(&self) -> Vec<String>;
    /// Whether they are found only while the session waits; otherwise whoever has the table is, waited for or not.
    fn knows_who_waits(&self) -> bool {
        false
    }
    /// Ends what a session runs, and then, where that was not enough, the session.
    fn end_blocker(&self, session: i64) -> [String; 2];
    /// Statements that have a table for an instant and let it go, for a statement that would wait for it with patience and
    /// make everyone else wait behind it; none where there is no such statement.
    fn have_for_an_instant(&self, table: &str) -> Vec<String> {
        let _ = table;
        Vec::new()
    }
}
