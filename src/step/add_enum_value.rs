//! `add_enum_value`: one more label behind the last one of an enum.

use serde::Deserialize;

use super::{Context, Memory, Operation, Undo, simulate};
use crate::dialect::{Change, Dialect, Refusal, Schema, Script};

/// The step.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddEnumValue {
    table: String,
    column: String,
    value: String,
    #[serde(default)]
    allow_rewrite: bool,
}

impl AddEnumValue {
    fn change(&self) -> Change {
        Change::AddEnumValue(self.column.clone(), self.value.clone())
    }

    fn labels(&self, context: &Context<'_>) -> Result<Option<Vec<String>>, Refusal> {
        let (table, column) = (context.table(&self.table)?, context.column(&self.table, &self.column)?);
        context.dialect.enum_labels(context.schema, table, column)
    }
}

impl Operation for AddEnumValue {
    fn summary(&self) -> String {
        format!("let {} of {} be {}", self.column, self.table, self.value)
    }
    fn script(&self, context: &Context<'_>) -> Result<Script, Refusal> {
        let Some(labels) = self.labels(context)? else { return Ok(Script::default()) };
        if labels.contains(&self.value) {
            return Err(Refusal::new(format!(
                "column `{}` of `{}` may be `{}` already",
                self.column, self.table, self.value
            ))
            .at(&self.value));
        }
        context.alter(&self.table, &self.change(), self.allow_rewrite)
    }
    fn took_effect(&self, context: &Context<'_>) -> Option<bool> {
        Some(self.labels(context).is_ok_and(|labels| labels.is_none_or(|labels| labels.contains(&self.value))))
    }
    fn inverse(&self, context: &Context<'_>, _memory: &Memory) -> Result<Undo, Refusal> {
        if self.labels(context).is_ok_and(|labels| labels.is_none()) {
            return Ok(Undo::By(Vec::new()));
        }
        // PostgreSQL knows no way; MySQL would copy the table, SQLite write it anew.
        Ok(Undo::Stays(format!(
            "the label {} of `{}` in `{}` stays: {} drops none without writing the table anew, if at all",
            self.value,
            self.column,
            self.table,
            context.dialect.kind()
        )))
    }
    fn apply(&self, schema: &mut Schema, dialect: &dyn Dialect) {
        let named = schema.table(&self.table).and_then(|table| dialect.enum_name(table.column(&self.column)?));
        if let Some(labels) = named.and_then(|name| schema.enums.get_mut(&name)) {
            labels.push(self.value.clone());
        }
        simulate(schema, dialect, &self.table, &self.change());
    }
}
