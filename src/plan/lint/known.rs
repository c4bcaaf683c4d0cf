//! The schema as far as the project's own text tells it: the baseline's statements and the steps before, simulated.
//!
//! What no text tells is not there, and a rule that needs it says nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::effect::{Constraint, DefaultValue, Effect, NewColumn, NewTable};

/// A schema, as far as it is known.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    /// Shared, because a view of each release has its own schema and most of it is as it was.
    tables: BTreeMap<String, Arc<KnownTable>>,
}

/// A table of it.
#[derive(Debug, Clone, Default)]
pub(super) struct KnownTable {
    /// `None` where they are not known.
    pub(super) columns: Option<Vec<KnownColumn>>,
    /// The columns of each key and index; `None` where they are not known.
    pub(super) keys: Option<Vec<Vec<String>>>,
    indexes: Vec<(String, Vec<String>)>,
}

/// A column of it.
#[derive(Debug, Clone)]
pub(super) struct KnownColumn {
    pub(super) name: String,
    pub(super) type_name: String,
    pub(super) nullable: bool,
    pub(super) has_default: bool,
}

impl From<&NewColumn> for KnownColumn {
    fn from(column: &NewColumn) -> Self {
        Self {
            name: column.name.clone(),
            type_name: column.type_name.clone(),
            nullable: !column.not_null,
            has_default: has_default(column.default.as_ref()) || column.numbered || column.generated,
        }
    }
}

/// Whether a definition gives a column a value by itself; `DEFAULT NULL` does not.
pub(super) fn has_default(default: Option<&DefaultValue>) -> bool {
    matches!(default, Some(DefaultValue::Constant | DefaultValue::Volatile(_)))
}

/// A name as it is compared: no case, and no schema where it is the usual one.
pub(super) fn key(name: &str) -> String {
    let name = name.to_lowercase();
    name.strip_prefix("public.").or_else(|| name.strip_prefix("main.")).unwrap_or(&name).to_owned()
}

/// Whether two names are the same one.
pub(super) fn same(one: &str, other: &str) -> bool {
    key(one) == key(other)
}

impl Known {
    /// The table of this name, if anything is known of it.
    pub(super) fn table(&self, name: &str) -> Option<&KnownTable> {
        self.tables.get(&key(name)).map(Arc::as_ref)
    }

    /// The column of this name, if it is known.
    pub(super) fn column(&self, table: &str, column: &str) -> Option<&KnownColumn> {
        self.table(table)?.columns.as_ref()?.iter().find(|known| same(&known.name, column))
    }

    /// The columns of an index, if it is known.
    pub(super) fn index(&self, name: &str) -> Option<(&str, &[String])> {
        self.tables.iter().find_map(|(table, known)| {
            let (_, columns) = known.indexes.iter().find(|(index, _)| same(index, name))?;
            Some((table.as_str(), columns.as_slice()))
        })
    }

