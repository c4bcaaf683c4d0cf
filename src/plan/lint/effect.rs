//! What a change does, in one vocabulary: a typed step and a statement of raw SQL become the same effects, so a rule is
//! written once.

/// What a statement or a step does to the schema, or to whoever uses it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Effect {
    /// Makes a table.
    CreateTable(NewTable),
    /// Adds a column to a table.
    AddColumn { table: String, column: NewColumn },
    /// Drops a column.
    DropColumn { table: String, column: String },
    /// Drops a table.
    DropTable { table: String },
    /// Drops something else that nodes may use: a view, a type, a right.
    DropOther { what: String, name: String },
    /// Renames a column.
    RenameColumn { table: String, from: String, to: String },
    /// Renames a table, or moves it to another schema.
    RenameTable { from: String, to: String },
    /// Gives a column another type; `to` as it is written. `nullable` where the definition says that too.
    ChangeType { table: String, column: String, to: String, nullable: Option<bool> },
    /// Makes a column refuse NULL.
    SetNotNull { table: String, column: String },
    /// Lets a column take NULL.
    DropNotNull { table: String, column: String },
    /// Gives a column a default.
    SetDefault { table: String, column: String },
    /// Takes a column's default away.
    DropDefault { table: String, column: String },
    /// Makes an index.
    CreateIndex(NewIndex),
    /// Drops an index.
    DropIndex { name: String, concurrent: bool },
    /// Adds a constraint.
    AddConstraint { table: String, constraint: Constraint, validated: bool },
    /// Looks at every row for a constraint that was added without.
    Validate { table: String, name: String },
    /// Drops a constraint.
    DropConstraint { table: String, name: String },
    /// Adds a label to an enum type.
    AddEnumValue,
    /// Writes a table anew, or locks it for as long as that would take; `how` in words.
    Rewrite { table: String, how: String },
    /// Locks a table by name.
    Lock { table: String },
    /// Writes rows.
    Write { verb: &'static str, table: String, constant: bool },
    /// Empties a table.
    Truncate { table: String },
    /// Puts a column somewhere else than behind the others.
    Position { table: String, column: String },
    /// Begins or ends a transaction.
    Transaction { word: String },
    /// Cannot run inside a transaction (PostgreSQL).
    OutsideTransaction { what: &'static str },
    /// Does nothing to whoever is there.
    Harmless,
    /// What it does is not known; `names` are the identifiers in it, `None` where it may touch anything.
    Unclassified { reason: String, names: Option<Vec<String>> },
}

/// A table that is made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct NewTable {
    pub(super) name: String,
    /// `None` where the statement does not say them (`AS SELECT`, `LIKE`).
    pub(super) columns: Option<Vec<NewColumn>>,
    /// The columns of each key and index.
    pub(super) keys: Vec<Vec<String>>,
    /// The columns of each foreign key.
    pub(super) foreign_keys: Vec<Vec<String>>,
}

/// A column that is made.
#[expect(clippy::struct_excessive_bools, reason = "each is a clause that a definition has or has not")]
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct NewColumn {
    pub(super) name: String,
    /// As it is written, in lower case.
    pub(super) type_name: String,
    pub(super) not_null: bool,
    pub(super) default: Option<DefaultValue>,
    /// Computed, and stored in the row.
    pub(super) stored: bool,
    pub(super) generated: bool,
    /// The database numbers it.
    pub(super) numbered: bool,
    /// `UNIQUE` or `PRIMARY KEY` in the column's own definition.
    pub(super) key: bool,
    /// `REFERENCES` in the column's own definition.
    pub(super) references: bool,
    /// `CHECK` in the column's own definition.
    pub(super) check: bool,
    /// `FIRST`, or `AFTER` another.
    pub(super) placed: bool,
}

/// A column's default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum DefaultValue {
    /// NULL, which is no default.
    Null,
    /// The same for every row that is there.
    Constant,
    /// It may be another for every row: the function that says so.
    Volatile(String),
}

/// An index that is made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct NewIndex {
    pub(super) table: String,
    pub(super) name: String,
    /// Empty where it is over expressions.
    pub(super) columns: Vec<String>,
    pub(super) unique: bool,
    /// Whether writers go on while it is built.
    pub(super) online: bool,
    /// It has a WHERE.
    pub(super) partial: bool,
}

/// A constraint that is added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Constraint {
    PrimaryKey {
        columns: Vec<String>,
    },
    /// Built from an index that is there, where `from_index`.
    Unique {
        columns: Vec<String>,
        from_index: bool,
    },
    ForeignKey {
        columns: Vec<String>,
    },
    Check,
    Exclude,
}

impl Effect {
    /// The names that it gives to what was not there before.
    pub(super) fn new_names(&self) -> Vec<&str> {
        match self {
            Self::CreateTable(table) => {
                let columns = table.columns.iter().flatten().map(|column| column.name.as_str());
                [table.name.as_str()].into_iter().chain(columns).collect()
            }
            Self::AddColumn { column, .. } => vec![&column.name],
            Self::CreateIndex(index) => vec![&index.name],
            Self::RenameColumn { to, .. } | Self::RenameTable { to, .. } => vec![to],
            _ => Vec::new(),
        }
    }
}
