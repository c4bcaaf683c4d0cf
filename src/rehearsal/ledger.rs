//! What every writer committed, row by row, and whether it is still there.
//!
//! A write is lost where the row has neither its value nor that of a write which came after it, or ran beside it: what is kept of
//! a row are the writes that no later one has certainly replaced. Columns that a sync keeps in step are one thing, because whoever
//! writes one of them writes all.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indexmap::IndexMap;
use serde::Serialize;

use super::values;
use crate::catalog::{Release, RowPick, Work};
use crate::db::{Connection, DbError, Exchange};
use crate::dialect::rows::{self, MASK};
use crate::dialect::{Dialect, Given, Literal, Schema, Verb, Writes};

/// How many lost writes are told.
const TOLD: usize = 20;
/// How many rows are asked for in one statement.
const TOGETHER: usize = 50;
/// How often a row is picked anew that does not fit the conditions.
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
}

/// What is known of a table.
#[derive(Debug, Clone)]
struct Known {
    name: String,
    key: Vec<String>,
    columns: HashMap<String, String>,
}

#[derive(Debug, Default)]
struct Rows {
    all: Vec<Row>,
    by_key: HashMap<Vec<String>, usize>,
    /// Those that are there, oldest first.
    there: Vec<usize>,
}

#[derive(Debug)]
struct Row {
    key: Vec<Literal>,
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

/// The row in another table to which a cell belongs.
type Home = (String, Vec<Literal>);

#[derive(Debug, Clone)]
struct Value {
    table: String,
    key: Vec<Literal>,
    column: String,
    /// `None`: what it is only the database knows.
    given: Option<Literal>,
}

/// What a release's files say of columns and rows.
#[derive(Debug, Default)]
pub(super) struct Groups {
    members: HashMap<(String, String), Member>,
    related: Vec<Relation>,
    /// Columns that a backfill writes: what was there before is not compared.
    rewritten: HashSet<(String, String)>,
    /// Tables from which a backfill deletes.
    purged: HashSet<String>,
    /// Tables in which a sync makes and removes rows.
    destinations: HashSet<String>,
    /// By sync: the table of its new columns, and these.
    new: BTreeMap<String, (String, Vec<String>)>,
}

#[derive(Debug, Clone)]
struct Member {
    sync: String,
    /// The table that the sync is on, and its columns that a row's own point to; `None`: it is the row's own table.
    home: Option<(String, Vec<(String, String)>)>,
}

#[derive(Debug)]
struct Relation {
    table: String,
    sync: String,
    target: String,
    key: Vec<(String, String)>,
}

impl Groups {
    /// What the files of a release say.
    pub(super) fn of(release: &Release, schema: &Schema) -> Self {
        let mut groups = Self::default();
        for (_, sync) in release.syncs() {
            let table = schema.key(&sync.table).to_owned();
            let new_table = schema.key(sync.new_table()).to_owned();
            for (column, _) in &sync.backward {
                groups.members.insert((table.clone(), column.clone()), Member { sync: sync.name.clone(), home: None });
            }
            let home = sync.to.as_ref().map(|to| (table.clone(), to.key.clone().into_iter().collect::<Vec<_>>()));
            for (column, _) in &sync.forward {
                let member = Member { sync: sync.name.clone(), home: home.clone() };
                groups.members.insert((new_table.clone(), column.clone()), member);
            }
            let new = sync.forward.iter().map(|(column, _)| column.clone()).collect();
            groups.new.insert(sync.name.clone(), (new_table.clone(), new));
            if sync.to.is_some() {
                groups.destinations.insert(new_table);
            }
            for related in &sync.related {
                groups.related.push(Relation {
                    table: schema.key(&related.table).to_owned(),
                    sync: sync.name.clone(),
                    target: table.clone(),
                    key: related.key.clone().into_iter().collect(),
                });
            }
        }
        for backfill in &release.backfills {
            let table = schema.key(&backfill.table).to_owned();
            match &backfill.work {
                Work::Update(set) => {
                    groups.rewritten.extend(set.iter().map(|(column, _)| (table.clone(), column.clone())));
                }
                Work::Command(program) => {
                    groups.rewritten.extend(program.writes.iter().map(|column| (table.clone(), column.clone())));
                }
                Work::Delete(children) => {
                    groups.purged.insert(table);
                    let below = children.iter().flat_map(crate::catalog::Child::tree);
                    groups.purged.extend(below.map(|child| schema.key(&child.table).to_owned()));
                }
                Work::Copy(copy) => {
                    groups.destinations.insert(schema.key(&copy.into).to_owned());
                }
            }
        }
        groups
    }
}

/// A statement that was committed.
#[derive(Debug)]
pub(super) struct Committed<'w> {
    pub(super) writes: &'w Writes,
    pub(super) values: Vec<Literal>,
    pub(super) answer: Exchange,
    pub(super) start: Duration,
}

