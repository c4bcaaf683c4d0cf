//! Operations: what a random source says, made into statements for the rows that are there at that moment. So an operation
//! keeps its sense when shrinking takes others away.

use proptest::collection::vec;
use proptest::prelude::{BoxedStrategy, Just, Strategy, any};
use proptest::prop_oneof;

use super::super::expression::{Row, Type, Value};
use super::super::model::Sync;
use super::draw::Draw;
use super::statement::{How, Key, Rows, Statement, Term};
use super::tables::{Rule, Tables};
use super::world::World;
use crate::support::Kind;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Insert,
    Update,
    Delete,
    Upsert,
    Replace,
    Copy,
    InsertSelect,
    ChangeKey,
}

#[derive(Clone, Debug)]
pub(super) enum Operation {
    Write(Write),
    /// Several writes, and whether they are committed.
    Transaction(Vec<Write>, bool),
    /// `concertina migrate --max-rows`.
    Migrate(u8),
}

/// One statement to be.
#[derive(Clone, Debug)]
pub(super) struct Write {
    verb: Verb,
    table: u8,
    /// In the related table, or in that with the new columns.
    second: bool,
    bytes: Vec<u8>,
}

fn write() -> impl Strategy<Value = Write> {
    let verb = prop_oneof![
        6 => Just(Verb::Insert),
        9 => Just(Verb::Update),
        1 => Just(Verb::Delete),
        3 => Just(Verb::Upsert),
        2 => Just(Verb::Replace),
        1 => Just(Verb::Copy),
        1 => Just(Verb::InsertSelect),
        2 => Just(Verb::ChangeKey),
    ];
    let second = prop_oneof![3 => Just(false), 2 => Just(true)];
    (verb, any::<u8>(), second, vec(any::<u8>(), 0..40)).prop_map(|(verb, table, second, bytes)| Write {
        verb,
        table,
        second,
        bytes,
    })
}

pub(super) fn operation() -> BoxedStrategy<Operation> {
    prop_oneof![
        87 => write().prop_map(Operation::Write),
        12 => (vec(write(), 1..5), any::<bool>()).prop_map(|(writes, commit)| Operation::Transaction(writes, commit)),
        1 => (1..12_u8).prop_map(Operation::Migrate),
    ]
    .boxed()
}

/// Which columns a writer names.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    Old,
    New,
    Both,
    Neither,
}

impl Write {
    /// The statement that it is now; none where its table is not there, or has nothing for it.
    pub(super) fn statement(&self, kind: Kind, world: &World, tables: &Tables) -> Option<Statement> {
        let slot = world.slots[usize::from(self.table) % world.slots.len()]?;
        let related = tables.tables[slot].related.as_ref().map(|(related, _)| *related);
        let second = related.or_else(|| tables.tables[slot].as_here().map(|pair| pair.there));
        let table = if self.second { second.unwrap_or(slot) } else { slot };
        let mut writer = Writer { tables, table, draw: Draw::new(&self.bytes) };
        match self.verb {
            Verb::Insert => Some(writer.insert(How::Insert)),
            Verb::Upsert => Some(writer.insert(How::Upsert(Vec::new()))),
            Verb::Replace if kind == Kind::Postgres => Some(writer.insert(How::Insert)),
            Verb::Replace => Some(writer.insert(How::Replace)),
            Verb::Copy => Some(writer.insert(if kind == Kind::Postgres { How::Copy } else { How::Insert })),
            Verb::InsertSelect if tables.tables[table].as_there().is_some() => writer.fill(kind),
            Verb::InsertSelect => writer.insert_select(),
            Verb::Update => Some(writer.update()),
            Verb::Delete => writer.delete(),
            Verb::ChangeKey => writer.change_key(),
        }
    }
}

struct Writer<'a> {
    tables: &'a Tables,
    table: usize,
    draw: Draw<'a>,
}

