//! What every writer committed, row by row, and whether it is still there.
//!
//! A write is lost where the row has neither its value nor that of a write which came after it, or ran beside it: what is kept of
//! a row are the writes that no later one has certainly replaced. Columns that a sync keeps in step are one thing, a cell, because
//! whoever writes one of them writes all.

mod check;
mod groups;
mod note;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indexmap::IndexMap;
use serde::Serialize;

use super::values;
use crate::catalog::RowPick;
use crate::db::{Connection, DbError};
use crate::dialect::rows;
use crate::dialect::{Dialect, Literal, Schema, Verb, Writes};
pub use check::{Checked, Lost};
pub(super) use groups::Groups;
pub(super) use note::Committed;

/// How often a row is picked anew that does not fit.
const TRIES: usize = 50;

/// The ledger.
#[derive(Debug, Default)]
pub(super) struct Ledger(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// By name in small letters, as statements may write it in any.
    known: HashMap<String, Known>,
    groups: Groups,
    tables: BTreeMap<String, Rows>,
    writes: u64,
    /// What was written and cannot be followed, and why.
    unfollowed: BTreeSet<String>,
}

impl State {
    /// What is known of a table, by its name as a statement has it.
    fn known(&self, table: &str) -> Option<&Known> {
        let name = table.to_lowercase();
        self.known.get(&name).or_else(|| self.known.get(name.rsplit('.').next().unwrap_or(&name)))
    }
}

/// What is known of a table.
#[derive(Debug, Clone)]
struct Known {
    name: String,
    /// The columns by which a row can be told: the primary key, and then those that a sync keeps in step with it.
    keys: Vec<Vec<String>>,
    /// By name in small letters.
    columns: HashMap<String, String>,
}

impl Known {
    fn primary(&self) -> &[String] {
        self.keys.first().map_or(&[], Vec::as_slice)
    }

    fn column(&self, name: &str) -> String {
        self.columns.get(&name.to_lowercase()).cloned().unwrap_or_else(|| name.to_owned())
    }
}

/// The columns of a key, with their values in words.
type Identity = (Vec<String>, Vec<String>);

#[derive(Debug, Default)]
struct Rows {
    all: Vec<Row>,
    by_key: HashMap<Identity, usize>,
    /// Those that are there, oldest first.
    there: Vec<usize>,
}

#[derive(Debug, Default)]
struct Row {
    /// What it can be told by.
    keys: Vec<(Vec<String>, Vec<Literal>)>,
    /// What was last written, by column.
    last: IndexMap<String, Literal>,
    presence: Vec<Presence>,
    cells: BTreeMap<String, Vec<Write>>,
    /// Its key was changed: it cannot be followed any more.
    gone_astray: bool,
}

#[derive(Debug, Clone, Copy)]
struct Presence {
    start: Duration,
    end: Duration,
    there: bool,
}

/// A committed write, of one column or of those that a sync keeps in step.
#[derive(Debug, Clone)]
struct Write {
    start: Duration,
    end: Duration,
    values: Vec<Value>,
    by: By,
}

/// Who wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct By {
    /// The release of the node.
    pub release: String,
    /// The operation.
    pub operation: String,
}

#[derive(Debug, Clone)]
struct Value {
    table: String,
    /// Its place among the table's rows.
    row: usize,
    column: String,
    /// `None`: what it is only the database knows.
    given: Option<Literal>,
}

/// A cell that a sync keeps in step; a column's own cell goes by its name.
fn cell_of(sync: &str) -> String {
    format!("sync {sync}")
}

/// Adds a write to those that may be the last.
fn add(cell: &mut Vec<Write>, write: Write) {
    if cell.iter().any(|other| other.start > write.end) {
        return;
    }
    cell.retain(|other| other.end >= write.start);
    cell.push(write);
}

fn in_words(values: &[Literal]) -> Vec<String> {
    values.iter().map(Literal::shown).collect()
}

impl Rows {
    fn find(&self, columns: &[String], values: &[Literal]) -> Option<usize> {
        self.by_key.get(&(columns.to_vec(), in_words(values))).copied()
    }

    /// The row of this key, made where it is not known.
    fn at(&mut self, columns: &[String], values: &[Literal]) -> usize {
        if let Some(at) = self.find(columns, values) {
            return at;
        }
        self.all.push(Row::default());
        let at = self.all.len() - 1;
        self.identify(at, columns, values);
        at
    }

    /// Says that a row can be told by this key as well.
    fn identify(&mut self, at: usize, columns: &[String], values: &[Literal]) {
        self.by_key.insert((columns.to_vec(), in_words(values)), at);
        let row = &mut self.all[at];
        row.keys.retain(|(known, _)| known != columns);
        row.keys.push((columns.to_vec(), values.to_vec()));
        for (column, value) in columns.iter().zip(values) {
            row.last.insert(column.clone(), value.clone());
        }
    }
}

impl Row {
    fn present(&mut self, presence: Presence) {
        if self.presence.iter().any(|other| other.start > presence.end) {
            return;
        }
        self.presence.retain(|other| other.end >= presence.start);
        self.presence.push(presence);
    }

    /// Whether it is to be there; `None`: writes beside one another say both, or nobody has said.
    fn is_there(&self) -> Option<bool> {
        let mut said = self.presence.iter().map(|presence| presence.there);
        let first = said.next()?;
        said.all(|there| there == first).then_some(first)
    }
}

impl Ledger {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many writes it holds.
    pub(super) fn writes(&self) -> u64 {
        self.state().writes
    }

    /// What was written and cannot be followed, and why.
    pub(super) fn unfollowed(&self) -> Vec<String> {
        self.state().unfollowed.iter().cloned().collect()
    }

