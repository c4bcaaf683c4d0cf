//! `drop_default`: removes a column's default.

use serde::Deserialize;

use super::set_default::SetDefault;
use super::{Context, Memory, Operation, Undo, simulate};
use crate::dialect::{Change, Column, Dialect, Refusal, Schema, Script};

/// The step.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DropDefault {
    /// The table.
    pub table: String,
    /// The column.
    pub column: String,
}

impl DropDefault {
    fn change(&self) -> Change {
        Change::DropDefault(self.column.clone())
    }
}

impl Operation for DropDefault {
    fn summary(&self) -> String {
        format!("drop the default of {} in {}", self.column, self.table)
    }
    fn script(&self, context: &Context<'_>) -> Result<Script, Refusal> {
        context.column(&self.table, &self.column)?;
        context.alter(&self.table, &self.change(), false)
    }
    fn took_effect(&self, context: &Context<'_>) -> Option<bool> {
        Some(context.column(&self.table, &self.column).is_ok_and(|column| column.default.is_none()))
    }
    fn remember(&self, context: &Context<'_>) -> Option<Memory> {
        let column = context.column(&self.table, &self.column).ok()?;
        // Without a default there was nothing to drop, and nothing to give back.
        Some(Memory { nullable: Some(column.nullable), default: column.default.clone(), ..Memory::default() })
    }
    fn inverse(&self, context: &Context<'_>, memory: &Memory) -> Result<Undo, Refusal> {
        match (&memory.default, memory.nullable) {
            (Some(default), _) => {
                let column = context.column(&self.table, &self.column)?;
                let known = Column { default: Some(default.clone()), ..column.clone() };
                if context.dialect.doubtful_default(&known) {
                    return Err(Refusal::new(format!(
                        "the default of `{}` in `{}` was shown as {default}, where `?` may stand for a character that the \
                         catalog cannot show",
                        self.column, self.table
                    )));
                }
                Ok(Undo::by(SetDefault::to_text(&self.table, &self.column, default)))
            }
            (None, Some(_)) => Ok(Undo::By(Vec::new())),
            (None, None) => Err(Refusal::new(format!(
                "nobody recorded the default that `{}` of `{}` had: an older concertina dropped it",
                self.column, self.table
            ))),
        }
    }
    fn apply(&self, schema: &mut Schema, dialect: &dyn Dialect) {
        simulate(schema, dialect, &self.table, &self.change());
    }
}
