//! Queries that hold rows against what was written to them.

use super::{Column, Comparison, Dialect, Literal, Table};

/// A condition that a column has a value, by the meaning of the column's type; `None` where that cannot be told.
pub fn has_value(dialect: &dyn Dialect, column: &Column, value: &Literal) -> Option<String> {
    let name = dialect.quote(&column.name);
    let floats = ["float", "double", "real"].iter().any(|word| column.type_name.to_lowercase().contains(word));
    match value {
        Literal::Null => Some(format!("{name} IS NULL")),
        // A json has many texts, and a float many numbers that are shown alike.
        _ if column.comparison == Comparison::Text || floats => None,
        value => {
            let given = dialect.rounded(&dialect.coerce(&value.sql(dialect), column), column);
            Some(dialect.same(&name, &given, column))
        }
    }
}

/// A query with one row, where the row of this key is there: `number`, and a bit for each condition that holds.
pub fn row_mask(
    dialect: &dyn Dialect,
    table: &Table,
    key: &[(&str, &Literal)],
    number: usize,
    conditions: &[String],
) -> String {
    let bits = conditions
        .iter()
        .enumerate()
        .map(|(bit, condition)| format!("CASE WHEN {condition} THEN {} ELSE 0 END", 1_u64 << bit));
    let mask = std::iter::once("0".to_owned()).chain(bits).collect::<Vec<_>>().join(" + ");
    let same: Vec<String> =
        key.iter().map(|(column, value)| format!("{} = {}", dialect.quote(column), value.sql(dialect))).collect();
    format!(
        "SELECT {number} AS number, {mask} AS mask FROM {} WHERE {}",
        dialect.table(&table.name),
        same.join(" AND ")
    )
}

/// How many conditions fit into one [`row_mask`].
pub const MASK: usize = 60;

/// A query for these columns of every row.
pub fn all_rows(dialect: &dyn Dialect, table: &str, columns: &[String]) -> String {
    format!("SELECT {} FROM {}", dialect.columns(columns), dialect.table(table))
}

/// A query for these columns of one row.
pub fn one_row(dialect: &dyn Dialect, table: &str, columns: &[String], key: &[(&str, &Literal)]) -> String {
    let same: Vec<String> =
        key.iter().map(|(column, value)| format!("{} = {}", dialect.quote(column), value.sql(dialect))).collect();
    format!("{} WHERE {}", all_rows(dialect, table, columns), same.join(" AND "))
}

/// An INSERT that gives back the key that the database gave, where the database does that by a clause.
pub fn returning(dialect: &dyn Dialect, sql: &str, column: &str) -> Option<String> {
    let clause = || format!("{} RETURNING {}", sql.trim_end().trim_end_matches(';'), dialect.quote(column));
    dialect.gives_back_by_clause().then(clause)
}
