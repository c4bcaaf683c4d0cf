//! `create_table`: a new table, with its keys and constraints.

use serde::Deserialize;

use super::drop_table::DropTable;
use super::drop_type::DropType;
use super::{Context, Memory, Operation, Undo};
use crate::dialect::{Change, Dialect, Refusal, Schema, Script, Table, TableDefinition, Unique};

/// The step.
#[derive(Debug, Clone, Deserialize)]
#[serde(transparent)]
pub struct CreateTable(
    /// The table.
    pub TableDefinition,
);

impl Operation for CreateTable {
    fn summary(&self) -> String {
        format!("create table {}", self.0.name)
    }
    fn other_names(&self) -> Vec<&str> {
        let uniques = self.0.uniques.iter().map(|unique| unique.name.as_str());
        let keys = self.0.foreign_keys.iter().filter_map(|key| key.name.as_deref());
        uniques.chain(keys).chain(self.0.columns.iter().filter_map(super::enum_name)).collect()
    }
    fn script(&self, context: &Context<'_>) -> Result<Script, Refusal> {
        if context.schema.table(&self.0.name).is_some() {
            return Err(Refusal::new(format!("table `{}` exists already", self.0.name)));
        }
        let missing = self.0.primary_key.iter().find(|key| !self.0.columns.iter().any(|column| &column.name == *key));
        if let Some(key) = missing {
            return Err(Refusal::new(format!(
                "the primary key names `{key}`, which is no column of `{}`",
                self.0.name
            )));
        }
        context.dialect.create_table(&self.0, context.schema)
    }
    fn took_effect(&self, context: &Context<'_>) -> Option<bool> {
        Some(context.schema.table(&self.0.name).is_some())
    }
    fn remember(&self, context: &Context<'_>) -> Option<Memory> {
        let made = self.0.columns.iter().filter_map(|column| context.dialect.enum_type(&self.0.name, column));
        let mut types: Vec<String> = made.map(|(name, _)| name).collect();
        types.retain(|name| !context.schema.enums.contains_key(name));
        types.dedup();
        Some(Memory { types, ..Memory::default() })
    }
    fn inverse(&self, _context: &Context<'_>, memory: &Memory) -> Result<Undo, Refusal> {
        let mut operations: Vec<Box<dyn Operation>> = vec![Box::new(DropTable { table: self.0.name.clone() })];
        for name in &memory.types {
            operations.push(Box::new(DropType(name.clone())));
        }
        Ok(Undo::By(operations))
    }
    fn apply(&self, schema: &mut Schema, dialect: &dyn Dialect) {
        let sql = dialect
            .create_table(&self.0, schema)
            .ok()
            .and_then(|script| script.statements.last().map(|statement| statement.sql().to_owned()));
        let mut table = Table {
            name: self.0.name.clone(),
            columns: self
                .0
                .columns()
                .iter()
                .filter_map(|column| dialect.live_column(&self.0.name, column).ok())
                .collect(),
            primary_key: self.0.primary_key.clone(),
            uniques: self
                .0
                .uniques
                .iter()
                .map(|unique| Unique {
                    name: unique.name.clone(),
                    columns: unique.columns.clone(),
                    ..Unique::default()
                })
                .collect(),
            ..Table::default()
        };
        for key in &self.0.foreign_keys {
            table.apply(dialect, &Change::AddForeignKey(key.clone()));
        }
        table.sql = sql;
        schema.enums.extend(self.0.columns.iter().filter_map(|column| dialect.enum_type(&self.0.name, column)));
        schema.tables.insert(self.0.name.clone(), table);
    }
}
