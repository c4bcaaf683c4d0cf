//! The live schema as values: what the catalog queries of every database are read into.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::Dialect;
use super::definition::UniqueDefinition;
use super::expression::columns_read;
use super::lex::identifiers;
use super::sqlite::{CreateTable, EditError};
use super::statement::{Change, Script};

/// What is in the database now.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Schema {
    /// Tables by name; one outside the session's own schema as `schema.table`. Our own tables are left out.
    pub tables: BTreeMap<String, Table>,
    /// Enum types and their labels (PostgreSQL).
    pub enums: BTreeMap<String, Vec<String>>,
    /// Views and their texts (SQLite).
    pub views: Vec<(String, String)>,
    /// The schema or database that unqualified names are in.
    pub namespace: String,
}

impl Schema {
    /// The table of this name.
    pub fn table(&self, name: &str) -> Option<&Table> {
        self.tables.get(self.key(name))
    }

    /// The table of this name, to change.
    pub fn table_mut(&mut self, name: &str) -> Option<&mut Table> {
        let key = self.key(name).to_owned();
        self.tables.get_mut(&key)
    }

    /// A table's name as [`Schema::tables`] has it: the session's own schema is not written.
    pub fn key<'n>(&self, name: &'n str) -> &'n str {
        name.strip_prefix(&self.namespace).and_then(|rest| rest.strip_prefix('.')).unwrap_or(name)
    }

    /// The partitions of a table, of the next level alone (PostgreSQL).
    pub fn partitions<'s>(&'s self, table: &Table) -> impl Iterator<Item = &'s Table> {
        let name = table.name.clone();
        self.tables.values().filter(move |of| of.partition_of.as_ref() == Some(&name))
    }

    /// The table that a trigger is on.
    pub fn trigger(&self, name: &str) -> Option<&Table> {
        self.tables.values().find(|table| table.triggers.iter().any(|trigger| trigger.name == name))
    }

    /// The table that holds an index, and the index.
    pub fn index(&self, name: &str) -> Option<(&Table, &Index)> {
        self.tables.values().find_map(|table| Some((table, table.indexes.iter().find(|index| index.name == name)?)))
    }
}

/// A live table.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Table {
    /// Its name, as [`Schema::tables`] has it.
    pub name: String,
    /// Its columns, in order.
    pub columns: Vec<Column>,
    /// The columns of its primary key; empty without one.
    pub primary_key: Vec<String>,
    /// Unique constraints (on MySQL and SQLite: unique indexes that a constraint made).
    pub uniques: Vec<Unique>,
    /// Indexes, those of constraints left out.
    pub indexes: Vec<Index>,
    /// Foreign keys.
    pub foreign_keys: Vec<ForeignKey>,
    /// CHECK constraints.
    pub checks: Vec<Check>,
    /// Triggers.
    pub triggers: Vec<Trigger>,
    /// The columns by which it is partitioned (PostgreSQL); `None` for a plain table.
    pub partition_key: Option<Vec<String>>,
    /// The table that it is a partition of (PostgreSQL).
    pub partition_of: Option<String>,
    /// The text of its CREATE TABLE, where the database keeps it (SQLite).
    pub sql: Option<String>,
    /// The texts of its indexes and triggers, where a rebuild must make them again (SQLite).
    pub dependents: Vec<String>,
}

impl Table {
    /// The column of this name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The columns to walk the table by: its primary key, else a unique key without NULLs.
    pub fn walk_key(&self) -> Option<Vec<&Column>> {
        let find = |names: &[String]| -> Option<Vec<&Column>> {
            let columns: Vec<&Column> = names.iter().map(|name| self.column(name)).collect::<Option<_>>()?;
            // SQLite lets a primary key be NULL. Hardly any is, and a backfill says so when it meets one.
            let walkable = names == self.primary_key || columns.iter().all(|column| !column.nullable);
            (walkable && !columns.is_empty()).then_some(columns)
        };
        find(&self.primary_key).or_else(|| {
            self.unique_keys().into_iter().skip(usize::from(!self.primary_key.is_empty())).find_map(|names| find(names))
        })
    }

    /// The columns of each key that no two rows share.
    pub fn unique_keys(&self) -> Vec<&Vec<String>> {
        let indexes = self.indexes.iter().filter(|index| index.unique && index.valid).map(|index| &index.columns);
        let constraints = self.uniques.iter().filter(|unique| !unique.invalid).map(|unique| &unique.columns);
        [&self.primary_key].into_iter().filter(|key| !key.is_empty()).chain(constraints).chain(indexes).collect()
    }

