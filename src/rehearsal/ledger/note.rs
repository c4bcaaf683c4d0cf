//! Takes down what was committed.

use std::collections::BTreeMap;
use std::time::Duration;

use super::groups::Member;
use super::{By, Known, Ledger, Presence, Row, State, Value, Write, add, cell_of};
use crate::db::Exchange;
use crate::dialect::{Given, Literal, Reading, Verb, Writes};
use crate::rehearsal::values;

/// A statement that was committed.
#[derive(Debug)]
pub(in crate::rehearsal) struct Committed<'w> {
    pub(in crate::rehearsal) reading: &'w Reading,
    pub(in crate::rehearsal) values: Vec<Literal>,
    pub(in crate::rehearsal) answer: Exchange,
    pub(in crate::rehearsal) start: Duration,
}

/// Columns, each with what it was given; `None`: what that is only the database knows.
type Pairs = Vec<(String, Option<Literal>)>;

/// When a write was made, and by whom.
#[derive(Clone, Copy)]
struct Stamp<'s> {
    start: Duration,
    end: Duration,
    by: &'s By,
}

impl Stamp<'_> {
    fn write(self, values: Vec<Value>) -> Write {
        Write { start: self.start, end: self.end, values, by: self.by.clone() }
    }

    fn presence(self, there: bool) -> Presence {
        Presence { start: self.start, end: self.end, there }
    }
}

impl Ledger {
    /// Notes a transaction that was committed between its statements' starts and `end`.
    pub(in crate::rehearsal) fn note(&self, transaction: &[Committed<'_>], end: Duration, by: &By) {
        let mut state = self.state();
        for committed in transaction {
            state.statement(committed, Stamp { start: committed.start, end, by });
        }
    }
}

fn of(pairs: &Pairs, name: &String) -> Option<Literal> {
    pairs.iter().find(|(column, _)| column == name).and_then(|(_, value)| value.clone())
}

/// The first key of a table that these columns give, with its values.
fn key_given(known: &Known, pairs: &Pairs) -> Option<(Vec<String>, Vec<Literal>)> {
    known.keys.iter().find_map(|key| {
        let values = key.iter().map(|name| of(pairs, name)).collect::<Option<Vec<_>>>()?;
        (!values.contains(&Literal::Null)).then(|| (key.clone(), values))
    })
}

/// The key that the database gave to a row, where it told.
fn key_told(known: &Known, writes: &Writes, answer: &Exchange) -> Option<(Vec<String>, Vec<Literal>)> {
    let [name] = known.primary() else { return None };
    if writes.rows.len() != 1 {
        return None;
    }
    let returned = answer.rows.first().and_then(|row| row.iter().find(|(column, _)| column == name));
    let returned = returned.and_then(|(_, text)| text.clone());
    let number = returned.or_else(|| answer.inserted.map(|number| number.to_string()))?;
    let is_number = number.parse::<i64>().is_ok();
    let literal = if is_number { Literal::Number(number) } else { Literal::Text(number) };
    Some((vec![name.clone()], vec![literal]))
}

/// Whether a row may be one that a condition's equalities mean, by what was last written to it. What a sync or a backfill may have
/// written since tells nothing, and to some collations capitals and spaces at the end are nothing.
fn may_be(row: &Row, condition: &Pairs, changes: impl Fn(&str) -> bool) -> bool {
    let loose = |value: &Literal| match value {
        Literal::Text(text) => Literal::Text(text.to_lowercase().trim_end().to_owned()),
        other => other.clone(),
    };
    condition.iter().all(|(column, value)| match (row.last.get(column), value) {
        (Some(last), Some(value)) if !changes(column) => values::alike(&loose(last), &loose(value)),
        _ => true,
    })
}

impl State {
    fn statement(&mut self, committed: &Committed<'_>, stamp: Stamp<'_>) {
        let writes = match committed.reading {
            Reading::NoWrite => return,
            Reading::Writes(writes) => writes,
            Reading::Unreadable(names) => {
                for name in names {
                    self.touch(name, |_| true, None, stamp);
                }
                return;
            }
        };
        let Some(known) = self.known(&writes.table).cloned() else {
            self.unfollowed.insert(format!("`{}` is no table that is known", writes.table));
            return;
        };
        if known.keys.is_empty() {
            self.unfollowed.insert(format!("`{}` has no primary key", known.name));
            return;
        }
        let value = |given: &Given| match given {
            Given::Parameter(position) => committed.values.get(*position).cloned(),
            Given::Literal(literal) => Some(literal.clone()),
            Given::Unknown => None,
        };
        let named = |pairs: &[(String, Given)]| -> Pairs {
            pairs.iter().map(|(name, given)| (known.column(name), value(given))).collect()
        };
        if writes.verb == Verb::Insert {
            for row in &writes.rows {
                let row = named(row);
                let key = key_given(&known, &row).or_else(|| key_told(&known, writes, &committed.answer));
                match key {
                    Some((columns, values)) => self.row(&known, (&columns, &values), row, stamp),
                    None => drop(
                        self.unfollowed
                            .insert(format!("the database gives keys to several rows of `{}` at once", known.name)),
                    ),
                }
            }
            return;
        }
        if committed.answer.affected == 0 {
            return;
        }
        let condition = named(&writes.key);
        let set = writes.rows.first().map(|set| named(set));
        match (key_given(&known, &condition), set) {
            (Some((columns, values)), Some(set)) => self.row(&known, (&columns, &values), set, stamp),
            (Some((columns, values)), None) => self.deleted(&known, (&columns, &values), stamp),
            // Some rows, by more than their key, or by less: which ones, only the database knows.
            (None, set) => {
                let columns = set.map(|set| set.into_iter().map(|(column, _)| column).collect::<Vec<_>>());
                let changing: Vec<String> = condition
                    .iter()
                    .map(|(column, _)| column.clone())
                    .filter(|column| self.groups.changes(&known.name, column))
                    .collect();
                let changes = |column: &str| changing.iter().any(|name| name == column);
                self.touch(&known.name, |row| may_be(row, &condition, changes), columns.as_deref(), stamp);
            }
        }
    }

