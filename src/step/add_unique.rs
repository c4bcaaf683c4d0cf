//! `add_unique`: a unique constraint, over an index that is built while writers write.

use serde::Deserialize;

use super::{Context, Operation, no_duplicates, simulate};
use crate::dialect::{Change, Dialect, Refusal, Schema, Script, UniqueDefinition};

/// The step.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddUnique {
    pub(super) table: String,
    pub(super) name: String,
    pub(super) columns: Vec<String>,
    #[serde(default)]
    pub(super) allow_rewrite: bool,
}

impl AddUnique {
    fn change(&self) -> Change {
        Change::AddUnique(UniqueDefinition { name: self.name.clone(), columns: self.columns.clone() })
    }

    /// Whether the constraint, or the index that stands for one, is in force.
    fn is_live(&self, context: &Context<'_>) -> bool {
        context.schema.table(&self.table).is_some_and(|table| {
            // On PostgreSQL an index is no constraint yet.
            let by_index = !context.dialect.validates_later();
            table.uniques.iter().any(|unique| unique.name == self.name && !unique.invalid)
                || by_index && table.indexes.iter().any(|index| index.name == self.name && index.unique)
        })
    }
}

impl Operation for AddUnique {
    fn summary(&self) -> String {
        format!("make ({}) of {} unique, as {}", self.columns.join(", "), self.table, self.name)
    }
    fn other_names(&self) -> Vec<&str> {
        vec![&self.name]
    }
    fn script(&self, context: &Context<'_>) -> Result<Script, Refusal> {
        let table = context.table(&self.table)?;
        if self.columns.is_empty() {
            return Err(Refusal::new("a unique constraint needs at least one column").at("columns"));
        }
        for column in &self.columns {
            context.column(&self.table, column)?;
        }
        if self.is_live(context) || table.indexes.iter().any(|index| index.name == self.name && !index.unique) {
            return Err(Refusal::new(format!("table `{}` has a `{}` already", self.table, self.name)));
        }
        let mut script = context.alter(&self.table, &self.change(), self.allow_rewrite)?;
        let built = table.indexes.iter().any(|index| index.name == self.name && index.valid);
        if !built {
            script.statements.insert(0, no_duplicates(context, table, &self.columns));
        }
        Ok(script)
    }
    fn took_effect(&self, context: &Context<'_>) -> Option<bool> {
        Some(self.is_live(context))
    }
    fn apply(&self, schema: &mut Schema, dialect: &dyn Dialect) {
        simulate(schema, dialect, &self.table, &self.change());
    }
    fn touches(&self, _schema: &Schema, table: &str, columns: &[String]) -> bool {
        self.table == table && self.columns.iter().any(|column| columns.contains(column))
    }
}
