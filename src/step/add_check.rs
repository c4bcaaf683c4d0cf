//! `add_check`: a CHECK; existing rows are not looked at where the database can leave that for later.

use serde::Deserialize;

use super::drop_constraint::DropConstraint;
use super::{Context, Memory, Operation, Undo, refuse_constraint, simulate};
use crate::dialect::{Change, Dialect, Refusal, Schema, Script, Sql, expression};

/// The step.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddCheck {
    pub(super) table: String,
    pub(super) name: String,
    pub(super) check: Sql,
    #[serde(default)]
    pub(super) allow_rewrite: bool,
}

impl AddCheck {
    fn change(&self, dialect: &dyn Dialect) -> Result<Change, Refusal> {
        let text = self.check.on(dialect.kind());
        let text = text.ok_or_else(|| Refusal::new(format!("the check has no text for {}", dialect.kind())))?;
        Ok(Change::AddCheck(self.name.clone(), text.to_owned()))
    }
}

impl Operation for AddCheck {
    fn summary(&self) -> String {
        format!("add check {} to {}", self.name, self.table)
    }
    fn other_names(&self) -> Vec<&str> {
        vec![&self.name]
    }
    fn script(&self, context: &Context<'_>) -> Result<Script, Refusal> {
        let table = context.table(&self.table)?;
        refuse_constraint(table, &self.name)?;
        let change = self.change(context.dialect)?;
        if let Change::AddCheck(_, text) = &change {
            let flavor = context.dialect.kind().flavor();
            expression::check_text(text, flavor)?;
            let quote = |name: &str| context.dialect.quote(name);
            let scope = expression::Scope { table, row: "", related: None, quote: &quote, subquery_end: "" };
            expression::render(text, flavor, &scope)?;
        }
        context.alter(&self.table, &change, self.allow_rewrite)
    }
    fn took_effect(&self, context: &Context<'_>) -> Option<bool> {
        Some(context.schema.table(&self.table)?.checks.iter().any(|check| check.name.as_ref() == Some(&self.name)))
    }
    fn inverse(&self, _context: &Context<'_>, _memory: &Memory) -> Result<Undo, Refusal> {
        Ok(Undo::by(DropConstraint { table: self.table.clone(), name: self.name.clone() }))
    }
    fn apply(&self, schema: &mut Schema, dialect: &dyn Dialect) {
        if let Ok(change) = self.change(dialect) {
            simulate(schema, dialect, &self.table, &change);
        }
    }
}