    fn deleted(&mut self, known: &Known, (columns, values): (&[String], &[Literal]), stamp: Stamp<'_>) {
        let key: Pairs = columns.iter().cloned().zip(values.iter().cloned().map(Some)).collect();
        self.touch_related(known, (columns, values), &key, stamp);
        let rows = self.tables.entry(known.name.clone()).or_default();
        let at = rows.at(columns, values);
        rows.all[at].present(stamp.presence(false));
        rows.there.retain(|there| *there != at);
        self.writes += 1;
    }

    /// A row was inserted, or changed in these columns.
    fn row(&mut self, known: &Known, key: (&[String], &[Literal]), pairs: Pairs, stamp: Stamp<'_>) {
        self.writes += 1;
        self.touch_related(known, key, &pairs, stamp);
        let rows = self.tables.entry(known.name.clone()).or_default();
        let at = rows.at(key.0, key.1);
        if !rows.there.contains(&at) {
            rows.there.push(at);
        }
        for other in known.keys.iter().filter(|other| other.as_slice() != key.0) {
            if let Some(values) = other.iter().map(|name| of(&pairs, name)).collect::<Option<Vec<_>>>()
                && !values.contains(&Literal::Null)
            {
                rows.identify(at, other, &values);
            }
        }
        let row = &mut rows.all[at];
        row.present(stamp.presence(true));
        for (column, value) in &pairs {
            match value {
                Some(value) => row.last.insert(column.clone(), value.clone()),
                None => row.last.shift_remove(column),
            };
        }
        let mut cells: BTreeMap<(Option<Home>, String), Vec<Value>> = BTreeMap::new();
        for (column, given) in pairs {
            if let Some(position) = key.0.iter().position(|name| *name == column) {
                row.gone_astray |= given.as_ref() != key.1.get(position);
                continue;
            }
            let (home, cell) = match self.groups.member(&known.name, &column) {
                None => (None, column.clone()),
                Some(Member { sync, home: None }) => (None, cell_of(sync)),
                Some(Member { sync, home: Some((table, pairs)) }) => {
                    let source = self.known.get(&table.to_lowercase()).map_or(&[][..], Known::primary);
                    let point = |wanted: &String| {
                        let own = pairs.iter().find(|(_, source)| source == wanted).map(|(own, _)| own)?;
                        row.last.get(own).cloned()
                    };
                    match source.iter().map(point).collect::<Option<Vec<_>>>() {
                        Some(values) if !values.is_empty() => {
                            (Some((table.clone(), source.to_vec(), values)), cell_of(sync))
                        }
                        _ => continue,
                    }
                }
            };
            let value = Value { table: known.name.clone(), row: at, column, given };
            cells.entry((home, cell)).or_default().push(value);
        }
        for ((home, cell), values) in cells {
            let write = stamp.write(values);
            let (table, at) = match home {
                None => (known.name.clone(), at),
                Some((table, columns, values)) => {
                    let at = self.tables.entry(table.clone()).or_default().at(&columns, &values);
                    (table, at)
                }
            };
            let row = &mut self.tables.entry(table).or_default().all[at];
            add(row.cells.entry(cell).or_default(), write);
        }
    }

