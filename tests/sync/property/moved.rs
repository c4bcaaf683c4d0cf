//! Pairs of tables with a column that moves from one to the other: how they are made, and what their writes bring about in
//! a whole database.

use super::super::expression::{Expression, Row, Type, Value, boxed, column, literal};
use super::super::model::{NewColumn, OldColumn, Refused, Side, View};
use super::super::model_moved::{Follows, Moved, Reaction, ThereUpdated};
use super::draw::Draw;
use super::statement::{How, Key, Statement};
use super::tables::{Column, Event, Refusals, Rule, Seen, Table, Tables};
use super::world::{Made, Mapped, TableSeed, is_beyond_the_catalog, mapped};

/// A sync over two tables, by their numbers.
#[derive(Clone, Debug)]
pub(super) struct Pair {
    pub(super) sync: Moved,
    pub(super) here: usize,
    pub(super) there: usize,
    /// The foreign key there says ON DELETE CASCADE.
    pub(super) cascades: bool,
}

impl Table {
    /// The pair that the table is in, on whichever side.
    pub(super) fn pair(&self) -> Option<&Pair> {
        self.rules.iter().find_map(|rule| match rule {
            Rule::Here(pair) | Rule::There(pair) => Some(pair),
            _ => None,
        })
    }

    /// The pair in which it has the old columns.
    pub(super) fn as_here(&self) -> Option<&Pair> {
        self.rules.iter().find_map(|rule| if let Rule::Here(pair) = rule { Some(pair) } else { None })
    }

    /// The pair in which it has the new columns.
    pub(super) fn as_there(&self) -> Option<&Pair> {
        self.rules.iter().find_map(|rule| if let Rule::There(pair) = rule { Some(pair) } else { None })
    }
}