impl Writer<'_> {
    fn style(&mut self) -> Style {
        *self.draw.pick(&[Style::Old, Style::New, Style::Old, Style::New, Style::Both, Style::Both, Style::Neither])
    }

    fn columns(&mut self, style: Style) -> Vec<String> {
        let tables = self.tables;
        let of = &tables.tables[self.table];
        if let Some(pair) = of.pair() {
            let synced = if pair.there == self.table {
                pair.sync.new.iter().map(|new| new.name.clone()).collect()
            } else {
                pair.sync.old.iter().map(|old| old.name.clone()).collect()
            };
            let own = of.columns.last().expect("a column that no sync has a part in").name.clone();
            return self.some_of(if style == Style::Neither { Vec::new() } else { synced }, own);
        }
        let Some(sync) = of.sync() else {
            return of.columns.iter().map(|column| column.name.clone()).filter(|name| !of.key.contains(name)).collect();
        };
        let old = sync.old.iter().map(|old| old.name.clone()).filter(|_| matches!(style, Style::Old | Style::Both));
        let new = sync.new.iter().map(|new| new.name.clone()).filter(|_| matches!(style, Style::New | Style::Both));
        let columns: Vec<String> = old.chain(new).collect();
        if style == Style::Both {
            return self.and_own(columns, "other".to_owned());
        }
        self.some_of(columns, "other".to_owned())
    }

    /// One of several left out now and then.
    fn some_of(&mut self, mut columns: Vec<String>, own: String) -> Vec<String> {
        if columns.len() > 1 && self.draw.once_in(4) {
            let left_out = self.draw.below(columns.len());
            columns.remove(left_out);
        }
        self.and_own(columns, own)
    }

    /// Now and then with a column that the sync has no part in.
    fn and_own(&mut self, mut columns: Vec<String>, own: String) -> Vec<String> {
        if columns.is_empty() || self.draw.once_in(4) {
            columns.push(own);
        }
        columns
    }

    fn value(&mut self, name: &str) -> Value {
        let tables = self.tables;
        let of = &tables.tables[self.table];
        let column = of.column(name);
        let target = of.rules.iter().find_map(|rule| match rule {
            Rule::Related { target, .. } => Some(*target),
            _ => None,
        });
        let (Some(target), true) = (target, name.starts_with("to_")) else {
            // A NULL that the old schema refuses, rarely; and a default that is given as well.
            let required = of.sync().is_some_and(|sync| sync.old.iter().any(|old| old.name == name && old.required));
            let seldom = column.not_null || required;
            return match self.draw.below(30) {
                29 => Value::Null,
                24..29 if column.default != Value::Null => column.default.clone(),
                _ if seldom => self.draw.value(column.kind),
                _ => self.draw.value_or_null(column.kind),
            };
        };
        // Mostly a row that is there.
        let rows = &tables.tables[target].rows;
        let here = name.trim_start_matches("to_");
        if rows.is_empty() || self.draw.once_in(8) {
            return if self.draw.once_in(3) { Value::Null } else { self.draw.key(column.kind) };
        }
        self.draw.pick(rows)[here].clone()
    }

    /// Makes a row that gives both sides be in step, one way or the other; or leaves it to chance.
    fn agree(&mut self, row: Row, sync: &Sync) -> Row {
        let way = self.draw.below(3);
        let forward = |row: Row| self.tables.with_view(self.table, &row.clone(), |view| sync.follow(row, view));
        match way {
            0 => forward(row),
            1 => self.tables.with_view(self.table, &row.clone(), |view| {
                let values: Vec<_> = sync.old.iter().map(|old| view.value(&old.backward, &row)).collect();
                let mut row = row;
                row.extend(sync.old.iter().map(|old| old.name.clone()).zip(values));
                row
            }),
            _ => row,
        }
    }

    fn key(&mut self) -> Key {
        let of = &self.tables.tables[self.table];
        if let Some(pair) = of.as_there() {
            // Mostly of a row that is here.
            let here = &self.tables.tables[pair.here];
            // Rows from before the expand soon have none left without a row there.
            let pending: Vec<Key> = self.tables.pending_of(pair).collect();
            if !pending.is_empty() && self.draw.once_in(3) {
                return self.draw.pick(&pending).clone();
            }
            if !here.rows.is_empty() && !self.draw.once_in(12) {
                return here.key_of(self.draw.pick(&here.rows));
            }
        }
        of.key.iter().map(|name| self.draw.key(of.column(name).kind)).collect()
    }

    fn insert(&mut self, how: How) -> Statement {
        let tables = self.tables;
        let of = &tables.tables[self.table];
        let style = self.style();
        let columns = self.columns(style);
        let count = if self.draw.once_in(3) { 2 + self.draw.below(4) } else { 1 };
        let mut keys: Vec<Key> = Vec::new();
        let mut rows = Vec::new();
        for _ in 0..count {
            // Mostly a free key where it has to be, and often a taken one where it need not.
            let tries = if how == How::Insert || how == How::Copy { 6 } else { 1 };
            let mut key = self.key();
            for _ in 1..tries {
                if tables.find(self.table, &key).is_none() {
                    break;
                }
                key = self.key();
            }
            let twice = keys.iter().any(|other| tables.same_key(self.table, other, &key));
            if twice && matches!(how, How::Upsert(_)) && !tables.nature.upserts_a_row_twice {
                continue;
            }
            keys.push(key.clone());
            let mut named: Vec<(String, Value)> = of.key.iter().cloned().zip(key).collect();
            for column in &columns {
                let value = self.value(column);
                named.push((column.clone(), value));
            }
            let mut row = tables.row(self.table, named.into_iter());
            if let (Style::Both, Some(sync)) = (style, of.sync()) {
                row = self.agree(row, sync);
            }
            // What comes there may be in step already.
            if let Some(pair) = of.as_there().filter(|_| self.draw.once_in(3)) {
                row.extend(tables.forward_at(pair, &of.key_of(&row)).unwrap_or_default());
            }
            rows.push(of.key.iter().chain(&columns).map(|name| row[name].clone()).collect());
        }
        let how = match how {
            How::Upsert(_) => How::Upsert(self.upserted(&columns)),
            other => other,
        };
        Statement::Insert { table: self.table, columns: of.key.iter().chain(&columns).cloned().collect(), rows, how }
    }

    /// What an upsert sets: what it inserts, mostly.
    fn upserted(&mut self, columns: &[String]) -> Vec<String> {
        match self.draw.below(6) {
            5 if self.tables.tables[self.table].sync().is_some() => vec!["other".to_owned()],
            5 if self.tables.tables[self.table].pair().is_some() => {
                vec![self.tables.tables[self.table].columns.last().expect("a column").name.clone()]
            }
            4 => columns[..1].to_vec(),
            _ => columns.to_vec(),
        }
    }

    fn insert_select(&mut self) -> Option<Statement> {
        let of = &self.tables.tables[self.table];
        if of.column(&of.key[0]).kind != Type::Integer {
            return None;
        }
        let style = self.style();
        let columns = self.columns(style);
        let rows = self.rows();
        let shift = 30 + i64::try_from(self.draw.below(200)).expect("small");
        Some(Statement::InsertSelect { table: self.table, columns, shift, rows })
    }

    /// The rows there of some rows here that have none.
    fn fill(&mut self, kind: Kind) -> Option<Statement> {
        let of = &self.tables.tables[self.table];
        let here = &self.tables.tables[of.as_there()?.here];
        let mut keys: Vec<Key> = here.rows.iter().map(|row| here.key_of(row)).collect();
        keys.retain(|key| self.tables.find(self.table, key).is_none());
        keys.truncate(1 + self.draw.below(4));
        if keys.is_empty() {
            return None;
        }
        let (table, columns) = (self.table, of.key.clone());
        // A statement there that reads the table here fails on MySQL: error 1442.
        Some(match kind {
            Kind::MySql => Statement::Insert { table, columns, rows: keys, how: How::Insert },
            _ => Statement::Fill { table, rows: Rows::Of(keys) },
        })
    }

    fn rows(&mut self) -> Rows {
        let of = &self.tables.tables[self.table];
        if of.rows.is_empty() || self.draw.once_in(8) {
            return Rows::All;
        }
        let count = if self.draw.once_in(4) { 2 + self.draw.below(3) } else { 1 };
        let mut keys: Vec<Key> = (0..count).map(|_| of.key_of(self.draw.pick(&of.rows))).collect();
        keys.sort();
        keys.dedup();
        Rows::Of(keys)
    }

    fn update(&mut self) -> Statement {
        let tables = self.tables;
        let of = &tables.tables[self.table];
        let style = self.style();
        let columns = self.columns(style);
        let rows = self.rows();
        let first = match &rows {
            Rows::Of(keys) => tables.find(self.table, &keys[0]).map(|at| of.rows[at].clone()),
            Rows::All => of.rows.first().cloned(),
        };
        let mut row = first.clone().unwrap_or_else(|| tables.row(self.table, std::iter::empty()));
        let mut set: Vec<(String, Term)> = Vec::new();
        for column in &columns {
            let term = match self.draw.below(8) {
                7 => Term::Itself,
                6 => Term::Value(row.get(column).cloned().unwrap_or(Value::Null)),
                _ => Term::Value(self.value(column)),
            };
            if let Term::Value(value) = &term {
                row.insert(column.clone(), value.clone());
            }
            set.push((column.clone(), term));
        }
        if let (Style::Both, Some(sync)) = (style, of.sync()) {
            let row = self.agree(row, sync);
            for (column, term) in &mut set {
                if *term != Term::Itself {
                    *term = Term::Value(row[column].clone());
                }
            }
        }
        Statement::Update { table: self.table, set, rows }
    }

    fn delete(&mut self) -> Option<Statement> {
        let of = &self.tables.tables[self.table];
        if of.rows.is_empty() {
            return None;
        }
        Some(Statement::Delete { table: self.table, rows: self.rows() })
    }

    /// Another key for one row, and now and then other columns with it.
    fn change_key(&mut self) -> Option<Statement> {
        let of = &self.tables.tables[self.table];
        if of.rows.is_empty() {
            return None;
        }
        let old = of.key_of(self.draw.pick(&of.rows));
        let new = self.key();
        if let Some(pair) = of.as_here() {
            let has_child = self.tables.find(pair.there, &old).is_some();
            // What a database says of two mistakes, or of a key that only looks different, is its own affair.
            let taken = self.tables.find(self.table, &new).is_some();
            if has_child && taken {
                return None;
            }
        }
        let mut set: Vec<(String, Term)> = of.key.iter().cloned().zip(new.into_iter().map(Term::Value)).collect();
        if self.draw.once_in(2) {
            let style = self.style();
            // What says nothing takes nothing away, on a new key least of all.
            let says_nothing = of.as_there().is_some() && self.draw.once_in(3);
            for column in self.columns(style) {
                let value = if says_nothing { Value::Null } else { self.value(&column) };
                set.push((column, Term::Value(value)));
            }
        }
        Some(Statement::Update { table: self.table, set, rows: Rows::Of(vec![old]) })
    }
}
