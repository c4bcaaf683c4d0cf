//! `create_index`: an index, built while writers write.

use serde::Deserialize;

use super::{Context, Operation};
use crate::dialect::{Dialect, Index, IndexDefinition, Refusal, Schema, Script};

/// The step.
#[derive(Debug, Clone, Deserialize)]
#[serde(transparent)]
pub struct CreateIndex(
    /// The index.
    pub IndexDefinition,
);

impl CreateIndex {
    fn live<'a>(&self, schema: &'a Schema) -> Option<&'a Index> {
        schema.table(&self.0.table)?.indexes.iter().find(|index| index.name == self.0.name)
    }
}

impl Operation for CreateIndex {
    fn summary(&self) -> String {
        format!("create index {} on {} ({})", self.0.name, self.0.table, self.0.columns.join(", "))
    }
    fn script(&self, context: &Context<'_>) -> Result<Script, Refusal> {
        for column in &self.0.columns {
            context.column(&self.0.table, column)?;
        }
        let leftover = match self.live(context.schema) {
            Some(index) if index.valid => {
                return Err(Refusal::new(format!("table `{}` has an index `{}` already", self.0.table, self.0.name)));
            }
            other => other.is_some(),
        };
        let script = context.dialect.create_index(&self.0, leftover);
        Ok(Script { table: Some(self.0.table.clone()), ..script })
    }
    fn took_effect(&self, context: &Context<'_>) -> Option<bool> {
        let unique = context
            .schema
            .table(&self.0.table)
            .is_some_and(|table| table.uniques.iter().any(|unique| unique.name == self.0.name));
        Some(unique || self.live(context.schema).is_some_and(|index| index.valid))
    }
    fn apply(&self, schema: &mut Schema, dialect: &dyn Dialect) {
        let text = dialect.create_index(&self.0, false);
        if let Some(table) = schema.table_mut(&self.0.table) {
            table.indexes.push(Index {
                name: self.0.name.clone(),
                columns: self.0.columns.clone(),
                unique: self.0.unique,
                valid: true,
            });
            table.dependents.extend(text.statements.iter().map(|statement| statement.sql().to_owned()));
        }
    }
}
