//! Indexes on PostgreSQL, built while writers write, and unique constraints, which take such an index over.
//!
//! A partitioned table has no concurrent build. So its index is made on the table alone, without rows and without a wait;
//! each partition's is built by itself and attached, and with the last one the table's is valid
//! (<https://www.postgresql.org/docs/current/sql-createindex.html>). What an interrupted run has done is not done again.

use super::super::definition::IndexDefinition;
use super::super::schema::{Schema, Table};
use super::super::statement::{Refusal, Script};
use super::super::{Dialect, Patience, object_name};
use super::Postgres;

/// The statements for an index, or for the constraint that it is to keep.
pub(super) fn build(
    dialect: &Postgres,
    schema: &Schema,
    table: &Table,
    index: &IndexDefinition,
    constraint: bool,
) -> Result<Script, Refusal> {
    if let (Some(key), true) = (&table.partition_key, index.unique)
        && let Some(missing) = key.iter().find(|column| !index.columns.contains(column))
    {
        return Err(Refusal::new(format!(
            "`{}` is partitioned by `{missing}`, which a unique index over all partitions must have among its columns",
            table.name
        ))
        .at("columns"));
    }
    let script =
        Script { outside_transaction: true, rendered_again: true, patience: Patience::Minutes, ..Script::default() };
    let mut builder = Builder { dialect, schema, index, constraint, script };
    if table.partition_key.is_none() && !constraint {
        // What a failed build leaves refuses duplicates, complete or not, and takes its part of every write.
        let name = builder.qualified(table, &index.name);
        builder.script.undo.push(format!("DROP INDEX CONCURRENTLY IF EXISTS {name}"));
    }
    builder.table(table, &index.name)?;
    Ok(builder.script)
}

struct Builder<'a> {
    dialect: &'a Postgres,
    schema: &'a Schema,
    index: &'a IndexDefinition,
    constraint: bool,
    script: Script,
}

/// What is there under the name of the index.
#[derive(Clone, Copy, PartialEq)]
enum There {
    Nothing,
    /// What a concurrent build that failed has left, or a table's index before each partition has its own.
    Incomplete,
    Index,
    /// The constraint; on a partitioned table whether or not each partition has its own.
    Constraint,
}

impl Builder<'_> {
    fn table(&mut self, table: &Table, name: &str) -> Result<(), Refusal> {
        let there = self.look(table, name)?;
        if table.partition_key.is_some() {
            self.partitioned(table, name, there)
        } else {
            self.plain(table, name, there);
            Ok(())
        }
    }

    fn plain(&mut self, table: &Table, name: &str, there: There) {
        let (unique, columns) = (self.unique(), self.dialect.columns(&self.index.columns));
        let (quoted, on) = (self.dialect.quote(name), self.dialect.table(&table.name));
        if there == There::Incomplete {
            self.script.ask(Patience::Minutes);
            self.script.run(format!("DROP INDEX CONCURRENTLY IF EXISTS {}", self.qualified(table, name)));
        }
        if matches!(there, There::Nothing | There::Incomplete) {
            self.script.ask(Patience::Minutes);
            self.script.run(format!("CREATE {unique}INDEX CONCURRENTLY {quoted} ON {on} ({columns})"));
        }
        if self.constraint && there != There::Constraint {
            // The index is there: what is left is an entry in the catalog, under a lock that stops everybody.
            self.script.ask(Patience::Instant);
            self.script.run(format!("ALTER TABLE {on} ADD CONSTRAINT {quoted} UNIQUE USING INDEX {quoted}"));
        }
    }

    fn partitioned(&mut self, table: &Table, name: &str, there: There) -> Result<(), Refusal> {
        let (unique, columns) = (self.unique(), self.dialect.columns(&self.index.columns));
        let (quoted, on) = (self.dialect.quote(name), self.dialect.table(&table.name));
        if there == There::Nothing {
            self.script.ask(Patience::Instant);
            self.script.run(if self.constraint {
                format!("ALTER TABLE ONLY {on} ADD CONSTRAINT {quoted} UNIQUE ({columns})")
            } else {
                format!("CREATE {unique}INDEX {quoted} ON ONLY {on} ({columns})")
            });
        }
        for partition in self.schema.partitions(table) {
            let parts = partition.indexes.iter().map(|index| (&index.part_of, &index.name, index.valid));
            let constraints = partition.uniques.iter().map(|unique| (&unique.part_of, &unique.name, !unique.invalid));
            let part = parts.chain(constraints).find(|(of, ..)| of.as_deref() == Some(name));
            // One that is attached is complete, unless it has partitions of its own.
            match part {
                Some((_, _, true)) => {}
                Some((_, part, false)) => self.table(partition, &part.clone())?,
                None => {
                    let bare = partition.name.rsplit('.').next().unwrap_or_default();
                    let part = object_name(&format!("{bare}_{name}"));
                    self.table(partition, &part)?;
                    self.script.ask(Patience::Instant);
                    self.script.run(format!(
                        "ALTER INDEX {} ATTACH PARTITION {}",
                        self.qualified(table, name),
                        self.qualified(partition, &part)
                    ));
                }
            }
        }
        Ok(())
    }

    /// Looks for what is there under a name; something else of that name is refused.
    fn look(&self, table: &Table, name: &str) -> Result<There, Refusal> {
        let refuse = |what: &str| {
            let named = format!("`{}` has {what} named `{name}` already, and it is not the same", table.name);
            Err(Refusal::new(named).at(name))
        };
        if let Some(unique) = table.uniques.iter().find(|unique| unique.name == name) {
            return if self.constraint && unique.columns == self.index.columns {
                Ok(There::Constraint)
            } else {
                refuse("a unique constraint")
            };
        }
        let Some(index) = table.indexes.iter().find(|index| index.name == name) else { return Ok(There::Nothing) };
        let same =
            index.columns == self.index.columns && index.unique == self.index.unique && index.expressions.is_none();
        match (index.valid, table.partition_key.is_some()) {
            // Of a concurrent build nothing but the name is looked at: whatever it was, it is of no use.
            (false, false) => Ok(There::Incomplete),
            (false, true) if same && !self.constraint => Ok(There::Incomplete),
            (true, false) if same => Ok(There::Index),
            (true, true) if same && !self.constraint => Ok(There::Index),
            _ => refuse("an index"),
        }
    }

    fn unique(&self) -> &'static str {
        if self.index.unique { "UNIQUE " } else { "" }
    }

    /// An index is in the schema of its table, whatever the search path is.
    fn qualified(&self, table: &Table, name: &str) -> String {
        format!("{}{}", self.dialect.beside(&table.name), self.dialect.quote(name))
    }
}