    /// A write that may have met these rows: what they have in these columns, or where those are not known whether they are there
    /// at all, is not known any more.
    fn touch(&mut self, table: &str, met: impl Fn(&Row) -> bool, columns: Option<&[String]>, stamp: Stamp<'_>) {
        let Some(known) = self.known(table) else { return };
        let name = known.name.clone();
        let cells: Option<Vec<String>> = columns.map(|columns| {
            let cell = |column: &String| match self.groups.member(&name, column) {
                Some(member) => cell_of(&member.sync),
                None => column.clone(),
            };
            columns.iter().map(cell).collect()
        });
        self.writes += 1;
        let Some(rows) = self.tables.get_mut(&name) else { return };
        for row in rows.all.iter_mut().filter(|row| met(row)) {
            let touched = match &cells {
                Some(cells) => cells.clone(),
                None => row.cells.keys().cloned().collect(),
            };
            for cell in touched {
                add(row.cells.entry(cell).or_default(), stamp.write(Vec::new()));
            }
            match columns {
                Some(columns) => {
                    for column in columns {
                        row.last.shift_remove(column);
                    }
                }
                None => {
                    for there in [true, false] {
                        row.present(stamp.presence(there));
                    }
                }
            }
        }
    }

    /// A write here changes what a sync makes of rows elsewhere: what that is, only the database knows.
    fn touch_related(
        &mut self,
        known: &Known,
        (columns, values): (&[String], &[Literal]),
        pairs: &Pairs,
        stamp: Stamp<'_>,
    ) {
        let last = self.tables.get(&known.name).and_then(|rows| Some(&rows.all[rows.find(columns, values)?].last));
        let written = |column: &String| of(pairs, column);
        let before = |column: &String| last.and_then(|last| last.get(column)).cloned();
        let mut touched = Vec::new();
        for relation in self.groups.related.iter().filter(|relation| relation.table == known.name) {
            let target = self.known.get(&relation.target.to_lowercase()).map_or(&[][..], Known::primary).to_vec();
            for point in [&written as &dyn Fn(&String) -> Option<Literal>, &before] {
                let value = |wanted: &String| {
                    let here = relation.key.iter().find(|(_, there)| there == wanted).map(|(here, _)| here)?;
                    point(here).or_else(|| before(here))
                };
                if let Some(values) = target.iter().map(value).collect::<Option<Vec<_>>>() {
                    touched.push((relation.target.clone(), cell_of(&relation.sync), target.clone(), values));
                }
            }
        }
        for (table, cell, columns, values) in touched {
            let rows = self.tables.entry(table).or_default();
            let at = rows.at(&columns, &values);
            add(rows.all[at].cells.entry(cell).or_default(), stamp.write(Vec::new()));
        }
    }
}

/// The row in another table to which a cell belongs: the table, its key, and the key's values.
type Home = (String, Vec<String>, Vec<Literal>);
