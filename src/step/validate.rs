//! `validate`: proves that a foreign key or a check holds for the rows that were there before it, while writers write.
//!
//! Rows that it does not hold for are looked for first, and named. PostgreSQL then records that the constraint is valid;
//! the others keep no such record, so there the look is all. A check was looked at when it was added, except on PostgreSQL.

use serde::Deserialize;

use super::{Context, Operation, simulate};
use crate::dialect::{Change, Dialect, Refusal, Schema, Script, Statement, Table, offending};

/// The step.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Validate {
    pub(super) table: String,
    pub(super) name: String,
}

impl Validate {
    fn change(&self) -> Change {
        Change::Validate(self.name.clone())
    }

    /// What the rows must not be, as a condition and as words; `None` where they were looked at before.
    fn look(&self, context: &Context<'_>, table: &Table) -> Result<Option<(String, String)>, Refusal> {
        let dialect = context.dialect;
        let named = |name: &Option<String>| name.as_ref() == Some(&self.name);
        if let Some(key) = table.foreign_keys.iter().find(|key| named(&key.name)) {
            let known = dialect.validates_later() && !key.not_valid;
            let message = format!("rows of `{}` refer to rows of `{}` that do not exist", self.table, key.references);
            return Ok((!known).then(|| (offending::is_orphan(dialect, context.schema, table, key), message)));
        }
        let check = table.checks.iter().find(|check| named(&check.name)).ok_or_else(|| {
            let reason = format!("there is no foreign key or check `{}` on table `{}`", self.name, self.table);
            Refusal::new(reason).at(&self.name)
        })?;
        let message = format!("rows of `{}` do not pass the check `{}`", self.table, self.name);
        Ok(check.not_valid.then(|| (format!("NOT ({})", check.expression), message)))
    }
}

impl Operation for Validate {
    fn summary(&self) -> String {
        format!("validate {} of {}", self.name, self.table)
    }
    fn script(&self, context: &Context<'_>) -> Result<Script, Refusal> {
        let table = context.table(&self.table)?;
        let Some((condition, message)) = self.look(context, table)? else { return Ok(Script::default()) };
        let mut script = context.alter(&self.table, &self.change(), false)?;
        let query = offending::rows_where(context.dialect, table, &condition);
        script.statements.insert(0, Statement::MustBeEmpty { query, message });
        Ok(script)
    }
    fn took_effect(&self, context: &Context<'_>) -> Option<bool> {
        // Where no record is kept, a second look changes nothing.
        let table = context.schema.table(&self.table)?;
        Some(self.look(context, table).is_ok_and(|look| look.is_none()))
    }
    fn apply(&self, schema: &mut Schema, dialect: &dyn Dialect) {
        simulate(schema, dialect, &self.table, &self.change());
    }
}
