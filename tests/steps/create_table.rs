//! `create_table`.

use super::on;
use crate::conformance::introspect;
use crate::support::{Kind, TestDatabase, Train, on_every_database};

const EVERY_TYPE: &str = r#"
  - create_table:
      name: every_type
      columns:
        - { name: id, type: bigint, identity: true, nullable: false }
        - { name: flag, type: boolean, default: true, nullable: false }
        - { name: small, type: integer, default: -7 }
        - { name: big, type: bigint, default: 9007199254740993 }
        - { name: price, type: "decimal(12, 3)", default: 1.25 }
        - { name: plain, type: decimal, default: 12 }
        - { name: ratio, type: float, default: 0.5 }
        - { name: title, type: string(40), default: "it's a \\ \"test\" – ü" }
        - { name: body, type: text, default: null }
        - { name: made_at, type: timestamp, nullable: false, default: { sql: CURRENT_TIMESTAMP } }
        - { name: day, type: date, default: "2017-02-22" }
        - { name: document, type: json }
        - { name: token, type: uuid }
        - { name: raw, type: binary }
        - { name: level, type: { enum: [low, high, "it's"] }, nullable: false, default: "it's" }
        - { name: address, type: { postgres: inet, mysql: varbinary(16), sqlite: text } }
        - { name: two, type: integer, default: { sql: { postgres: 1 + 1, mysql: 1 + 1, sqlite: 1 + 1 } } }
        - { name: bare, type: integer }
      primary_key: [id]"#;

