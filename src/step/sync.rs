//! `sync`: the mixed-version triggers that keep old and new columns of a row in step.

use indexmap::IndexMap;
use serde::Deserialize;

use super::{Context, Operation};
use crate::dialect::{Conflict, Dialect, Refusal, Related, Schema, Script, Sql, Statement, Sync, Trigger};

/// The step, as a change file says it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SyncStep {
    /// Its name.
    pub name: String,
    /// The table.
    pub table: String,
    /// New columns.
    pub forward: IndexMap<String, Sql>,
    /// Old columns.
    pub backward: IndexMap<String, Sql>,
    /// Both written, in disagreement.
    #[serde(default)]
    pub conflict: Conflict,
    /// Tables whose rows change what the new columns must be.
    #[serde(default)]
    pub related: Vec<RelatedStep>,
    /// Old columns whose NOT NULL the same release's expand drops; the catalog fills it in.
    #[serde(skip)]
    pub required: Vec<String>,
}

/// A related table.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RelatedStep {
    /// The other table.
    pub table: String,
    /// Its columns, each with the column here that it points to.
    pub key: IndexMap<String, String>,
    /// When the new columns follow.
    pub when: Sql,
}

impl SyncStep {
    /// The sync as the dialects know it.
    pub fn resolve(&self) -> Sync {
        let pairs = |map: &IndexMap<String, Sql>| map.iter().map(|(name, sql)| (name.clone(), sql.clone())).collect();
        Sync {
            name: self.name.clone(),
            table: self.table.clone(),
            forward: pairs(&self.forward),
            backward: pairs(&self.backward),
            conflict: self.conflict,
            related: self
                .related
                .iter()
                .map(|related| Related {
                    table: related.table.clone(),
                    key: related.key.iter().map(|(there, here)| (there.clone(), here.clone())).collect(),
                    when: related.when.clone(),
                })
                .collect(),
            required: self.required.clone(),
        }
    }
}

impl Operation for SyncStep {
    fn summary(&self) -> String {
        let names = |map: &IndexMap<String, Sql>| map.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        format!("install sync {} on {} ({} and {})", self.name, self.table, names(&self.backward), names(&self.forward))
    }
    fn script(&self, context: &Context<'_>) -> Result<Script, Refusal> {
        for column in self.backward.keys().chain(self.forward.keys()) {
            context.column(&self.table, column)?;
        }
        for name in self.forward.keys() {
            let column = context.column(&self.table, name)?;
            // What generates a column is shown as its default; that nobody can write it is said further down.
            if !column.generated && (!column.nullable || column.default.is_some()) {
                return Err(Refusal::new(format!(
                    "the new column `{name}` is NOT NULL or has a default, so an old writer's row looks like a new writer's; \
                     make it nullable without a default, and tighten it in contract"
                ))
                .at(name));
            }
        }
        for name in self.backward.keys().filter(|_| !context.dialect.fills_in_before_not_null()) {
            let column = context.column(&self.table, name)?;
            if !column.nullable && column.default.is_none() {
                return Err(Refusal::new(format!(
                    "the old column `{name}` is NOT NULL, and {} checks that before the sync can fill it in; put a drop_not_null above",
                    context.dialect.kind()
                ))
                .at(name));
            }
        }
        for related in &self.related {
            for (there, here) in &related.key {
                context.column(&related.table, there)?;
                context.column(&self.table, here)?;
            }
        }
        context.dialect.install_sync(&self.resolve(), context.schema)
    }
    /// Installing again replaces the triggers with the same ones, so "no" is always a safe answer.
    fn took_effect(&self, _context: &Context<'_>) -> Option<bool> {
        Some(false)
    }
    fn apply(&self, schema: &mut Schema, dialect: &dyn Dialect) {
        let sync = self.resolve();
        let script = dialect.install_sync(&sync, schema).unwrap_or_default();
        for (table, name) in dialect.sync_triggers(&sync) {
            let quoted = format!("CREATE TRIGGER {} ", dialect.quote(&name));
            let text = script.statements.iter().map(Statement::sql).find(|sql| sql.starts_with(&quoted));
            if let Some(live) = schema.table_mut(&table) {
                live.triggers.push(Trigger { name, definition: String::new(), enabled: true });
                if live.sql.is_some() {
                    live.dependents.extend(text.map(str::to_owned));
                }
            }
        }
    }
}
