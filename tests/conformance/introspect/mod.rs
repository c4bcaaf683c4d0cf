//! Looks at a live schema with SQL of the tests' own, and gives it in the words of the recorded facts.
//!
//! Our own tables and refinery's history are left out: they are no part of the application's schema.

mod mysql;
mod postgres;
mod sqlite;

use super::schema::Schema;
use crate::support::{Kind, TestDatabase};

/// Gives the application's schema as it is now.
pub(crate) async fn schema(db: &TestDatabase) -> Schema {
    let mut session = db.owner().await;
    match db.kind() {
        Kind::Postgres => postgres::schema(&mut session).await,
        Kind::MySql => mysql::schema(&mut session).await,
        Kind::Sqlite => sqlite::schema(&mut session).await,
    }
}

/// Says whether a table is the application's.
fn is_application_table(name: &str) -> bool {
    !name.starts_with("concertina_") && name != "refinery_schema_history" && !name.starts_with("sqlite_")
}

/// The value of a column that is never NULL.
fn present(value: &Option<String>) -> &str {
    value.as_deref().expect("a value that is never NULL")
}

/// Splits a list that the query joined with `|`.
fn list(value: &Option<String>) -> Vec<String> {
    value.as_deref().unwrap_or_default().split('|').map(ToOwned::to_owned).collect()
}
