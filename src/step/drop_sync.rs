//! The engine's own step that removes a sync in contract; no file can say it.

use super::{Context, Operation};
use crate::dialect::{Dialect, Refusal, Schema, Script, Sync};

/// The step.
#[derive(Debug, Clone)]
pub struct DropSync(pub Sync);

impl Operation for DropSync {
    fn summary(&self) -> String {
        format!("remove sync {} from {}", self.0.name, self.0.table)
    }
    fn script(&self, context: &Context<'_>) -> Result<Script, Refusal> {
        Ok(context.dialect.drop_sync(&self.0))
    }
    fn took_effect(&self, _context: &Context<'_>) -> Option<bool> {
        Some(false)
    }
    fn apply(&self, schema: &mut Schema, dialect: &dyn Dialect) {
        for (table, name) in dialect.sync_triggers(&self.0) {
            if let Some(live) = schema.table_mut(&table) {
                live.triggers.retain(|trigger| trigger.name != name);
                let quoted = format!("CREATE TRIGGER {} ", dialect.quote(&name));
                live.dependents.retain(|text| !text.starts_with(&quoted));
            }
        }
    }
}
