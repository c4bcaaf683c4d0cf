//! `drop_column`: removes a column.

use serde::Deserialize;

use super::{Context, Operation, simulate};
use crate::dialect::{Change, Dialect, Refusal, Schema, Script};

/// The step.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DropColumn {
    /// The table.
    pub table: String,
    /// The column.
    pub column: String,
    /// Whether the table may be copied for it, where the server knows no other way.
    #[serde(default)]
    pub allow_rewrite: bool,
}

impl DropColumn {
    fn change(&self) -> Change {
        Change::DropColumn(self.column.clone())
    }
}

impl Operation for DropColumn {
    fn summary(&self) -> String {
        format!("drop column {} of {}", self.column, self.table)
    }
    fn script(&self, context: &Context<'_>) -> Result<Script, Refusal> {
        context.column(&self.table, &self.column)?;
        context.alter(&self.table, &self.change(), self.allow_rewrite)
    }
    fn took_effect(&self, context: &Context<'_>) -> Option<bool> {
        Some(context.table(&self.table).is_ok() && context.column(&self.table, &self.column).is_err())
    }
    fn apply(&self, schema: &mut Schema, dialect: &dyn Dialect) {
        simulate(schema, dialect, &self.table, &self.change());
    }
    fn touches(&self, _schema: &Schema, table: &str, columns: &[String]) -> bool {
        self.table == table && columns.contains(&self.column)
    }
}
