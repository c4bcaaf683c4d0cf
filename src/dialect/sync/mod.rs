//! The meaning of a sync, built once for every database: design.md, section 6, as triggers that are trees of conditions
//! and writes.
//!
//! A dialect only wraps the trees: PostgreSQL and MySQL as procedural code that assigns to `NEW` ([`procedure`]), SQLite as
//! one statement per path through the tree. Conditions speak of the row as `NEW.` and `OLD.`, which all three understand; on
//! SQLite `NEW` does not change while a trigger runs, which is why a tree never reads a column after it has assigned it.
//!
//! [`row`] has old and new columns in one row; [`moved`] has the new ones in another table; [`related`] is what the rows of
//! a third table change.

mod mapping;
mod moved;
mod procedure;
mod related;
mod row;

use serde::{Deserialize, Serialize};

use super::schema::{Column, ForeignKey, Schema, Table};
use super::statement::{Refusal, Statement};
use super::{Dialect, Sql};

pub(super) use procedure::{Procedural, assigned_in_turn, procedure};

/// What happens when one write gives both sides and they disagree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Conflict {
    /// The write fails, naming the sync.
    #[default]
    Reject,
    /// The new columns win.
    New,
    /// The old columns win.
    Old,
}

/// A table whose rows change what the new columns of this one must be.
#[derive(Debug, Clone, PartialEq)]
pub struct Related {
    /// The other table.
    pub table: String,
    /// Its columns, each with the column here that it points to.
    pub key: Vec<(String, String)>,
    /// When the new columns follow; `related.` is the other table's row.
    pub when: Sql,
}

/// The other table that the new columns are in.
#[derive(Debug, Clone, PartialEq)]
pub struct Destination {
    /// The table.
    pub table: String,
    /// Its columns that say whose row it is, each with the column of the sync's own table that it is equal to.
    pub key: Vec<(String, String)>,
}

/// A sync, resolved.
#[derive(Debug, Clone, PartialEq)]
pub struct Sync {
    /// Its name; errors name it.
    pub name: String,
    /// The table that has the old columns.
    pub table: String,
    /// The table that has the new ones, where it is another.
    pub to: Option<Destination>,
    /// New columns, each with what it becomes after an old writer's write.
    pub forward: Vec<(String, Sql)>,
    /// Old columns, each with what it becomes after a new writer's write.
    pub backward: Vec<(String, Sql)>,
    /// Both sides given, in disagreement.
    pub conflict: Conflict,
    /// Related tables.
    pub related: Vec<Related>,
    /// Old columns whose NOT NULL this release's expand dropped: a write that leaves one NULL fails as it used to.
    pub required: Vec<String>,
}

impl Sync {
    /// The table that has the new columns.
    pub fn new_table(&self) -> &str {
        self.to.as_ref().map_or(&self.table, |to| &to.table)
    }

    /// The triggers it consists of: the table that each is on, and its part of the trigger's name.
    pub fn parts(&self) -> Vec<(&str, String)> {
        let own = match &self.to {
            Some(to) => moved::PARTS
                .iter()
                .map(|part| (if part.on_old_table { self.table.as_str() } else { to.table.as_str() }, part.name))
                .collect(),
            None => row::PARTS.map(|part| (self.table.as_str(), part)).to_vec(),
        };
        let mut parts: Vec<_> = own.into_iter().map(|(table, part)| (table, part.to_owned())).collect();
        for (position, related) in self.related.iter().enumerate() {
            parts.extend(Event::ALL.map(|event| (related.table.as_str(), related::part(position, event))));
        }
        parts
    }
}

/// Which release's nodes write like this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Release N-1.
    Old,
    /// Release N.
    New,
}

impl Side {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::Old, Self::New];

    /// The word in our tables.
    pub fn word(self) -> &'static str {
        match self {
            Self::Old => "old",
            Self::New => "new",
        }
    }
}

/// The kind of write that fires a trigger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// INSERT.
    Insert,
    /// UPDATE.
    Update,
    /// DELETE.
    Delete,
}

impl Event {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Insert, Self::Update, Self::Delete];

    /// The keyword.
    pub fn keyword(self) -> &'static str {
        match self {
            Self::Insert => "INSERT",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
        }
    }

    /// The row that the event leaves, or took.
    fn row(self) -> &'static str {
        if self == Self::Delete { "OLD." } else { "NEW." }
    }
}

/// When a trigger fires. On SQLite, where no trigger can change the row at hand, all but deletes come after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timing {
    /// Before the row is written.
    Before,
    /// After.
    After,
}

/// One trigger of a sync, for each row.
#[derive(Debug, Clone, PartialEq)]
pub struct Trigger {
    /// Its part of the trigger's name, as [`Sync::parts`] has it.
    pub part: String,
    /// The table it is on.
    pub table: String,
    /// When it fires.
    pub timing: Timing,
    /// What fires it.
    pub event: Event,
    /// What an UPDATE must have touched; the guard that makes an unrelated one cost next to nothing.
    pub touched: Option<Touched>,
    /// Whether other syncs can make such a write; if not, it is enough to look for a backfill.
    pub met_by_syncs: bool,
    /// What it does.
    pub rules: Vec<Rule>,
}

