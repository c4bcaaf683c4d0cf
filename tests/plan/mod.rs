//! What `plan` prints: the statements that would run, the locks they take, and what they do with the rows there are; each
//! compared with what the server shows and logs when they run.

mod costs;
mod sent;
mod statements;

use serde_json::Value;

use crate::support::{Concertina, Kind, Session, TestDatabase, Train};

/// Steps of as many kinds as there are, on two tables with rows.
const EXPAND: &str = "steps:
  - create_table: { name: stock, columns: [ { name: id, type: bigint }, { name: goods, type: integer } ], primary_key: [id], foreign_keys: [ { name: fk_goods, columns: [goods], references: { table: goods, columns: [id] } } ] }
  - add_column: { table: goods, column: { name: color, type: string(9), nullable: true } }
  - create_index: { table: goods, name: ix_maker, columns: [maker] }
  - add_foreign_key: { table: goods, name: fk_maker, columns: [maker], references: { table: makers, columns: [id] } }
  - add_check: { table: goods, name: ck_price, check: price >= 0, allow_rewrite: true }
  - widen_column: { table: goods, column: name, type: string(30) }
  - add_enum_value: { table: goods, column: state, value: old }
  - drop_not_null: { table: goods, column: paint }
  - sync: { name: goods_color, table: goods, forward: { color: paint }, backward: { paint: color } }
";
const DATA: &str = "backfill: { table: goods, set: { color: paint }, where: color IS NULL }\n";
const CONTRACT: &str = "steps:
  - validate: { table: goods, name: fk_maker }
  - validate: { table: goods, name: ck_price }
  - set_default: { table: goods, column: color, value: red }
  - set_not_null: { table: goods, column: color }
  - add_unique: { table: goods, name: uq_name, columns: [name, id] }
  - drop_index: { table: goods, name: ix_free }
  - drop_column: { table: goods, column: paint }
  - drop_constraint: { table: goods, name: fk_shelf }
  - drop_table: { table: spare }
";

/// Makes the tables, and a release with every step; our own tables are there already.
async fn prepare(db: &TestDatabase) -> Train {
    let mut session = db.owner().await;
    let state = match db.kind() {
        Kind::Postgres => {
            session.run("CREATE TYPE goods_state AS ENUM ('new', 'sold')").await;
            "goods_state DEFAULT 'new'"
        }
        Kind::MySql => "ENUM('new', 'sold') DEFAULT 'new'",
        Kind::Sqlite => "VARCHAR(9) DEFAULT 'new' CHECK (state IN ('new', 'sold'))",
    };
    for sql in [
        "CREATE TABLE makers (id INTEGER NOT NULL PRIMARY KEY)".to_owned(),
        "CREATE TABLE shelves (id INTEGER NOT NULL PRIMARY KEY)".to_owned(),
        "CREATE TABLE spare (id INTEGER NOT NULL PRIMARY KEY, maker INTEGER, CONSTRAINT fk_spare FOREIGN KEY (maker) REFERENCES makers (id))"
            .to_owned(),
        format!(
            "CREATE TABLE goods (id INTEGER NOT NULL PRIMARY KEY, price INTEGER, maker INTEGER, shelf INTEGER, name VARCHAR(20), \
             paint VARCHAR(9) NOT NULL, state {state}, CONSTRAINT fk_shelf FOREIGN KEY (shelf) REFERENCES shelves (id))"
        ),
        "CREATE INDEX ix_free ON goods (price, maker)".to_owned(),
        "INSERT INTO makers VALUES (1), (2)".to_owned(),
        "INSERT INTO shelves VALUES (1)".to_owned(),
        "INSERT INTO goods (id, price, maker, shelf, name, paint) VALUES (1, 5, 1, 1, 'a', 'red'), (2, 6, 1, 1, 'b', 'blue'), \
         (3, 6, 2, 1, 'c', 'red')"
            .to_owned(),
    ] {
        session.run(sql).await;
    }
    let mut train = Train::new(db);
    train.expand("  - create_table: { name: first, columns: [ { name: id, type: bigint } ], primary_key: [id] }");
    train.add(&[("expand/01_steps.yaml", EXPAND), ("data/01_rows.yaml", DATA), ("contract/01_steps.yaml", CONTRACT)]);
    train
}

/// The steps of a phase's plan.
fn steps_of(concertina: &Concertina, phase: &str) -> Vec<Value> {
    let plan = concertina.run(&["plan", phase, "--output", "json"]);
    plan.expect_code(0);
    plan.json()["steps"].as_array().expect("a list of steps").clone()
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_else(|| panic!("`{key}` is a text in {value}"))
}

fn statements(step: &Value) -> Vec<String> {
    let list = step["statements"].as_array().expect("a list of statements");
    list.iter().map(|statement| statement.as_str().expect("a text").to_owned()).collect()
}

/// Carries a phase out by the real command.
async fn run_phase(db: &TestDatabase, concertina: &Concertina, phase: &str) -> Session {
    let quiet: &[&str] = if phase == "contract" { &["contract", "--quiet-period", "0s"] } else { &[phase] };
    concertina.run(quiet).expect_code(0);
    db.owner().await
}
