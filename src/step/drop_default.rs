//! `drop_default`: removes a column's default.

use serde::Deserialize;

use super::{Context, Operation, simulate};
use crate::dialect::{Change, Dialect, Refusal, Schema, Script};

/// The step.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DropDefault {
    /// The table.
    pub table: String,
    /// The column.
    pub column: String,
}

impl DropDefault {
    fn change(&self) -> Change {
        Change::DropDefault(self.column.clone())
    }
}

impl Operation for DropDefault {
    fn summary(&self) -> String {
        format!("drop the default of {} in {}", self.column, self.table)
    }
    fn script(&self, context: &Context<'_>) -> Result<Script, Refusal> {
        context.column(&self.table, &self.column)?;
        context.alter(&self.table, &self.change(), false)
    }
    fn took_effect(&self, context: &Context<'_>) -> Option<bool> {
        Some(context.column(&self.table, &self.column).is_ok_and(|column| column.default.is_none()))
    }
    fn apply(&self, schema: &mut Schema, dialect: &dyn Dialect) {
        simulate(schema, dialect, &self.table, &self.change());
    }
}
