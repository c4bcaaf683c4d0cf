//! What SQLite cannot alter is rebuilt: everything about the table but the change itself must stay as it was.

use crate::support::{Kind, Session, TestDatabase, Train, run};

/// Runs a test on SQLite alone.
fn on_sqlite<F: Future<Output = ()>>(test: &str, body: impl FnOnce(TestDatabase) -> F) {
    run(Kind::Sqlite, test, body);
}

async fn make(db: &TestDatabase, statements: &[&str]) -> Session {
    let mut session = db.owner().await;
    for statement in statements {
        session.run(*statement).await;
    }
    session
}

/// Every object's name and text but those of Concertina's own, in one order. A rename puts a table's name in quotes.
async fn objects(session: &mut Session) -> Vec<String> {
    let lines = session
        .lines("SELECT type, name, sql FROM sqlite_schema WHERE name NOT LIKE '%concertina%' AND tbl_name NOT LIKE '%concertina%' \
                AND name NOT LIKE 'refinery%' AND tbl_name NOT LIKE 'refinery%' ORDER BY type, name")
        .await;
    lines.iter().map(|line| line.replacen("TABLE \"Things\"", "TABLE Things", 1)).collect()
}

const FULL: &[&str] = &[
    "CREATE TABLE parents (id INTEGER PRIMARY KEY, name TEXT)",
    "CREATE TABLE Things (
      id INTEGER PRIMARY KEY AUTOINCREMENT, -- the number, never given twice
      code TEXT COLLATE NOCASE NOT NULL UNIQUE, /* CHECK (no) */
      price NUMERIC(8, 2) NOT NULL DEFAULT (1 + 1) CHECK (price >= 0),
      half AS (price / 2) STORED,
      loud TEXT GENERATED ALWAYS AS (upper(code)) VIRTUAL,
      parent INTEGER CONSTRAINT of_parent REFERENCES parents (id) ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED,
      twin INTEGER REFERENCES Things (id),
      made TEXT DEFAULT CURRENT_TIMESTAMP,
      [odd name] TEXT DEFAULT 'it''s, (odd',
      old TEXT,
      CONSTRAINT \"cheap\" CHECK (price < 1000), -- named
      CHECK (code <> ')'),
      CONSTRAINT uq_pair UNIQUE (parent, code) ON CONFLICT ROLLBACK
    )",
    "CREATE TABLE children (id INTEGER PRIMARY KEY, thing INTEGER NOT NULL REFERENCES Things (id) ON DELETE CASCADE)",
    "CREATE INDEX ix_partial ON Things (parent) WHERE price > 5",
    "CREATE INDEX ix_expression ON Things (lower(code), price DESC)",
    "CREATE UNIQUE INDEX ix_nocase ON Things (\"odd name\" COLLATE NOCASE)",
    "CREATE TABLE log (what TEXT)",
    "CREATE TRIGGER on_things AFTER UPDATE OF price ON Things BEGIN INSERT INTO log VALUES ('changed; ' || NEW.code); END",
    "CREATE TRIGGER on_children BEFORE DELETE ON children BEGIN UPDATE Things SET price = price + 1 WHERE id = OLD.thing; END",
    "CREATE VIEW dear AS SELECT code, price FROM Things WHERE price > 5",
    "CREATE TRIGGER on_dear INSTEAD OF INSERT ON dear BEGIN INSERT INTO Things (code, price) VALUES (NEW.code, NEW.price); END",
    "INSERT INTO parents VALUES (1, 'p')",
    "INSERT INTO Things (code, price, parent, twin, \"odd name\", old) VALUES ('a', 3, 1, NULL, 'x', 'o'), ('B', 7, NULL, 1, 'y', NULL)",
    "INSERT INTO Things (id, code, \"odd name\") VALUES (900, 'gone', 'z')",
    "DELETE FROM Things WHERE id = 900",
    "INSERT INTO children VALUES (10, 1), (11, 2), (12, 2)",
];

const THINGS: &str = "SELECT id, code, price, half, loud, parent, twin, \"odd name\" FROM Things ORDER BY id";