impl Trigger {
    /// Whether it writes other rows than its own: those writes must fire no sync.
    pub fn writes_elsewhere(&self) -> bool {
        fn any(rules: &[Rule]) -> bool {
            rules.iter().any(|rule| match rule {
                Rule::If { then, otherwise, .. } => any(then) || any(otherwise),
                Rule::Lock(_) | Rule::Write(_) | Rule::Upsert(_) => true,
                Rule::Assign(_) | Rule::Reject(_) | Rule::Seen(_) | Rule::Require(_) => false,
            })
        }
        any(&self.rules)
    }
}

/// What an UPDATE touches.
#[derive(Debug, Clone, PartialEq)]
pub struct Touched {
    /// The columns.
    pub columns: Vec<String>,
    /// Whether one of them changed; SQL, never NULL.
    pub condition: String,
}

/// One node of a tree.
#[derive(Debug, Clone, PartialEq)]
pub enum Rule {
    /// A choice.
    If {
        /// SQL, never NULL.
        condition: String,
        /// When it holds; never empty.
        then: Vec<Rule>,
        /// When it does not.
        otherwise: Vec<Rule>,
    },
    /// Columns of the row become these expressions, all evaluated before the first is assigned.
    Assign(Vec<(Column, String)>),
    /// The write fails.
    Reject(String),
    /// A writer of this side was seen.
    Seen(Side),
    /// The write fails when it leaves this column NULL.
    Require(String),
    /// Rows of another table are written as they are, so that nobody else changes them, or what depends on them, until this
    /// transaction ends. A database with one writer at a time needs none of it.
    Lock(Write),
    /// Rows of another table are written.
    Write(Write),
    /// A row of another table is changed, or made.
    Upsert(Upsert),
}

/// An UPDATE or DELETE of another table.
#[derive(Debug, Clone, PartialEq)]
pub struct Write {
    /// The statement up to its WHERE.
    pub statement: String,
    /// The condition for its rows.
    pub rows: String,
    /// What holds for those rows afterwards, where a database may leave them as they were and say nothing.
    pub kept: Option<Kept>,
}

/// What a write must have come to.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    /// The table that was written, as SQL.
    pub table: String,
    /// SQL, never NULL.
    pub condition: String,
}

/// A row of another table, by its key, and what it becomes.
#[derive(Debug, Clone, PartialEq)]
pub struct Upsert {
    /// The table.
    pub table: String,
    /// Its key, each column with its value.
    pub key: Vec<(Column, String)>,
    /// The columns to set, each with its value.
    pub set: Vec<(Column, String)>,
}

impl Upsert {
    /// The INSERT, and how the row is found when it is there: its key's columns, and those to set.
    pub fn insert(&self, dialect: &dyn Dialect) -> (String, String, Vec<String>) {
        let names = |columns: &[(Column, String)]| -> Vec<String> {
            columns.iter().map(|(column, _)| dialect.quote(&column.name)).collect()
        };
        let (key, set) = (names(&self.key), names(&self.set));
        let values: Vec<&str> = self.key.iter().chain(&self.set).map(|(_, value)| value.as_str()).collect();
        let insert = format!(
            "INSERT INTO {} ({}) VALUES ({})",
            dialect.table(&self.table),
            [&key[..], &set[..]].concat().join(", "),
            values.join(", ")
        );
        (insert, key.join(", "), set)
    }
}

/// What holds for every row, always; `verify` proves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invariant {
    /// The table whose keys tell which rows break it.
    pub table: String,
    /// The FROM clause.
    pub from: String,
    /// The condition that no row may meet.
    pub broken: String,
    /// What a row that meets it means.
    pub meaning: String,
}

/// The triggers of a sync, for a live schema, or why the sync cannot be kept there.
pub fn triggers(sync: &Sync, dialect: &dyn Dialect, schema: &Schema) -> Result<Vec<Trigger>, Refusal> {
    refuse_columns(sync, dialect, schema)?;
    refuse_silent_changes(sync, dialect, schema)?;
    let mut triggers = Vec::new();
    // Where each trigger is in force at once: those of related tables do nothing while no new column is set, so they come first.
    for (position, related) in sync.related.iter().enumerate() {
        for event in Event::ALL {
            triggers.push(related::trigger(sync, related, position, event, dialect, schema)?);
        }
    }
    triggers.extend(match &sync.to {
        Some(to) => moved::Moved::new(sync, to, dialect, schema)?.triggers(),
        None => row::Rules::new(sync, dialect, schema, "NEW.")?.triggers(),
    });
    Ok(triggers)
}

/// What holds for the rows of a sync.
pub fn invariants(sync: &Sync, dialect: &dyn Dialect, schema: &Schema) -> Result<Vec<Invariant>, Refusal> {
    match &sync.to {
        Some(to) => Ok(moved::Moved::new(sync, to, dialect, schema)?.invariants()),
        None => Ok(vec![row::Rules::over_table(sync, dialect, schema)?.invariant()]),
    }
}

