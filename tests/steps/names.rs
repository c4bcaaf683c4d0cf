//! Names that need quotes, in every place where a name can stand.

use crate::conformance::{introspect, leftovers};
use crate::support::{Kind, TestDatabase, Train, on_every_database};

/// Quotes a name as the database does.
fn quoted(kind: Kind, name: &str) -> String {
    match kind {
        Kind::MySql => format!("`{}`", name.replace('`', "``")),
        Kind::Postgres | Kind::Sqlite => format!("\"{}\"", name.replace('"', "\"\"")),
    }
}

/// A space, a quote of each kind, a letter beyond ASCII, capitals, and a reserved word.
const TABLE: &str = "Order by \"`'ü";
const COLUMN: &str = "group \"`' ö";
const OTHER: &str = "select";
const NEW: &str = "New \"`'é";
const INDEX: &str = "index \"`' where";
const REFERRING: &str = "table";

on_every_database! {
    async fn odd_names_work_in_every_step(db: TestDatabase) {
        let kind = db.kind();
        let q = |name: &str| quoted(kind, name);
        // Single quotes of YAML, in which a single quote is written twice.
        let y = |name: &str| format!("'{}'", name.replace('\'', "''"));
        let mut train = Train::new(&db);
        train.expand(&format!(
            "
  - create_table:
      name: {table}
      columns:
        - {{ name: {column}, type: integer, nullable: false }}
        - {{ name: {other}, type: string(20), nullable: false, default: a }}
      primary_key: [{column}]
      uniques: [{{ name: {unique}, columns: [{column}, {other}] }}]
  - create_table:
      name: {referring}
      columns: [{{ name: id, type: integer, nullable: false }}, {{ name: {column}, type: integer }}]
      primary_key: [id]",
            table = y(TABLE), column = y(COLUMN), other = y(OTHER), unique = y("unique \"`'"), referring = y(REFERRING)
        ));
        let mut session = db.owner().await;
        let (table, column, other, new) = (q(TABLE), q(COLUMN), q(OTHER), q(NEW));
        session.run(format!("INSERT INTO {table} ({column}) VALUES (1), (2), (3)")).await;
        session.run(format!("INSERT INTO {} VALUES (1, 1)", q(REFERRING))).await;
        train.expand(&format!(
            "  - add_foreign_key: {{ table: {}, name: {}, columns: [{column}], references: {{ table: {}, columns: [{column}] }} }}",
            y(REFERRING), y("fk \"`'"), y(TABLE), column = y(COLUMN)
        ));
        assert!(session.execute(format!("INSERT INTO {} VALUES (2, 9)", q(REFERRING))).await.is_err());

        // A whole change: add, sync, backfill, tighten, drop.
        // What is sound SQL on one database is not on another.
        let each = |sql: String| format!("{{ {}: {} }}", kind.name(), y(&sql));
        train.add(&[
            ("expand/01_new.yaml", &format!(
                "steps:
  - add_column: {{ table: {table}, column: {{ name: {new}, type: string(20) }} }}
  - create_index: {{ table: {table}, name: {index}, columns: [{new}, {column}] }}
  - drop_not_null: {{ table: {table}, column: {other} }}
  - drop_default: {{ table: {table}, column: {other} }}
  - sync:
      name: odd-näme.1
      table: {table}
      forward: {{ {new}: {forward} }}
      backward: {{ {other}: {backward} }}
      conflict: reject
",
                table = y(TABLE), column = y(COLUMN), other = y(OTHER), new = y(NEW), index = y(INDEX),
                forward = each(format!("upper({})", q(OTHER))),
                backward = each(format!("lower({})", q(NEW))),
            )),
            ("data/01_new.yaml", &format!(
                "backfill: {{ table: {}, set: {{ {}: {} }}, where: {} }}\n",
                y(TABLE), y(NEW), each(format!("upper({})", q(OTHER))), each(format!("{} IS NULL", q(NEW))),
            )),
            ("contract/01_old.yaml", &format!(
                "steps:
  - set_default: {{ table: {table}, column: {new}, value: 'it''s' }}
  - set_not_null: {{ table: {table}, column: {new} }}
  - drop_constraint: {{ table: {table}, name: {unique} }}
  - drop_column: {{ table: {table}, column: {other} }}
  - drop_index: {{ table: {table}, name: {index} }}
",
                table = y(TABLE), other = y(OTHER), new = y(NEW), index = y(INDEX), unique = y("unique \"`'"),
            )),
        ]);
        let concertina = train.concertina();
        concertina.run(&["expand"]).expect_code(0);
        session.run(format!("INSERT INTO {table} ({column}, {other}) VALUES (4, 'd')")).await;
        session.run(format!("INSERT INTO {table} ({column}, {new}) VALUES (5, 'E')")).await;
        let both = session.lines(format!("SELECT {other}, {new} FROM {table} ORDER BY {column}")).await;
        assert_eq!(both, ["a|-", "a|-", "a|-", "d|D", "e|E"]);
        concertina.run(&["migrate"]).expect_code(0);
        concertina.run(&["contract", "--quiet-period", "0s"]).expect_code(0);
        session.run(format!("INSERT INTO {table} ({column}) VALUES (6)")).await;
        let rows = session.lines(format!("SELECT * FROM {table} ORDER BY {column}")).await;
        assert_eq!(rows, ["1|A", "2|A", "3|A", "4|D", "5|E", "6|it's"]);
        leftovers::expect_none(&db, None).await;
        train.contract(&format!("  - drop_table: {{ table: {} }}\n  - drop_table: {{ table: {} }}", y(REFERRING), y(TABLE)));
        assert!(session.execute(format!("SELECT * FROM {table}")).await.is_err());
    }

    async fn a_schema_is_introspected_in_spite_of_odd_names(db: TestDatabase) {
        let mut train = Train::new(&db);
        train.expand("  - create_table: { name: 'a b', columns: [{ name: 'c d', type: integer }] }");
        assert!(introspect::schema(&db).await.fact("a b, column c d").is_some());
    }
}
