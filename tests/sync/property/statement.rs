//! One statement of an application, as both the model and a database are given it.

use super::super::expression::Value;
use super::super::on;
use super::tables::Table;
use crate::support::Kind;

/// A key's values, in the order of the key's columns.
pub(super) type Key = Vec<Value>;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Statement {
    /// Several rows, each with a value for each of these columns.
    Insert {
        table: usize,
        columns: Vec<String>,
        rows: Vec<Vec<Value>>,
        how: How,
    },
    /// Copies rows under keys that are so much higher, with these columns of theirs.
    InsertSelect {
        table: usize,
        columns: Vec<String>,
        shift: i64,
        rows: Rows,
    },
    /// Makes the rows there of these rows here, and says nothing of the new columns: docs/project.md's own backfill.
    Fill {
        table: usize,
        rows: Rows,
    },
    Update {
        table: usize,
        set: Vec<(String, Term)>,
        rows: Rows,
    },
    Delete {
        table: usize,
        rows: Rows,
    },
}

/// How rows are inserted.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum How {
    Insert,
    Replace,
    /// An upsert that sets these columns where the key is there already.
    Upsert(Vec<String>),
    /// PostgreSQL's COPY … FROM STDIN.
    Copy,
}

/// What a column is set to.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Term {
    Value(Value),
    /// What it is.
    Itself,
}

/// The rows that a statement is about.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Rows {
    All,
    Of(Vec<Key>),
}

impl Statement {
    pub(super) fn table(&self) -> usize {
        match self {
            Self::Insert { table, .. }
            | Self::InsertSelect { table, .. }
            | Self::Fill { table, .. }
            | Self::Update { table, .. }
            | Self::Delete { table, .. } => *table,
        }
    }

    /// The statement in one database's words; COPY's rows follow in a text of their own.
    pub(super) fn sql(&self, kind: Kind, tables: &[Table]) -> String {
        let table = &tables[self.table()];
        let name = &table.name;
        match self {
            Self::Insert { columns, how: How::Copy, .. } => format!("COPY {name} ({}) FROM STDIN", columns.join(", ")),
            Self::Insert { columns, rows, how, .. } => {
                let rows: Vec<_> = rows.iter().map(|row| format!("({})", list(kind, row))).collect();
                let verb = if *how == How::Replace { "REPLACE" } else { "INSERT" };
                let insert = format!("{verb} INTO {name} ({}) VALUES {}", columns.join(", "), rows.join(", "));
                let How::Upsert(set) = how else { return insert };
                let value = on(kind, "@ = excluded.@", "@ = VALUES(@)", "@ = excluded.@");
                let set: Vec<_> = set.iter().map(|column| value.replace('@', column)).collect();
                let key = table.key.join(", ");
                match kind {
                    Kind::MySql => format!("{insert} ON DUPLICATE KEY UPDATE {}", set.join(", ")),
                    _ if set.is_empty() => format!("{insert} ON CONFLICT ({key}) DO NOTHING"),
                    _ => format!("{insert} ON CONFLICT ({key}) DO UPDATE SET {}", set.join(", ")),
                }
            }
            Self::InsertSelect { columns, shift, rows, .. } => {
                let (first, others) = table.key.split_first().expect("a key");
                let all: Vec<_> = table.key.iter().chain(columns).cloned().collect();
                let mut terms = vec![format!("{first} + {shift}")];
                terms.extend(others.iter().chain(columns).cloned());
                format!(
                    "INSERT INTO {name} ({}) SELECT {} FROM {name}{}",
                    all.join(", "),
                    terms.join(", "),
                    condition(kind, table, rows)
                )
            }
            Self::Fill { rows, .. } => {
                let here = &tables[table.as_there().expect("only such a table is filled").here];
                let (there, key) = (table.key.join(", "), here.key.join(", "));
                format!("INSERT INTO {name} ({there}) SELECT {key} FROM {}{}", here.name, condition(kind, here, rows))
            }
            Self::Update { set, rows, .. } => {
                let set: Vec<_> = set
                    .iter()
                    .map(|(column, term)| match term {
                        Term::Value(value) => format!("{column} = {}", value.sql(kind)),
                        Term::Itself => format!("{column} = {column}"),
                    })
                    .collect();
                format!("UPDATE {name} SET {}{}", set.join(", "), condition(kind, table, rows))
            }
            Self::Delete { rows, .. } => format!("DELETE FROM {name}{}", condition(kind, table, rows)),
        }
    }

    /// The rows that follow a COPY, in its text format.
    pub(super) fn copied(&self) -> Option<String> {
        let Self::Insert { rows, how: How::Copy, .. } = self else { return None };
        let field = |value: &Value| value.shown(Kind::Postgres).unwrap_or_else(|| "\\N".to_owned());
        Some(rows.iter().map(|row| row.iter().map(field).collect::<Vec<_>>().join("\t") + "\n").collect())
    }
}

fn list(kind: Kind, values: &[Value]) -> String {
    values.iter().map(|value| value.sql(kind)).collect::<Vec<_>>().join(", ")
}

fn condition(kind: Kind, table: &Table, rows: &Rows) -> String {
    let Rows::Of(keys) = rows else { return String::new() };
    let one = |key: &Key| {
        let tests: Vec<_> =
            table.key.iter().zip(key).map(|(column, value)| format!("{column} = {}", value.sql(kind))).collect();
        tests.join(" AND ")
    };
    format!(" WHERE {}", keys.iter().map(one).collect::<Vec<_>>().join(" OR "))
}
