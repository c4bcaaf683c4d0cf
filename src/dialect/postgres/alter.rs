//! Changes of a live table on PostgreSQL, each by the way that stops others for the shortest time.

use super::super::offending::{is_orphan, rows_where};
use super::super::schema::{ForeignKey, Schema, Table};
use super::super::statement::{Change, Refusal, Script, Statement};
use super::super::{Dialect, ForeignKeyDefinition, PREFIX, object_name};
use super::{Postgres, enum_of, index};

impl Postgres {
    pub(super) fn changed(
        &self,
        schema: &Schema,
        table: &Table,
        change: &Change,
        allow_rewrite: bool,
    ) -> Result<Script, Refusal> {
        let alter = |text: String| format!("ALTER TABLE {} {text}", self.table(&table.name));
        let column = |name: &String, text: &str| alter(format!("ALTER COLUMN {} {text}", self.quote(name)));
        Ok(match change {
            Change::AddColumn(definition) => {
                if !allow_rewrite && definition.differs_by_row(self) {
                    return Err(Refusal::new(format!(
                        "column `{}` would be another value for each row, so PostgreSQL would write the whole table anew under a \
                         lock; add it without the default, fill it in by a backfill, and set_default in contract",
                        definition.name
                    ))
                    .at("default"));
                }
                let mut script =
                    Script { statements: self.before_column(&table.name, definition, schema)?, ..Script::default() };
                script.run(alter(format!("ADD COLUMN {}", self.column_definition(&table.name, definition)?)));
                script
            }
            Change::DropColumn(name) => Script::of(alter(format!("DROP COLUMN {}", self.quote(name)))),
            Change::SetNotNull(name) => {
                // SET NOT NULL alone scans the table under an exclusive lock. A validated CHECK proves the same, and
                // is validated under a lock that lets writers through. The statements must not share a transaction.
                let check = self.quote(&object_name(&format!("{PREFIX}{name}_not_null")));
                let mut script = Script { outside_transaction: true, ..Script::default() };
                // Not validated, it already refuses the writes of a table that is to go on taking NULL.
                script.undo.push(alter(format!("DROP CONSTRAINT IF EXISTS {check}")));
                script.run(alter(format!(
                    "DROP CONSTRAINT IF EXISTS {check}, ADD CONSTRAINT {check} CHECK ({} IS NOT NULL) NOT VALID",
                    self.quote(name)
                )));
                script.run(alter(format!("VALIDATE CONSTRAINT {check}")));
                script.run(column(name, "SET NOT NULL"));
                script.run(alter(format!("DROP CONSTRAINT IF EXISTS {check}")));
                script
            }
            Change::DropNotNull(name) => Script::of(column(name, "DROP NOT NULL")),
            Change::SetDefault(name, value) => Script::of(column(name, &format!("SET DEFAULT {value}"))),
            Change::DropDefault(name) => Script::of(column(name, "DROP DEFAULT")),
            Change::AddForeignKey(key) if table.partition_key.is_some() => self.partitioned_key(schema, table, key),
            Change::AddForeignKey(key) => Script::of(alter(format!("ADD {} NOT VALID", self.foreign_key(key)))),
            Change::DropConstraint(name) => Script::of(alter(format!("DROP CONSTRAINT {}", self.quote(name)))),
            Change::AddCheck(name, expression) => {
                Script::of(alter(format!("ADD {} NOT VALID", self.check(name, expression))))
            }
            Change::AddUnique(unique) => index::build(self, schema, table, &unique.index(&table.name), true)?,
            Change::Validate(name) => {
                // A transaction would hold its locks, and our own rows, for as long as the rows are looked at.
                let mut script = Script { outside_transaction: true, ..Script::default() };
                script.run(alter(format!("VALIDATE CONSTRAINT {}", self.quote(name))));
                script
            }
            Change::Widen(name, column_type) => {
                let to = self.column_type(&table.name, &Change::widened(name, column_type))?;
                // Left out, the collation would become the type's own, and the column's indexes would be built anew.
                let collation = table.column(name).and_then(|column| column.collation.as_ref());
                let collation = collation.map_or(String::new(), |collation| format!(" COLLATE {collation}"));
                Script::of(column(name, &format!("TYPE {to}{collation}")))
            }
            Change::AddEnumValue(name, value) => {
                let type_name = table.column(name).map(enum_of).unwrap_or_default();
                // In the transaction that adds it, a label cannot be used yet, and before PostgreSQL 12 none may add one.
                let mut script = Script { outside_transaction: true, ..Script::default() };
                script.run(format!(
                    "ALTER TYPE {} ADD VALUE IF NOT EXISTS {}",
                    self.table(&type_name),
                    self.literal(value)
                ));
                script
            }
        })
    }

    /// A foreign key of a partitioned table: PostgreSQL before 18 has no NOT VALID for it, and looks at all rows while writers
    /// wait. Where each partition has had its own, and its rows were looked at, the table's takes these over as they are.
    fn partitioned_key(&self, schema: &Schema, table: &Table, key: &ForeignKeyDefinition) -> Script {
        let mut script = Script { outside_transaction: true, ..Script::default() };
        let name = key.name.clone().unwrap_or_default();
        let quoted = self.quote(&name);
        let live = ForeignKey {
            columns: key.columns.clone(),
            references: key.references.table.clone(),
            referenced_columns: key.references.columns.clone(),
            ..ForeignKey::default()
        };
        script.statements.push(Statement::MustBeEmpty {
            query: rows_where(self, table, &is_orphan(self, schema, table, &live)),
            message: format!("rows of `{}` refer to rows of `{}` that do not exist", table.name, key.references.table),
        });
        let mut partitions = Vec::new();
        leaves(schema, table, &mut partitions);
        for partition in partitions {
            let alter = |text: &str| format!("ALTER TABLE {} {text}", self.table(&partition.name));
            let there = partition.foreign_keys.iter().find(|key| key.name.as_ref() == Some(&name));
            if there.is_none() {
                script.run(alter(&format!("ADD {} NOT VALID", self.foreign_key(key))));
            }
            if there.is_none_or(|key| key.not_valid) {
                script.run(alter(&format!("VALIDATE CONSTRAINT {quoted}")));
            }
            script.undo.push(alter(&format!("DROP CONSTRAINT IF EXISTS {quoted}")));
        }
        script.run(format!("ALTER TABLE {} ADD {}", self.table(&table.name), self.foreign_key(key)));
        script
    }
}

/// The partitions that have rows of their own.
fn leaves<'s>(schema: &'s Schema, table: &Table, found: &mut Vec<&'s Table>) {
    for partition in schema.partitions(table) {
        if partition.partition_key.is_some() {
            leaves(schema, partition, found);
        } else {
            found.push(partition);
        }
    }
}
