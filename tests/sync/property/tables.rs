//! The model of a whole database: tables of rows, and what a statement of several rows does to them.
//!
//! What happens to one row is the reference model's to say. Where the databases differ by nature, the difference is a
//! named field of [`Nature`], with its reason.

use std::collections::BTreeSet;

use super::super::expression::{Expression, Names, Row, Type, Value};
use super::super::model::{Refused, Side, Sync, View, Written};
use super::moved::Pair;
use super::statement::{How, Key, Rows, Statement, Term};
use crate::support::Kind;

/// How a database goes about statements.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(super) struct Nature {
    /// A trigger sees a row before the server looks whether its key is there: of two errors that of the sync comes first, and an
    /// upsert's row is judged as an INSERT even where it goes on to update, with what the sync made of it (`excluded`,
    /// `VALUES`). On SQLite the trigger comes after the row, and only if there is one.
    pub(super) judges_before_key: bool,
    /// NOT NULL is looked at before the sync can fill the column in: SQLite.
    pub(super) not_null_first: bool,
    /// REPLACE gives a NOT NULL column its default for a NULL (SQLite: <https://sqlite.org/lang_conflict.html>), which rules
    /// what a trigger of the statement writes as well; the sync says that the row cannot be in step then.
    pub(super) replace_gives_default: bool,
    /// REPLACE fires DELETE triggers: MySQL always, SQLite under `PRAGMA recursive_triggers`.
    pub(super) replace_fires_delete: bool,
    /// Foreign keys are looked at when all else of the statement is done: SQLite. Others ask with each row; PostgreSQL when all
    /// rows are written, before it fires our triggers for them.
    pub(super) foreign_keys_last: bool,
    /// AFTER triggers run when all rows of the statement are written (PostgreSQL), not after each.
    pub(super) follows_at_the_end: bool,
    /// A statement that failed ends its transaction: PostgreSQL.
    pub(super) failure_ends_transaction: bool,
    /// An upsert may meet the same row twice in one statement: PostgreSQL refuses that.
    pub(super) upserts_a_row_twice: bool,
    /// Whether upper and lower know more than ASCII.
    pub(super) unicode_case: bool,
    /// How two keys are the same.
    pub(super) pads_spaces: bool,
}

impl Nature {
    pub(super) fn of(kind: Kind, recursive_triggers: bool) -> Self {
        let (postgres, mysql, sqlite) = (kind == Kind::Postgres, kind == Kind::MySql, kind == Kind::Sqlite);
        Self {
            judges_before_key: !sqlite,
            not_null_first: sqlite,
            replace_gives_default: sqlite,
            replace_fires_delete: mysql || recursive_triggers,
            foreign_keys_last: sqlite,
            follows_at_the_end: postgres,
            failure_ends_transaction: postgres,
            upserts_a_row_twice: !postgres,
            unicode_case: mysql,
            pads_spaces: mysql,
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: Type,
    pub(super) default: Value,
    /// The database itself refuses a NULL.
    pub(super) not_null: bool,
}

/// What a table's writes bring about.
#[derive(Clone, Debug)]
pub(super) enum Rule {
    /// A sync between columns of this table.
    Columns(Sync),
    /// A write here can change what the new columns of another table must be.
    Related { target: usize, when: Expression },
    /// It has the old columns of a sync, and another table the new ones.
    Here(Pair),
    /// The other way round.
    There(Pair),
}

#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) name: String,
    pub(super) key: Vec<String>,
    pub(super) columns: Vec<Column>,
    /// Its keys are compared without case.
    pub(super) ignores_case: bool,
    pub(super) rules: Vec<Rule>,
    /// The table whose rows point here, and how; what EXISTS looks in.
    pub(super) related: Option<(usize, Names)>,
    pub(super) rows: Vec<Row>,
}

impl Table {
    pub(super) fn column(&self, name: &str) -> &Column {
        self.columns.iter().find(|column| column.name == name).expect("a column of the table")
    }

    pub(super) fn sync(&self) -> Option<&Sync> {
        self.rules.iter().find_map(|rule| if let Rule::Columns(sync) = rule { Some(sync) } else { None })
    }

