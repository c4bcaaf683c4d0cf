//! What a role must be allowed before a phase's first statement, and who says so.

/// Something that a step does to a table, or in the schema.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Right {
    /// Changes a table.
    Alter(String),
    /// Drops a table.
    Drop(String),
    /// Has a foreign key refer to a table.
    Refer(String),
    /// Puts triggers on a table.
    Trigger(String),
    /// Makes something new.
    Create,
}

/// The rights of one database, in a file of their own beside its [`Dialect`](super::Dialect).
pub trait Rights {
    /// A query with a row where the server is too old for this program: its version.
    fn too_old(&self) -> Option<String> {
        None
    }
    /// A query with a row where a right is missing: the statement that grants it. It must say nothing where it cannot know.
    fn missing_right(&self, right: &Right) -> Option<String> {
        let _ = right;
        None
    }
}
