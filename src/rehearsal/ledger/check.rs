//! Holds every row against what was written to it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use serde::Serialize;

use super::groups::Groups;
use super::{By, Ledger, Row, Rows, State, Value, Write, cell_of};
use crate::db::{Connection, DbError};
use crate::dialect::rows::{self, MASK};
use crate::dialect::{Dialect, Literal, Schema};

/// How many lost writes are told.
const TOLD: usize = 20;
/// How many rows are asked for in one statement.
const TOGETHER: usize = 50;

/// A write that is not there any more.
#[derive(Debug, Clone, Serialize)]
pub struct Lost {
    /// The table.
    pub table: String,
    /// The row's key, in words.
    pub key: String,
    /// The column, or those that a sync keeps in step; `None`: the row.
    pub column: Option<String>,
    /// What was written last.
    pub expected: String,
    /// What is there.
    pub found: String,
    /// Who wrote it.
    pub by: Option<By>,
}

/// What a look at the ledger came to.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Checked {
    /// How many rows were looked at.
    pub rows: u64,
    /// How many values were compared.
    pub values: u64,
    /// How many values could not be compared: a backfill wrote the column, or it is gone.
    pub not_compared: u64,
    /// How many rows a backfill has purged, or went with such a row.
    pub purged: u64,
    /// How many writes are lost.
    pub lost: u64,
    /// The first ones.
    pub first: Vec<Lost>,
}

/// A row: its table, and its place among the table's rows.
type Place = (String, usize);

/// What is asked of one row: its conditions, by what they say.
#[derive(Debug, Default)]
struct Ask {
    conditions: Vec<String>,
    bits: HashMap<(String, Literal), Option<usize>>,
}

/// What is asked of all rows, made while the ledger is held, and answered when it is not.
struct Questions {
    asks: BTreeMap<Place, Ask>,
    queries: Vec<(Place, String)>,
    /// Rows that can be told by no key that is there.
    untold: HashSet<Place>,
}

/// The key by which a row can be told in the live schema.
fn live_key<'r>(row: &'r Row, live: &crate::dialect::Table) -> Option<&'r (Vec<String>, Vec<Literal>)> {
    row.keys.iter().find(|(columns, _)| columns.iter().all(|column| live.column(column).is_some()))
}

impl Questions {
    fn new(state: &State, schema: &Schema, dialect: &dyn Dialect) -> Self {
        let mut asks: BTreeMap<Place, Ask> = BTreeMap::new();
        for (name, rows) in &state.tables {
            for (at, row) in rows.all.iter().enumerate().filter(|(_, row)| !row.gone_astray) {
                asks.entry((name.clone(), at)).or_default();
                for value in row.cells.values().flatten().flat_map(|write| &write.values) {
                    let Some(literal) = &value.given else { continue };
                    let column = schema.table(&value.table).and_then(|table| table.column(&value.column));
                    let ask = asks.entry((value.table.clone(), value.row)).or_default();
                    let bit = (value.column.clone(), literal.clone());
                    if ask.bits.contains_key(&bit) || ask.conditions.len() >= MASK {
                        continue;
                    }
                    let place = column.and_then(|column| rows::has_value(dialect, column, literal)).map(|condition| {
                        ask.conditions.push(condition);
                        ask.conditions.len() - 1
                    });
                    ask.bits.insert(bit, place);
                }
            }
        }
        let (mut queries, mut untold) = (Vec::new(), HashSet::new());
        for (place, ask) in &asks {
            let told = schema.table(&place.0).and_then(|live| {
                let (columns, values) = live_key(state.tables.get(&place.0)?.all.get(place.1)?, live)?;
                let key: Vec<(&str, &Literal)> = columns.iter().map(String::as_str).zip(values).collect();
                // The number is put in where the queries are put together.
                Some(rows::row_mask(dialect, live, &key, queries.len() % TOGETHER, &ask.conditions))
            });
            match told {
                Some(query) => queries.push((place.clone(), query)),
                None => drop(untold.insert(place.clone())),
            }
        }
        Self { asks, queries, untold }
    }