    /// Whether a constraint of this name is there, of whichever kind.
    pub fn has_constraint(&self, name: &str) -> bool {
        self.checks.iter().any(|check| check.name.as_deref() == Some(name))
            || self.uniques.iter().any(|unique| unique.name == name)
            || self.foreign_keys.iter().any(|key| key.name.as_deref() == Some(name))
    }

    /// Makes the table what it is after a change, for checking later steps before any has run.
    pub fn apply(&mut self, dialect: &dyn Dialect, change: &Change) {
        if let Some(text) = &self.sql
            && let Ok(mut definition) = CreateTable::parse(text)
            && edit(&mut definition, dialect, &self.name, change).is_ok()
        {
            self.sql = Some(definition.to_sql());
        }
        match change {
            Change::AddColumn(definition) => {
                self.columns.extend(dialect.live_column(&self.name, definition));
            }
            Change::DropColumn(name) => {
                self.columns.retain(|column| &column.name != name);
                self.indexes.retain(|index| !index.columns.contains(name));
                self.checks.retain(|check| !check.columns.contains(name));
            }
            Change::SetNotNull(name) => self.change_column(name, |column| column.nullable = false),
            Change::DropNotNull(name) => self.change_column(name, |column| column.nullable = true),
            Change::SetDefault(name, value) => {
                self.change_column(name, |column| column.default = Some(value.clone()));
            }
            Change::DropDefault(name) => self.change_column(name, |column| column.default = None),
            Change::AddForeignKey(key) => self.foreign_keys.push(ForeignKey {
                name: key.name.clone(),
                columns: key.columns.clone(),
                references: key.references.table.clone(),
                referenced_columns: key.references.columns.clone(),
                on_update: "NO ACTION".to_owned(),
                on_delete: key.on_delete.map_or("NO ACTION", |action| action.words()).to_owned(),
                deferrable: false,
                not_valid: dialect.validates_later() && self.partition_key.is_none(),
            }),
            Change::DropConstraint(name) => {
                self.checks.retain(|check| check.name.as_ref() != Some(name));
                self.uniques.retain(|unique| &unique.name != name);
                self.foreign_keys.retain(|key| key.name.as_ref() != Some(name));
                self.indexes.retain(|index| self.sql.is_none() || !index.unique || &index.name != name);
            }
            Change::AddCheck(name, expression) => {
                let columns = columns_read(expression, dialect.kind().flavor(), self);
                let columns = columns.into_iter().map(|column| column.name.clone()).collect();
                self.checks.push(Check {
                    name: Some(name.clone()),
                    expression: expression.clone(),
                    columns,
                    of_column: None,
                    not_valid: dialect.validates_later(),
                });
            }
            Change::AddUnique(unique) => self.apply_unique(dialect, unique),
            Change::Validate(name) => {
                let checks = self.checks.iter_mut().filter(|check| check.name.as_ref() == Some(name));
                checks.for_each(|check| check.not_valid = false);
                let keys = self.foreign_keys.iter_mut().filter(|key| key.name.as_ref() == Some(name));
                keys.for_each(|key| key.not_valid = false);
            }
            Change::Widen(name, column_type) => {
                if let Ok(wide) = dialect.live_column(&self.name, &Change::widened(name, column_type)) {
                    self.change_column(name, |column| {
                        column.type_name = wide.type_name;
                        column.base_type = wide.base_type;
                    });
                }
            }
            Change::AddEnumValue(name, value) => {
                let wide = self.column(name).and_then(|column| dialect.enum_with(column, value));
                self.change_column(name, |column| column.type_name = wide.unwrap_or(column.type_name.clone()));
            }
        }
    }

    fn apply_unique(&mut self, dialect: &dyn Dialect, unique: &UniqueDefinition) {
        if self.sql.is_none() {
            self.uniques.push(Unique {
                name: unique.name.clone(),
                columns: unique.columns.clone(),
                ..Unique::default()
            });
            return;
        }
        let index = unique.index(&self.name);
        self.dependents.extend(dialect.create_index(&Schema::default(), self, &index).iter().flat_map(Script::texts));
        self.indexes.push(Index {
            name: index.name,
            columns: index.columns,
            unique: true,
            valid: true,
            ..Index::default()
        });
    }

    fn change_column(&mut self, name: &str, change: impl FnOnce(&mut Column)) {
        if let Some(column) = self.columns.iter_mut().find(|column| column.name == name) {
            change(column);
        }
    }
}

