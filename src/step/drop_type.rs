//! The engine's own step that removes an enum type with the column that it was made for; no file can say it.

use super::{Context, Operation};
use crate::dialect::{Dialect, Refusal, Schema, Script};

/// The step.
#[derive(Debug, Clone)]
pub(super) struct DropType(pub(super) String);

impl Operation for DropType {
    fn summary(&self) -> String {
        format!("drop type {}", self.0)
    }
    fn script(&self, context: &Context<'_>) -> Result<Script, Refusal> {
        Ok(context.dialect.drop_type(&self.0))
    }
    fn took_effect(&self, context: &Context<'_>) -> Option<bool> {
        Some(!context.schema.enums.contains_key(&self.0))
    }
    fn apply(&self, schema: &mut Schema, _dialect: &dyn Dialect) {
        schema.enums.remove(&self.0);
    }
}
