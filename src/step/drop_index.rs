//! `drop_index`: removes an index.

use serde::Deserialize;

use super::{Context, Operation};
use crate::dialect::{Dialect, Refusal, Schema, Script};

/// The step.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DropIndex {
    pub(super) table: String,
    /// The index.
    pub name: String,
}

impl DropIndex {
    fn is_live(&self, schema: &Schema) -> bool {
        schema.table(&self.table).is_some_and(|table| {
            table.indexes.iter().any(|index| index.name == self.name)
                || table.uniques.iter().any(|unique| unique.name == self.name)
        })
    }
}

impl Operation for DropIndex {
    fn summary(&self) -> String {
        format!("drop index {} of {}", self.name, self.table)
    }
    fn script(&self, context: &Context<'_>) -> Result<Script, Refusal> {
        let table = context.table(&self.table)?;
        if !self.is_live(context.schema) {
            return Err(Refusal::new(format!("there is no index `{}` on table `{}`", self.name, self.table)));
        }
        if context.dialect.validates_later() && table.uniques.iter().any(|unique| unique.name == self.name) {
            return Err(Refusal::new(format!(
                "`{}` is a constraint of table `{}`; use drop_constraint",
                self.name, self.table
            ))
            .at(&self.name));
        }
        Ok(context.dialect.drop_index(table, &self.name))
    }
    fn took_effect(&self, context: &Context<'_>) -> Option<bool> {
        Some(!self.is_live(context.schema))
    }
    fn apply(&self, schema: &mut Schema, dialect: &dyn Dialect) {
        if let Some(table) = schema.table_mut(&self.table) {
            table.indexes.retain(|index| index.name != self.name);
            // The text of an index begins with its name in its dialect's quotes; a bare name is the other spelling.
            let quoted = format!("INDEX {} ON", dialect.quote(&self.name)).to_lowercase();
            let bare = format!("INDEX {} ON", self.name).to_lowercase();
            table.dependents.retain(|text| {
                let text = text.to_lowercase();
                !text.contains(&quoted) && !text.contains(&bare)
            });
        }
    }
    fn touches(&self, schema: &Schema, table: &str, columns: &[String]) -> bool {
        self.table == table
            && schema
                .index(&self.name)
                .is_some_and(|(_, index)| index.columns.iter().any(|column| columns.contains(column)))
    }
}
