//! `widen_column`: a type that holds more, where the database need not write the rows anew for it.

use serde::Deserialize;

use super::{Context, Memory, Operation, Undo, simulate};
use crate::dialect::{Change, ColumnDefinition, ColumnType, Dialect, Refusal, Schema, Script, Widening};

/// The step.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WidenColumn {
    table: String,
    column: String,
    #[serde(rename = "type")]
    column_type: ColumnType,
    #[serde(default)]
    allow_rewrite: bool,
}

const SAFE_FORM: &str = "add a column of that type, sync both, backfill, and drop the old one in contract";

impl WidenColumn {
    fn change(&self) -> Change {
        Change::Widen(self.column.clone(), self.column_type.clone())
    }

    fn widening(&self, context: &Context<'_>) -> Result<(String, Widening), Refusal> {
        let (table, column) = (context.table(&self.table)?, context.column(&self.table, &self.column)?);
        let definition = ColumnDefinition {
            name: self.column.clone(),
            column_type: self.column_type.clone(),
            nullable: column.nullable,
            default: None,
            identity: false,
        };
        let to = context.dialect.column_type(&self.table, &definition)?;
        let widening = context.dialect.widening(context.schema, table, column, &to);
        Ok((to, widening))
    }
}

impl Operation for WidenColumn {
    fn summary(&self) -> String {
        format!("widen {} of {}", self.column, self.table)
    }
    fn script(&self, context: &Context<'_>) -> Result<Script, Refusal> {
        let (to, widening) = self.widening(context)?;
        let from = &context.column(&self.table, &self.column)?.type_name;
        let name = format!("column `{}` of `{}`", self.column, self.table);
        match widening {
            Widening::Same => Err(Refusal::new(format!("{name} is {from} already")).at("type")),
            Widening::Refused(reason) => Err(Refusal::new(format!("{name} cannot be given another type: {reason}")).at("type")),
            Widening::NotWider => Err(Refusal::new(format!(
                "{name} is {from}, and {to} does not hold all that it does, or means something else; {SAFE_FORM}"
            ))
            .at("type")),
            Widening::Rewrite(reason) if !self.allow_rewrite => Err(Refusal::new(format!(
                "to make {name}, which is {from}, a {to}, {reason}; {SAFE_FORM}, or say allow_rewrite: true on the step where \
                 that is bearable"
            ))
            .at("type")),
            Widening::Free | Widening::Rewrite(_) => {
                context.alter(&self.table, &self.change(), self.allow_rewrite)
            }
        }
    }
    fn took_effect(&self, context: &Context<'_>) -> Option<bool> {
        Some(self.widening(context).is_ok_and(|(_, widening)| widening == Widening::Same))
    }
    fn inverse(&self, _context: &Context<'_>, _memory: &Memory) -> Result<Undo, Refusal> {
        // To narrow it again every row would be looked at under a lock, and a longer value would be lost.
        Ok(Undo::Stays(format!(
            "`{}` of `{}` stays as wide as it is, which holds all that the old release writes",
            self.column, self.table
        )))
    }
    fn apply(&self, schema: &mut Schema, dialect: &dyn Dialect) {
        simulate(schema, dialect, &self.table, &self.change());
    }
}