    /// The bits of each row that is there.
    async fn answers(&self, connection: &mut Connection) -> Result<HashMap<Place, u64>, DbError> {
        let mut masks = HashMap::new();
        for chunk in self.queries.chunks(TOGETHER) {
            let queries: Vec<&str> = chunk.iter().map(|(_, query)| query.as_str()).collect();
            let answer = connection.exchange(&queries.join(" UNION ALL ")).await?;
            for row in answer.rows {
                let number = |at: usize| row.get(at).and_then(|(_, text)| text.as_ref()?.parse::<u64>().ok());
                if let (Some(at), Some(mask)) = (number(0), number(1))
                    && let Some((place, _)) = usize::try_from(at).ok().and_then(|at| chunk.get(at))
                {
                    masks.insert(place.clone(), mask);
                }
            }
        }
        Ok(masks)
    }
}

/// The answers, beside what was asked.
struct Answers<'a> {
    asks: &'a BTreeMap<Place, Ask>,
    masks: &'a HashMap<Place, u64>,
    groups: &'a Groups,
    migrated: Duration,
}

impl Answers<'_> {
    /// Whether a value is there; `None` where that cannot be told.
    fn holds(&self, value: &Value) -> Option<bool> {
        let place = (value.table.clone(), value.row);
        let literal = value.given.clone()?;
        let bit = (*self.asks.get(&place)?.bits.get(&(value.column.clone(), literal.clone()))?)?;
        match self.masks.get(&place) {
            Some(mask) => Some(mask & (1 << bit) != 0),
            // A sync makes no row where there is nothing to say.
            None => Some(literal == Literal::Null),
        }
    }

    /// Whether a backfill may have written over a write.
    fn is_rewritten(&self, write: &Write) -> bool {
        let rewritten = |value: &Value| self.groups.rewritten.contains(&(value.table.clone(), value.column.clone()));
        write.start <= self.migrated && write.values.iter().any(rewritten)
    }

    /// The write that is lost of a cell; `Ok` where none is, with whether it could be compared.
    fn cell<'w>(&self, writes: &'w [Write]) -> Result<bool, &'w Write> {
        let compared = writes.iter().flat_map(|write| &write.values).any(|value| self.holds(value).is_some());
        if !compared || writes.iter().any(|write| self.is_rewritten(write)) {
            return Ok(false);
        }
        let holds = |write: &Write| write.values.iter().all(|value| self.holds(value).unwrap_or(true));
        match writes.last() {
            Some(last) if !writes.iter().any(holds) => Err(last),
            _ => Ok(true),
        }
    }
}

impl Ledger {
    /// Holds every row against what was written to it. Nobody writes meanwhile. What was written before `migrated` to a column
    /// that a backfill writes is not compared.
    pub(in crate::rehearsal) async fn check(
        &self,
        connection: &mut Connection,
        migrated: Duration,
    ) -> Result<Checked, DbError> {
        let schema = connection.inspect().await?;
        let dialect = connection.shared_dialect();
        let questions = Questions::new(&self.state(), &schema, dialect.as_ref());
        let masks = questions.answers(connection).await?;
        let (mut checked, asked) = {
            let state = self.state();
            let answers = Answers { asks: &questions.asks, masks: &masks, groups: &state.groups, migrated };
            judge(&state, &schema, &answers, &questions.untold)
        };
        // What is there, for the first ones.
        for (lost, query) in checked.first.iter_mut().zip(asked) {
            let Some((table, columns, key)) = query else { continue };
            let key: Vec<(&str, &Literal)> = key.iter().map(|(column, value)| (column.as_str(), value)).collect();
            let answer = connection.exchange(&rows::one_row(dialect.as_ref(), &table, &columns, &key)).await;
            lost.found = match answer {
                Ok(answer) => answer.rows.first().map_or_else(
                    || "no row".to_owned(),
                    |row| {
                        let words =
                            row.iter().map(|(name, text)| format!("{name} = {}", text.as_deref().unwrap_or("NULL")));
                        words.collect::<Vec<_>>().join(", ")
                    },
                ),
                Err(error) => error.to_string(),
            };
        }
        Ok(checked)
    }