/// A write that is not there any more.
#[derive(Debug, Clone, Serialize)]
pub struct Lost {
    /// The table.
    pub table: String,
    /// The row's key, in words.
    pub key: String,
    /// The column; `None`: the row.
    pub column: Option<String>,
    /// What was written last, by whom.
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
    /// How many rows a backfill has purged.
    pub purged: u64,
    /// How many writes are lost.
    pub lost: u64,
    /// The first ones.
    pub first: Vec<Lost>,
}

impl Ledger {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many writes it holds.
    pub(super) fn writes(&self) -> u64 {
        self.state().writes
    }

    /// Learns what tables there are; what was known of one stays.
    pub(super) fn learn(&self, schema: &Schema) {
        let mut state = self.state();
        for (name, table) in &schema.tables {
            let columns =
                table.columns.iter().map(|column| (column.name.to_lowercase(), column.name.clone())).collect();
            let key = table.primary_key.clone();
            let known = state.known.entry(name.to_lowercase());
            let known = known.or_insert_with(|| Known { name: name.clone(), key, columns: HashMap::new() });
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
                    let Some(member) = groups.members.get(&(table.clone(), column.clone())) else { continue };
                    if member.home.is_none() {
                        let writes = row.cells.remove(&column).unwrap_or_default();
                        let cell = row.cells.entry(cell_of(&member.sync)).or_default();
                        for write in writes {
                            add(cell, write);
                        }
                    }
                }
            }
        }
        state.groups = groups;
    }

    /// The column by which an INSERT tells the key that the database gave, where the statement does not give it.
    pub(super) fn key_to_ask(&self, writes: &Writes) -> Option<String> {
        let state = self.state();
        let known = state.known.get(&writes.table.to_lowercase())?;
        let [key] = known.key.as_slice() else { return None };
        let given = writes.rows.iter().flatten().any(|(column, _)| column.eq_ignore_ascii_case(key));
        (writes.verb == Verb::Insert && !writes.returning && !given).then(|| key.clone())
    }

    /// Picks a row that is there.
    pub(super) fn pick(&self, pick: &RowPick, rng: &mut fastrand::Rng) -> Option<IndexMap<String, Literal>> {
        let state = self.state();
        let known = state.known.get(&pick.table.to_lowercase())?;
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
                choice.0.iter().any(|scalar| match (values::literal(scalar), last) {
                    (Literal::Boolean(wanted), Literal::Number(number)) => wanted == (number != "0"),
                    (wanted, last) => wanted == *last,
                })
            };
            if pick.conditions.iter().all(|(column, choice)| fits(column, choice)) {
                return Some(row.last.clone());
            }
        }
        None
    }

    /// Notes a transaction that was committed between its statements' starts and `end`.
    pub(super) fn note(&self, transaction: &[Committed<'_>], end: Duration, by: &By) {
        let mut state = self.state();
        for committed in transaction {
            state.statement(committed, end, by);
        }
    }
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

impl State {
    fn statement(&mut self, committed: &Committed<'_>, end: Duration, by: &By) {
        let Committed { writes, values, answer, start } = committed;
        let Some(known) = self.known.get(&writes.table.to_lowercase()).cloned() else { return };
        if known.key.is_empty() {
            return;
        }
        let value = |given: &Given| match given {
            Given::Parameter(position) => values.get(*position).cloned(),
            Given::Literal(literal) => Some(literal.clone()),
            Given::Unknown => None,
        };
        let column = |name: &str| known.columns.get(&name.to_lowercase()).cloned().unwrap_or_else(|| name.to_owned());
        let named = |pairs: &[(String, Given)]| -> Vec<(String, Option<Literal>)> {
            pairs.iter().map(|(name, given)| (column(name), value(given))).collect()
        };
        let of = |pairs: &[(String, Option<Literal>)], name: &String| {
            pairs.iter().find(|(column, _)| column == name).and_then(|(_, value)| value.clone())
        };
        match writes.verb {
            Verb::Insert => {
                for row in &writes.rows {
                    let row = named(row);
                    let given: Option<Vec<Literal>> = known.key.iter().map(|name| of(&row, name)).collect();
                    let told = || {
                        let [name] = known.key.as_slice() else { return None };
                        let returned =
                            answer.rows.first().and_then(|row| row.iter().find(|(column, _)| column == name));
                        let returned = returned.and_then(|(_, text)| text.clone());
                        let number = returned.or_else(|| answer.inserted.map(|number| number.to_string()))?;
                        let is_number = number.parse::<i64>().is_ok();
                        let literal = if is_number { Literal::Number(number) } else { Literal::Text(number) };
                        (writes.rows.len() == 1).then(|| vec![literal])
                    };
                    let given = given.filter(|key| !key.contains(&Literal::Null));
                    let Some(key) = given.or_else(told) else { continue };
                    self.row(&known, &key, row, *start, end, by);
                }
            }
            Verb::Update if answer.affected == 0 => {}
            Verb::Update => {
                let condition = named(&writes.key);
                let key: Option<Vec<Literal>> = known.key.iter().map(|name| of(&condition, name)).collect();
                let (Some(key), Some(set)) = (key, writes.rows.first()) else { return };
                self.row(&known, &key, named(set), *start, end, by);
            }
            Verb::Delete if answer.affected == 0 => {}
            Verb::Delete => {
                let condition = named(&writes.key);
                let key: Option<Vec<Literal>> = known.key.iter().map(|name| of(&condition, name)).collect();
                let Some(key) = key else { return };
                self.touch_related(&known, &key, &[], *start, end, by);
                let rows = self.tables.entry(known.name.clone()).or_default();
                let at = rows.at(&key);
                rows.all[at].present(Presence { start: *start, end, there: false });
                rows.there.retain(|there| *there != at);
                self.writes += 1;
            }
        }
    }

    fn row(
        &mut self,
        known: &Known,
        key: &[Literal],
        values: Vec<(String, Option<Literal>)>,
        start: Duration,
        end: Duration,
        by: &By,
    ) {
        self.writes += 1;
        self.touch_related(known, key, &values, start, end, by);
        let rows = self.tables.entry(known.name.clone()).or_default();
        let at = rows.at(key);
        if !rows.there.contains(&at) {
            rows.there.push(at);
        }
        let row = &mut rows.all[at];
        row.present(Presence { start, end, there: true });
        let mut cells: BTreeMap<(Option<Home>, String), Vec<Value>> = BTreeMap::new();
        for (name, value) in &known.key.iter().cloned().zip(key.iter().cloned()).collect::<Vec<_>>() {
            row.last.insert(name.clone(), value.clone());
        }
        for (column, value) in &values {
            match value {
                Some(value) => row.last.insert(column.clone(), value.clone()),
                None => row.last.shift_remove(column),
            };
        }
        for (column, value) in values {
            if let Some(position) = known.key.iter().position(|name| *name == column) {
                row.gone_astray |= value.as_ref() != key.get(position);
                continue;
            }
            let (home, cell) = match self.groups.members.get(&(known.name.clone(), column.clone())) {
                None => (None, column.clone()),
                Some(Member { sync, home: None }) => (None, cell_of(sync)),
                Some(Member { sync, home: Some((table, pairs)) }) => {
                    let source =
                        self.known.get(&table.to_lowercase()).map(|known| known.key.clone()).unwrap_or_default();
                    let point = |wanted: &String| {
                        let own = pairs.iter().find(|(_, source)| source == wanted).map(|(own, _)| own)?;
                        row.last.get(own).cloned()
                    };
                    match source.iter().map(point).collect::<Option<Vec<_>>>() {
                        Some(key) if !key.is_empty() => (Some((table.clone(), key)), cell_of(sync)),
                        _ => continue,
                    }
                }
            };
            let value = Value { table: known.name.clone(), key: key.to_vec(), column, given: value };
            cells.entry((home, cell)).or_default().push(value);
        }
        for ((home, cell), values) in cells {
            let write = Write { start, end, values, by: by.clone() };
            let row = match home {
                None => &mut self.tables.entry(known.name.clone()).or_default().all[at],
                Some((table, key)) => {
                    let rows = self.tables.entry(table).or_default();
                    let at = rows.at(&key);
                    &mut rows.all[at]
                }
            };
            add(row.cells.entry(cell).or_default(), write);
        }
    }

    /// A write here changes what a sync makes of rows elsewhere: what that is, only the database knows.
    fn touch_related(
        &mut self,
        known: &Known,
        key: &[Literal],
        values: &[(String, Option<Literal>)],
        start: Duration,
        end: Duration,
        by: &By,
    ) {
        let relations = self.groups.related.iter().filter(|relation| relation.table == known.name);
        let mut touched = Vec::new();
        for relation in relations {
            let last = self.tables.get(&known.name).and_then(|rows| rows.find(key)).map(|row| &row.last);
            let written =
                |column: &String| values.iter().find(|(name, _)| name == column).and_then(|(_, value)| value.clone());
            let before = |column: &String| last.and_then(|last| last.get(column)).cloned();
            let of_key = |column: &String| {
                known.key.iter().position(|name| name == column).and_then(|position| key.get(position)).cloned()
            };
            for point in [&written as &dyn Fn(&String) -> Option<Literal>, &before, &of_key] {
                let target: Option<Vec<Literal>> = relation.key.iter().map(|(here, _)| point(here)).collect();
                touched.extend(target.map(|target| (relation.target.clone(), cell_of(&relation.sync), target)));
            }
        }
        for (table, cell, key) in touched {
            let rows = self.tables.entry(table).or_default();
            let at = rows.at(&key);
            add(rows.all[at].cells.entry(cell).or_default(), Write { start, end, values: Vec::new(), by: by.clone() });
        }
    }
}

impl Rows {
    fn find(&self, key: &[Literal]) -> Option<&Row> {
        let key: Vec<String> = key.iter().map(Literal::shown).collect();
        self.by_key.get(&key).map(|at| &self.all[*at])
    }

    fn at(&mut self, key: &[Literal]) -> usize {
        let shown: Vec<String> = key.iter().map(Literal::shown).collect();
        let rows = &mut self.all;
        *self.by_key.entry(shown).or_insert_with(|| {
            rows.push(Row {
                key: key.to_vec(),
                last: IndexMap::new(),
                presence: Vec::new(),
                cells: BTreeMap::new(),
                gone_astray: false,
            });
            rows.len() - 1
        })
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

/// A row to look at.
struct Look {
    table: String,
    key: Vec<Literal>,
    there: Option<bool>,
    cells: Vec<(String, Vec<Write>)>,
}

/// A table, and a key in words.
type Place = (String, Vec<String>);

/// What is asked, of which rows.
type Asks = BTreeMap<Place, (Vec<Literal>, Ask)>;

/// What is asked of one row: its conditions, by what they say.
#[derive(Default)]
struct Ask {
    conditions: Vec<String>,
    bits: HashMap<(String, Literal), Option<usize>>,
}

impl Ledger {
    /// Holds every row against what was written to it. Nobody writes meanwhile. What was written before `migrated` to a column
    /// that a backfill writes is not compared.
    pub(super) async fn check(&self, connection: &mut Connection, migrated: Duration) -> Result<Checked, DbError> {
        let schema = connection.inspect().await?;
        let dialect = connection.shared_dialect();
        let (looks, rewritten, purged, destinations, keys) = {
            let state = self.state();
            let mut looks = Vec::new();
            for (table, rows) in &state.tables {
                for row in rows.all.iter().filter(|row| !row.gone_astray) {
                    looks.push(Look {
                        table: table.clone(),
                        key: row.key.clone(),
                        there: row.is_there(),
                        cells: row.cells.iter().map(|(cell, writes)| (cell.clone(), writes.clone())).collect(),
                    });
                }
            }
            let keys: HashMap<String, Vec<String>> =
                state.known.values().map(|known| (known.name.clone(), known.key.clone())).collect();
            let groups = &state.groups;
            (looks, groups.rewritten.clone(), groups.purged.clone(), groups.destinations.clone(), keys)
        };
        let mut checked = Checked::default();
        // What is asked of each row, of its own table or of that to which a sync has moved a column.
        let mut asks = Asks::new();
        let askable = |table: &str| {
            let (live, key) = (schema.table(table)?, keys.get(table)?);
            key.iter().all(|column| live.column(column).is_some()).then_some((live, key))
        };
        let shown = |key: &[Literal]| key.iter().map(Literal::shown).collect::<Vec<_>>();
        for look in &looks {
            if askable(&look.table).is_none() {
                continue;
            }
            asks.entry((look.table.clone(), shown(&look.key))).or_insert_with(|| (look.key.clone(), Ask::default()));
            for value in look.cells.iter().flat_map(|(_, writes)| writes).flat_map(|write| &write.values) {
                let (Some(literal), Some((live, _))) = (&value.given, askable(&value.table)) else { continue };
                let Some(column) = live.column(&value.column) else { continue };
                let entry = asks.entry((value.table.clone(), shown(&value.key)));
                let (_, ask) = entry.or_insert_with(|| (value.key.clone(), Ask::default()));
                let bit = (value.column.clone(), literal.clone());
                if ask.bits.contains_key(&bit) || ask.conditions.len() >= MASK {
                    continue;
                }
                let condition = rows::has_value(dialect.as_ref(), column, literal);
                let place = condition.map(|condition| {
                    ask.conditions.push(condition);
                    ask.conditions.len() - 1
                });
                ask.bits.insert(bit, place);
            }
        }
        let masks = answers(connection, &schema, &keys, &asks).await?;
        for look in &looks {
            if askable(&look.table).is_none() {
                checked.not_compared += 1;
                continue;
            }
            checked.rows += 1;
            let place = (look.table.clone(), shown(&look.key));
            let is_there = masks.contains_key(&place);
            let lost_row = match look.there {
                Some(true) if !is_there && purged.contains(&look.table) => {
                    checked.purged += 1;
                    continue;
                }
                Some(there) => there != is_there && !destinations.contains(&look.table),
                None => false,
            };
            if lost_row {
                let by = look.cells.iter().flat_map(|(_, writes)| writes).map(|write| write.by.clone()).next();
                let words = |there: bool| if there { "a row" } else { "no row" }.to_owned();
                checked.lose(Lost {
                    table: look.table.clone(),
                    key: place.1.join(", "),
                    column: None,
                    expected: words(!is_there),
                    found: words(is_there),
                    by,
                });
                continue;
            }
            if look.there == Some(false) || !is_there {
                continue;
            }
            for (cell, writes) in &look.cells {
                let holds = |value: &Value| -> Option<bool> {
                    let place = (value.table.clone(), shown(&value.key));
                    let literal = value.given.clone()?;
                    let bit = (*asks.get(&place)?.1.bits.get(&(value.column.clone(), literal.clone()))?)?;
                    match masks.get(&place) {
                        Some(mask) => Some(mask & (1 << bit) != 0),
                        // A sync makes no row where there is nothing to say.
                        None => Some(literal == Literal::Null),
                    }
                };
                let before_backfill = |write: &Write| {
                    write.start <= migrated
                        && write
                            .values
                            .iter()
                            .any(|value| rewritten.contains(&(value.table.clone(), value.column.clone())))
                };
                if writes.iter().any(before_backfill) {
                    checked.not_compared += 1;
                    continue;
                }
                let compared =
                    writes.iter().flat_map(|write| &write.values).filter(|value| holds(value).is_some()).count();
                if compared == 0 {
                    checked.not_compared += 1;
                    continue;
                }
                checked.values += 1;
                let holds = writes.iter().any(|write| write.values.iter().all(|value| holds(value).unwrap_or(true)));
                if holds {
                    continue;
                }
                let Some(last) = writes.last() else { continue };
                let expected: Vec<String> = last
                    .values
                    .iter()
                    .filter_map(|value| Some(format!("{} = {}", value.column, value.given.as_ref()?.shown())))
                    .collect();
                let columns: Vec<String> = last.values.iter().map(|value| value.column.clone()).collect();
                let found = if checked.first.len() < TOLD {
                    let value =
                        last.values.first().map_or((&look.table, &look.key), |value| (&value.table, &value.key));
                    found(connection, &keys, value.0, value.1, &columns).await
                } else {
                    String::new()
                };
                checked.lose(Lost {
                    table: look.table.clone(),
                    key: place.1.join(", "),
                    column: Some(cell.clone()),
                    expected: expected.join(", "),
                    found,
                    by: Some(last.by.clone()),
                });
            }
        }
        Ok(checked)
    }

    /// Takes what the syncs made of the last writes for what was written: the old columns are about to go, and the new ones have
    /// just been found to be in step with them.
    pub(super) async fn adopt(&self, connection: &mut Connection, at: Duration) -> Result<(), DbError> {
        let dialect = connection.shared_dialect();
        let schema = connection.inspect().await?;
        let (new, keys) = {
            let state = self.state();
            let keys: HashMap<String, Vec<String>> =
                state.known.values().map(|known| (known.name.clone(), known.key.clone())).collect();
            (state.groups.new.clone(), keys)
        };
        for (sync, (table, columns)) in new {
            let Some(key) = keys.get(&table).filter(|key| !key.is_empty()) else { continue };
            let readable = |column: &String| {
                let live = schema.table(&table).and_then(|table| table.column(column));
                live.is_some_and(|column| !dialect.is_binary(column))
            };
            let columns: Vec<String> = columns.into_iter().filter(readable).collect();
            let all: Vec<String> = key.iter().chain(&columns).cloned().collect();
            let answer = connection.exchange(&rows::all_rows(dialect.as_ref(), &table, &all)).await?;
            let mut state = self.state();
            let by = By { release: String::new(), operation: format!("what the sync {sync} made of the last write") };
            for rows in state.tables.values_mut() {
                for row in &mut rows.all {
                    row.cells.remove(&cell_of(&sync));
                }
            }
            for row in answer.rows {
                let text =
                    |name: &String| row.iter().find(|(column, _)| column == name).and_then(|(_, text)| text.clone());
                let Some(key) = key.iter().map(|name| text(name).map(Literal::Text)).collect::<Option<Vec<_>>>() else {
                    continue;
                };
                let rows = state.tables.entry(table.clone()).or_default();
                // Rows that no node has written are a backfill's matter.
                if rows.find(&key).is_none() {
                    continue;
                }
                let place = rows.at(&key);
                for column in &columns {
                    let literal = text(column).map_or(Literal::Null, Literal::Text);
                    let value =
                        Value { table: table.clone(), key: key.clone(), column: column.clone(), given: Some(literal) };
                    let write = Write { start: at, end: at, values: vec![value], by: by.clone() };
                    rows.all[place].cells.insert(column.clone(), vec![write]);
                }
            }
        }
        self.state().groups = Groups::default();
        Ok(())
    }
}

impl Checked {
    fn lose(&mut self, lost: Lost) {
        self.lost += 1;
        if self.first.len() < TOLD {
            self.first.push(lost);
        }
    }
}

/// The bits of each row that is there.
async fn answers(
    connection: &mut Connection,
    schema: &Schema,
    keys: &HashMap<String, Vec<String>>,
    asks: &Asks,
) -> Result<HashMap<Place, u64>, DbError> {
    let dialect = connection.shared_dialect();
    let mut masks = HashMap::new();
    let places: Vec<_> = asks.iter().collect();
    for chunk in places.chunks(TOGETHER) {
        let queries: Vec<String> = chunk
            .iter()
            .enumerate()
            .filter_map(|(number, ((table, _), (key, ask)))| {
                let columns = keys.get(table)?.iter().map(String::as_str);
                let key: Vec<(&str, &Literal)> = columns.zip(key).collect();
                Some(rows::row_mask(dialect.as_ref(), schema.table(table)?, &key, number, &ask.conditions))
            })
            .collect();
        let answer = connection.exchange(&queries.join(" UNION ALL ")).await?;
        for row in answer.rows {
            let number = |at: usize| row.get(at).and_then(|(_, text)| text.as_ref()?.parse::<u64>().ok());
            if let (Some(at), Some(mask)) = (number(0), number(1))
                && let Some(place) = usize::try_from(at).ok().and_then(|at| chunk.get(at))
            {
                masks.insert(place.0.clone(), mask);
            }
        }
    }
    Ok(masks)
}

/// What a row has in these columns, in words.
async fn found(
    connection: &mut Connection,
    keys: &HashMap<String, Vec<String>>,
    table: &str,
    key: &[Literal],
    columns: &[String],
) -> String {
    let dialect = connection.shared_dialect();
    let Some(names) = keys.get(table) else { return String::new() };
    let key: Vec<(&str, &Literal)> = names.iter().map(String::as_str).zip(key).collect();
    match connection.exchange(&rows::one_row(dialect.as_ref(), table, columns, &key)).await {
        Ok(answer) => answer.rows.first().map_or_else(
            || "no row".to_owned(),
            |row| {
                let words: Vec<String> =
                    row.iter().map(|(name, text)| format!("{name} = {}", text.as_deref().unwrap_or("NULL"))).collect();
                words.join(", ")
            },
        ),
        Err(error) => error.to_string(),
    }
}

/// Whether a dialect is asked for the key by a clause, with the statement that does so.
pub(super) fn asking_for_key(dialect: &dyn Dialect, sql: &str, column: &str) -> String {
    rows::returning(dialect, sql, column).unwrap_or_else(|| sql.to_owned())
}
