//! `drop_constraint`: removes a constraint by its name.

use serde::Deserialize;

use super::{Constraint, Context, Memory, Operation, Undo, simulate};
use crate::dialect::{Change, Dialect, Refusal, Schema, Script, lex};

/// The step.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DropConstraint {
    /// The table.
    pub table: String,
    /// The constraint.
    pub name: String,
}

impl DropConstraint {
    fn change(&self) -> Change {
        Change::DropConstraint(self.name.clone())
    }

    fn is_live(&self, schema: &Schema) -> bool {
        let Some(table) = schema.table(&self.table) else { return false };
        let unique_index = || table.indexes.iter().any(|index| index.unique && index.name == self.name);
        table.has_constraint(&self.name)
            || table.sql.as_ref().is_some_and(|sql| names_constraint(sql, &self.name) || unique_index())
    }
}

/// SQLite keeps the names of constraints in the text alone.
fn names_constraint(sql: &str, name: &str) -> bool {
    let words = lex::identifiers(sql, lex::Flavor::Sqlite);
    words.windows(2).any(|pair| pair[0].eq_ignore_ascii_case("constraint") && pair[1].eq_ignore_ascii_case(name))
}

impl Operation for DropConstraint {
    fn summary(&self) -> String {
        format!("drop constraint {} of {}", self.name, self.table)
    }
    fn script(&self, context: &Context<'_>) -> Result<Script, Refusal> {
        context.table(&self.table)?;
        if !self.is_live(context.schema) {
            return Err(Refusal::new(format!("there is no constraint `{}` on table `{}`", self.name, self.table)));
        }
        context.alter(&self.table, &self.change(), false)
    }
    fn took_effect(&self, context: &Context<'_>) -> Option<bool> {
        Some(!self.is_live(context.schema))
    }
    fn remember(&self, context: &Context<'_>) -> Option<Memory> {
        let constraint = Constraint::of(context.schema.table(&self.table)?, &self.name)?;
        Some(Memory { constraint: Some(constraint), ..Memory::default() })
    }
    fn inverse(&self, context: &Context<'_>, memory: &Memory) -> Result<Undo, Refusal> {
        let Some(constraint) = &memory.constraint else {
            return Err(Refusal::new(format!(
                "the constraint `{}` of `{}` was dropped, and what it was is not known well enough to add it again",
                self.name, self.table
            )));
        };
        Ok(constraint.added_again(&self.table, &self.name, context))
    }
    fn apply(&self, schema: &mut Schema, dialect: &dyn Dialect) {
        simulate(schema, dialect, &self.table, &self.change());
    }
}