    /// Makes it what it is after an effect.
    pub(super) fn apply(&mut self, effect: &Effect) {
        match effect {
            Effect::CreateTable(table) => self.create(table),
            Effect::DropTable { table } => {
                self.tables.remove(&key(table));
            }
            Effect::RenameTable { from, to } => {
                if let Some(table) = self.tables.remove(&key(from)) {
                    self.tables.insert(key(to), table);
                }
            }
            Effect::AddColumn { table, column } => self.with(table, |table| {
                if let Some(columns) = &mut table.columns {
                    columns.push(column.into());
                }
                if column.key {
                    table.add_key(vec![column.name.clone()]);
                }
            }),
            Effect::DropColumn { table, column } => self.with(table, |table| {
                if let Some(columns) = &mut table.columns {
                    columns.retain(|known| !same(&known.name, column));
                }
                if let Some(keys) = &mut table.keys {
                    keys.retain(|key| !key.iter().any(|name| same(name, column)));
                }
                table.indexes.retain(|(_, columns)| !columns.iter().any(|name| same(name, column)));
            }),
            Effect::RenameColumn { table, from, to } => {
                self.with_column(table, from, |column| column.name.clone_from(to));
            }
            Effect::ChangeType { table, column, to, nullable } => self.with_column(table, column, |column| {
                column.type_name.clone_from(to);
                column.nullable = nullable.unwrap_or(column.nullable);
            }),
            Effect::SetNotNull { table, column } => self.with_column(table, column, |column| column.nullable = false),
            Effect::DropNotNull { table, column } => self.with_column(table, column, |column| column.nullable = true),
            Effect::SetDefault { table, column } => {
                self.with_column(table, column, |column| column.has_default = true);
            }
            Effect::DropDefault { table, column } => {
                self.with_column(table, column, |column| column.has_default = false);
            }
            Effect::CreateIndex(index) if !index.partial && !index.columns.is_empty() => {
                self.with(&index.table, |table| {
                    table.indexes.push((index.name.clone(), index.columns.clone()));
                    table.add_key(index.columns.clone());
                });
            }
            Effect::DropIndex { name, .. } => self.drop_index(name),
            Effect::AddConstraint { table, constraint, .. } => match constraint {
                Constraint::PrimaryKey { columns } | Constraint::Unique { columns, .. } => {
                    self.with(table, |table| table.add_key(columns.clone()));
                }
                Constraint::ForeignKey { .. } | Constraint::Check | Constraint::Exclude => {}
            },
            // Which columns it was over is not known.
            Effect::DropConstraint { table, .. } => self.with(table, |table| table.keys = None),
            Effect::Unclassified { names, .. } => self.forget(names.as_deref()),
            _ => {}
        }
    }

    fn create(&mut self, table: &NewTable) {
        let known = KnownTable {
            columns: table.columns.as_ref().map(|columns| columns.iter().map(KnownColumn::from).collect()),
            keys: table.columns.is_some().then(|| table.keys.clone()),
            indexes: Vec::new(),
        };
        // `IF NOT EXISTS` may find another; the text that made that one stands above, and counts.
        self.tables.entry(key(&table.name)).or_insert_with(|| Arc::new(known));
    }

    fn with(&mut self, table: &str, change: impl FnOnce(&mut KnownTable)) {
        if let Some(table) = self.tables.get_mut(&key(table)) {
            change(Arc::make_mut(table));
        }
    }

    fn with_column(&mut self, table: &str, column: &str, change: impl FnOnce(&mut KnownColumn)) {
        self.with(table, |table| {
            let found = table.columns.iter_mut().flatten().find(|known| same(&known.name, column));
            if let Some(found) = found {
                change(found);
            }
        });
    }

    fn drop_index(&mut self, name: &str) {
        for table in self.tables.values_mut() {
            let Some(at) = table.indexes.iter().position(|(index, _)| same(index, name)) else { continue };
            let table = Arc::make_mut(table);
            let (_, columns) = table.indexes.remove(at);
            if let Some(keys) = &mut table.keys
                && let Some(at) = keys.iter().position(|key| *key == columns)
            {
                keys.remove(at);
            }
        }
    }

    /// What a statement that nobody understands may have touched is not known any more.
    fn forget(&mut self, names: Option<&[String]>) {
        for (name, table) in &mut self.tables {
            let bare = name.rsplit('.').next().unwrap_or(name);
            let named = |names: &[String]| names.iter().any(|other| same(other, name) || same(other, bare));
            if names.is_none_or(named) {
                *table = Arc::default();
            }
        }
    }
}

impl KnownTable {
    fn add_key(&mut self, columns: Vec<String>) {
        if let Some(keys) = &mut self.keys {
            keys.push(columns);
        }
    }

    /// Whether some index begins with these columns, in any order; `None` where the indexes are not known.
    pub(super) fn is_indexed(&self, columns: &[String]) -> Option<bool> {
        let begins = |index: &Vec<String>| {
            let head = index.get(..columns.len()).unwrap_or_default();
            !head.is_empty() && columns.iter().all(|column| head.iter().any(|name| same(name, column)))
        };
        self.keys.as_ref().map(|keys| keys.iter().any(begins))
    }
}
