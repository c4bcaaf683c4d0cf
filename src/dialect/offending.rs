//! Queries for the rows that a step would stumble over, so that they are named before anything is changed.

use super::schema::{ForeignKey, Schema, Table};
use super::{Dialect, PREFIX};

/// How many rows a message names.
pub const SHOWN_ROWS: usize = 5;

/// A query for the first rows that a condition holds for, by their keys; NULL where the table has none.
pub fn rows_where(dialect: &dyn Dialect, table: &Table, condition: &str) -> String {
    let name = dialect.table(&table.name);
    let key: Vec<_> = table.walk_key().unwrap_or_default();
    let mut columns: Vec<_> = key.iter().map(|column| dialect.read_column(&name, column)).collect();
    if columns.is_empty() {
        columns.push("NULL".to_owned());
    }
    format!("SELECT {} FROM {name} WHERE {condition} LIMIT {SHOWN_ROWS}", columns.join(", "))
}

/// A query for values that several rows share in these columns.
pub fn shared_values(dialect: &dyn Dialect, table: &Table, columns: &[String]) -> String {
    let name = dialect.table(&table.name);
    let quoted: Vec<_> = columns.iter().map(|column| format!("{name}.{}", dialect.quote(column))).collect();
    let live = columns.iter().filter_map(|column| table.column(column));
    let shown: Vec<_> = live.map(|column| dialect.read_column(&name, column)).collect();
    let given: Vec<_> = quoted.iter().map(|column| format!("{column} IS NOT NULL")).collect();
    format!(
        "SELECT {} FROM {name} WHERE {} GROUP BY {} HAVING count(*) > 1 LIMIT {SHOWN_ROWS}",
        shown.join(", "),
        given.join(" AND "),
        quoted.join(", ")
    )
}

/// The condition of rows that a foreign key would refuse.
pub fn is_orphan(dialect: &dyn Dialect, schema: &Schema, table: &Table, key: &ForeignKey) -> String {
    let (name, parent) = (dialect.table(&table.name), format!("{PREFIX}parent"));
    let parent_key = schema.table(&key.references).map_or(&[][..], |of| of.primary_key.as_slice());
    let mut conditions = Vec::new();
    let mut same = Vec::new();
    for (position, column) in key.columns.iter().enumerate() {
        let here = format!("{name}.{}", dialect.quote(column));
        // SQLite lets the columns of the other side be left out.
        let there = key.referenced_columns.get(position).filter(|there| !there.is_empty());
        let there = there.or_else(|| parent_key.get(position)).map_or("", String::as_str);
        conditions.push(format!("{here} IS NOT NULL"));
        same.push(format!("{parent}.{} = {here}", dialect.quote(there)));
    }
    conditions.push(format!(
        "NOT EXISTS (SELECT 1 FROM {} AS {parent} WHERE {})",
        dialect.table(&key.references),
        same.join(" AND ")
    ));
    conditions.join(" AND ")
}