    /// Whether a trigger of ours comes before a row of it is inserted.
    fn has_trigger_before(&self) -> bool {
        self.rules.iter().any(|rule| matches!(rule, Rule::Columns(_) | Rule::There(_)))
    }

    pub(super) fn key_of(&self, row: &Row) -> Key {
        self.key.iter().map(|name| row[name].clone()).collect()
    }
}

/// A side of a table's sync that was seen to write.
pub(super) type Seen = (usize, Side);

/// What a write of one row is, and what it means to follow.
pub(super) struct Event {
    pub(super) table: usize,
    pub(super) old: Option<Row>,
    pub(super) new: Option<Row>,
}

/// All tables.
#[derive(Clone, Debug)]
#[expect(clippy::struct_field_names, reason = "a better word for its main field there is not")]
pub(super) struct Tables {
    pub(super) tables: Vec<Table>,
    pub(super) nature: Nature,
    /// The statement at hand gives defaults for NULLs.
    pub(super) by_default: bool,
}

/// Why a statement fails: one of these, where the order in which the rows are met is the database's own.
pub(super) type Refusals = BTreeSet<Refused>;

impl Tables {
    /// Whether two keys are the same to the database.
    pub(super) fn same_key(&self, table: usize, left: &[Value], right: &[Value]) -> bool {
        let fold = |value: &Value| match value {
            Value::Text(text) => {
                // A NO PAD collation tells 'b' from 'b '; none of MariaDB's older ones does, `_bin` neither.
                let text = if self.nature.pads_spaces { text.trim_end_matches(' ') } else { text };
                Value::Text(if self.tables[table].ignores_case { text.to_ascii_lowercase() } else { text.to_owned() })
            }
            other => other.clone(),
        };
        // NULL points to nothing.
        left.iter().zip(right).all(|(left, right)| *left != Value::Null && fold(left) == fold(right))
    }

    pub(super) fn find(&self, table: usize, key: &[Value]) -> Option<usize> {
        let of = &self.tables[table];
        of.rows.iter().position(|row| self.same_key(table, &of.key_of(row), key))
    }

    /// The flags of the related rows that point to a row.
    fn pointing(&self, table: usize, row: &Row) -> Vec<bool> {
        let Some((related, names)) = &self.tables[table].related else { return Vec::new() };
        let here: Key = names.key.iter().map(|(_, here)| row[here].clone()).collect();
        let points = |other: &&Row| {
            let there: Key = names.key.iter().map(|(there, _)| other[there].clone()).collect();
            self.same_key(table, &there, &here)
        };
        self.tables[*related].rows.iter().filter(points).map(|other| other["flag"] == Value::Boolean(true)).collect()
    }

