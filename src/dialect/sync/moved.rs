//! Old columns in one table, new ones in another: a column that moves. Old writers write `users.bio`, new ones
//! `profiles.bio`.
//!
//! | write | effect |
//! | --- | --- |
//! | INSERT here, an O given | old writer: the row there is made, or changed, with N := f(row) |
//! | UPDATE here, O changed | old writer: N := f(row) there; made where it is missing, if an O is given |
//! | DELETE here | the row there goes first |
//! | INSERT there, N set | new writer: O := b(row) here, unless N is f(row here) already |
//! | INSERT there, N not set | N := f(row here): a row that says nothing of N must not take it away |
//! | UPDATE there, N changed | new writer: O := b(row) here |
//! | UPDATE there, key changed | DELETE at the old key, INSERT at the new one |
//! | DELETE there | new writer: O here becomes what it is when it is left out |
//!
//! Each side's trigger writes the other table with the syncs bypassed, so nothing comes back. One statement writes one
//! table, so there is no conflict to settle: the last writer wins. The foreign key there is what makes this right under
//! concurrency: a row there comes after its row here, and both writers pass through the row here.

use super::mapping::{Columns, Mapping, Place};
use super::{
    Destination, Event, Invariant, Kept, Rule, Side, Sync, Timing, Touched, Trigger, Upsert, Write, live_column,
    live_table,
};
use crate::dialect::Dialect;
use crate::dialect::schema::{Column, Schema, Table};
use crate::dialect::statement::Refusal;

/// A trigger's part of its name, and the table it is on.
pub(super) struct Part {
    pub(super) name: &'static str,
    pub(super) on_old_table: bool,
}

const fn here(name: &'static str) -> Part {
    Part { name, on_old_table: true }
}

const fn there(name: &'static str) -> Part {
    Part { name, on_old_table: false }
}

/// All triggers.
pub(super) const PARTS: [Part; 8] = [
    here("insert"),
    here("update"),
    here("delete"),
    there("take_insert"),
    there("take_update"),
    there("there_insert"),
    there("there_update"),
    there("there_delete"),
];

/// A sync over two tables, with its expressions rendered for each place that they stand in.
pub(super) struct Moved<'a> {
    sync: &'a Sync,
    dialect: &'a dyn Dialect,
    old: &'a Table,
    new: &'a Table,
    /// The columns there, each with the column here that it is equal to.
    key: Vec<(&'a Column, &'a Column)>,
    /// N as f of the row at hand here.
    forward_of_new: Mapping<'a>,
    /// N as f of a row of the table here.
    forward_of_table: Mapping<'a>,
    /// O as b of the row at hand there.
    backward_of_new: Mapping<'a>,
    /// O as b of a row of the table there.
    backward_of_table: Mapping<'a>,
    /// O as it is when it is left out.
    left_out: Mapping<'a>,
}

impl<'a> Moved<'a> {
    pub(super) fn new(
        sync: &'a Sync,
        to: &'a Destination,
        dialect: &'a dyn Dialect,
        schema: &'a Schema,
    ) -> Result<Self, Refusal> {
        let (old, new) = (live_table(schema, &sync.table)?, live_table(schema, &to.table)?);
        let key = to
            .key
            .iter()
            .map(|(there, here)| Ok((live_column(new, there)?, live_column(old, here)?)))
            .collect::<Result<Vec<_>, Refusal>>()?;
        let names = |mapping: &'a [(String, crate::dialect::Sql)]| mapping.iter().map(|(name, _)| name.as_str());
        let known_here: Vec<&str> = names(&sync.backward).chain(to.key.iter().map(|(_, here)| here.as_str())).collect();
        let known_there: Vec<&str> =
            names(&sync.forward).chain(to.key.iter().map(|(there, _)| there.as_str())).collect();
        let forward = |row: &str| Place { dialect, reads: old, row, known: &known_here }.render(&sync.forward, new);
        let backward = |row: &str| Place { dialect, reads: new, row, known: &known_there }.render(&sync.backward, old);
        let (old_row, new_row) = (format!("{}.", dialect.table(&sync.table)), format!("{}.", dialect.table(&to.table)));
        let backward_of_new = backward("NEW.")?;
        let left_out = backward_of_new
            .iter()
            .map(|(column, _)| (*column, column.default.clone().unwrap_or_else(|| "NULL".to_owned())))
            .collect();
        let moved = Self {
            sync,
            dialect,
            old,
            new,
            key,
            forward_of_new: forward("NEW.")?,
            forward_of_table: forward(&old_row)?,
            backward_of_new,
            backward_of_table: backward(&new_row)?,
            left_out,
        };
        moved.refuse_unfit(schema)?;
        Ok(moved)
    }

