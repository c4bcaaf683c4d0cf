//! What Concertina has made in a database, found by its names in the catalog: the catalog cannot be behind.

use serde::Serialize;

/// The sort of an object of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OwnKind {
    /// A trigger of a sync.
    Trigger,
    /// The function of such a trigger.
    Function,
    /// A sequence that remembers when a sync saw a side.
    Sequence,
    /// A check that was to go when its step was done.
    Constraint,
    /// A table of the state, or of a sync.
    Table,
}

impl OwnKind {
    /// The word in SQL, in small letters.
    pub fn word(self) -> &'static str {
        match self {
            Self::Trigger => "trigger",
            Self::Function => "function",
            Self::Sequence => "sequence",
            Self::Constraint => "constraint",
            Self::Table => "table",
        }
    }

    /// The sort that the catalog's query names.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Trigger, Self::Function, Self::Sequence, Self::Constraint, Self::Table]
            .into_iter()
            .find(|kind| kind.word() == word)
    }
}

/// An object of ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OwnObject {
    /// Its sort.
    pub kind: OwnKind,
    /// Its name; `schema.name` outside the session's own schema.
    pub name: String,
    /// The table it is on, where it is on one.
    pub table: Option<String>,
}

/// How one database finds what is ours, in a file of its own beside its [`Dialect`](super::Dialect).
pub trait Own {
    /// A query with a row for each object of ours: its sort's word, its name, the table it is on. What others need comes last.
    fn own_objects(&self) -> String;
    /// The statement that removes one.
    fn drop_own(&self, object: &OwnObject) -> String;
}
