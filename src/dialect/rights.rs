//! What a server must be, and a role be allowed, before a phase's first statement; and who says so.

use super::statement::Preflight;

/// Something that a phase does to a table, or in the schema.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Right {
    /// Changes a table.
    Alter(String),
    /// Drops a table.
    Drop(String),
    /// Has a foreign key refer to a table.
    Refer(String),
    /// Puts triggers on a table, and takes them away again.
    Trigger(String),
    /// Makes something new.
    Create,
    /// Drops what it made itself, whatever its name is.
    DropOwn,
    /// Reads a table's rows.
    Read(String),
    /// Writes new rows.
    Insert(String),
    /// Changes rows, or locks them.
    Update(String),
    /// Deletes rows.
    Delete(String),
}

impl Right {
    /// The table that it is about.
    pub fn table(&self) -> Option<&str> {
        match self {
            Self::Create | Self::DropOwn => None,
            Self::Alter(table)
            | Self::Drop(table)
            | Self::Refer(table)
            | Self::Trigger(table)
            | Self::Read(table)
            | Self::Insert(table)
            | Self::Update(table)
            | Self::Delete(table) => Some(table),
        }
    }
}

/// The rights of one database, in a file of their own beside its [`Dialect`](super::Dialect).
pub trait Rights {
    /// Why the server is too old for this program, by its version alone.
    fn too_old(&self) -> Option<String> {
        None
    }
    /// What must hold of the server, or of the session, before anything is written at all.
    fn server_preflight(&self) -> Vec<Preflight> {
        Vec::new()
    }
    /// A query with a row where the session is a cluster's, whose other nodes write too; and the statement after which it
    /// reads what they had written by then.
    fn causal_reads(&self) -> Option<[&'static str; 2]> {
        None
    }
    /// A query with a row where a right is missing: the statement that grants it. It must say nothing where it cannot know.
    fn missing_right(&self, right: &Right) -> Option<String> {
        let _ = right;
        None
    }
}

#[cfg(test)]
mod tests {
    use crate::dialect::{Kind, Server, of};

    #[test]
    fn a_server_that_is_too_old_is_named_with_what_is_needed() {
        let said = |kind, version: &str| of(kind, Server { version: version.to_owned() }).too_old();
        for (kind, version) in [
            (Kind::Postgres, "12.0"),
            (Kind::Postgres, "15.18 (Debian 15.18-0+deb12u1)"),
            (Kind::Postgres, "18beta1"),
            (Kind::MySql, "10.5.1-MariaDB"),
            (Kind::MySql, "11.4.2-MariaDB-log"),
            (Kind::MySql, "8.0.11"),
            (Kind::MySql, "9.1.0"),
            (Kind::Sqlite, "3.35.0"),
        ] {
            assert_eq!(said(kind, version), None, "{version}");
        }
        for (kind, version, words) in [
            (Kind::Postgres, "11.22", "the server is PostgreSQL 11.22, and 12 or later is needed"),
            (Kind::MySql, "10.4.33-MariaDB", "the server is MariaDB 10.4.33, and 10.5 or later is needed"),
            (Kind::MySql, "5.7.44-log", "the server is MySQL 5.7.44, and 8.0 or later is needed"),
            (Kind::Sqlite, "3.34.1", "the server is SQLite 3.34.1, and 3.35 or later is needed"),
        ] {
            assert_eq!(said(kind, version).as_deref(), Some(words));
        }
    }
}