    /// Takes what the syncs made of the last writes for what was written: the old columns are about to go, and the new ones have
    /// just been found to be in step with them.
    pub(in crate::rehearsal) async fn adopt(&self, connection: &mut Connection, at: Duration) -> Result<(), DbError> {
        let new = self.state().groups.new.clone();
        for (sync, (table, columns)) in new {
            for rows in self.state().tables.values_mut() {
                for row in &mut rows.all {
                    row.cells.remove(&cell_of(&sync));
                }
            }
            let by = By { release: String::new(), operation: format!("what the sync {sync} made of the last write") };
            self.take_over(connection, &table, &columns, |row, value| {
                let write = Write { start: at, end: at, values: vec![value.clone()], by: by.clone() };
                row.cells.insert(value.column, vec![write]);
            })
            .await?;
        }
        self.state().groups.end_syncs();
        Ok(())
    }

    /// Takes what is there for what was written, of columns that a backfill wrote: what came of the writes before it, only the
    /// database knows.
    pub(in crate::rehearsal) async fn settle(
        &self,
        connection: &mut Connection,
        migrated: Duration,
    ) -> Result<(), DbError> {
        let mut by_table: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (table, column) in &self.state().groups.rewritten {
            by_table.entry(table.clone()).or_default().push(column.clone());
        }
        for (table, columns) in by_table {
            self.take_over(connection, &table, &columns, |row, value| {
                let Some(writes) = row.cells.get_mut(&value.column) else { return };
                if writes.iter().any(|write| write.start <= migrated) {
                    for write in writes {
                        write.values = vec![value.clone()];
                    }
                }
            })
            .await?;
        }
        Ok(())
    }

    /// Reads these columns of every row that is known.
    async fn take_over(
        &self,
        connection: &mut Connection,
        table: &str,
        columns: &[String],
        take: impl Fn(&mut Row, Value),
    ) -> Result<(), DbError> {
        let schema = connection.inspect().await?;
        let dialect = connection.shared_dialect();
        let Some(live) = schema.table(table) else { return Ok(()) };
        let readable = |column: &&String| live.column(column).is_some_and(|column| !dialect.is_binary(column));
        let columns: Vec<String> = columns.iter().filter(readable).cloned().collect();
        let keys = self.state().known.get(&table.to_lowercase()).map(|known| known.keys.clone()).unwrap_or_default();
        let lives = |key: &&Vec<String>| key.iter().all(|column| live.column(column).is_some());
        let Some(key) = keys.iter().find(lives) else { return Ok(()) };
        let all: Vec<String> = key.iter().chain(&columns).cloned().collect();
        let answer = connection.exchange(&rows::all_rows(dialect.as_ref(), table, &all)).await?;
        let mut state = self.state();
        let Some(rows) = state.tables.get_mut(table) else { return Ok(()) };
        for found in answer.rows {
            let text = |name: &String| {
                let value = found.iter().find(|(column, _)| column == name).and_then(|(_, text)| text.clone());
                value.map(Literal::Text)
            };
            let Some(values) = key.iter().map(text).collect::<Option<Vec<_>>>() else { continue };
            // Rows that no node has written are a backfill's matter.
            let Some(at) = rows.find(key, &values) else { continue };
            for column in &columns {
                let given = Some(text(column).unwrap_or(Literal::Null));
                take(&mut rows.all[at], Value { table: table.to_owned(), row: at, column: column.clone(), given });
            }
        }
        Ok(())
    }
}

/// The question for what a row has in some columns.
type Found = Option<(String, Vec<String>, Vec<(String, Literal)>)>;

