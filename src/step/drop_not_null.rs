//! `drop_not_null`: lets a column take NULL, so that a new writer may leave it out.

use serde::Deserialize;

use super::set_not_null::SetNotNull;
use super::{Context, Memory, Operation, Undo, simulate};
use crate::dialect::{Change, Dialect, Refusal, Schema, Script};

/// The step.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DropNotNull {
    /// The table.
    pub table: String,
    /// The column.
    pub column: String,
    /// Whether the table may be copied for it, where the server knows no other way.
    #[serde(default)]
    pub allow_rewrite: bool,
}

impl DropNotNull {
    fn change(&self) -> Change {
        Change::DropNotNull(self.column.clone())
    }
}

impl Operation for DropNotNull {
    fn summary(&self) -> String {
        format!("let {} of {} be NULL", self.column, self.table)
    }
    fn script(&self, context: &Context<'_>) -> Result<Script, Refusal> {
        context.column(&self.table, &self.column)?;
        context.alter(&self.table, &self.change(), self.allow_rewrite)
    }
    fn took_effect(&self, context: &Context<'_>) -> Option<bool> {
        Some(context.column(&self.table, &self.column).is_ok_and(|column| column.nullable))
    }
    fn remember(&self, context: &Context<'_>) -> Option<Memory> {
        let column = context.column(&self.table, &self.column).ok()?;
        Some(Memory { nullable: Some(column.nullable), ..Memory::default() })
    }
    fn inverse(&self, _context: &Context<'_>, memory: &Memory) -> Result<Undo, Refusal> {
        if memory.nullable == Some(true) {
            return Ok(Undo::By(Vec::new()));
        }
        let (table, column) = (self.table.clone(), self.column.clone());
        Ok(Undo::by(SetNotNull { table, column, allow_rewrite: self.allow_rewrite }))
    }
    fn apply(&self, schema: &mut Schema, dialect: &dyn Dialect) {
        simulate(schema, dialect, &self.table, &self.change());
    }
}