#[test]
fn a_rebuild_keeps_everything() {
    on_sqlite("a_rebuild_keeps_everything", async |db: TestDatabase| {
        let mut session = make(&db, FULL).await;
        let before = objects(&mut session).await;
        let rows = session.lines(THINGS).await;
        let made = session.lines("SELECT made FROM Things ORDER BY id").await;
        let mut train = Train::new(&db);
        // There and back again, so that the text itself can be compared.
        train.contract("  - set_not_null: { table: Things, column: made }\n  - set_default: { table: Things, column: old, value: none }");
        assert!(session.execute("UPDATE Things SET made = NULL").await.is_err());
        train.expand(
            "  - drop_not_null: { table: Things, column: made }\n  - drop_default: { table: Things, column: old }",
        );
        assert_eq!(objects(&mut session).await, before);
        assert_eq!(session.lines(THINGS).await, rows);
        assert_eq!(session.lines("SELECT made FROM Things ORDER BY id").await, made);
        assert_eq!(session.lines("SELECT * FROM children ORDER BY id").await, ["10|1", "11|2", "12|2"]);
        assert_eq!(session.lines("SELECT seq FROM sqlite_sequence WHERE name = 'Things'").await, ["900"]);
        assert_eq!(session.lines("SELECT name FROM sqlite_sequence WHERE name LIKE 'concertina%'").await, [""; 0]);
        assert_eq!(session.lines("PRAGMA foreign_key_check").await, [""; 0]);
        assert_eq!(session.lines("PRAGMA integrity_check").await, ["ok"]);
    });
}

#[test]
fn every_constraint_still_works_after_a_rebuild() {
    on_sqlite("every_constraint_still_works_after_a_rebuild", async |db: TestDatabase| {
        let session = make(&db, FULL).await;
        let mut train = Train::new(&db);
        train.contract("  - drop_column: { table: Things, column: old }");
        drop(session);
        let mut session = db.owner().await;
        for refused in [
            "INSERT INTO Things (code, \"odd name\") VALUES ('A', 'n')", // NOCASE and UNIQUE
            "INSERT INTO Things (code, price, \"odd name\") VALUES ('n', -1, 'n')",
            "INSERT INTO Things (code, price, \"odd name\") VALUES ('n', 1000, 'n')",
            "INSERT INTO Things (code, \"odd name\") VALUES (')', 'n')",
            "INSERT INTO Things (code, \"odd name\") VALUES ('n', 'X')",
            "INSERT INTO Things (code, parent, \"odd name\") VALUES ('n', 77, 'n')",
            "INSERT INTO children VALUES (13, 77)",
        ] {
            assert!(session.execute(refused).await.is_err(), "{refused}");
        }
        session.run("INSERT INTO dear VALUES ('n', 9)").await;
        let new = session.lines("SELECT id, half, loud FROM Things WHERE code = 'N'").await;
        assert_eq!(new, ["901|4|N"], "the next number is behind the highest ever given");
        session.run("UPDATE Things SET price = 4 WHERE id = 1").await;
        assert_eq!(session.lines("SELECT what FROM log").await, ["changed; a"]);
        session.run("DELETE FROM children WHERE id = 10").await;
        assert_eq!(session.value("SELECT price FROM Things WHERE id = 1").await.as_deref(), Some("5"));
        session.run("UPDATE Things SET twin = NULL").await;
        session.run("DELETE FROM Things WHERE id = 2").await;
        assert_eq!(session.lines("SELECT id FROM children").await, [""; 0]);
        session.run("DELETE FROM parents").await;
        assert_eq!(session.value("SELECT COUNT(parent) FROM Things").await.as_deref(), Some("0"));
    });
}

#[test]
fn the_highest_number_of_an_emptied_table_is_kept() {
    on_sqlite("the_highest_number_of_an_emptied_table_is_kept", async |db: TestDatabase| {
        let mut session = make(
            &db,
            &[
                "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, a TEXT, b TEXT)",
                "INSERT INTO t (id, a) VALUES (41, 'x')",
                "DELETE FROM t",
            ],
        )
        .await;
        Train::new(&db).contract("  - set_not_null: { table: t, column: b }");
        session.run("INSERT INTO t (b) VALUES ('y')").await;
        assert_eq!(session.lines("SELECT id FROM t").await, ["42"]);
    });
}