/// Carries a change out in the text of a CREATE TABLE.
pub(super) fn edit(
    definition: &mut CreateTable,
    dialect: &dyn Dialect,
    table: &str,
    change: &Change,
) -> Result<(), EditError> {
    match change {
        Change::AddColumn(column) => {
            let text = dialect.column_definition(table, column).map_err(|refusal| EditError(refusal.reason))?;
            definition.add_column(&text);
            Ok(())
        }
        Change::DropColumn(name) => definition.drop_column(name),
        Change::SetNotNull(name) => definition.set_not_null(name, true),
        Change::DropNotNull(name) => definition.set_not_null(name, false),
        Change::SetDefault(name, value) => definition.set_default(name, Some(value)),
        Change::DropDefault(name) => definition.set_default(name, None),
        Change::AddForeignKey(key) => {
            definition.add_constraint(&dialect.foreign_key(key));
            Ok(())
        }
        Change::DropConstraint(name) => definition.drop_constraint(name),
        Change::AddCheck(name, expression) => {
            definition.add_constraint(&dialect.check(name, expression));
            Ok(())
        }
        Change::Widen(name, column_type) => {
            let column = Change::widened(name, column_type);
            let text = dialect.column_type(table, &column).map_err(|refusal| EditError(refusal.reason))?;
            definition.set_type(name, &text)
        }
        Change::AddEnumValue(name, value) => definition.add_label(name, &dialect.literal(value)),
        // A unique index is all that it takes, and nothing looks at rows later.
        Change::AddUnique(_) | Change::Validate(_) => Ok(()),
    }
}

/// How values of a column are compared for a sync.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Comparison {
    /// By the type's own equality.
    #[default]
    Native,
    /// By bytes, whatever the collation.
    Bytes,
    /// By the text of the value (json has no equality).
    Text,
}

/// A live column.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type with length and precision, as the database prints it.
    pub type_name: String,
    /// Its type without length and precision: a cast to it never truncates.
    pub base_type: String,
    /// Whether it takes NULL.
    pub nullable: bool,
    /// Its default as SQL text.
    pub default: Option<String>,
    /// Whether the default is a constant, so that it can be compared with.
    pub constant_default: bool,
    /// Whether it is computed by the database.
    pub generated: bool,
    /// How a sync compares it.
    pub comparison: Comparison,
    /// Character set and collation, where a redefinition must repeat them (MySQL).
    pub collation: Option<String>,
    /// The rest of a redefinition: `AUTO_INCREMENT`, ON UPDATE, COMMENT (MySQL).
    pub extra: String,
}

/// A unique constraint.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Unique {
    /// Its name.
    pub name: String,
    /// Its columns.
    pub columns: Vec<String>,
    /// Whether it is not in force yet for all rows: a partition has no part of it (PostgreSQL).
    pub invalid: bool,
    /// The unique constraint of the table above that this one is the part of, for a partition.
    pub part_of: Option<String>,
}

/// An index.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Index {
    /// Its name.
    pub name: String,
    /// Its columns; an expression appears as its text.
    pub columns: Vec<String>,
    /// Whether it is unique.
    pub unique: bool,
    /// Whether it is complete: an interrupted concurrent build leaves an invalid one.
    pub valid: bool,
    /// The index of the table above that this one is the part of, for a partition (PostgreSQL).
    pub part_of: Option<String>,
    /// Its expressions and its condition, where it has any (PostgreSQL).
    pub expressions: Option<String>,
}

/// A foreign key.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ForeignKey {
    /// Its name; SQLite's are often without.
    pub name: Option<String>,
    /// The referring columns.
    pub columns: Vec<String>,
    /// The table that is referred to.
    pub references: String,
    /// The columns that are referred to.
    pub referenced_columns: Vec<String>,
    /// What it does when the row that is referred to changes its key: `CASCADE`, say.
    pub on_update: String,
    /// What it does when that row goes.
    pub on_delete: String,
    /// Whether a transaction may put its check off (PostgreSQL).
    pub deferrable: bool,
    /// Whether rows that were there before it were never looked at (PostgreSQL; others do not tell).
    pub not_valid: bool,
}

impl ForeignKey {
    /// The action by which it changes its own columns, in the words of SQL.
    pub fn changes(&self) -> Option<String> {
        let writes = |action: &str| ["SET NULL", "SET DEFAULT"].contains(&action);
        if self.on_update == "CASCADE" || writes(&self.on_update) {
            return Some(format!("ON UPDATE {}", self.on_update));
        }
        writes(&self.on_delete).then(|| format!("ON DELETE {}", self.on_delete))
    }

