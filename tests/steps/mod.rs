//! Each kind of step from outside: what it does to a schema and to the rows in it, on every database.
//!
//! A test makes the tables that it needs with SQL of its own, adds a release with the steps, runs `upgrade`, and looks.

mod adding;
mod checks;
mod create_table;
mod enums;
mod names;
mod partitions;
mod removing;
mod sql;
mod sqlite_rebuild;
mod tightening;
mod uniques;
mod widening;
mod writers;

use crate::support::Kind;

/// Picks the text of one database.
fn on<'t>(kind: Kind, postgres: &'t str, mysql: &'t str, sqlite: &'t str) -> &'t str {
    match kind {
        Kind::Postgres => postgres,
        Kind::MySql => mysql,
        Kind::Sqlite => sqlite,
    }
}

/// What stands behind a table's columns: on MySQL the engine, whatever the server's default is.
fn options(kind: Kind) -> &'static str {
    on(kind, "", "ENGINE=InnoDB", "")
}