    /// Gives `use_view` what a row's expressions can see.
    pub(super) fn with_view<T>(&self, table: usize, row: &Row, use_view: impl FnOnce(View<'_>) -> T) -> T {
        let pointing = self.pointing(table, row);
        use_view(View { pointing: &pointing, unicode_case: self.nature.unicode_case })
    }

    /// Carries a statement out, or changes nothing and says why. `backwards`: the rows are met in the other order.
    pub(super) fn apply(
        &mut self,
        statement: &Statement,
        backwards: bool,
        seen: &mut Vec<Seen>,
    ) -> Result<(), Refusals> {
        let before = self.tables.clone();
        let mut events = Vec::new();
        self.by_default =
            self.nature.replace_gives_default && matches!(statement, Statement::Insert { how: How::Replace, .. });
        let mut result = self.carry_out(statement, backwards, &mut events, seen);
        if result.is_ok() {
            result = self.each(events, |tables, event| tables.after(&event, seen));
        }
        if result.is_ok() && self.nature.foreign_keys_last {
            result = self.check_foreign_keys();
        }
        self.by_default = false;
        if result.is_err() {
            self.tables = before;
        }
        result
    }

    fn carry_out(
        &mut self,
        statement: &Statement,
        backwards: bool,
        events: &mut Vec<Event>,
        seen: &mut Vec<Seen>,
    ) -> Result<(), Refusals> {
        let table = statement.table();
        match statement {
            Statement::Insert { columns, rows, how, .. } => {
                if *how == How::Copy && !self.tables[table].has_trigger_before() {
                    // Without a trigger before each row, COPY gathers rows and writes them together: what is wrong with one by
                    // itself comes before a key that is there already.
                    for values in rows {
                        let row = self.row(table, columns.iter().cloned().zip(values.iter().cloned()));
                        self.check_not_null(table, &row).map_err(|refused| Refusals::from([refused]))?;
                    }
                }
                for values in rows {
                    let row = self.row(table, columns.iter().cloned().zip(values.iter().cloned()));
                    let inserted = match how {
                        How::Upsert(set) => self.upsert(table, row, set, events, seen),
                        _ => self.insert(table, row, *how == How::Replace, events, seen),
                    };
                    // The rows are met in the order they are written in.
                    inserted.map_err(|refused| Refusals::from([refused]))?;
                }
            }
            Statement::InsertSelect { columns, shift, rows, .. } => {
                let first = self.tables[table].key[0].clone();
                let mut new = Vec::new();
                for at in self.selected(table, rows, backwards) {
                    let of = &self.tables[table];
                    let named = of.key.iter().chain(columns).map(|name| (name.clone(), of.rows[at][name].clone()));
                    let mut row = self.row(table, named);
                    let Value::Integer(number) = row[&first] else { unreachable!("keys of texts are not shifted") };
                    row.insert(first.clone(), Value::Integer(number + shift));
                    new.push(row);
                }
                self.each(new, |tables, row| tables.insert(table, row, false, events, seen))?;
            }
            Statement::Fill { rows, .. } => {
                let here = self.tables[table].as_there().expect("only such a table is filled").here;
                let keys: Vec<Key> = self
                    .selected(here, rows, backwards)
                    .into_iter()
                    .map(|at| self.tables[here].key_of(&self.tables[here].rows[at]))
                    .collect();
                let names = self.tables[table].key.clone();
                let new = keys.into_iter().map(|key| self.row(table, names.iter().cloned().zip(key))).collect();
                self.each(new, |tables, row| tables.insert(table, row, false, events, seen))?;
            }
            Statement::Update { set, rows, .. } => {
                let selected = self.selected(table, rows, backwards);
                self.each(selected, |tables, at| {
                    let before = tables.tables[table].rows[at].clone();
                    let mut after = before.clone();
                    for (column, term) in set {
                        if let Term::Value(value) = term {
                            after.insert(column.clone(), value.clone());
                        }
                    }
                    tables.update(table, at, after, events, seen)
                })?;
            }
            Statement::Delete { rows, .. } => {
                let mut selected = self.selected(table, rows, backwards);
                // By key, since positions move.
                let keys: Vec<Key> =
                    selected.drain(..).map(|at| self.tables[table].key_of(&self.tables[table].rows[at])).collect();
                for key in keys {
                    let at = self.find(table, &key).expect("it was there");
                    let old = self.tables[table].rows.remove(at);
                    self.deleting(table, &old);
                    let happened = self.happened(Event { table, old: Some(old), new: None }, events, seen);
                    happened.map_err(|refused| Refusals::from([refused]))?;
                }
            }
        }
        Ok(())
    }

    /// Does one thing after another, and gathers every reason to fail: the order may be another one.
    fn each<T>(
        &mut self,
        things: Vec<T>,
        mut act: impl FnMut(&mut Self, T) -> Result<(), Refused>,
    ) -> Result<(), Refusals> {
        let refusals: Refusals = things.into_iter().filter_map(|thing| act(self, thing).err()).collect();
        if refusals.is_empty() { Ok(()) } else { Err(refusals) }
    }

    /// A row with defaults where nothing is named.
    pub(super) fn row(&self, table: usize, named: impl Iterator<Item = (String, Value)>) -> Row {
        let columns = &self.tables[table].columns;
        let mut row: Row = columns.iter().map(|column| (column.name.clone(), column.default.clone())).collect();
        row.extend(named);
        row
    }

    fn selected(&self, table: usize, rows: &Rows, backwards: bool) -> Vec<usize> {
        let of = &self.tables[table];
        let wanted = |row: &Row| match rows {
            Rows::All => true,
            Rows::Of(keys) => keys.iter().any(|key| self.same_key(table, &of.key_of(row), key)),
        };
        let mut found: Vec<usize> = (0..of.rows.len()).filter(|at| wanted(&of.rows[*at])).collect();
        if backwards {
            found.reverse();
        }
        found
    }

    fn insert(
        &mut self,
        table: usize,
        mut row: Row,
        replace: bool,
        events: &mut Vec<Event>,
        seen: &mut Vec<Seen>,
    ) -> Result<(), Refused> {
        let by_default = self.by_default;
        if by_default {
            self.give_defaults(table, &mut row);
        }
        if self.nature.not_null_first {
            self.check_not_null(table, &row)?;
        }
        let key = self.tables[table].key_of(&row);
        let taken = self.find(table, &key);
        if !self.nature.judges_before_key && taken.is_some() && !replace {
            return Err(Refused::Duplicate);
        }
        let written = self.before(table, None, row, by_default, seen)?;
        self.check_not_null(table, &written)?;
        if let Some(at) = taken {
            if !replace {
                return Err(Refused::Duplicate);
            }
            let old = self.tables[table].rows.remove(at);
            if self.nature.replace_fires_delete {
                self.deleting(table, &old);
                self.happened(Event { table, old: Some(old), new: None }, events, seen)?;
            } else {
                self.replaced_silently(table, &old, seen);
            }
        }
        self.tables[table].rows.push(written.clone());
        self.happened(Event { table, old: None, new: Some(written) }, events, seen)
    }

    /// Gives NOT NULL columns their default for a NULL.
    pub(super) fn give_defaults(&self, table: usize, row: &mut Row) {
        for column in &self.tables[table].columns {
            if column.not_null && column.default != Value::Null && row[&column.name] == Value::Null {
                row.insert(column.name.clone(), column.default.clone());
            }
        }
    }

    fn upsert(
        &mut self,
        table: usize,
        row: Row,
        set: &[String],
        events: &mut Vec<Event>,
        seen: &mut Vec<Seen>,
    ) -> Result<(), Refused> {
        let key = self.tables[table].key_of(&row);
        let Some(at) = self.find(table, &key) else {
            return self.insert(table, row, false, events, seen);
        };
        let proposed = if self.nature.judges_before_key { self.before(table, None, row, false, seen)? } else { row };
        self.check_not_null(table, &proposed)?;
        if set.is_empty() {
            return Ok(());
        }
        let mut after = self.tables[table].rows[at].clone();
        for column in set {
            after.insert(column.clone(), proposed[column].clone());
        }
        self.update(table, at, after, events, seen)
    }

    fn update(
        &mut self,
        table: usize,
        at: usize,
        row: Row,
        events: &mut Vec<Event>,
        seen: &mut Vec<Seen>,
    ) -> Result<(), Refused> {
        let before = self.tables[table].rows[at].clone();
        let key = self.tables[table].key_of(&row);
        let taken = self.find(table, &key).is_some_and(|found| found != at);
        if self.nature.not_null_first {
            self.check_not_null(table, &row)?;
        }
        if taken && !self.nature.judges_before_key {
            return Err(Refused::Duplicate);
        }
        let written = self.before(table, Some(&before), row, false, seen)?;
        self.check_not_null(table, &written)?;
        if taken {
            return Err(Refused::Duplicate);
        }
        self.tables[table].rows[at] = written.clone();
        self.happened(Event { table, old: Some(before), new: Some(written) }, events, seen)
    }

    pub(super) fn check_not_null(&self, table: usize, row: &Row) -> Result<(), Refused> {
        let null = |column: &&Column| column.not_null && row[&column.name] == Value::Null;
        match self.tables[table].columns.iter().find(null) {
            Some(column) => Err(Refused::LeftNull(column.name.clone())),
            None => Ok(()),
        }
    }

    /// What the table's rules make of a row before it is written. `by_default`: the statement gives defaults for NULLs.
    fn before(
        &self,
        table: usize,
        before: Option<&Row>,
        row: Row,
        by_default: bool,
        seen: &mut Vec<Seen>,
    ) -> Result<Row, Refused> {
        let mut row = row;
        for rule in &self.tables[table].rules {
            match rule {
                Rule::Columns(sync) => {
                    let write = |sync: &Sync| {
                        self.with_view(table, &row, |view| match before {
                            Some(before) => sync.update(before, row.clone(), view),
                            None => sync.insert(row.clone(), view),
                        })
                    };
                    if self.nature.not_null_first {
                        // The sync writes the row, and only then looks for what it left NULL.
                        let Written { row: written, .. } = write(&sync.requiring_nothing())?;
                        self.check_written(table, &written, sync, by_default)?;
                    }
                    let result = write(sync);
                    if let Err(Refused::LeftNull(_)) = result {
                        // It is found only after the writer was seen, which is not undone everywhere.
                        let side = write(&sync.requiring_nothing()).ok().and_then(|written| written.side);
                        seen.extend(side.map(|side| (table, side)));
                    }
                    let Written { row: written, side } = result?;
                    row = written;
                    seen.extend(side.map(|side| (table, side)));
                }
                Rule::There(pair) => row = self.taken_before(pair, before, row),
                Rule::Related { .. } | Rule::Here(_) => {}
            }
        }
        Ok(row)
    }

    /// What a database that writes a row before the sync looks at it finds wrong with what the sync wrote.
    fn check_written(&self, table: usize, row: &Row, sync: &Sync, by_default: bool) -> Result<(), Refused> {
        let Err(Refused::LeftNull(column)) = self.check_not_null(table, row) else { return Ok(()) };
        let has_default = self.tables[table].column(&column).default != Value::Null;
        Err(if by_default && has_default { Refused::Conflict(sync.name.clone()) } else { Refused::LeftNull(column) })
    }

    fn happened(&mut self, event: Event, events: &mut Vec<Event>, seen: &mut Vec<Seen>) -> Result<(), Refused> {
        if self.nature.follows_at_the_end {
            events.push(event);
            return Ok(());
        }
        self.after(&event, seen)
    }

    /// What the table's rules do once a row is written.
    fn after(&mut self, event: &Event, seen: &mut Vec<Seen>) -> Result<(), Refused> {
        if !self.nature.foreign_keys_last {
            self.check_foreign_key(event)?;
        }
        for rule in self.tables[event.table].rules.clone() {
            match rule {
                Rule::Columns(_) => {}
                Rule::Related { target, when } => self.follow(event, target, &when),
                Rule::Here(pair) => self.after_here(&pair, event, seen),
                Rule::There(pair) => self.after_there(&pair, event, seen)?,
            }
        }
        Ok(())
    }

    /// N := f(row) for the rows that the written row points to, by the OLD and the NEW key, where `when` holds.
    fn follow(&mut self, event: &Event, target: usize, when: &Expression) {
        let Some((_, names)) = self.tables[target].related.clone() else { return };
        let sync = self.tables[target].sync().expect("a related table has a sync to follow").clone();
        // `related.` is the NEW row there, OLD for a DELETE.
        let related = event.new.as_ref().or(event.old.as_ref()).expect("a row was written");
        let flag = Some(related["flag"] == Value::Boolean(true));
        for at in 0..self.tables[target].rows.len() {
            let row = self.tables[target].rows[at].clone();
            let here: Key = names.key.iter().map(|(_, here)| row[here].clone()).collect();
            let points = |other: &Row| {
                let there: Key = names.key.iter().map(|(there, _)| other[there].clone()).collect();
                self.same_key(target, &there, &here)
            };
            if [&event.old, &event.new].into_iter().flatten().any(points) {
                let followed = self.with_view(target, &row, |view| {
                    let holds = view.value_beside(when, &row, flag) == Value::Boolean(true);
                    holds.then(|| sync.follow(row.clone(), view))
                });
                if let Some(followed) = followed {
                    self.tables[target].rows[at] = followed;
                }
            }
        }
    }
}