/// What a write brings about in the other table of a pair.
impl Tables {
    fn plain_view(&self) -> View<'static> {
        View { pointing: &[], unicode_case: self.nature.unicode_case }
    }

    fn row_at(&self, table: usize, key: &[Value]) -> Option<&Row> {
        self.find(table, key).map(|at| &self.tables[table].rows[at])
    }

    /// N as f of the row here with a key.
    pub(super) fn forward_at(&self, pair: &Pair, key: &[Value]) -> Option<Row> {
        self.row_at(pair.here, key).map(|here| pair.sync.forward(here, self.plain_view()))
    }

    /// What a row that comes to a key there is made before it is written, where a database can.
    pub(super) fn taken_before(&self, pair: &Pair, before: Option<&Row>, row: Row) -> Row {
        if !self.nature.judges_before_key || before.is_some_and(|before| !pair.sync.is_key_changed(before, &row)) {
            return row;
        }
        let key = self.tables[pair.there].key_of(&row);
        pair.sync.taken(row, self.row_at(pair.here, &key), self.plain_view())
    }

    /// Before a DELETE: the row there goes first, unseen.
    pub(super) fn deleting(&mut self, table: usize, old: &Row) {
        let Some(pair) = self.tables[table].as_here().cloned() else { return };
        let key = self.tables[table].key_of(old);
        if let (Follows::Remove, Some(at)) = (Moved::deleted_here().follows, self.find(pair.there, &key)) {
            self.tables[pair.there].rows.remove(at);
        }
    }

    /// A REPLACE that fires no DELETE trigger has taken a row here: a foreign key may still remove the row there, which is seen
    /// as the DELETE that it is; the row here is gone by then. Without one the row there stays, and belongs to the new row.
    pub(super) fn replaced_silently(&mut self, table: usize, old: &Row, seen: &mut Vec<Seen>) {
        let Some(pair) = self.tables[table].as_here().cloned() else { return };
        let key = self.tables[table].key_of(old);
        if let (true, Some(at)) = (pair.cascades, self.find(pair.there, &key)) {
            self.tables[pair.there].rows.remove(at);
            seen.push((pair.here, Side::New));
        }
    }

    /// After a write of the table with the old columns.
    pub(super) fn after_here(&mut self, pair: &Pair, event: &Event, seen: &mut Vec<Seen>) {
        let view = self.plain_view();
        let Some(row) = &event.new else { return };
        let Reaction { follows, side } = match &event.old {
            None => pair.sync.inserted_here(row, view),
            Some(before) => pair.sync.updated_here(before, row, view),
        };
        let key = self.tables[pair.here].key_of(row);
        let at = self.find(pair.there, &key);
        match (follows, at) {
            (Follows::Change(values) | Follows::Make(values), Some(at)) => {
                self.tables[pair.there].rows[at].extend(values);
            }
            (Follows::Make(values), None) => {
                let key = self.tables[pair.there].key.clone().into_iter().zip(key);
                let row = self.row(pair.there, key.chain(values));
                self.tables[pair.there].rows.push(row);
            }
            _ => {}
        }
        seen.extend(side.map(|side| (pair.here, side)));
    }

    /// After a write of the table with the new columns.
    pub(super) fn after_there(&mut self, pair: &Pair, event: &Event, seen: &mut Vec<Seen>) -> Result<(), Refused> {
        match (&event.old, &event.new) {
            (None, Some(row)) => self.came_there(pair, row, seen),
            (Some(before), Some(row)) => match pair.sync.updated_there(before, row, self.plain_view()) {
                ThereUpdated::ChangedHands => {
                    self.react_here(pair, before, pair.sync.deleted_there(), seen)?;
                    self.came_there(pair, row, seen)
                }
                ThereUpdated::Stayed(reaction) => self.react_here(pair, row, reaction, seen),
            },
            (Some(before), None) => self.react_here(pair, before, pair.sync.deleted_there(), seen),
            (None, None) => Ok(()),
        }
    }

    /// A row came to its key there. Where no trigger can change a row before it is written, it takes what it did not say now, and
    /// nobody is seen to write.
    fn came_there(&mut self, pair: &Pair, row: &Row, seen: &mut Vec<Seen>) -> Result<(), Refused> {
        let key = self.tables[pair.there].key_of(row);
        let here = self.row_at(pair.here, &key);
        if !self.nature.judges_before_key && !pair.sync.is_new_set(row) {
            let taken = pair.sync.taken(row.clone(), here, self.plain_view());
            let at = self.find(pair.there, &key).expect("it was just written");
            self.tables[pair.there].rows[at] = taken;
            return Ok(());
        }
        let reaction = pair.sync.inserted_there(row, here, self.plain_view());
        self.react_here(pair, row, reaction, seen)
    }

    fn react_here(
        &mut self,
        pair: &Pair,
        there: &Row,
        Reaction { follows, side }: Reaction,
        seen: &mut Vec<Seen>,
    ) -> Result<(), Refused> {
        let key = self.tables[pair.there].key_of(there);
        if let (Follows::Change(values), Some(at)) = (follows, self.find(pair.here, &key)) {
            let mut row = self.tables[pair.here].rows[at].clone();
            row.extend(values);
            if self.by_default {
                let as_written = row.clone();
                self.give_defaults(pair.here, &mut row);
                if row != as_written && !pair.sync.holds(&row, there, self.plain_view()) {
                    return Err(Refused::Conflict(pair.sync.name.clone()));
                }
            }
            self.check_not_null(pair.here, &row)?;
            self.tables[pair.here].rows[at] = row;
        }
        seen.extend(side.map(|side| (pair.here, side)));
        Ok(())
    }

    /// What the foreign key has against a write.
    pub(super) fn check_foreign_key(&self, event: &Event) -> Result<(), Refused> {
        let of = &self.tables[event.table];
        let keys = [&event.old, &event.new].map(|row| row.as_ref().map(|row| of.key_of(row)));
        let fails = match (of.pair(), keys) {
            (Some(_), [old, new]) if old == new => false,
            (Some(pair), [_, Some(new)]) if pair.there == event.table => self.find(pair.here, &new).is_none(),
            (Some(pair), [Some(old), _]) if pair.here == event.table => {
                self.find(pair.there, &old).is_some() && self.find(pair.here, &old).is_none()
            }
            _ => false,
        };
        if fails { Err(Refused::ForeignKey) } else { Ok(()) }
    }

    /// What the foreign keys have against the rows as they are.
    pub(super) fn check_foreign_keys(&self) -> Result<(), Refusals> {
        for pair in self.tables.iter().filter_map(Table::as_there) {
            let there = &self.tables[pair.there];
            if there.rows.iter().any(|row| self.find(pair.here, &there.key_of(row)).is_none()) {
                return Err(Refusals::from([Refused::ForeignKey]));
            }
        }
        Ok(())
    }

    /// A row that breaks an invariant, in a table.
    pub(super) fn broken(&self, table: usize) -> Option<&Row> {
        let of = &self.tables[table];
        let holds = |row: &&Row| {
            if let Some(pair) = of.as_there() {
                let here = self.row_at(pair.here, &of.key_of(row));
                return here.is_some_and(|here| pair.sync.holds(here, row, self.plain_view()));
            }
            of.sync().is_none_or(|sync| self.with_view(table, row, |view| sync.holds(row, view)))
        };
        of.rows.iter().find(|row| !holds(row))
    }

    /// Keys of rows here that give what is not there: each with the table there.
    pub(super) fn pending(&self) -> Vec<(usize, Key)> {
        let pairs = self.tables.iter().filter_map(Table::as_here);
        pairs.flat_map(|pair| self.pending_of(pair).map(|key| (pair.there, key))).collect()
    }

    /// Those of one pair.
    pub(super) fn pending_of(&self, pair: &Pair) -> impl Iterator<Item = Key> {
        let here = &self.tables[pair.here];
        let keys = here.rows.iter().map(|row| (row, here.key_of(row)));
        keys.filter(|(row, key)| pair.sync.is_pending(row, self.row_at(pair.there, key))).map(|(_, key)| key)
    }

    /// What is known to leave a pair out of step, on SQLite; nobody writes it here. Without recursive triggers and without ON
    /// DELETE CASCADE, a REPLACE of a row here fires no DELETE trigger, so that the row there stays; and where the new row gives no
    /// O, nothing follows.
    pub(super) fn is_known_to_break(&self, statement: &Statement) -> bool {
        let replaces = matches!(statement, Statement::Insert { how: How::Replace, .. });
        let pair = self.tables[statement.table()].as_here();
        let silently = |pair: &&Pair| !self.nature.replace_fires_delete && !pair.cascades;
        replaces && pair.filter(silently).is_some_and(|pair| self.broken(pair.there).is_some())
    }
}

