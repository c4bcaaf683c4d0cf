//! `add_column`: a new column of a live table.

use serde::Deserialize;

use super::drop_column::DropColumn;
use super::drop_type::DropType;
use super::{Context, Memory, Operation, Undo, simulate};
use crate::dialect::{Change, ColumnDefinition, Dialect, Refusal, Schema, Script};

/// The step.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddColumn {
    /// The table.
    pub table: String,
    /// The column.
    pub column: ColumnDefinition,
    #[serde(default)]
    allow_rewrite: bool,
}

impl AddColumn {
    fn change(&self) -> Change {
        Change::AddColumn(self.column.clone())
    }
}

impl Operation for AddColumn {
    fn summary(&self) -> String {
        format!("add column {} to {}", self.column.name, self.table)
    }
    fn other_names(&self) -> Vec<&str> {
        super::enum_name(&self.column).into_iter().collect()
    }
    fn script(&self, context: &Context<'_>) -> Result<Script, Refusal> {
        if context.table(&self.table)?.column(&self.column.name).is_some() {
            return Err(Refusal::new(format!("table `{}` has a column `{}` already", self.table, self.column.name)));
        }
        if !self.column.nullable && self.column.default.is_none() {
            return Err(Refusal::new(format!(
                "column `{}` is NOT NULL without a default, so a node of the old release could not insert into `{}`; make it nullable, and set_not_null in contract",
                self.column.name, self.table
            )));
        }
        context.alter(&self.table, &self.change(), self.allow_rewrite)
    }
    fn took_effect(&self, context: &Context<'_>) -> Option<bool> {
        Some(context.column(&self.table, &self.column.name).is_ok())
    }
    fn remember(&self, context: &Context<'_>) -> Option<Memory> {
        let made = context.dialect.enum_type(&self.table, &self.column);
        let types = made.map(|(name, _)| name).filter(|name| !context.schema.enums.contains_key(name));
        Some(Memory { types: types.into_iter().collect(), ..Memory::default() })
    }
    fn inverse(&self, _context: &Context<'_>, memory: &Memory) -> Result<Undo, Refusal> {
        let (table, column) = (self.table.clone(), self.column.name.clone());
        let mut operations: Vec<Box<dyn Operation>> =
            vec![Box::new(DropColumn { table, column, allow_rewrite: self.allow_rewrite })];
        for name in &memory.types {
            operations.push(Box::new(DropType(name.clone())));
        }
        Ok(Undo::By(operations))
    }
    fn apply(&self, schema: &mut Schema, dialect: &dyn Dialect) {
        schema.enums.extend(dialect.enum_type(&self.table, &self.column));
        simulate(schema, dialect, &self.table, &self.change());
    }
}