#[test]
fn without_rowid_and_strict_stay() {
    on_sqlite("without_rowid_and_strict_stay", async |db: TestDatabase| {
        let mut session = make(
            &db,
            &[
                "CREATE TABLE \"a\" (k TEXT NOT NULL, n INTEGER, v TEXT, PRIMARY KEY (k, n DESC)) WITHOUT ROWID, STRICT",
                "CREATE TABLE \"b\" (k BLOB PRIMARY KEY, v ANY, w INT) STRICT",
                "INSERT INTO a VALUES ('x', 1, 'one'), ('x', 2, 'two')",
                "INSERT INTO b VALUES (X'00ff', 1.5, 1), (X'01', 'text', 2)",
            ],
        )
        .await;
        let before = objects(&mut session).await;
        let mut train = Train::new(&db);
        train.contract("  - set_not_null: { table: a, column: v }\n  - set_not_null: { table: b, column: w }");
        assert!(session.execute("INSERT INTO b VALUES (X'02', 1, 'no number')").await.is_err());
        assert!(session.execute("SELECT rowid FROM a").await.is_err());
        assert_eq!(session.lines("SELECT v FROM a ORDER BY k, n").await, ["one", "two"]);
        assert_eq!(session.lines("SELECT hex(k), typeof(v), w FROM b ORDER BY k").await, ["00FF|real|1", "01|text|2"]);
        train.expand("  - drop_not_null: { table: a, column: v }\n  - drop_not_null: { table: b, column: w }");
        assert_eq!(objects(&mut session).await, before);
    });
}

#[test]
fn rowids_that_nothing_names_stay() {
    on_sqlite("rowids_that_nothing_names_stay", async |db: TestDatabase| {
        let mut session = make(
            &db,
            &[
                "CREATE TABLE t (a TEXT, b TEXT)",
                "INSERT INTO t (rowid, a, b) VALUES (5, 'five', ''), (77, 'seventy-seven', '')",
            ],
        )
        .await;
        Train::new(&db).contract("  - set_not_null: { table: t, column: b }");
        assert_eq!(session.lines("SELECT rowid, a FROM t ORDER BY 1").await, ["5|five", "77|seventy-seven"]);
    });
}

#[test]
fn a_failing_step_rolls_back_and_foreign_keys_are_on_again() {
    on_sqlite("a_failing_step_rolls_back_and_foreign_keys_are_on_again", async |db: TestDatabase| {
        let mut session = make(&db, FULL).await;
        let before = objects(&mut session).await;
        let rows = session.lines(THINGS).await;
        let mut train = Train::new(&db);
        train
            .try_steps("contract", "  - set_not_null: { table: Things, column: old }\n  - drop_table: { table: log }")
            .expect_code(1)
            .expect_stderr("old");
        assert_eq!(objects(&mut session).await, before);
        assert_eq!(session.lines(THINGS).await, rows);
        session.run("UPDATE Things SET old = 'o' WHERE old IS NULL").await;
        train.concertina().run(&["upgrade"]).expect_code(0);
        // In the same run: a rebuild, and behind it a row that only foreign keys can refuse.
        train.add(&[
            ("expand/01_rebuild.yaml", "steps:\n  - drop_not_null: { table: Things, column: old }\n"),
            ("expand/02_orphan.sql", "INSERT INTO children VALUES (99, 12345);\n"),
        ]);
        train.concertina().run(&["expand"]).expect_code(1).expect_stderr("FOREIGN KEY");
        assert_eq!(session.value("SELECT COUNT(*) FROM children").await.as_deref(), Some("3"));
    });
}

#[test]
fn a_foreign_key_over_an_orphan_is_refused() {
    on_sqlite("a_foreign_key_over_an_orphan_is_refused", async |db: TestDatabase| {
        let mut session = make(
            &db,
            &[
                "CREATE TABLE p (id INTEGER PRIMARY KEY)",
                "CREATE TABLE c (id INTEGER PRIMARY KEY, p INTEGER)",
                "INSERT INTO c VALUES (1, 5)",
            ],
        )
        .await;
        let before = objects(&mut session).await;
        let mut train = Train::new(&db);
        train
            .try_steps(
                "expand",
                "  - add_foreign_key: { table: c, name: fk, columns: [p], references: { table: p, columns: [id] } }",
            )
            .expect_code(1)
            .expect_stderr("refer to rows that do not exist");
        assert_eq!(objects(&mut session).await, before);
        session.run("INSERT INTO p VALUES (5)").await;
        train.concertina().run(&["upgrade"]).expect_code(0);
        assert!(session.execute("INSERT INTO c VALUES (2, 6)").await.is_err());
    });
}

