//! The kinds of schema step: one file a kind says what it accepts, the statements it becomes, how to see that it took
//! effect, and what the schema is after it.
//!
//! To add a kind: a file here with a type that implements [`Operation`], and a line in `step_kinds!` below. The room
//! knows dialects and live schemas; it knows no files, no database and no plan.

mod add_check;
mod add_column;
mod add_enum_value;
mod add_foreign_key;
mod add_unique;
mod create_index;
mod create_table;
mod drop_column;
mod drop_constraint;
mod drop_default;
mod drop_index;
mod drop_not_null;
mod drop_sync;
mod drop_table;
mod drop_type;
mod set_default;
mod set_not_null;
mod sql;
mod sync;
mod undo;
mod validate;
mod widen_column;

use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::dialect::{
    Change, Column, ColumnDefinition, ColumnType, Dialect, Refusal, Schema, Script, Statement, Table, offending,
};

pub use drop_not_null::DropNotNull;
pub use drop_sync::DropSync;
pub use sql::SqlStep;
pub use sync::{DestinationStep, RelatedStep, SyncStep};
pub use undo::{Constraint, Memory, Undo};

/// A phase of a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Additive and loosening schema steps, and the syncs.
    Expand,
    /// Backfills.
    Migrate,
    /// Removing and tightening schema steps.
    Contract,
}

impl Phase {
    /// All three, in the order in which they run.
    pub const ALL: [Self; 3] = [Self::Expand, Self::Migrate, Self::Contract];

    /// The word in commands, tables and messages.
    pub fn word(self) -> &'static str {
        match self {
            Self::Expand => "expand",
            Self::Migrate => "migrate",
            Self::Contract => "contract",
        }
    }

    /// The folder of this phase's files.
    pub fn folder(self) -> &'static str {
        match self {
            Self::Expand => "expand",
            Self::Migrate => "data",
            Self::Contract => "contract",
        }
    }

    /// The phase that a word names.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|phase| phase.word() == word)
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// What a step is rendered for.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The SQL to speak.
    pub dialect: &'a dyn Dialect,
    /// What is in the database at this point.
    pub schema: &'a Schema,
}

impl<'a> Context<'a> {
    /// The live table, or the reason that there is none.
    pub fn table(&self, name: &str) -> Result<&'a Table, Refusal> {
        self.schema.table(name).ok_or_else(|| {
            let near = crate::dialect::expression::nearest(name, self.schema.tables.keys().map(String::as_str));
            Refusal::new(match near {
                Some(near) => format!("there is no table `{name}`; did you mean `{near}`?"),
                None => format!("there is no table `{name}` in this database"),
            })
            .at(name)
        })
    }

    /// The live column, or the reason that there is none.
    pub fn column(&self, table: &str, column: &str) -> Result<&'a Column, Refusal> {
        let live = self.table(table)?;
        live.column(column).ok_or_else(|| {
            let near =
                crate::dialect::expression::nearest(column, live.columns.iter().map(|column| column.name.as_str()));
            Refusal::new(match near {
                Some(near) => format!("there is no column `{column}` in table `{table}`; did you mean `{near}`?"),
                None => format!("there is no column `{column}` in table `{table}`"),
            })
            .at(column)
        })
    }

    /// Renders one change of a live table.
    fn alter(&self, table: &str, change: &Change, allow_rewrite: bool) -> Result<Script, Refusal> {
        let script = self.dialect.alter(self.schema, self.table(table)?, change, allow_rewrite)?;
        Ok(Script { table: Some(table.to_owned()), ..script })
    }
}