    /// Learns what tables there are; what was known of one stays.
    pub(super) fn learn(&self, schema: &Schema) {
        let mut state = self.state();
        for (name, table) in &schema.tables {
            let columns =
                table.columns.iter().map(|column| (column.name.to_lowercase(), column.name.clone())).collect();
            let keys = if table.primary_key.is_empty() { Vec::new() } else { vec![table.primary_key.clone()] };
            let known = state.known.entry(name.to_lowercase());
            let known = known.or_insert_with(|| Known { name: name.clone(), keys, columns: HashMap::new() });
            known.columns = columns;
        }
    }

    /// Takes what a release's files say, for all writes from here on and for those that are held.
    pub(super) fn regroup(&self, groups: Groups) {
        let mut state = self.state();
        for (table, rows) in &mut state.tables {
            for row in &mut rows.all {
                let own: Vec<String> = row.cells.keys().cloned().collect();
                for column in own {
                    let Some(sync) = groups.own_sync(table, &column) else { continue };
                    let writes = row.cells.remove(&column).unwrap_or_default();
                    let cell = row.cells.entry(cell_of(sync)).or_default();
                    for write in writes {
                        add(cell, write);
                    }
                }
            }
        }
        state.groups = groups;
    }

    /// The column by which an INSERT tells the key that the database gave, where the statement gives no key.
    pub(super) fn key_to_ask(&self, writes: &Writes) -> Option<String> {
        let state = self.state();
        let known = state.known(&writes.table)?;
        let [key] = known.primary() else { return None };
        let gives = |column: &String| writes.rows.iter().flatten().any(|(name, _)| name.eq_ignore_ascii_case(column));
        let gives_none = !known.keys.iter().any(|key| key.iter().all(gives));
        (writes.verb == Verb::Insert && !writes.returning && gives_none).then(|| key.clone())
    }

    /// Picks a row that is there, of which these columns are known.
    pub(super) fn pick(
        &self,
        pick: &RowPick,
        needed: &[String],
        rng: &mut fastrand::Rng,
    ) -> Option<IndexMap<String, Literal>> {
        let state = self.state();
        let known = state.known(&pick.table)?;
        let rows = state.tables.get(&known.name)?;
        if rows.there.is_empty() {
            return None;
        }
        for _ in 0..TRIES {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                clippy::cast_precision_loss,
                reason = "a place in a list"
            )]
            let at = (rows.there.len() as f64 * rng.f64().powf(pick.skew)) as usize;
            let row = &rows.all[rows.there[at.min(rows.there.len() - 1)]];
            let fits = |column: &String, choice: &crate::catalog::Choice| {
                let last = row.last.get(column).unwrap_or(&Literal::Null);
                choice.0.iter().any(|scalar| values::alike(&values::literal(scalar), last))
            };
            let is_known = needed.iter().all(|column| row.last.contains_key(column));
            if is_known && pick.conditions.iter().all(|(column, choice)| fits(column, choice)) {
                return Some(row.last.clone());
            }
        }
        None
    }

    /// Reads every row that there is, so that the rows of one release can be picked by the other: what is in columns that nobody has
    /// named yet, and by which new key a row can be told. Nobody writes meanwhile.
    pub(super) async fn refresh(&self, connection: &mut Connection) -> Result<(), DbError> {
        let schema = connection.inspect().await?;
        let dialect = connection.shared_dialect();
        self.learn(&schema);
        for (name, table) in &schema.tables {
            let known = {
                let mut state = self.state();
                let added: Vec<Vec<String>> = table
                    .unique_keys()
                    .into_iter()
                    .filter(|key| key.iter().all(|column| state.groups.is_new(name, column)))
                    .cloned()
                    .collect();
                let Some(known) = state.known.get_mut(&name.to_lowercase()) else { continue };
                for key in added {
                    if !known.keys.contains(&key) {
                        known.keys.push(key);
                    }
                }
                known.clone()
            };
            let columns: Vec<String> = table
                .columns
                .iter()
                .filter(|column| !dialect.is_binary(column))
                .map(|column| column.name.clone())
                .collect();
            let lives = |key: &&Vec<String>| key.iter().all(|column| columns.contains(column));
            if known.keys.iter().find(lives).is_none() {
                continue;
            }
            let answer = connection.exchange(&rows::all_rows(dialect.as_ref(), name, &columns)).await?;
            let mut state = self.state();
            let rows = state.tables.entry(name.clone()).or_default();
            for found in answer.rows {
                let text = |wanted: &String| {
                    let value = found.iter().find(|(column, _)| column == wanted).map(|(_, text)| text.clone())?;
                    value.map(Literal::Text)
                };
                let key_of = |key: &Vec<String>| key.iter().map(text).collect::<Option<Vec<_>>>();
                let keys: Vec<(&Vec<String>, Vec<Literal>)> =
                    known.keys.iter().filter_map(|key| Some((key, key_of(key)?))).collect();
                let Some((first, values)) = keys.first() else { continue };
                // Whoever wrote it may have named any of its keys.
                let at = keys.iter().find_map(|(key, values)| rows.find(key, values)).unwrap_or_else(|| {
                    let at = rows.at(first, values);
                    rows.there.push(at);
                    at
                });
                for (key, values) in &keys {
                    rows.identify(at, key, values);
                }
                let row = &mut rows.all[at];
                for column in &columns {
                    row.last.entry(column.clone()).or_insert_with(|| text(column).unwrap_or(Literal::Null));
                }
            }
        }
        Ok(())
    }
}

/// An INSERT that is asked for the key that the database gives, where the dialect does that by a clause.
pub(super) fn asking_for_key(dialect: &dyn Dialect, sql: &str, column: &str) -> String {
    rows::returning(dialect, sql, column).unwrap_or_else(|| sql.to_owned())
}
