//! `add_foreign_key`: a foreign key; existing rows are not looked at where the database can leave that for later.

use serde::Deserialize;

use super::drop_constraint::DropConstraint;
use super::drop_index::DropIndex;
use super::{Context, Memory, Operation, Undo, refuse_constraint, simulate};
use crate::dialect::{Change, Dialect, ForeignKeyDefinition, OnDelete, References, Refusal, Schema, Script};

/// The step.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddForeignKey {
    /// The table.
    pub table: String,
    name: String,
    /// The referring columns.
    pub columns: Vec<String>,
    references: References,
    #[serde(default)]
    on_delete: Option<OnDelete>,
    #[serde(default)]
    allow_rewrite: bool,
}

impl AddForeignKey {
    /// The step that adds a key to a table.
    pub(super) fn of(table: &str, key: ForeignKeyDefinition) -> Self {
        Self {
            table: table.to_owned(),
            name: key.name.unwrap_or_default(),
            columns: key.columns,
            references: key.references,
            on_delete: key.on_delete,
            allow_rewrite: false,
        }
    }

    fn change(&self) -> Change {
        Change::AddForeignKey(ForeignKeyDefinition {
            name: Some(self.name.clone()),
            columns: self.columns.clone(),
            references: self.references.clone(),
            on_delete: self.on_delete,
        })
    }
}

impl Operation for AddForeignKey {
    fn summary(&self) -> String {
        format!("add foreign key {} from {} to {}", self.name, self.table, self.references.table)
    }
    fn other_names(&self) -> Vec<&str> {
        vec![&self.name]
    }
    fn script(&self, context: &Context<'_>) -> Result<Script, Refusal> {
        for column in &self.columns {
            context.column(&self.table, column)?;
        }
        for column in &self.references.columns {
            context.column(&self.references.table, column)?;
        }
        let table = context.table(&self.table)?;
        // What an interrupted run has done of a partitioned table's key is in its partitions.
        refuse_constraint(table, &self.name)?;
        if self.columns.len() != self.references.columns.len() || self.columns.is_empty() {
            return Err(Refusal::new("a foreign key needs as many columns here as it refers to").at("columns"));
        }
        let parent = context.table(&self.references.table)?;
        if !context.dialect.can_be_referred_to(parent, &self.references.columns) {
            return Err(Refusal::new(format!(
                "`{}` has no key over ({}) that a foreign key could refer to",
                self.references.table,
                self.references.columns.join(", ")
            ))
            .at(&self.references.table));
        }
        context.alter(&self.table, &self.change(), self.allow_rewrite)
    }
    fn took_effect(&self, context: &Context<'_>) -> Option<bool> {
        let table = context.schema.table(&self.table)?;
        // SQLite keeps no name with a foreign key.
        Some(table.foreign_keys.iter().any(|key| match &key.name {
            Some(name) => *name == self.name,
            None => key.columns == self.columns && key.references == self.references.table,
        }))
    }
    fn remember(&self, context: &Context<'_>) -> Option<Memory> {
        let table = context.schema.table(&self.table)?;
        let indexes = table.indexes.iter().map(|index| index.name.clone()).collect();
        Some(Memory { indexes, ..Memory::default() })
    }
    fn inverse(&self, context: &Context<'_>, memory: &Memory) -> Result<Undo, Refusal> {
        let (table, name) = (self.table.clone(), self.name.clone());
        let live = context.schema.table(&table);
        let has_index = live.is_some_and(|live| live.indexes.iter().any(|index| index.name == name));
        let mut operations: Vec<Box<dyn Operation>> =
            vec![Box::new(DropConstraint { table: table.clone(), name: name.clone() })];
        // MySQL makes an index for the key where there is none, and leaves it when the key goes.
        if has_index && !memory.indexes.contains(&name) {
            operations.push(Box::new(DropIndex { table, name }));
        }
        Ok(Undo::By(operations))
    }
    fn apply(&self, schema: &mut Schema, dialect: &dyn Dialect) {
        simulate(schema, dialect, &self.table, &self.change());
    }
}