/// Counts what is there and what is lost; gives with each of the first lost ones the question for what is there instead.
fn judge(state: &State, schema: &Schema, answers: &Answers<'_>, untold: &HashSet<Place>) -> (Checked, Vec<Found>) {
    let mut checked = Checked::default();
    let mut asked = Vec::new();
    let cascaded = cascaded(state, schema, answers.masks);
    for (name, rows) in &state.tables {
        for (at, row) in rows.all.iter().enumerate().filter(|(_, row)| !row.gone_astray) {
            let place = (name.clone(), at);
            if untold.contains(&place) {
                checked.not_compared += 1;
                continue;
            }
            checked.rows += 1;
            let is_there = answers.masks.contains_key(&place);
            let key = row.keys.first().map(|(_, values)| super::in_words(values).join(", ")).unwrap_or_default();
            let wrong = match row.is_there() {
                Some(true)
                    if !is_there
                        && (cascaded.contains(&place)
                            || (state.groups.purged.contains(name)
                                && row.presence.iter().all(|presence| presence.start <= answers.migrated))) =>
                {
                    checked.purged += 1;
                    continue;
                }
                Some(there) => there != is_there && !state.groups.destinations.contains(name),
                None => false,
            };
            if wrong {
                let words = |there: bool| if there { "a row" } else { "no row" }.to_owned();
                let by = row.cells.values().flatten().map(|write| write.by.clone()).next();
                let (expected, found) = (words(!is_there), words(is_there));
                checked.lose(Lost { table: name.clone(), key, column: None, expected, found, by }, &mut asked, None);
                continue;
            }
            if row.is_there() == Some(false) || !is_there {
                continue;
            }
            let emptied = emptied(state, schema, name, row);
            for (cell, writes) in &row.cells {
                if emptied.contains(cell) {
                    checked.not_compared += 1;
                    continue;
                }
                match answers.cell(writes) {
                    Ok(true) => checked.values += 1,
                    Ok(false) => checked.not_compared += 1,
                    Err(last) => {
                        checked.values += 1;
                        let expected = last
                            .values
                            .iter()
                            .filter_map(|value| Some(format!("{} = {}", value.column, value.given.as_ref()?.shown())));
                        let lost = Lost {
                            table: name.clone(),
                            key: key.clone(),
                            column: Some(cell.clone()),
                            expected: expected.collect::<Vec<_>>().join(", "),
                            found: String::new(),
                            by: Some(last.by.clone()),
                        };
                        checked.lose(lost, &mut asked, question(state, schema, last));
                    }
                }
            }
        }
    }
    (checked, asked)
}

fn question(state: &State, schema: &Schema, write: &Write) -> Found {
    let first = write.values.first()?;
    let live = schema.table(&first.table)?;
    let (columns, values) = live_key(state.tables.get(&first.table)?.all.get(first.row)?, live)?;
    let key = columns.iter().cloned().zip(values.iter().cloned()).collect();
    Some((first.table.clone(), write.values.iter().map(|value| value.column.clone()).collect(), key))
}

impl Checked {
    fn lose(&mut self, lost: Lost, asked: &mut Vec<Found>, question: Found) {
        self.lost += 1;
        if self.first.len() < TOLD {
            self.first.push(lost);
            asked.push(question);
        }
    }
}

/// The rows that went with rows that they refer to, by a foreign key that says so.
fn cascaded(state: &State, schema: &Schema, there: &HashMap<Place, u64>) -> HashSet<Place> {
    let mut gone: HashSet<Place> = HashSet::new();
    // Once for each generation.
    loop {
        let before = gone.len();
        for (table, rows) in &state.tables {
            let Some(live) = schema.table(table) else { continue };
            for key in live.foreign_keys.iter().filter(|key| key.on_delete.eq_ignore_ascii_case("cascade")) {
                let name = schema.key(&key.references);
                let Some(parents) = state.tables.get(name) else { continue };
                for (at, row) in rows.all.iter().enumerate() {
                    let Some(parent) = parent(row, key, parents) else { continue };
                    let place = (name.to_owned(), parent);
                    let expected = parents.all[parent].is_there() == Some(true) && !state.groups.purged.contains(name);
                    if gone.contains(&place) || (!expected && !there.contains_key(&place)) {
                        gone.insert((table.clone(), at));
                    }
                }
            }
        }
        if gone.len() == before {
            return gone;
        }
    }
}

/// The columns of a row that a foreign key empties, because what they refer to is gone.
fn emptied(state: &State, schema: &Schema, table: &str, row: &Row) -> HashSet<String> {
    let mut emptied = HashSet::new();
    let Some(live) = schema.table(table) else { return emptied };
    for key in live.foreign_keys.iter().filter(|key| key.on_delete.to_lowercase().starts_with("set ")) {
        let name = schema.key(&key.references);
        let Some(parents) = state.tables.get(name) else { continue };
        let stays = |at: usize| parents.all[at].is_there() == Some(true) && !state.groups.purged.contains(name);
        if parent(row, key, parents).is_some_and(|at| !stays(at)) {
            emptied.extend(key.columns.iter().cloned());
        }
    }
    emptied
}

/// The row that a foreign key of a row refers to, by what was last written.
fn parent(row: &Row, key: &crate::dialect::ForeignKey, parents: &Rows) -> Option<usize> {
    let values = key.columns.iter().map(|column| row.last.get(column).cloned()).collect::<Option<Vec<_>>>()?;
    parents.find(&key.referenced_columns, &values)
}