/// What every kind of step can do.
pub trait Operation: fmt::Debug {
    /// What it does, for people: a verb, its object, and the table.
    fn summary(&self) -> String;
    /// The statements for this database as it is now.
    fn script(&self, context: &Context<'_>) -> Result<Script, Refusal>;
    /// Whether the live schema shows the step's effect; `None` where only a person can know.
    fn took_effect(&self, context: &Context<'_>) -> Option<bool>;
    /// Makes a schema what it is after the step, so that later steps can be checked before any has run.
    fn apply(&self, schema: &mut Schema, dialect: &dyn Dialect);
    /// Whether the step touches one of these columns of a table, as it is in this schema.
    fn touches(&self, schema: &Schema, table: &str, columns: &[String]) -> bool {
        let _ = (schema, table, columns);
        false
    }
    /// The names that it gives to what is beside tables, columns and indexes: constraints and types.
    fn other_names(&self) -> Vec<&str> {
        Vec::new()
    }
    /// What its undo will have to know of the database as it is before the step.
    fn remember(&self, context: &Context<'_>) -> Option<Memory> {
        let _ = context;
        None
    }
    /// What takes it back, by what was remembered; a step that cannot be taken back says why.
    fn inverse(&self, context: &Context<'_>, memory: &Memory) -> Result<Undo, Refusal> {
        let _ = (context, memory);
        Err(undo::no_inverse(&self.summary()))
    }
}

macro_rules! step_kinds {
    ($($variant:ident($type:ty) $word:literal in [$($phase:ident),+];)+) => {
        /// One schema step of a change file.
        #[derive(Debug, Clone)]
        #[expect(missing_docs, reason = "each variant is documented by its file")]
        pub enum Step { $($variant($type)),+ }

        impl Step {
            /// Every kind's word, with the phases it may stand in.
            pub const KINDS: &'static [(&'static str, &'static [Phase])] =
                &[$(($word, &[$(Phase::$phase),+])),+];

            /// Reads a step of a kind from its value; `None` when the word is no kind.
            pub fn read<E>(word: &str, mut read: impl ReadValue<E>) -> Option<Result<Self, E>> {
                match word {
                    $($word => Some(read.read::<$type>().map(Self::$variant)),)+
                    _ => None,
                }
            }

            /// The kind's word.
            pub fn word(&self) -> &'static str {
                match self { $(Self::$variant(_) => $word),+ }
            }

            /// What the step does.
            pub fn operation(&self) -> &dyn Operation {
                match self { $(Self::$variant(step) => step),+ }
            }
        }
    };
}

/// Turns a value of a file into a step's type; the catalog implements it, since it knows the file's positions.
pub trait ReadValue<E> {
    /// Reads the value.
    fn read<T: DeserializeOwned>(&mut self) -> Result<T, E>;
}

step_kinds! {
    CreateTable(create_table::CreateTable) "create_table" in [Expand];
    AddColumn(add_column::AddColumn) "add_column" in [Expand];
    CreateIndex(create_index::CreateIndex) "create_index" in [Expand];
    AddForeignKey(add_foreign_key::AddForeignKey) "add_foreign_key" in [Expand];
    AddCheck(add_check::AddCheck) "add_check" in [Expand];
    WidenColumn(widen_column::WidenColumn) "widen_column" in [Expand];
    AddEnumValue(add_enum_value::AddEnumValue) "add_enum_value" in [Expand];
    DropNotNull(DropNotNull) "drop_not_null" in [Expand];
    DropDefault(drop_default::DropDefault) "drop_default" in [Expand];
    DropConstraint(drop_constraint::DropConstraint) "drop_constraint" in [Expand, Contract];
    Sync(SyncStep) "sync" in [Expand];
    DropColumn(drop_column::DropColumn) "drop_column" in [Contract];
    DropTable(drop_table::DropTable) "drop_table" in [Contract];
    DropIndex(drop_index::DropIndex) "drop_index" in [Contract];
    SetNotNull(set_not_null::SetNotNull) "set_not_null" in [Contract];
    AddUnique(add_unique::AddUnique) "add_unique" in [Contract];
    Validate(validate::Validate) "validate" in [Contract];
    SetDefault(set_default::SetDefault) "set_default" in [Contract];
    Sql(SqlStep) "sql" in [Expand, Contract];
}

/// The name of the type that a column's definition gives to its enum.
fn enum_name(column: &ColumnDefinition) -> Option<&str> {
    match &column.column_type {
        ColumnType::Enum { name, .. } => name.as_deref(),
        _ => None,
    }
}

/// What to do instead of a step that no phase allows; `None` for a word that is simply unknown.
pub fn safe_form(word: &str) -> Option<&'static str> {
    Some(match word {
        "rename_column" | "rename_table" => {
            "a rename breaks the release that still uses the old name; add the new one, sync both, backfill, and drop the old one in contract"
        }
        "change_type" | "alter_column" | "alter_column_type" => {
            "a type change in place rewrites the table under a lock, unless widen_column can do it; add a column of the new type, sync both, backfill, and drop the old one in contract"
        }
        _ => return None,
    })
}

/// Changes a table of a schema that is being simulated.
fn simulate(schema: &mut Schema, dialect: &dyn Dialect, table: &str, change: &Change) {
    if let Some(live) = schema.table_mut(table) {
        live.apply(dialect, change);
    }
}

/// Looks for values that several rows share, before an index is built in vain: what a failed build tells is one of them.
fn no_duplicates(context: &Context<'_>, table: &Table, columns: &[String]) -> Statement {
    Statement::MustBeEmpty {
        query: offending::shared_values(context.dialect, table, columns),
        message: format!("rows of `{}` have the same ({})", table.name, columns.join(", ")),
    }
}

/// Refuses a name that a constraint of the table bears.
fn refuse_constraint(table: &Table, name: &str) -> Result<(), Refusal> {
    if table.has_constraint(name) {
        return Err(Refusal::new(format!("table `{}` has a constraint `{name}` already", table.name)).at(name));
    }
    Ok(())
}
