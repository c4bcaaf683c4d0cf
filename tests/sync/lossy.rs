//! A backfill's writes never fire a sync: what the way back would lose stays as it was.

use super::{on, options};
use crate::support::{TestDatabase, Train, on_every_database};

/// A full name in two: at the first space, and what is left without the spaces around it. The way back knows of one space
/// only.
const EXPAND: &str = r"steps:
  - add_column: { table: people, column: { name: first, type: string(80) } }
  - add_column: { table: people, column: { name: last, type: string(80) } }
  - drop_not_null: { table: people, column: full_name }
  - sync:
      name: people_names
      table: people
      forward:
        first:
          postgres: split_part(full_name, ' ', 1)
          mysql: SUBSTRING_INDEX(full_name, ' ', 1)
          sqlite: substr(full_name, 1, instr(full_name || ' ', ' ') - 1)
        last:
          postgres: btrim(substr(full_name, strpos(full_name || ' ', ' ')))
          mysql: TRIM(SUBSTR(full_name, LOCATE(' ', CONCAT(full_name, ' '))))
          sqlite: trim(substr(full_name, instr(full_name || ' ', ' ')))
      backward:
        full_name: { postgres: first || ' ' || last, mysql: 'CONCAT(first, '' '', last)', sqlite: first || ' ' || last }
      conflict: reject
";

const BACKFILL: &str = r"backfill:
  table: people
  set:
    first:
      postgres: split_part(full_name, ' ', 1)
      mysql: SUBSTRING_INDEX(full_name, ' ', 1)
      sqlite: substr(full_name, 1, instr(full_name || ' ', ' ') - 1)
    last:
      postgres: btrim(substr(full_name, strpos(full_name || ' ', ' ')))
      mysql: TRIM(SUBSTR(full_name, LOCATE(' ', CONCAT(full_name, ' '))))
      sqlite: trim(substr(full_name, instr(full_name || ' ', ' ')))
  where: first IS NULL
";

/// A full name, and what it is in two.
const NAMES: [(&str, &str, &str); 9] = [
    ("Ada Lovelace", "Ada", "Lovelace"),
    ("Ada  Lovelace", "Ada", "Lovelace"),
    ("Ludwig  van   Beethoven ", "Ludwig", "van   Beethoven"),
    ("Grace Hopper  ", "Grace", "Hopper"),
    ("  Alan Turing", "", "Alan Turing"),
    ("Plato", "Plato", ""),
    (" ", "", ""),
    ("", "", ""),
    ("Émilie   du Châtelet", "Émilie", "du Châtelet"),
];

/// As many rows as make several batches.
const ROUNDS: usize = 20;

on_every_database! {
    async fn a_backfill_leaves_every_byte_of_the_old_column(db: TestDatabase) {
        let mut session = db.owner().await;
        session
            .run(format!(
                "CREATE TABLE people (id INTEGER NOT NULL PRIMARY KEY, full_name VARCHAR(80) NOT NULL) {}",
                options(db.kind())
            ))
            .await;
        let rows: Vec<_> = (0..ROUNDS * NAMES.len())
            .map(|id| format!("({id}, '{}')", NAMES[id % NAMES.len()].0))
            .collect();
        session.run(format!("INSERT INTO people (id, full_name) VALUES {}", rows.join(", "))).await;
        // By bytes, and not as a collation or a client has it.
        let bytes = on(
            db.kind(),
            "SELECT id, encode(convert_to(full_name, 'UTF8'), 'hex') FROM people ORDER BY id",
            "SELECT id, HEX(full_name) FROM people ORDER BY id",
            "SELECT id, hex(full_name) FROM people ORDER BY id",
        );
        let before = session.lines(bytes).await;

        let mut train = Train::with_settings(&db, "batch: { rows: 50 }");
        train.add(&[("expand/01_names.yaml", EXPAND), ("data/01_names.yaml", BACKFILL)]);
        let concertina = train.concertina();
        concertina.run(&["expand"]).expect_code(0);
        concertina.run(&["migrate", "--max-rows", "70"]).expect_code(4);
        assert_eq!(session.lines(bytes).await, before);
        concertina.run(&["migrate"]).expect_code(0);
        assert_eq!(session.lines(bytes).await, before);

        let found = session.rows("SELECT first, last FROM people ORDER BY id").await;
        let expected: Vec<Vec<Option<String>>> = (0..ROUNDS * NAMES.len())
            .map(|id| NAMES[id % NAMES.len()])
            .map(|(_, first, last)| vec![Some(first.to_owned()), Some(last.to_owned())])
            .collect();
        assert_eq!(found, expected);
        // Nobody is taken to have written.
        let status = concertina.run(&["status", "--output", "json"]).expect_code(0).json();
        let sync = &status["releases"][0]["syncs"][0];
        assert_eq!(sync["name"], "people_names", "{status}");
        assert!(sync["last_old_write"].is_null() && sync["last_new_write"].is_null(), "{status}");

        // A new node's write does go the way back, and fired nothing before.
        session.run("UPDATE people SET last = 'King' WHERE id = 1").await;
        assert_eq!(session.value("SELECT full_name FROM people WHERE id = 1").await.as_deref(), Some("Ada King"));
    }
}