    /// Fails where the tables do not give what the sync stands on.
    fn refuse_unfit(&self, schema: &Schema) -> Result<(), Refusal> {
        let (here, there) = (&self.old.name, &self.new.name);
        let mut key: Vec<&str> = self.key.iter().map(|(column, _)| column.name.as_str()).collect();
        let names = key.join(", ");
        let foreign = self.new.foreign_keys.iter().find(|foreign| {
            let mut pairs = foreign.columns.iter().zip(&foreign.referenced_columns);
            schema.key(&foreign.references) == schema.key(here)
                && foreign.columns.len() == self.key.len()
                && pairs.all(|(from, to)| self.key.iter().any(|(there, here)| there.name == *from && here.name == *to))
        });
        let Some(foreign) = foreign else {
            return Err(Refusal::new(format!(
                "`{there}` needs a foreign key from {names} to `{here}`: it keeps a row there from coming before its row \
                 here; put an add_foreign_key above this step"
            ))
            .at(there));
        };
        if let Some(action) = foreign.changes() {
            return Err(Refusal::new(format!(
                "the foreign key from `{there}` to `{here}` says {action}, and would carry a row there along before the sync \
                 has seen what was written here; make it one without"
            ))
            .at(there));
        }
        if foreign.deferrable {
            return Err(Refusal::new(format!(
                "the foreign key from `{there}` to `{here}` can be deferred, so a row there may come before its row here, and \
                 would not be seen; make it NOT DEFERRABLE"
            ))
            .at(there));
        }
        key.sort_unstable();
        let same_columns = |columns: &[String]| {
            let mut columns: Vec<&str> = columns.iter().map(String::as_str).collect();
            columns.sort_unstable();
            columns == key
        };
        let unique_keys = self.new.unique_keys();
        if !unique_keys.iter().any(|columns| same_columns(columns)) {
            return Err(Refusal::new(format!(
                "{names} of `{there}` is not unique, so a row of `{here}` could have several there; add a unique index"
            ))
            .at(there));
        }
        let forward: Vec<&String> = self.sync.forward.iter().map(|(name, _)| name).collect();
        let filled_in = |column: &Column| {
            column.nullable || column.default.is_some() || column.generated || self.dialect.numbers_itself(column)
        };
        let unfilled = self.new.columns.iter().find(|column| {
            !filled_in(column) && !key.contains(&column.name.as_str()) && !forward.contains(&&column.name)
        });
        if let Some(column) = unfilled {
            return Err(Refusal::new(format!(
                "column `{}` of `{there}` is NOT NULL without a default, so an old writer's write could not make the row",
                column.name
            ))
            .at(&column.name));
        }
        if !self.dialect.upserts_by_key() {
            // ON DUPLICATE KEY UPDATE goes by whichever key it meets: by another one it would change a stranger's row.
            let left_null = |name: &String| {
                !forward.contains(&name)
                    && self.new.column(name).is_some_and(|column| {
                        (column.nullable && column.default.is_none()) || self.dialect.numbers_itself(column)
                    })
            };
            if let Some(other) =
                unique_keys.iter().find(|columns| !same_columns(columns) && !columns.iter().any(left_null))
            {
                return Err(Refusal::new(format!(
                    "{} of `{there}` is unique too, and {} cannot make or change a row by one key alone",
                    other.join(", "),
                    self.dialect.kind()
                ))
                .at(there));
            }
        }
        let needed = self.left_out.iter().find(|(column, _)| !column.nullable && column.default.is_none());
        if let Some((column, _)) = needed {
            return Err(Refusal::new(format!(
                "the old column `{}` is NOT NULL, and a new writer leaves it out of `{here}`; put a drop_not_null above",
                column.name
            ))
            .at(&column.name));
        }
        if let Some((column, _)) = self.key.iter().find(|(column, _)| self.dialect.numbers_late(column)) {
            return Err(Refusal::new(format!(
                "the server numbers `{}` only after the trigger, which needs it to find the row of `{here}`",
                column.name
            ))
            .at(&column.name));
        }
        Ok(())
    }

