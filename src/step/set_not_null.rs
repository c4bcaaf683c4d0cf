//! `set_not_null`: makes a column refuse NULL, without a scan under a lock.

use serde::Deserialize;

use super::{Context, Operation, simulate};
use crate::dialect::{Change, Dialect, PREFIX, Refusal, Schema, Script, Statement, Table, offending};

/// The step.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetNotNull {
    /// The table.
    pub table: String,
    /// The column.
    pub column: String,
    /// Whether the table may be copied for it, where the server knows no other way.
    #[serde(default)]
    pub allow_rewrite: bool,
}

impl SetNotNull {
    fn change(&self) -> Change {
        Change::SetNotNull(self.column.clone())
    }
}

impl Operation for SetNotNull {
    fn summary(&self) -> String {
        format!("make {} of {} NOT NULL", self.column, self.table)
    }
    fn script(&self, context: &Context<'_>) -> Result<Script, Refusal> {
        context.column(&self.table, &self.column)?;
        let mut script = context.alter(&self.table, &self.change(), self.allow_rewrite)?;
        let table = context.table(&self.table)?;
        // Looked for before anything is changed, and said in words.
        script.statements.insert(
            0,
            Statement::MustBeEmpty {
                query: offending::rows_where(
                    context.dialect,
                    table,
                    &format!("{} IS NULL", context.dialect.quote(&self.column)),
                ),
                message: format!("rows of `{}` have NULL in `{}`", self.table, self.column),
            },
        );
        Ok(script)
    }
    fn took_effect(&self, context: &Context<'_>) -> Option<bool> {
        // PostgreSQL's way there uses a CHECK of ours; the step is not over while that one is still there.
        let leftover = |table: &Table| {
            let ours = |name: &String| name.starts_with(PREFIX);
            table
                .checks
                .iter()
                .any(|check| check.columns.contains(&self.column) && check.name.as_ref().is_some_and(ours))
        };
        let table = context.schema.table(&self.table)?;
        Some(table.column(&self.column).is_some_and(|column| !column.nullable) && !leftover(table))
    }
    fn apply(&self, schema: &mut Schema, dialect: &dyn Dialect) {
        simulate(schema, dialect, &self.table, &self.change());
    }
    fn touches(&self, _schema: &Schema, table: &str, columns: &[String]) -> bool {
        self.table == table && columns.contains(&self.column)
    }
}
