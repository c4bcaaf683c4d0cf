//! The steps of contract that tighten: `set_not_null` and `set_default`.

use super::{on, options};
use crate::conformance::introspect;
use crate::support::{Kind, Session, TestDatabase, Train, on_every_database, run};

async fn people(db: &TestDatabase) -> Session {
    let mut session = db.owner().await;
    let kind = db.kind();
    session
        .run(format!(
            "CREATE TABLE people (id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(40), age INTEGER, height {}, \
             born {}, active {}, note VARCHAR(60) DEFAULT 'old') {}",
            on(kind, "DOUBLE PRECISION", "DOUBLE", "REAL"),
            on(kind, "TIMESTAMP", "DATETIME", "DATETIME"),
            on(kind, "BOOLEAN", "TINYINT(1)", "BOOLEAN"),
            options(kind)
        ))
        .await;
    session.run("INSERT INTO people (id, name) VALUES (1, 'Ann'), (2, 'Bob')").await;
    session
}

on_every_database! {
    async fn a_column_becomes_mandatory(db: TestDatabase) {
        let mut session = people(&db).await;
        Train::new(&db).contract("  - set_not_null: { table: people, column: name }");
        assert!(session.execute("INSERT INTO people (id, name) VALUES (3, NULL)").await.is_err());
        assert_eq!(session.lines("SELECT id, name, note FROM people ORDER BY id").await, ["1|Ann|old", "2|Bob|old"]);
        let fact = introspect::schema(&db).await.fact("people, column name").map(ToOwned::to_owned);
        let expected = on(db.kind(), "VARCHAR(40) NOT NULL", "VARCHAR(40) NOT NULL", "VARCHAR(40) NOT NULL");
        assert_eq!(fact.as_deref(), Some(expected));
        let left = crate::conformance::leftovers::ours(&db).await;
        assert!(!left.iter().any(|object| object.name.contains("not_null")), "{left:?}");
    }

    async fn a_null_makes_set_not_null_fail_and_nothing_has_changed(db: TestDatabase) {
        let mut session = people(&db).await;
        session.run("INSERT INTO people (id) VALUES (3)").await;
        let before = introspect::schema(&db).await;
        let mut train = Train::new(&db);
        train
            .try_steps("contract", "  - set_not_null: { table: people, column: name }")
            .expect_code(1)
            .expect_stderr("rows of `people` have NULL in `name`: 3");
        let after = introspect::schema(&db).await;
        // A check that was not validated would refuse the writes of a table that still takes NULL.
        assert_eq!(crate::conformance::schema::Schema::differences(&before, &after), []);
        session.run("INSERT INTO people (id) VALUES (4)").await;
        session.run("UPDATE people SET name = 'Eve' WHERE name IS NULL").await;
        train.concertina().run(&["upgrade"]).expect_code(0);
        assert!(session.execute("INSERT INTO people (id) VALUES (5)").await.is_err());
        assert_eq!(
            session.lines("SELECT id, name FROM people ORDER BY id").await,
            ["1|Ann", "2|Bob", "3|Eve", "4|Eve"]
        );
    }

    async fn every_kind_of_default_can_be_set(db: TestDatabase) {
        let mut session = people(&db).await;
        let mut train = Train::new(&db);
        train.contract(r#"
  - set_default: { table: people, column: name, value: "O'Neil \\ ü" }
  - set_default: { table: people, column: age, value: -42 }
  - set_default: { table: people, column: height, value: 1.75 }
  - set_default: { table: people, column: born, value: { sql: CURRENT_TIMESTAMP } }
  - set_default: { table: people, column: active, value: true }
  - set_default: { table: people, column: note, value: null }"#);
        session.run("INSERT INTO people (id) VALUES (3)").await;
        let row = session
            .lines(
                "SELECT name, age, height, CASE WHEN born >= '2020-01-01 00:00:00' THEN 'now' END, active, note \
                 FROM people WHERE id = 3",
            )
            .await;
        let active = on(db.kind(), "t", "1", "1");
        assert_eq!(row, [format!("O'Neil \\ ü|-42|1.75|now|{active}|-")]);
        train.contract("  - set_default: { table: people, column: active, value: false }");
        session.run("INSERT INTO people (id) VALUES (4)").await;
        let active = session.value("SELECT active FROM people WHERE id = 4").await;
        assert_eq!(active.as_deref(), Some(on(db.kind(), "f", "0", "0")));
        assert_eq!(session.lines("SELECT id, name, age FROM people WHERE id < 3 ORDER BY id").await, ["1|Ann|-", "2|Bob|-"]);
    }
}

#[test]
fn redefining_a_column_keeps_what_else_it_is() {
    run(Kind::MySql, "redefining_a_column_keeps_what_else_it_is", async |db: TestDatabase| {
        let mut session = db.owner().await;
        session
            .run(
                "CREATE TABLE odd (id INT NOT NULL PRIMARY KEY, \
                 a VARCHAR(20) CHARACTER SET latin1 COLLATE latin1_bin NULL DEFAULT 'it''s' COMMENT 'what it''s for', \
                 b DATETIME(3) NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3), \
                 c INT NULL DEFAULT (1 + 1) CHECK (c > 0), \
                 d JSON NULL, \
                 d2 LONGTEXT COLLATE utf8mb4_bin NULL CHECK (json_valid(d2)), \
                 e INT UNSIGNED ZEROFILL NULL, \
                 f VARCHAR(9) INVISIBLE DEFAULT 'x') ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4",
            )
            .await;
        session.run("INSERT INTO odd (id, a, b, c, d, d2, e) VALUES (1, 'a', NOW(3), 1, '{}', '[]', 7)").await;
        let columns = "SELECT column_name, column_type, column_default, character_set_name, collation_name, extra, \
                       column_comment FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = 'odd'";
        let checks = "SELECT constraint_name, check_clause FROM information_schema.check_constraints \
                      WHERE constraint_schema = DATABASE() AND table_name = 'odd' ORDER BY 1";
        let (columns_before, checks_before) = (session.lines(columns).await, session.lines(checks).await);
        let mut train = Train::new(&db);
        let steps = |word: &str| -> String {
            ["a", "b", "c", "d", "d2", "e", "f"]
                .map(|column| format!("  - {word}: {{ table: odd, column: {column} }}\n"))
                .concat()
        };
        train.contract(&steps("set_not_null"));
        train.expand(&steps("drop_not_null"));
        assert_eq!(session.lines(checks).await, checks_before);
        // MariaDB writes a nullable column's missing default as the word NULL, both times.
        assert_eq!(session.lines(columns).await, columns_before);
        assert!(session.execute("UPDATE odd SET c = -1").await.is_err());
    });
}

#[test]
fn a_column_with_a_check_of_its_own_goes() {
    run(Kind::MySql, "a_column_with_a_check_of_its_own_goes", async |db: TestDatabase| {
        let mut session = db.owner().await;
        session
            .run("CREATE TABLE odd (id INT PRIMARY KEY, a INT CHECK (a > 0), b JSON, c INT, CONSTRAINT ck CHECK (c > 0)) ENGINE=InnoDB")
            .await;
        session.run("INSERT INTO odd VALUES (1, 1, '{}', 1)").await;
        Train::new(&db).contract(
            "  - drop_column: { table: odd, column: a }\n  - drop_column: { table: odd, column: b }\n  \
             - drop_column: { table: odd, column: c }",
        );
        assert_eq!(session.lines("SELECT * FROM odd").await, ["1"]);
    });
}
