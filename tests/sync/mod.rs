//! Syncs from outside: what a write of an old and of a new node does to the other side's columns, on every database.
//!
//! A test makes its tables with SQL of its own, expands a release with the sync, and writes as the application does.

mod bypass;
mod cascades;
mod columns;
mod concurrency;
mod conflicts;
mod disjoint;
mod expression;
mod installed;
mod keys;
mod leftovers;
mod lossy;
mod model;
mod model_moved;
mod moved;
mod moved_concurrency;
mod mysql_records;
mod mysql_traps;
mod nodes;
mod or_fail;
mod postgres_names;
mod postgres_refusals;
mod postgres_traps;
mod preflight;
mod property;
mod related;
mod related_concurrency;
mod sessions;
mod sqlite_traps;
mod unknown;
mod upserts;

use crate::support::{DbFailure, Kind, Session, TestDatabase, Train};

/// Makes a test of each function, on one database.
macro_rules! on_one_database {
    ($kind:ident: $($name:ident: $body:ident;)+) => {$(
        #[test]
        fn $name() {
            $crate::support::run($crate::support::Kind::$kind, stringify!($body), $body);
        }
    )+};
}
use on_one_database;

/// Picks the text of one database.
fn on<'t>(kind: Kind, postgres: &'t str, mysql: &'t str, sqlite: &'t str) -> &'t str {
    match kind {
        Kind::Postgres => postgres,
        Kind::MySql => mysql,
        Kind::Sqlite => sqlite,
    }
}

/// What stands behind a table's columns.
fn options(kind: Kind) -> &'static str {
    on(kind, "", "ENGINE=InnoDB", "")
}

/// Adds a release of these steps to a new train, and expands it, no further: contract would take the syncs away.
#[track_caller]
fn expand(db: &TestDatabase, steps: &str) {
    let mut train = Train::new(db);
    train.add(&[("expand/01_steps.yaml", &format!("steps:{steps}\n"))]);
    train.concertina().run(&["expand"]).expect_code(0);
}

/// The table `items`: lower case in the old column `o`, upper case in the new column `n`, and both mappings are lossy.
/// Rows 1 and 2 are from before the expand, and are not migrated. Gives a session of the application.
async fn items(db: &TestDatabase, conflict: &str) -> Session {
    let mut owner = db.owner().await;
    owner
        .run(format!(
            "CREATE TABLE items (id INTEGER NOT NULL PRIMARY KEY, o VARCHAR(40) NOT NULL, other INTEGER) {}",
            options(db.kind())
        ))
        .await;
    owner.run("INSERT INTO items (id, o, other) VALUES (1, 'one', 1), (2, 'two', 2)").await;
    expand(
        db,
        &format!(
            "
  - add_column: {{ table: items, column: {{ name: n, type: string(40) }} }}
  - drop_not_null: {{ table: items, column: o }}
  - sync:
      name: items_case
      table: items
      forward: {{ n: upper(o) }}
      backward: {{ o: lower(n) }}
      conflict: {conflict}"
        ),
    );
    db.grant_application(&["items"]).await;
    db.application().await
}

/// Gives a row of `items` as `o|n|other`.
async fn item(session: &mut Session, id: u32) -> String {
    session.lines(format!("SELECT o, n, other FROM items WHERE id = {id}")).await.join(" and ")
}

/// Fails unless the database refused, with these words.
#[track_caller]
fn expect_refused(result: Result<u64, DbFailure>, words: &str) {
    let failure = result.expect_err("the write should be refused");
    assert!(failure.message.contains(words), "`{words}` should be in {failure:?}");
}

/// Fails unless the database refused to leave the column `o` NULL, with the code that the old schema gave; on SQLite
/// a trigger has only its own code to give.
#[track_caller]
fn expect_not_null(kind: Kind, result: Result<u64, DbFailure>) {
    let failure = result.expect_err("the write should be refused");
    let (words, code) = match kind {
        Kind::Postgres => ("null value in column \"o\"", "23502"),
        Kind::MySql => ("Column 'o' cannot be null", "1048"),
        Kind::Sqlite => ("NOT NULL constraint failed: items.o", "1811"),
    };
    assert!(failure.message.contains(words) && failure.code == code, "{failure:?}");
}