on_every_database! {
    async fn every_type_and_every_kind_of_default_works(db: TestDatabase) {
        let kind = db.kind();
        Train::new(&db).expand(EVERY_TYPE);
        let mut session = db.owner().await;
        session.run("INSERT INTO every_type (bare) VALUES (1)").await;
        session.run("INSERT INTO every_type (bare) VALUES (2)").await;
        let rows = session
            .lines(
                "SELECT id, flag, small, big, price, plain, ratio, title, body, day, document, token, raw, level, address, \
                 two FROM every_type ORDER BY id",
            )
            .await;
        let tail = "0.5|it's a \\ \"test\" – ü|-|2017-02-22|-|-|-|it's|-|2";
        let price = on(kind, "1.250", "1.250", "1.25");
        let flag = kind.boolean(true).chars().next().expect("a letter");
        let expected =
            [1, 2].map(|id| format!("{id}|{flag}|-7|9007199254740993|{price}|12|{tail}"));
        assert_eq!(rows, expected);
        let made = session.value("SELECT COUNT(*) FROM every_type WHERE made_at >= '2020-01-01 00:00:00'").await;
        assert_eq!(made.as_deref(), Some("2"));

        session
            .run(format!(
                "INSERT INTO every_type (document, token, raw, level) VALUES ('{{\"a\": [1]}}', \
                 '0dc4a1b2-6f3b-4f8e-9a57-0123456789ab', {}, 'low')",
                on(kind, "'\\x00ff27'", "X'00ff27'", "X'00ff27'")
            ))
            .await;
        let raw = on(kind, "encode(raw, 'hex')", "LOWER(HEX(raw))", "LOWER(HEX(raw))");
        let row = session.lines(format!("SELECT token, {raw}, level FROM every_type WHERE level = 'low'")).await;
        assert_eq!(row, ["0dc4a1b2-6f3b-4f8e-9a57-0123456789ab|00ff27|low"]);
    }

    async fn the_types_are_the_databases_own(db: TestDatabase) {
        Train::new(&db).expand(EVERY_TYPE);
        let schema = introspect::schema(&db).await;
        let expected: &[(&str, &str)] = match db.kind() {
            Kind::Postgres => &[
                ("id", "BIGINT NOT NULL, autoincrement"),
                ("flag", "BOOLEAN NOT NULL DEFAULT true"),
                ("price", "NUMERIC(12,3) NULL DEFAULT 1.25"),
                ("ratio", "DOUBLE PRECISION NULL DEFAULT 0.5"),
                ("body", "TEXT NULL"),
                ("made_at", "TIMESTAMP WITHOUT TIME ZONE NOT NULL DEFAULT CURRENT_TIMESTAMP"),
                ("document", "JSONB NULL"),
                ("token", "UUID NULL"),
                ("raw", "BYTEA NULL"),
                ("level", "every_type_level NOT NULL DEFAULT 'it''s'::every_type_level"),
                ("address", "INET NULL"),
            ],
            Kind::MySql => &[
                ("id", "BIGINT(20) NOT NULL, autoincrement"),
                ("flag", "TINYINT(1) NOT NULL DEFAULT 1"),
                ("price", "DECIMAL(12, 3) NULL DEFAULT 1.250"),
                ("ratio", "DOUBLE NULL DEFAULT 0.5"),
                ("body", "TEXT NULL"),
                ("made_at", "DATETIME NOT NULL DEFAULT current_timestamp()"),
                ("raw", "LONGBLOB NULL"),
                ("level", "ENUM('low','high','it''s') NOT NULL DEFAULT 'it''s'"),
                ("address", "VARBINARY(16) NULL"),
            ],
            Kind::Sqlite => &[
                ("id", "INTEGER NOT NULL"),
                ("flag", "BOOLEAN NOT NULL DEFAULT 1"),
                ("price", "NUMERIC(12, 3) NULL DEFAULT 1.25"),
                ("made_at", "DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP"),
                ("address", "TEXT NULL"),
            ],
        };
        for (column, fact) in expected {
            assert_eq!(schema.fact(&format!("every_type, column {column}")), Some(*fact), "{column}");
        }
        assert_eq!(schema.fact("every_type, primary key"), Some("(id)"));
        if db.kind() == Kind::Postgres {
            assert_eq!(schema.fact("enum every_type_level"), Some("low, high, it's"));
        }
    }

    async fn uniques_and_foreign_keys_hold(db: TestDatabase) {
        let mut train = Train::new(&db);
        train.expand(r"
  - create_table:
      name: owners
      columns:
        - { name: id, type: integer, nullable: false }
        - { name: realm, type: string(20), nullable: false }
        - { name: email, type: string(60) }
      primary_key: [id, realm]
      uniques:
        - { name: uq_owners_email, columns: [email] }
        - { name: uq_owners_both, columns: [realm, email] }
  - create_table:
      name: things
      columns:
        - { name: id, type: integer, nullable: false }
        - { name: owner_id, type: integer }
        - { name: owner_realm, type: string(20) }
        - { name: second_email, type: string(60) }
        - { name: third_email, type: string(60) }
      primary_key: [id]
      foreign_keys:
        - { name: fk_owner, columns: [owner_id, owner_realm], references: { table: owners, columns: [id, realm] }, on_delete: cascade }
        - { name: fk_second, columns: [second_email], references: { table: owners, columns: [email] }, on_delete: set_null }
        - { name: fk_third, columns: [third_email], references: { table: owners, columns: [email] }, on_delete: restrict }");
        let mut session = db.owner().await;
        for id in 1..=3 {
            session.run(format!("INSERT INTO owners VALUES ({id}, 'r', 'e{id}')")).await;
        }
        assert!(session.execute("INSERT INTO owners VALUES (4, 'r', 'e1')").await.is_err(), "a second e1");
        session.run("INSERT INTO things VALUES (1, 1, 'r', NULL, NULL)").await;
        session.run("INSERT INTO things VALUES (2, NULL, NULL, 'e2', NULL)").await;
        session.run("INSERT INTO things VALUES (3, NULL, NULL, NULL, 'e3')").await;
        assert!(session.execute("INSERT INTO things VALUES (4, 9, 'r', NULL, NULL)").await.is_err(), "no such owner");
        session.run("DELETE FROM owners WHERE id < 3").await;
        assert!(session.execute("DELETE FROM owners WHERE id = 3").await.is_err(), "restrict");
        assert_eq!(session.lines("SELECT * FROM things ORDER BY id").await, ["2|-|-|-|-", "3|-|-|-|e3"]);

        let schema = introspect::schema(&db).await;
        assert_eq!(schema.fact("owners, unique (email)"), Some("named uq_owners_email"));
        assert_eq!(schema.fact("owners, primary key"), Some("(id, realm)"));
        let key = schema.fact("things, foreign key (owner_id, owner_realm)");
        assert_eq!(key, Some("to owners (id, realm), named fk_owner ON DELETE CASCADE"));
    }

    async fn a_table_that_is_there_already_is_refused(db: TestDatabase) {
        let mut session = db.owner().await;
        session.run("CREATE TABLE owners (id INTEGER NOT NULL)").await;
        let mut train = Train::new(&db);
        let output = train.try_steps(
            "expand",
            "  - create_table: { name: fresh, columns: [{ name: id, type: integer }] }\n  \
             - create_table: { name: owners, columns: [{ name: id, type: integer }] }",
        );
        output.expect_code(1).expect_stderr("owners").expect_stderr("exists already");
        let fresh = session.execute("SELECT * FROM fresh").await;
        assert!(fresh.is_err(), "every step is checked before the first one runs");
    }

    async fn what_stands_behind_the_columns_is_the_databases_own(db: TestDatabase) {
        Train::new(&db).expand(
            "
  - create_table:
      name: packed
      columns: [{ name: id, type: { postgres: integer, mysql: int, sqlite: INTEGER }, nullable: false }]
      primary_key: [id]
      options: { postgres: WITH (fillfactor = 70), mysql: DEFAULT CHARSET = latin1, sqlite: STRICT }
  - create_table: { name: plain, columns: [{ name: id, type: integer }], options: { postgres: WITH (fillfactor = 80) } }",
        );
        let made = on(
            db.kind(),
            "SELECT relname, reloptions[1] FROM pg_class WHERE relname IN ('packed', 'plain') ORDER BY relname",
            "SELECT table_name, table_collation = 'latin1_swedish_ci' FROM information_schema.tables \
             WHERE table_schema = DATABASE() AND table_name IN ('packed', 'plain') ORDER BY table_name",
            "SELECT name, strict FROM pragma_table_list WHERE name IN ('packed', 'plain') ORDER BY name",
        );
        let expected = on(db.kind(), "fillfactor=70 fillfactor=80", "1 0", "1 0");
        let expected: Vec<String> =
            ["packed", "plain"].iter().zip(expected.split(' ')).map(|(table, option)| format!("{table}|{option}")).collect();
        assert_eq!(db.owner().await.lines(made).await, expected);
    }
}
