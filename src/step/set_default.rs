//! `set_default`: gives a column a default.

use serde::Deserialize;

use super::{Context, Operation};
use crate::dialect::{Change, Default, Dialect, Refusal, Schema, Script};

/// The step.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetDefault {
    /// The table.
    pub table: String,
    /// The column.
    pub column: String,
    value: Default,
    /// The value as SQL, where it was read from the database: its text is used as it is.
    #[serde(skip)]
    text: Option<String>,
}

impl SetDefault {
    /// The step that sets a default to SQL text of the database's own.
    pub(super) fn to_text(table: &str, column: &str, text: &str) -> Self {
        let (table, column) = (table.to_owned(), column.to_owned());
        Self { table, column, value: Default::Null, text: Some(text.to_owned()) }
    }

    fn change(&self, dialect: &dyn Dialect) -> Result<Change, Refusal> {
        if let Some(text) = &self.text {
            return Ok(Change::SetDefault(self.column.clone(), text.clone()));
        }
        Ok(Change::SetDefault(self.column.clone(), dialect.default_value(&self.value)?))
    }
}

impl Operation for SetDefault {
    fn summary(&self) -> String {
        format!("set the default of {} in {}", self.column, self.table)
    }
    fn script(&self, context: &Context<'_>) -> Result<Script, Refusal> {
        context.column(&self.table, &self.column)?;
        context.alter(&self.table, &self.change(context.dialect)?, false)
    }
    /// Setting a default again changes nothing, so "no" is a safe answer, and comparing two databases' words for a value is not.
    fn took_effect(&self, _context: &Context<'_>) -> Option<bool> {
        Some(false)
    }
    fn apply(&self, schema: &mut Schema, dialect: &dyn Dialect) {
        if let Ok(change) = self.change(dialect) {
            super::simulate(schema, dialect, &self.table, &change);
        }
    }
    fn touches(&self, _schema: &Schema, table: &str, columns: &[String]) -> bool {
        self.table == table && columns.contains(&self.column)
    }
}