#[test]
fn orphans_from_before_are_no_reason_to_refuse_a_rebuild() {
    on_sqlite("orphans_from_before", async |db: TestDatabase| {
        let mut session = make(
            &db,
            &[
                "CREATE TABLE p (id INTEGER PRIMARY KEY)",
                "CREATE TABLE q (id INTEGER PRIMARY KEY)",
                "CREATE TABLE c (id INTEGER PRIMARY KEY, p INTEGER REFERENCES p (id), q INTEGER, up INTEGER REFERENCES c (id), v TEXT)",
                "INSERT INTO q VALUES (5)",
                "PRAGMA foreign_keys = OFF",
                "INSERT INTO c VALUES (1, 5, 5, 1, 'x'), (2, 5, 6, 77, 'y')",
            ],
        )
        .await;
        let mut train = Train::new(&db);
        train.contract("  - set_not_null: { table: c, column: v }");
        assert!(session.execute("UPDATE c SET v = NULL").await.is_err());
        assert_eq!(session.lines("PRAGMA foreign_key_check").await.len(), 3, "they are still there");
        // A key of its own is another matter: its orphans are new, also in a row that is one of another key's.
        train
            .try_steps(
                "expand",
                "  - add_foreign_key: { table: c, name: fk, columns: [q], references: { table: q, columns: [id] } }",
            )
            .expect_code(1)
            .expect_stderr("rows of `c` refer to rows that do not exist: 2");
        session.run("INSERT INTO q VALUES (6)").await;
        train.concertina().run(&["upgrade"]).expect_code(0);
        assert_eq!(session.lines("SELECT * FROM c ORDER BY id").await, ["1|5|5|1|x", "2|5|6|77|y"]);
    });
}

#[test]
fn a_column_with_a_default_that_is_an_expression_is_added() {
    on_sqlite("a_column_with_a_default_that_is_an_expression", async |db: TestDatabase| {
        let mut session = make(
            &db,
            &[
                "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, CHECK (a <> ''))",
                "INSERT INTO t VALUES (1, 'a'), (2, 'b')",
            ],
        )
        .await;
        Train::new(&db).expand(
            "  - add_column: { table: t, column: { name: made, type: timestamp, default: { sql: CURRENT_TIMESTAMP } } }\n  \
             - add_column: { table: t, column: { name: sum, type: integer, nullable: false, default: { sql: 1 + 2 } } }",
        );
        session.run("INSERT INTO t (id, a) VALUES (3, 'c')").await;
        let rows = session.lines("SELECT id, a, made > '2020', sum FROM t ORDER BY id").await;
        assert_eq!(rows, ["1|a|1|3", "2|b|1|3", "3|c|1|3"]);
    });
}

#[test]
fn dropping_a_column_takes_what_is_written_on_it_and_no_more() {
    on_sqlite("dropping_a_column_takes_what_is_written_on_it_and_no_more", async |db: TestDatabase| {
        let mut session = make(
            &db,
            &[
                "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT UNIQUE, b TEXT CHECK (b IN ('x', 'y')) REFERENCES t (a), \
             c TEXT CHECK (c <> 'b'), CHECK (length(c) < 9))",
                "INSERT INTO t VALUES (1, 'k', NULL, 'kept')",
            ],
        )
        .await;
        Train::new(&db).contract("  - drop_column: { table: t, column: b }");
        assert_eq!(session.lines("SELECT id, a, c FROM t").await, ["1|k|kept"]);
        assert!(session.execute("INSERT INTO t VALUES (2, 'l', 'b')").await.is_err());
        assert!(session.execute("INSERT INTO t VALUES (2, 'l', 'much too long')").await.is_err());
    });
}
