//! What a step turns into: statements to send, and changes of one live table.

use super::definition::{ColumnDefinition, ColumnType, ForeignKeyDefinition, UniqueDefinition};

/// The statements of one step.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Script {
    /// In order.
    pub statements: Vec<Statement>,
    /// A statement here cannot run inside a transaction (CREATE INDEX CONCURRENTLY).
    pub outside_transaction: bool,
    /// The one table that it changes, where it is one.
    pub table: Option<String>,
    /// How long its statements may wait for a lock.
    pub patience: super::Patience,
    /// When a statement did not get its lock, the script is to be rendered again for what is there then: the statement may
    /// have left half of its work behind. Otherwise the statement is tried again by itself.
    pub rendered_again: bool,
    /// What takes a half-done script back where no transaction does: run when a statement fails, in order.
    pub undo: Vec<String>,
    /// Foreign keys must be off around it: a SQLite rebuild, which checks them itself, or a key that MySQL is to add without a
    /// look at every row.
    pub without_foreign_keys: bool,
    /// Triggers that must be in the catalog afterwards, before the step counts as done.
    pub expects: Vec<ExpectedTrigger>,
}

/// A trigger that a script installs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpectedTrigger {
    /// The table.
    pub table: String,
    /// Its name.
    pub name: String,
    /// What we wrote: the catalog's definition holds it, letter by letter.
    pub text: String,
}

impl Script {
    /// A script of one statement.
    pub fn of(sql: impl Into<String>) -> Self {
        Self { statements: vec![Statement::Run(sql.into())], ..Self::default() }
    }

    /// The statements around its own, before and behind, that set the session up for them.
    pub fn around(&self, dialect: &dyn super::Dialect) -> [Vec<String>; 2] {
        let keys = |on| -> Vec<String> {
            let switches = dialect.foreign_keys(on).iter().filter(|_| self.without_foreign_keys);
            switches.map(|&sql| sql.to_owned()).collect()
        };
        let mut before = keys(false);
        before.extend(self.taken_first(dialect));
        [before, keys(true)]
    }

    /// What has its table for an instant before its first statement would wait for it with patience.
    pub fn taken_first(&self, dialect: &dyn super::Dialect) -> Vec<String> {
        match &self.table {
            Some(table) if self.patience != super::Patience::Instant => dialect.have_for_an_instant(table),
            _ => Vec::new(),
        }
    }

    /// All that is sent, as a reader is shown it.
    pub fn shown(&self, dialect: &dyn super::Dialect) -> Vec<String> {
        let [before, behind] = self.around(dialect);
        before.into_iter().chain(self.statements.iter().map(Statement::shown)).chain(behind).collect()
    }

    /// The texts of its statements.
    pub fn texts(&self) -> impl Iterator<Item = String> {
        self.statements.iter().map(|statement| statement.sql().to_owned())
    }

    /// Appends a statement.
    pub fn run(&mut self, sql: impl Into<String>) {
        self.statements.push(Statement::Run(sql.into()));
    }

    /// Says how long the statements from here on may wait for a lock.
    pub fn ask(&mut self, patience: super::Patience) {
        let now = self.statements.iter().rev().find_map(|statement| match statement {
            Statement::Patience(patience) => Some(*patience),
            _ => None,
        });
        if now.unwrap_or(self.patience) != patience {
            self.statements.push(Statement::Patience(patience));
        }
    }
}

/// One thing to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Statement {
    /// Run it.
    Run(String),
    /// Run the first that the server accepts: the cheapest ALGORITHM comes first, and none of them copies the table.
    FirstAccepted(Vec<String>),
    /// A query that must return no row; the message says what rows mean, and is told with the values of the first of them.
    MustBeEmpty {
        /// The query.
        query: String,
        /// What a row means.
        message: String,
    },
    /// How long the statements behind this one may wait for a lock, where a script has long ones and short ones.
    Patience(super::Patience),
}

impl Statement {
    /// The text for a reader who wants to know what may run: other ways stand in comments above the first.
    pub fn shown(&self) -> String {
        match self {
            Self::FirstAccepted(ways) => {
                let others = ways
                    .iter()
                    .skip(1)
                    .map(|way| format!("-- or, where the server refuses what comes before: {way}\n"));
                others.chain([self.sql().to_owned()]).collect()
            }
            Self::MustBeEmpty { query, message } => format!("-- must return no row: {message}\n{query}"),
            Self::Run(sql) => sql.clone(),
            Self::Patience(patience) => format!("-- from here on it waits {} for a lock", patience.words()),
        }
    }

    /// The texts one of which is sent; none where nothing is.
    pub fn ways(&self) -> Vec<String> {
        match self {
            Self::FirstAccepted(ways) => ways.clone(),
            Self::Run(sql) | Self::MustBeEmpty { query: sql, .. } => vec![sql.clone()],
            Self::Patience(_) => Vec::new(),
        }
    }

    /// The text that is sent first.
    pub fn sql(&self) -> &str {
        match self {
            Self::Run(sql) => sql,
            Self::FirstAccepted(choices) => choices.first().map_or("", String::as_str),
            Self::Patience(_) => "",
            Self::MustBeEmpty { query, .. } => query,
        }
    }
}

/// A change of one live table.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// Adds a column.
    AddColumn(ColumnDefinition),
    /// Drops a column.
    DropColumn(String),
    /// Makes a column refuse NULL.
    SetNotNull(String),
    /// Lets a column take NULL.
    DropNotNull(String),
    /// Sets a column's default; the text is SQL.
    SetDefault(String, String),
    /// Removes a column's default.
    DropDefault(String),
    /// Adds a foreign key, not validated where the database can.
    AddForeignKey(ForeignKeyDefinition),
    /// Drops a constraint by name.
    DropConstraint(String),
    /// Adds a CHECK, not validated where the database can; the text is SQL.
    AddCheck(String, String),
    /// Adds a unique constraint.
    AddUnique(UniqueDefinition),
    /// Looks at the rows that a constraint was added without a look at.
    Validate(String),
    /// Gives a column a type that holds all that its own does, and more.
    Widen(String, ColumnType),
    /// Adds a label behind the last one of an enum.
    AddEnumValue(String, String),
}

impl Change {
    /// The column that a widening is about, as a definition of its new type alone.
    pub(super) fn widened(name: &str, column_type: &ColumnType) -> ColumnDefinition {
        ColumnDefinition {
            name: name.to_owned(),
            column_type: column_type.clone(),
            nullable: true,
            default: None,
            identity: false,
        }
    }
}

/// Why a dialect will not do something; a lower-case fragment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Refusal {
    /// The reason.
    pub reason: String,
    /// The word of the change file to underline, where one word is to blame.
    pub word: Option<String>,
}

impl Refusal {
    /// A refusal with its reason.
    pub fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), word: None }
    }

    /// The same refusal, blaming a word of the change file.
    #[must_use]
    pub fn at(mut self, word: impl Into<String>) -> Self {
        self.word = Some(word.into());
        self
    }
}

/// What a server must allow before anything of a release that has syncs is changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Preflight {
    /// A query that must return no row.
    Empty {
        /// The query.
        query: String,
        /// What a row means; a lower-case fragment.
        reason: String,
        /// What to do.
        remedy: String,
    },
    /// Statements on our own tables that must work; what they make goes again.
    Works {
        /// In order.
        statements: Vec<String>,
        /// Removes what they made, whether they worked or not.
        undo: String,
        /// The server's codes that say why not, each with what to do.
        remedies: Vec<(&'static str, String)>,
    },
}
