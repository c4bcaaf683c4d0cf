//! What goes on beside a backfill: writers, locks, and the syncs that it must not fire.

use std::time::Duration;

use super::{COUNT, ROWS, counting, expect_each_once, make_items};
use crate::support::{Kind, Session, TestDatabase, Train, on_every_database, run};

async fn items(db: &TestDatabase) -> Session {
    make_items(db, "id BIGINT NOT NULL PRIMARY KEY", "", |number| format!("{}", number * 3 + 100)).await
}

/// A full name is split, and joined again with one space: neither side of the mapping can be had back from the other.
const NAMES: &[(&str, &str)] = &[
    (
        "expand/01_names.yaml",
        r"steps:
  - add_column: { table: people, column: { name: first, type: string(80) } }
  - add_column: { table: people, column: { name: last, type: string(80) } }
  - drop_not_null: { table: people, column: full_name }
  - sync:
      name: names
      table: people
      forward:
        first:
          postgres: split_part(trim(full_name), ' ', 1)
          mysql: SUBSTRING_INDEX(TRIM(full_name), ' ', 1)
          sqlite: substr(trim(full_name), 1, instr(trim(full_name) || ' ', ' ') - 1)
        last:
          postgres: trim(substr(trim(full_name), length(split_part(trim(full_name), ' ', 1)) + 1))
          mysql: TRIM(SUBSTRING(TRIM(full_name), CHAR_LENGTH(SUBSTRING_INDEX(TRIM(full_name), ' ', 1)) + 1))
          sqlite: trim(substr(trim(full_name), instr(trim(full_name) || ' ', ' ')))
      backward: { full_name: first || ' ' || last }
      conflict: reject
",
    ),
    (
        "data/01_names.yaml",
        r"backfill:
  table: people
  set:
    first:
      postgres: split_part(trim(full_name), ' ', 1)
      mysql: SUBSTRING_INDEX(TRIM(full_name), ' ', 1)
      sqlite: substr(trim(full_name), 1, instr(trim(full_name) || ' ', ' ') - 1)
    last:
      postgres: trim(substr(trim(full_name), length(split_part(trim(full_name), ' ', 1)) + 1))
      mysql: TRIM(SUBSTRING(TRIM(full_name), CHAR_LENGTH(SUBSTRING_INDEX(TRIM(full_name), ' ', 1)) + 1))
      sqlite: trim(substr(trim(full_name), instr(trim(full_name) || ' ', ' ')))
  where: first IS NULL
",
    ),
];

