//! `drop_table`: removes a table.

use serde::Deserialize;

use super::{Context, Operation};
use crate::dialect::{Dialect, Refusal, Schema, Script};

/// The step.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DropTable {
    /// The table.
    pub table: String,
}

impl Operation for DropTable {
    fn summary(&self) -> String {
        format!("drop table {}", self.table)
    }
    fn script(&self, context: &Context<'_>) -> Result<Script, Refusal> {
        context.table(&self.table)?;
        let referring = context.schema.tables.values().find(|table| {
            table.name != self.table && table.foreign_keys.iter().any(|key| key.references == self.table)
        });
        if let Some(referring) = referring {
            return Err(Refusal::new(format!(
                "table `{}` still has a foreign key to `{}`; drop that table or constraint above this step",
                referring.name, self.table
            )));
        }
        Ok(context.dialect.drop_table(&self.table))
    }
    fn took_effect(&self, context: &Context<'_>) -> Option<bool> {
        Some(context.schema.table(&self.table).is_none())
    }
    fn apply(&self, schema: &mut Schema, _dialect: &dyn Dialect) {
        schema.tables.remove(&self.table);
    }
    fn touches(&self, _schema: &Schema, table: &str, _columns: &[String]) -> bool {
        self.table == table
    }
}