/// Queries that return nothing, and fail where an expression would fail in every write: an unknown function, a wrong type.
/// They come before the first trigger is in force.
pub fn trials(sync: &Sync, dialect: &dyn Dialect, schema: &Schema) -> Result<Vec<Statement>, Refusal> {
    let trial = |query: String| Statement::MustBeEmpty { query, message: "it tries the expressions out".to_owned() };
    let mut trials: Vec<_> = invariants(sync, dialect, schema)?
        .into_iter()
        .map(|invariant| trial(format!("SELECT 1 FROM {} WHERE 1 = 0 AND {}", invariant.from, invariant.broken)))
        .collect();
    for related in sync.related.iter().filter(|related| related.table != sync.table) {
        trials.push(trial(related::trial(sync, related, dialect, schema)?));
    }
    Ok(trials)
}

/// Columns that no trigger can set.
fn refuse_columns(sync: &Sync, dialect: &dyn Dialect, schema: &Schema) -> Result<(), Refusal> {
    for (table, mapping) in [(&sync.table[..], &sync.backward), (sync.new_table(), &sync.forward)] {
        let live = live_table(schema, table)?;
        for (name, _) in mapping {
            if live_column(live, name)?.generated {
                let reason = format!("column `{name}` of table `{table}` is generated, so no sync can write it");
                return Err(Refusal::new(reason).at(name));
            }
            if dialect.doubtful_default(live_column(live, name)?) {
                let reason = format!(
                    "the default of `{name}` is shown with a `?`, which may stand for a character that cannot be shown"
                );
                return Err(Refusal::new(reason).at(name));
            }
            // PostgreSQL: "moving row to another partition during a BEFORE FOR EACH ROW trigger is not supported".
            if live.partition_key.as_ref().is_some_and(|key| key.contains(name)) {
                let reason =
                    format!("`{table}` is partitioned by `{name}`, and no trigger can move a row to another partition");
                return Err(Refusal::new(reason).at(name));
            }
        }
    }
    Ok(())
}

/// Foreign keys that change or remove rows fire no trigger on MySQL and MariaDB: what a sync must see, it would not.
/// <https://dev.mysql.com/doc/refman/8.0/en/create-trigger.html>: "Cascaded foreign key actions do not activate triggers."
fn refuse_silent_changes(sync: &Sync, dialect: &dyn Dialect, schema: &Schema) -> Result<(), Refusal> {
    if dialect.foreign_keys_fire_triggers() {
        return Ok(());
    }
    let refuse = |table: &str, key: &ForeignKey, action: String, what: &str| {
        let name = key.name.as_deref().unwrap_or("without a name");
        Err(Refusal::new(format!(
            "the foreign key `{name}` of `{table}` says {action}, and {} fires no trigger for what a foreign key does: {what}; \
             replace the foreign key by one without {action} first",
            dialect.kind()
        ))
        .at(table))
    };
    let keys = |table: &str| schema.table(table).map_or(&[][..], |table| &table.foreign_keys);
    let sides = [(sync.table.as_str(), &sync.backward), (sync.new_table(), &sync.forward)];
    for (table, mapping) in sides {
        for key in keys(table) {
            let column = mapping.iter().map(|(name, _)| name).find(|name| key.columns.contains(name));
            if let (Some(column), Some(action)) = (column, key.changes()) {
                return refuse(table, key, action, &format!("a change of `{column}` would not be seen"));
            }
        }
    }
    for related in &sync.related {
        // Where the row that is pointed to goes, nothing is left that could be out of step.
        for key in keys(&related.table).iter().filter(|key| schema.key(&key.references) != schema.key(&sync.table)) {
            let Some(action) = key.changes().or_else(|| key.removes()) else { continue };
            return refuse(&related.table, key, action, "what it does to the rows there would not be seen");
        }
    }
    if let Some(to) = &sync.to {
        let goes_along = keys(&to.table)
            .iter()
            .any(|key| schema.key(&key.references) == schema.key(&sync.table) && key.removes().is_some());
        for key in keys(&sync.table).iter().filter(|_| !goes_along) {
            let Some(action) = key.removes() else { continue };
            let what = format!("the rows of `{}` would stay", to.table);
            return refuse(&sync.table, key, action, &what);
        }
        for key in keys(&to.table).iter().filter(|key| schema.key(&key.references) != schema.key(&sync.table)) {
            let Some(action) = key.removes() else { continue };
            return refuse(&to.table, key, action, "the old columns would not follow");
        }
    }
    Ok(())
}

fn live_table<'s>(schema: &'s Schema, name: &str) -> Result<&'s Table, Refusal> {
    schema.table(name).ok_or_else(|| Refusal::new(format!("there is no table `{name}`")))
}

fn live_column<'t>(table: &'t Table, name: &str) -> Result<&'t Column, Refusal> {
    table
        .column(name)
        .ok_or_else(|| Refusal::new(format!("there is no column `{name}` in table `{}`", table.name)).at(name))
}