    /// The action by which it removes rows, in the words of SQL.
    pub fn removes(&self) -> Option<String> {
        (self.on_delete == "CASCADE").then(|| "ON DELETE CASCADE".to_owned())
    }
}

/// A CHECK constraint.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Check {
    /// Its name, if it has one.
    pub name: Option<String>,
    /// Its expression, as the database prints it.
    pub expression: String,
    /// The columns it names; empty where the database does not tell.
    pub columns: Vec<String>,
    /// The column it is written on, where it is a part of that column's definition (MariaDB).
    pub of_column: Option<String>,
    /// Whether rows that were there before it were never looked at (PostgreSQL).
    pub not_valid: bool,
}

/// A trigger.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Trigger {
    /// Its name.
    pub name: String,
    /// Its body or definition.
    pub definition: String,
    /// Whether it fires.
    pub enabled: bool,
    /// Whether it runs with the rights of an account that is not ours, and that may be gone one day (MySQL).
    pub of_another: bool,
}

impl Trigger {
    /// What tells whether it is still the one that was installed.
    pub fn fingerprint(&self) -> String {
        Sha256::digest(self.definition.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The catalog queries of one database. Each returns the columns named here, in this order, sorted as said; a flag is 0 or 1.
#[derive(Debug, Clone)]
pub struct Inspection {
    /// The schema or database that unqualified names are in. One row.
    pub namespace: String,
    /// table, CREATE TABLE text or NULL, columns of the partition key (one a line) or NULL, the table that it is a partition
    /// of or NULL. One row a table.
    pub tables: String,
    /// table, column, type, base type, nullable, default or NULL, default is constant, generated, comparison
    /// (`native`, `bytes`, `text`), collation or NULL, extra. By table and position.
    pub columns: String,
    /// table, name, kind (`p` primary key, `u` unique constraint, `i` index), column or expression, unique, valid, the index
    /// of the table above that it is a part of or NULL, its expressions and its condition or NULL. By table, name and position.
    pub keys: String,
    /// table, name or NULL, column, referenced table, referenced column, the key's id, its actions ON UPDATE and ON
    /// DELETE in the words of SQL, whether it can be deferred, and whether older rows were not looked at. By table, id and
    /// position.
    pub foreign_keys: String,
    /// table, name or NULL, expression; the column it is written on, which has no name of its own (MariaDB), or NULL; whether
    /// older rows were not looked at. `None`: read from the CREATE TABLE text.
    pub checks: Option<String>,
    /// table, name, definition, enabled, runs with the rights of another account.
    pub triggers: String,
    /// type, label. By type and position.
    pub enums: Option<String>,
    /// view, text: what may name a column that is dropped (SQLite does not look).
    pub views: Option<String>,
    /// table, text: what a rebuild must make again.
    pub dependents: Option<String>,
}

/// One row of a catalog query: every value as text.
pub type TableRow = Vec<Option<String>>;

impl Schema {
    /// Builds the schema from the rows of the [`Inspection`] queries.
    pub fn from_rows(rows: InspectionRows, dialect: &dyn Dialect) -> Self {
        let mut schema = Self::default();
        let text = |row: &TableRow, position: usize| row.get(position).cloned().flatten().unwrap_or_default();
        let flag = |row: &TableRow, position: usize| text(row, position) == "1";
        schema.namespace = rows.namespace.first().map(|row| text(row, 0)).unwrap_or_default();
        for row in rows.tables {
            let name = text(&row, 0);
            if own(&name) {
                continue;
            }
            let sql = row.get(1).cloned().flatten();
            let partition_key = row.get(2).cloned().flatten().map(|key| key.lines().map(str::to_owned).collect());
            let partition_of = row.get(3).cloned().flatten();
            let mut table = Table { name: name.clone(), sql, partition_key, partition_of, ..Table::default() };
            if let Some(Ok(parsed)) = table.sql.as_deref().map(CreateTable::parse) {
                table.checks = parsed
                    .checks()
                    .into_iter()
                    .map(|check| Check {
                        name: check.name,
                        expression: check.expression,
                        columns: check.columns,
                        ..Check::default()
                    })
                    .collect();
            }
            schema.tables.insert(name, table);
        }
        for row in rows.columns {
            if let Some(table) = schema.tables.get_mut(&text(&row, 0)) {
                table.columns.push(Column {
                    name: text(&row, 1),
                    type_name: text(&row, 2),
                    base_type: text(&row, 3),
                    nullable: flag(&row, 4),
                    default: row.get(5).cloned().flatten(),
                    constant_default: flag(&row, 6),
                    generated: flag(&row, 7),
                    comparison: match text(&row, 8).as_str() {
                        "bytes" => Comparison::Bytes,
                        "text" => Comparison::Text,
                        _ => Comparison::Native,
                    },
                    collation: row.get(9).cloned().flatten(),
                    extra: text(&row, 10),
                });
            }
        }
        for row in rows.keys {
            let Some(table) = schema.tables.get_mut(&text(&row, 0)) else { continue };
            let (name, column) = (text(&row, 1), text(&row, 3));
            match text(&row, 2).as_str() {
                "p" => table.primary_key.push(column),
                "u" => match table.uniques.iter_mut().find(|unique| unique.name == name) {
                    Some(unique) => unique.columns.push(column),
                    None => table.uniques.push(Unique {
                        name,
                        columns: vec![column],
                        invalid: !flag(&row, 5),
                        part_of: row.get(6).cloned().flatten(),
                    }),
                },
                _ => match table.indexes.iter_mut().find(|index| index.name == name) {
                    Some(index) => index.columns.push(column),
                    None => table.indexes.push(Index {
                        name,
                        columns: vec![column],
                        unique: flag(&row, 4),
                        valid: flag(&row, 5),
                        part_of: row.get(6).cloned().flatten(),
                        expressions: row.get(7).cloned().flatten(),
                    }),
                },
            }
        }
        let mut last_key = None;
        for row in rows.foreign_keys {
            let Some(table) = schema.tables.get_mut(&text(&row, 0)) else { continue };
            let key = (text(&row, 0), text(&row, 5));
            if last_key.as_ref() != Some(&key) {
                table.foreign_keys.push(ForeignKey {
                    name: row.get(1).cloned().flatten(),
                    references: text(&row, 3),
                    on_update: text(&row, 6),
                    on_delete: text(&row, 7),
                    deferrable: flag(&row, 8),
                    not_valid: flag(&row, 9),
                    ..ForeignKey::default()
                });
                last_key = Some(key);
            }
            if let Some(foreign) = table.foreign_keys.last_mut() {
                foreign.columns.push(text(&row, 2));
                foreign.referenced_columns.push(text(&row, 4));
            }
        }
        // SQLite's catalog forgets the names of foreign keys; the text of the table has them, in the same order.
        for table in schema.tables.values_mut() {
            if let Some(Ok(parsed)) = table.sql.as_deref().map(CreateTable::parse) {
                for (key, name) in table.foreign_keys.iter_mut().zip(parsed.foreign_key_names()) {
                    key.name = name;
                }
            }
        }
        for row in rows.checks {
            if let Some(table) = schema.tables.get_mut(&text(&row, 0)) {
                let expression = text(&row, 2);
                let columns = identifiers(&expression, dialect.kind().flavor())
                    .into_iter()
                    .filter(|word| table.columns.iter().any(|column| &column.name == word))
                    .collect();
                table.checks.push(Check {
                    name: row.get(1).cloned().flatten(),
                    expression,
                    columns,
                    of_column: row.get(3).cloned().flatten(),
                    not_valid: flag(&row, 4),
                });
            }
        }
        for row in rows.triggers {
            if let Some(table) = schema.tables.get_mut(&text(&row, 0)) {
                table.triggers.push(Trigger {
                    name: text(&row, 1),
                    definition: text(&row, 2),
                    enabled: flag(&row, 3),
                    of_another: flag(&row, 4),
                });
            }
        }
        for row in rows.enums {
            schema.enums.entry(text(&row, 0)).or_default().push(text(&row, 1));
        }
        schema.views = rows.views.iter().map(|row| (text(row, 0), text(row, 1))).collect();
        for row in rows.dependents {
            if let Some(table) = schema.tables.get_mut(&text(&row, 0)) {
                table.dependents.push(text(&row, 1));
            }
        }
        schema
    }
}

/// The rows of the [`Inspection`] queries, under the same names.
#[derive(Debug, Default)]
#[expect(missing_docs, reason = "the fields are Inspection's")]
pub struct InspectionRows {
    pub namespace: Vec<TableRow>,
    pub tables: Vec<TableRow>,
    pub columns: Vec<TableRow>,
    pub keys: Vec<TableRow>,
    pub foreign_keys: Vec<TableRow>,
    pub checks: Vec<TableRow>,
    pub triggers: Vec<TableRow>,
    pub enums: Vec<TableRow>,
    pub views: Vec<TableRow>,
    pub dependents: Vec<TableRow>,
}

/// Tells our own tables, and refinery's, from the user's.
fn own(name: &str) -> bool {
    name.starts_with(super::PREFIX) || name == "refinery_schema_history"
}
