//! `add_column`: a new column of a live table.

use serde::Deserialize;

use super::{Context, Operation, simulate};
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
    fn apply(&self, schema: &mut Schema, dialect: &dyn Dialect) {
        schema.enums.extend(dialect.enum_type(&self.table, &self.column));
        simulate(schema, dialect, &self.table, &self.change());
    }
}
