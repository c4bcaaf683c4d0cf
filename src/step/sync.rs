//! `sync`: the mixed-version triggers that keep old and new columns of a row in step.

use indexmap::IndexMap;
use serde::Deserialize;

use super::{Context, DropSync, Memory, Operation, Undo};
use crate::dialect::{Conflict, Destination, Dialect, Refusal, Related, Schema, Script, Sql, Sync, Trigger};

/// The step, as a change file says it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SyncStep {
    /// Its name.
    pub name: String,
    /// The table; where `to` is given, the one that has the old columns.
    pub table: String,
    /// The table that has the new columns, where it is another.
    #[serde(default)]
    pub to: Option<DestinationStep>,
    /// New columns.
    pub forward: IndexMap<String, Sql>,
    /// Old columns.
    pub backward: IndexMap<String, Sql>,
    /// Both written, in disagreement.
    #[serde(default)]
    pub conflict: Option<Conflict>,
    /// Tables whose rows change what the new columns must be.
    #[serde(default)]
    pub related: Vec<RelatedStep>,
    /// Old columns whose NOT NULL the same release's expand drops; the catalog fills it in.
    #[serde(skip)]
    pub required: Vec<String>,
}

/// The table that the new columns are in.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DestinationStep {
    /// The table.
    pub table: String,
    /// Its columns, each with the column here that it is equal to.
    pub key: IndexMap<String, String>,
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
        fn pairs<T: Clone>(map: &IndexMap<String, T>) -> Vec<(String, T)> {
            map.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
        }
        Sync {
            name: self.name.clone(),
            table: self.table.clone(),
            to: self.to.as_ref().map(|to| Destination { table: to.table.clone(), key: pairs(&to.key) }),
            forward: pairs(&self.forward),
            backward: pairs(&self.backward),
            conflict: self.conflict.unwrap_or_default(),
            related: self
                .related
                .iter()
                .map(|related| Related {
                    table: related.table.clone(),
                    key: pairs(&related.key),
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
        let there = self.to.as_ref().map_or_else(String::new, |to| format!("{} of ", to.table));
        let (old, new) = (names(&self.backward), names(&self.forward));
        format!("install sync {} on {} ({old} and {there}{new})", self.name, self.table)
    }
    fn script(&self, context: &Context<'_>) -> Result<Script, Refusal> {
        let new_table = self.to.as_ref().map_or(&self.table, |to| &to.table);
        for name in self.backward.keys() {
            context.column(&self.table, name)?;
        }
        for (there, here) in self.to.iter().flat_map(|to| &to.key) {
            context.column(new_table, there)?;
            context.column(&self.table, here)?;
        }
        for name in self.forward.keys() {
            let column = context.column(new_table, name)?;
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
    fn inverse(&self, _context: &Context<'_>, _memory: &Memory) -> Result<Undo, Refusal> {
        Ok(Undo::by(DropSync(self.resolve())))
    }
    fn apply(&self, schema: &mut Schema, dialect: &dyn Dialect) {
        let sync = self.resolve();
        let script = dialect.install_sync(&sync, schema).unwrap_or_default();
        for expected in script.expects {
            if let Some(live) = schema.table_mut(&expected.table) {
                live.triggers.push(Trigger { name: expected.name, enabled: true, ..Trigger::default() });
                if live.sql.is_some() {
                    live.dependents.push(expected.text);
                }
            }
        }
    }
}
