//! Old and new columns in one row: the table of design.md, section 6.

use super::mapping::{Columns, Mapping, Place, columns_read};
use super::{Conflict, Event, Invariant, Rule, Side, Sync, Timing, Touched, Trigger, live_table};
use crate::dialect::Dialect;
use crate::dialect::schema::{Schema, Table};
use crate::dialect::statement::Refusal;

/// The triggers, by their part of the name.
pub(super) const PARTS: [&str; 2] = ["insert", "update"];

/// A sync with its expressions rendered for a live table.
pub(super) struct Rules<'a> {
    sync: &'a Sync,
    dialect: &'a dyn Dialect,
    table: &'a Table,
    row: String,
    forward: Mapping<'a>,
    backward: Mapping<'a>,
    /// The key's columns that an expression reads, and that the sync does not write: when one of them alone changes, a row
    /// may be out of step.
    keys_read: Mapping<'a>,
}

impl<'a> Rules<'a> {
    /// Renders a sync's expressions for a query over the table. Its name stands before each column, since a subquery of an
    /// expression may have columns of the same names.
    pub(super) fn over_table(sync: &'a Sync, dialect: &'a dyn Dialect, schema: &'a Schema) -> Result<Self, Refusal> {
        Self::new(sync, dialect, schema, &format!("{}.", dialect.table(&sync.table)))
    }

    /// Renders a sync's expressions, with `row` before each column: `NEW.` in a trigger.
    pub(super) fn new(
        sync: &'a Sync,
        dialect: &'a dyn Dialect,
        schema: &'a Schema,
        row: &str,
    ) -> Result<Self, Refusal> {
        let table = live_table(schema, &sync.table)?;
        let known: Vec<&str> = sync.forward.iter().chain(&sync.backward).map(|(name, _)| name.as_str()).collect();
        let place = Place { dialect, reads: table, row, known: &known };
        let (forward, backward) = (place.render(&sync.forward, table)?, place.render(&sync.backward, table)?);
        let read: Vec<_> =
            sync.forward.iter().chain(&sync.backward).flat_map(|(_, sql)| columns_read(sql, dialect, table)).collect();
        let mut keys_read: Mapping<'a> = Vec::new();
        for column in read.iter().copied().filter(|column| !known.contains(&column.name.as_str())) {
            if !keys_read.iter().any(|(other, _)| other.name == column.name) {
                keys_read.push((column, String::new()));
            }
        }
        if let Some(column) = read.into_iter().find(|column| dialect.numbers_late(column)) {
            return Err(Refusal::new(format!(
                "an expression reads `{}`, which the server numbers only after the trigger: it would be 0",
                column.name
            ))
            .at(&column.name));
        }
        Ok(Self { sync, dialect, table, row: row.to_owned(), forward, backward, keys_read })
    }

    fn old(&self) -> Columns<'_> {
        Columns { dialect: self.dialect, mapping: &self.backward }
    }

    fn new_side(&self) -> Columns<'_> {
        Columns { dialect: self.dialect, mapping: &self.forward }
    }

    fn in_step(&self, row: &str) -> String {
        format!("({} OR {})", self.new_side().equal(row), self.old().equal(row))
    }

    /// Every row whose new side is set is in step.
    pub(super) fn invariant(&self) -> Invariant {
        Invariant {
            table: self.table.name.clone(),
            from: self.dialect.table(&self.sync.table),
            broken: format!("{} AND NOT {}", self.new_side().set(&self.row), self.in_step(&self.row)),
            meaning: format!(
                "rows of `{}` break the sync `{}`: old and new columns disagree",
                self.sync.table, self.sync.name
            ),
        }
    }

    fn conflict(&self) -> Vec<Rule> {
        match self.sync.conflict {
            Conflict::Reject => vec![Rule::Reject(format!(
                "concertina sync {}: {} and {} disagree; write one side only",
                self.sync.name,
                self.old().names().join(", "),
                self.new_side().names().join(", ")
            ))],
            Conflict::New => self.new_writer(),
            Conflict::Old => self.old_writer(),
        }
    }

    fn old_writer(&self) -> Vec<Rule> {
        vec![Rule::Assign(self.new_side().owned()), Rule::Seen(Side::Old)]
    }

    fn new_writer(&self) -> Vec<Rule> {
        vec![Rule::Assign(self.old().owned()), Rule::Seen(Side::New)]
    }

    /// A row that moves to another partition is inserted there. It gives every column, and is in step already: an old column
    /// that equals its default was not left out.
    fn old_given(&self) -> String {
        let given = self.old().given("NEW.");
        match self.table.partition_key {
            Some(_) => format!("({given} OR {})", self.in_step("NEW.")),
            None => given,
        }
    }

    /// The rules of a write: by whether it gives the new side, and the old one as well; `otherwise` is for one that gives no
    /// new side.
    fn rules(&self, new_given: String, old_given: String, otherwise: Vec<Rule>) -> Vec<Rule> {
        let both =
            Rule::If { condition: self.in_step("NEW."), then: vec![Rule::Seen(Side::New)], otherwise: self.conflict() };
        let new = Rule::If { condition: old_given, then: vec![both], otherwise: self.new_writer() };
        let mut rules = vec![Rule::If { condition: new_given, then: vec![new], otherwise }];
        rules.extend(self.sync.required.iter().cloned().map(Rule::Require));
        rules
    }

    pub(super) fn triggers(&self) -> Vec<Trigger> {
        let (old, new) = (self.old(), self.new_side());
        let keys = Columns { dialect: self.dialect, mapping: &self.keys_read };
        let mut sides = vec![old.changed(), new.changed()];
        let mut updated = self.old_writer();
        if !self.keys_read.is_empty() {
            sides.push(keys.changed());
            // The key alone changed: a row that it leaves in step, or that nobody has migrated, stays as it is.
            let out_of_step = format!("{} AND NOT {}", new.set("NEW."), self.in_step("NEW."));
            let follow = Rule::If { condition: out_of_step, then: self.old_writer(), otherwise: Vec::new() };
            updated = vec![Rule::If { condition: old.changed(), then: self.old_writer(), otherwise: vec![follow] }];
        }
        let touched = Touched {
            columns: [old.names(), new.names(), keys.names()].concat(),
            condition: format!("({})", sides.join(" OR ")),
        };
        let trigger = |part: &str, event, touched, rules| Trigger {
            part: part.to_owned(),
            table: self.sync.table.clone(),
            timing: Timing::Before,
            event,
            touched,
            met_by_syncs: event != Event::Insert,
            rules,
        };
        // Where each trigger is in force at once, an update of a row that nobody has migrated changes nothing.
        vec![
            trigger(PARTS[1], Event::Update, Some(touched), self.rules(new.changed(), old.changed(), updated)),
            trigger(PARTS[0], Event::Insert, None, self.rules(new.set("NEW."), self.old_given(), self.old_writer())),
        ]
    }
}