/// How a pair is made.
impl TableSeed {
    /// The table number `number`, and the one with the new columns, which follows it.
    pub(super) fn make_pair(&self, name: &str, number: usize) -> Made {
        let mut draw = Draw::new(&self.shapes);
        let key = self.key_columns();
        let key_there: Vec<(String, Type)> = key.iter().map(|(name, kind)| (format!("to_{name}"), *kind)).collect();
        let (old, new) = self.moved_mapping(&key, &key_there);
        let nullable =
            |name: &str, kind: Type| Column { name: name.to_owned(), kind, default: Value::Null, not_null: false };
        let keyed = |key: &[(String, Type)]| -> Vec<Column> {
            key.iter().map(|(name, kind)| Column { not_null: true, ..nullable(name, *kind) }).collect()
        };
        let mut here_columns = keyed(&key);
        let mut synced = Vec::new();
        for Mapped { name, kind, expression } in &old {
            // Nullable; with a default; with a default and a NOT NULL.
            let shape = draw.below(4);
            let default = if shape >= 2 { Draw::new(&self.shapes).value(*kind) } else { Value::Null };
            let default = if is_beyond_the_catalog(&default) { "a".into() } else { default };
            here_columns.push(Column { default: default.clone(), not_null: shape == 3, ..nullable(name, *kind) });
            let (name, backward) = (name.clone(), expression.clone());
            synced.push(OldColumn { name, backward, default, required: false });
        }
        here_columns.push(nullable("other", Type::Integer));
        let mut there_columns = keyed(&key_there);
        there_columns.extend(new.iter().map(|new| nullable(&new.name, new.kind)));
        there_columns.push(Column { default: "grey".into(), ..nullable("colour", Type::Text) });
        let table = |name: String, key: &[(String, Type)], columns| Table {
            name,
            key: key.iter().map(|(name, _)| name.clone()).collect(),
            columns,
            ignores_case: self.ignores_case,
            rules: Vec::new(),
            related: None,
            rows: Vec::new(),
        };
        let mut here = table(name.to_owned(), &key, here_columns);
        let mut there = table(format!("{name}_there"), &key_there, there_columns);
        let rows = self.rows(&here, &key, &synced, &[]);
        let sync = Moved {
            name: format!("{name}_sync"),
            key: there.key.iter().cloned().zip(here.key.iter().cloned()).collect(),
            old: synced,
            new: new.into_iter().map(|new| NewColumn { name: new.name, forward: new.expression }).collect(),
        };
        let pair = Pair { sync, here: number, there: number + 1, cascades: self.pair_cascades() };
        here.rules.push(Rule::Here(pair.clone()));
        there.rules.push(Rule::There(pair));
        Made { table: here, second: Some(there), rows }
    }

    fn moved_mapping(&self, key: &[(String, Type)], key_there: &[(String, Type)]) -> (Vec<Mapped>, Vec<Mapped>) {
        match self.mapping % 10 {
            0 | 2 => (vec![mapped("o1", Type::Text, column("n1"))], vec![mapped("n1", Type::Text, column("o1"))]),
            3 => (
                vec![mapped("o1", Type::Text, Expression::Lower(boxed(column("n1"))))],
                vec![mapped("n1", Type::Text, Expression::Upper(boxed(column("o1"))))],
            ),
            // Of one column two, of two one.
            4 => {
                let joined = Expression::Join(
                    boxed(column("n1")),
                    boxed(Expression::Coalesce(boxed(column("n2")), boxed(literal("")))),
                );
                (
                    vec![mapped("o1", Type::Text, joined)],
                    vec![
                        mapped("n1", Type::Text, Expression::Start(boxed(column("o1")), 2)),
                        mapped("n2", Type::Text, Expression::Replace(boxed(column("o1")), " ", "")),
                    ],
                )
            }
            1 | 5 => self.mapping(key),
            _ => self.grown(key, key_there),
        }
    }
}