    fn columns<'m>(&'m self, mapping: &'m Mapping<'a>) -> Columns<'m> {
        Columns { dialect: self.dialect, mapping }
    }

    /// The rows here that belong to a row there.
    fn rows_here(&self, row: &str) -> String {
        let table = self.dialect.table(&self.old.name);
        let quote = |column: &Column| self.dialect.quote(&column.name);
        let tests = self.key.iter().map(|(there, here)| format!("{table}.{} = {row}{}", quote(here), quote(there)));
        tests.collect::<Vec<_>>().join(" AND ")
    }

    /// The rows there that belong to a row here.
    fn rows_there(&self, row: &str) -> String {
        let table = self.dialect.table(&self.new.name);
        let quote = |column: &Column| self.dialect.quote(&column.name);
        let tests = self.key.iter().map(|(there, here)| format!("{table}.{} = {row}{}", quote(there), quote(here)));
        tests.collect::<Vec<_>>().join(" AND ")
    }

    fn update_here(&self, mapping: &Mapping<'_>, rows: String) -> Rule {
        self.update(self.old, mapping, rows)
    }

    /// An UPDATE that must not be ignored.
    fn update(&self, table: &Table, mapping: &Mapping<'_>, rows: String) -> Rule {
        let (table, columns) = (self.dialect.table(&table.name), Columns { dialect: self.dialect, mapping });
        let kept = Kept { condition: columns.equal(&format!("{table}.")), table: table.clone() };
        let statement = format!("UPDATE {table} SET {}", columns.assignments());
        Rule::Write(Write { statement, rows, kept: Some(kept) })
    }

    /// An old writer's write: the row there follows.
    fn follow_there(&self) -> Rule {
        let key = self.key.iter();
        let value = |here: &Column| format!("NEW.{}", self.dialect.quote(&here.name));
        Rule::Upsert(Upsert {
            table: self.new.name.clone(),
            key: key.map(|(there, here)| ((*there).clone(), value(here))).collect(),
            set: self.columns(&self.forward_of_new).owned(),
        })
    }

    /// Takes the row here that belongs to the one at hand there: whoever writes it has committed once this is through.
    fn lock_here(&self) -> Rule {
        let table = self.dialect.table(&self.old.name);
        let quote = |column: &Column| self.dialect.quote(&column.name);
        let as_it_is: Vec<_> =
            self.left_out.iter().map(|(column, _)| format!("{0} = {table}.{0}", quote(column))).collect();
        let statement = format!("UPDATE {table} SET {}", as_it_is.join(", "));
        Rule::Lock(Write { statement, rows: self.rows_here("NEW."), kept: None })
    }

    /// A row there that does not say what N is: it is what the row here says.
    fn take(&self) -> Rule {
        let table = self.dialect.table(&self.old.name);
        let rows = self.rows_here("NEW.");
        let looked_up = self
            .forward_of_table
            .iter()
            .map(|(column, value)| {
                let query = format!("(SELECT {value} FROM {table} WHERE {rows}{})", self.dialect.locked_read());
                ((*column).clone(), query)
            })
            .collect();
        Rule::If {
            condition: format!("NOT {}", self.columns(&self.forward_of_table).set("NEW.")),
            then: vec![self.lock_here(), Rule::Assign(looked_up)],
            otherwise: Vec::new(),
        }
    }

    /// A row came to this key there: the row here follows, unless it says so already. That is asked only once nobody else
    /// is writing it: a foreign key does not wait for an old writer who is about to take the value away.
    fn arrive(&self) -> Vec<Rule> {
        let agrees = self.columns(&self.forward_of_table).equal("NEW.");
        let follow = self.update_here(&self.backward_of_new, format!("{} AND NOT {agrees}", self.rows_here("NEW.")));
        vec![self.lock_here(), follow]
    }

    pub(super) fn triggers(&self) -> Vec<Trigger> {
        let (old, new) = (self.columns(&self.backward_of_new), self.columns(&self.forward_of_new));
        let key: Mapping<'_> = self.key.iter().map(|(there, _)| (*there, String::new())).collect();
        let key = self.columns(&key);
        let touched = |columns: Vec<String>, condition| Some(Touched { columns, condition });
        let trigger = |part: &Part, timing, event, touched, rules| Trigger {
            part: part.name.to_owned(),
            table: if part.on_old_table { self.old.name.clone() } else { self.new.name.clone() },
            timing,
            event,
            touched,
            met_by_syncs: true,
            rules,
        };
        let [insert, update, delete, take_insert, take_update, there_insert, there_update, there_delete] = &PARTS;
        let if_ = |condition, then, otherwise| Rule::If { condition, then, otherwise };
        let remove = Write {
            statement: format!("DELETE FROM {}", self.dialect.table(&self.new.name)),
            rows: self.rows_there("OLD."),
            kept: None,
        };
        let n_touched = touched(
            key.names().into_iter().chain(new.names()).collect(),
            format!("({} OR {})", key.changed(), new.changed()),
        );
        let mut given = vec![self.follow_there(), Rule::Seen(Side::Old)];
        let inserted = if_(old.given("NEW."), given.clone(), Vec::new());
        given.pop();
        let not_given = self.update(self.new, &self.forward_of_new, self.rows_there("NEW."));
        let left = self.update_here(&self.left_out, self.rows_here("OLD."));
        vec![
            trigger(insert, Timing::After, Event::Insert, None, vec![inserted]),
            trigger(
                update,
                Timing::After,
                Event::Update,
                touched(old.names(), old.changed()),
                vec![if_(old.given("NEW."), given, vec![not_given]), Rule::Seen(Side::Old)],
            ),
            trigger(delete, Timing::Before, Event::Delete, None, vec![Rule::Write(remove)]),
            trigger(take_insert, Timing::Before, Event::Insert, None, vec![self.take()]),
            trigger(take_update, Timing::Before, Event::Update, touched(key.names(), key.changed()), vec![self.take()]),
            trigger(
                there_insert,
                Timing::After,
                Event::Insert,
                None,
                vec![if_(new.set("NEW."), [self.arrive(), vec![Rule::Seen(Side::New)]].concat(), Vec::new())],
            ),
            trigger(
                there_update,
                Timing::After,
                Event::Update,
                n_touched,
                vec![
                    if_(
                        key.changed(),
                        // On SQLite, where it takes what it does not say only later, `NEW` says nothing still.
                        vec![left.clone(), if_(new.set("NEW."), self.arrive(), Vec::new())],
                        vec![self.update_here(&self.backward_of_new, self.rows_here("NEW."))],
                    ),
                    Rule::Seen(Side::New),
                ],
            ),
            trigger(there_delete, Timing::After, Event::Delete, None, vec![left, Rule::Seen(Side::New)]),
        ]
    }

    /// Each row there that has its N is in step with its row here; and after migrate, what is given here is there.
    pub(super) fn invariants(&self) -> Vec<Invariant> {
        let (here, there) = (self.dialect.table(&self.old.name), self.dialect.table(&self.new.name));
        let (here_row, there_row) = (format!("{here}."), format!("{there}."));
        let forward = self.columns(&self.forward_of_table);
        let backward = self.columns(&self.backward_of_table);
        vec![
            Invariant {
                table: self.new.name.clone(),
                from: format!("{there} JOIN {here} ON {}", self.rows_here(&there_row)),
                broken: format!(
                    "{} AND NOT ({} OR {})",
                    forward.set(&there_row),
                    forward.equal(&there_row),
                    backward.equal(&here_row)
                ),
                meaning: format!(
                    "rows of `{}` break the sync `{}`: they disagree with their rows of `{}`",
                    self.new.name, self.sync.name, self.old.name
                ),
            },
            Invariant {
                table: self.old.name.clone(),
                from: here.clone(),
                broken: format!(
                    "{} AND NOT EXISTS (SELECT 1 FROM {there} WHERE {})",
                    backward.given(&here_row),
                    self.rows_there(&here_row)
                ),
                meaning: format!("rows of `{}` have no row in `{}` yet", self.old.name, self.new.name),
            },
        ]
    }
}
