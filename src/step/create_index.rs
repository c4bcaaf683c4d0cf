//! `create_index`: an index, built while writers write.

use serde::Deserialize;

use super::drop_index::DropIndex;
use super::{Context, Memory, Operation, Undo, no_duplicates};
use crate::dialect::{Dialect, Index, IndexDefinition, Refusal, Schema, Script};

/// The step.
#[derive(Debug, Clone, Deserialize)]
#[serde(transparent)]
pub struct CreateIndex(
    /// The index.
    pub IndexDefinition,
);

impl CreateIndex {
    /// Whether it is there and complete, or what keeps a unique constraint.
    fn is_live(&self, schema: &Schema) -> bool {
        schema.table(&self.0.table).is_some_and(|table| {
            table.uniques.iter().any(|unique| unique.name == self.0.name)
                || table.indexes.iter().any(|index| index.name == self.0.name && index.valid)
        })
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
        let table = context.table(&self.0.table)?;
        if self.is_live(context.schema) {
            return Err(Refusal::new(format!("table `{}` has an index `{}` already", self.0.table, self.0.name)));
        }
        let mut script = context.dialect.create_index(context.schema, table, &self.0)?;
        script.table = Some(self.0.table.clone());
        if self.0.unique {
            script.statements.insert(0, no_duplicates(context, table, &self.0.columns));
        }
        Ok(script)
    }
    fn took_effect(&self, context: &Context<'_>) -> Option<bool> {
        Some(self.is_live(context.schema))
    }
    fn inverse(&self, _context: &Context<'_>, _memory: &Memory) -> Result<Undo, Refusal> {
        Ok(Undo::by(DropIndex { table: self.0.table.clone(), name: self.0.name.clone() }))
    }
    fn apply(&self, schema: &mut Schema, dialect: &dyn Dialect) {
        let text = schema.table(&self.0.table).map(|table| dialect.create_index(schema, table, &self.0));
        if let Some(table) = schema.table_mut(&self.0.table) {
            table.indexes.push(Index {
                name: self.0.name.clone(),
                columns: self.0.columns.clone(),
                unique: self.0.unique,
                valid: true,
                ..Index::default()
            });
            table.dependents.extend(text.into_iter().flatten().flat_map(|script| script.texts().collect::<Vec<_>>()));
        }
    }
}