on_every_database! {
    async fn the_old_side_of_a_lossy_mapping_stays_byte_identical(db: TestDatabase) {
        let mut session = db.owner().await;
        session
            .run(format!(
                "CREATE TABLE people (id INTEGER NOT NULL PRIMARY KEY, full_name VARCHAR(80) NOT NULL) {}",
                if db.kind() == Kind::MySql { "ENGINE=InnoDB" } else { "" }
            ))
            .await;
        let names = ["Ada  Lovelace", "  Grace Hopper ", "Edsger  W.  Dijkstra", "Plato", "Ünal  Öz", "a b"];
        let rows: Vec<String> = names.iter().enumerate().map(|(id, name)| format!("({id}, '{name}')")).collect();
        session.run(format!("INSERT INTO people VALUES {}", rows.join(", "))).await;
        let bytes = if db.kind() == Kind::Postgres { "encode(convert_to(full_name, 'UTF8'), 'hex')" } else { "HEX(full_name)" };
        let before = session.lines(format!("SELECT id, {bytes} FROM people ORDER BY id")).await;
        let mut train = Train::with_settings(&db, "batch: { rows: 2 }");
        train.add(NAMES);
        train.concertina().run(&["expand"]).expect_code(0);
        db.grant_application(&["people"]).await;
        train.concertina().run(&["migrate"]).expect_code(0);
        assert_eq!(session.lines(format!("SELECT id, {bytes} FROM people ORDER BY id")).await, before);
        assert_eq!(
            session.lines("SELECT first, last FROM people ORDER BY id").await,
            ["Ada|Lovelace", "Grace|Hopper", "Edsger|W.  Dijkstra", "Plato|", "Ünal|Öz", "a|b"]
        );
        // The syncs are on for everybody else.
        let mut node = db.application().await;
        node.run("UPDATE people SET first = 'Augusta' WHERE id = 0").await;
        node.run("UPDATE people SET full_name = 'Grace  M.  Hopper' WHERE id = 1").await;
        let both = session.lines("SELECT full_name, first, last FROM people WHERE id < 2 ORDER BY id").await;
        assert_eq!(both, ["Augusta Lovelace|Augusta|Lovelace", "Grace  M.  Hopper|Grace|M.  Hopper"]);
        train.concertina().run(&["contract", "--quiet-period", "0s"]).expect_code(0);
    }

    async fn rows_that_old_writers_insert_behind_the_cursor_are_caught(db: TestDatabase) {
        let mut session = items(&db).await;
        let mut train = Train::with_settings(&db, "batch: { rows: 1, target: 1ms }");
        train.add(&[("data/01_count.yaml", COUNT)]);
        train.concertina().run(&["expand"]).expect_code(0);
        let running = train.concertina().spawn(&["migrate"]);
        while session.value("SELECT 1 FROM items WHERE done = 1").await.is_none() {}
        for id in 1..=50 {
            session.run(format!("INSERT INTO items (id, payload) VALUES ({id}, 'late')")).await;
        }
        running.finish().expect_code(0);
        expect_each_once(&mut session, ROWS + 50).await;
    }

    async fn rows_whose_key_moves_behind_the_cursor_are_caught(db: TestDatabase) {
        let mut session = items(&db).await;
        let train = counting(&db, 100);
        train.concertina().run(&["migrate", "--max-rows", "500"]).expect_code(4);
        session.run("UPDATE items SET id = id - 1000000 WHERE id > 7000").await;
        train.concertina().run(&["migrate"]).expect_code(0);
        expect_each_once(&mut session, ROWS).await;
    }

    async fn a_row_that_stopped_matching_is_left_alone(db: TestDatabase) {
        let mut session = items(&db).await;
        let train = counting(&db, 100);
        train.concertina().run(&["migrate", "--max-rows", "500"]).expect_code(4);
        session.run("UPDATE items SET done = 1, counter = 1, payload = 'by hand' WHERE id > 7000").await;
        train.concertina().run(&["migrate"]).expect_code(0);
        expect_each_once(&mut session, ROWS).await;
    }

    async fn an_empty_table_is_done_at_once(db: TestDatabase) {
        let mut session = items(&db).await;
        session.run("DELETE FROM items").await;
        let train = counting(&db, 100);
        train.concertina().run(&["migrate"]).expect_code(0);
        train.concertina().run(&["check"]).expect_code(5);
    }
}

/// Locks a row for two seconds while a backfill wants it.
async fn locked_row(db: TestDatabase) {
    let mut session = items(&db).await;
    let train = counting(&db, 100);
    let mut other = db.owner().await;
    other.run("BEGIN").await;
    other.run("UPDATE items SET payload = 'mine' WHERE id = 1000").await;
    let running = train.concertina().spawn(&["migrate"]);
    tokio::time::sleep(Duration::from_secs(2)).await;
    other.run("COMMIT").await;
    running.finish().expect_code(0);
    expect_each_once(&mut session, ROWS).await;
    assert_eq!(session.lines("SELECT payload FROM items WHERE id = 1000").await, ["mine"]);
}

#[test]
fn a_locked_row_does_not_fail_it_on_postgres() {
    run(Kind::Postgres, "a_locked_row_does_not_fail_it", locked_row);
}

#[test]
fn a_locked_row_does_not_fail_it_on_mysql() {
    run(Kind::MySql, "a_locked_row_does_not_fail_it", locked_row);
}

#[test]
fn a_locked_database_does_not_fail_it() {
    run(Kind::Sqlite, "a_locked_database_does_not_fail_it", async |db: TestDatabase| {
        let mut session = items(&db).await;
        let train = counting(&db, 100);
        let mut other = db.owner().await;
        let running = train.concertina().spawn(&["migrate"]);
        while session.value("SELECT 1 FROM items WHERE done = 1").await.is_none() {}
        other.run("BEGIN IMMEDIATE").await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        other.run("COMMIT").await;
        running.finish().expect_code(0);
        expect_each_once(&mut session, ROWS).await;
    });
}
