//! How the sessions of a release's nodes are told from others, by what they call themselves.

use serde::Deserialize;

/// What a session is known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionName {
    /// PostgreSQL's setting `application_name`.
    ApplicationName,
    /// The account it logged in with.
    User,
    /// The connection attribute `program_name` of MySQL and MariaDB.
    ProgramName,
}

impl SessionName {
    /// The word in the manifest and in messages.
    pub fn word(self) -> &'static str {
        match self {
            Self::ApplicationName => "application_name",
            Self::User => "user",
            Self::ProgramName => "program_name",
        }
    }
}

/// The sessions of one database, in a file of their own beside its [`Dialect`](super::Dialect).
pub trait Sessions {
    /// A query with a row for each session of this database, but ours, whose name is like a pattern (of LIKE, with `!` as its escape):
    /// its id, its user, the name, where it comes from, and for how many seconds it is there or NULL. `None` where sessions have
    /// no such name.
    fn named_sessions(&self, by: SessionName, pattern: &str) -> Option<String> {
        let _ = (by, pattern);
        None
    }
    /// A query with a row where there are sessions that this role may not see, or that are not recorded: why, and what to do.
    fn hidden_sessions(&self, by: SessionName) -> Option<String> {
        let _ = by;
        None
    }
}
