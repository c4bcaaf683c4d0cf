//! `sql`: statements of the author's own, in a `.sql` file or inline.

use crate::conformance::introspect;
use crate::support::{Kind, TestDatabase, Train, on_every_database, run};

on_every_database! {
    async fn one_file_for_all_runs_every_statement_and_not_its_undo(db: TestDatabase) {
        let mut train = Train::new(&db);
        train.add(&[(
            "expand/01_words.sql",
            "-- A comment with a ; in it.\nCREATE TABLE words (id INTEGER NOT NULL PRIMARY KEY, word VARCHAR(40));\n\
             INSERT INTO words VALUES (1, 'semi;colon');\n/* another; one */\nINSERT INTO words VALUES (2, 'it''s; --');\n\
             -- concertina: undo\nDROP TABLE words;\n",
        )]);
        train.concertina().run(&["upgrade"]).expect_code(0);
        let mut session = db.owner().await;
        assert_eq!(session.lines("SELECT * FROM words ORDER BY id").await, ["1|semi;colon", "2|it's; --"]);
        train.concertina().run(&["upgrade"]).expect_code(0);
        assert_eq!(session.value("SELECT COUNT(*) FROM words").await.as_deref(), Some("2"), "it runs once");
    }

    async fn each_database_runs_its_own_file(db: TestDatabase) {
        let mut train = Train::new(&db);
        let file = |name: &str| format!("CREATE TABLE of_{name} (id INTEGER NOT NULL PRIMARY KEY);");
        train.add(&[
            ("expand/01_own.postgres.sql", &file("postgres")),
            ("expand/01_own.mysql.sql", &file("mysql")),
            ("expand/01_own.sqlite.sql", &file("sqlite")),
            ("contract/01_rest.sql", "CREATE TABLE of_the_rest (id INTEGER NOT NULL PRIMARY KEY);"),
            ("contract/01_rest.mysql.sql", &file("mysql_too")),
        ]);
        train.concertina().run(&["upgrade"]).expect_code(0);
        let schema = introspect::schema(&db).await;
        for kind in ["postgres", "mysql", "sqlite"] {
            let there = schema.fact(&format!("table of_{kind}")).is_some();
            assert_eq!(there, kind == db.kind().name(), "{kind}");
        }
        let (rest, own) = (schema.fact("table of_the_rest").is_some(), schema.fact("table of_mysql_too").is_some());
        assert_eq!((rest, own), (db.kind() != Kind::MySql, db.kind() == Kind::MySql));
    }

    async fn a_database_without_a_file_has_nothing_to_do(db: TestDatabase) {
        let mut train = Train::new(&db);
        let other = if db.kind() == Kind::Postgres { "mysql" } else { "postgres" };
        train.add(&[(&format!("expand/01_other.{other}.sql"), "THIS IS NOT SQL OF THIS DATABASE")]);
        train.concertina().run(&["upgrade"]).expect_code(0);
        train.concertina().run(&["check"]).expect_code(0);
    }

    async fn a_step_of_yaml_runs_too(db: TestDatabase) {
        let mut train = Train::new(&db);
        train.expand(
            "  - sql: { run: CREATE TABLE one (id INTEGER NOT NULL PRIMARY KEY), undo: DROP TABLE one }\n  \
             - sql: { run: { postgres: INSERT INTO one VALUES (1), mysql: INSERT INTO one VALUES (2), sqlite: INSERT INTO one VALUES (3) } }",
        );
        let expected = match db.kind() { Kind::Postgres => "1", Kind::MySql => "2", Kind::Sqlite => "3" };
        assert_eq!(db.owner().await.lines("SELECT id FROM one").await, [expected]);
    }

    async fn a_failing_statement_says_where_it_is(db: TestDatabase) {
        let mut train = Train::new(&db);
        train.add(&[(
            "expand/01_bad.sql",
            "-- concertina: allow mixed-transaction: a test\nCREATE TABLE fine (id INTEGER NOT NULL PRIMARY KEY);\n\
             INSERT INTO nowhere VALUES (1);\n",
        )]);
        let output = train.concertina().run(&["upgrade"]);
        output.expect_code(1).expect_stderr("nowhere").expect_stderr("expand/r1/01_bad");
        let fine = db.owner().await.execute("SELECT * FROM fine").await;
        // One transaction holds the whole file, where there are transactions for DDL.
        assert_eq!(fine.is_ok(), db.kind() == Kind::MySql, "{fine:?}");
    }
}

#[test]
fn an_index_is_built_concurrently_by_a_file() {
    run(Kind::Postgres, "an_index_is_built_concurrently_by_a_file", async |db: TestDatabase| {
        let mut session = db.owner().await;
        session.run("CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER)").await;
        let mut train = Train::new(&db);
        train.add(&[(
            "expand/01_index.postgres.sql",
            "CREATE INDEX CONCURRENTLY ix_one ON t (a);\nCREATE INDEX CONCURRENTLY ix_two ON t (a, id);\n",
        )]);
        train.concertina().run(&["upgrade"]).expect_code(0);
        let schema = introspect::schema(&db).await;
        assert_eq!(schema.fact("t, index ix_one"), Some("(a)"));
        assert_eq!(schema.fact("t, index ix_two"), Some("(a, id)"));
    });
}

#[test]
fn an_index_of_a_file_waits_for_writers_and_is_not_tried_twice() {
    run(Kind::Postgres, "an_index_of_a_file_waits_for_writers", async |db: TestDatabase| {
        let mut session = db.owner().await;
        session.run("CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER)").await;
        let mut train = Train::new(&db);
        train.add(&[("expand/01_index.postgres.sql", "CREATE INDEX CONCURRENTLY ix_one ON t (a);\n")]);
        let mut slow = db.owner().await;
        slow.run("BEGIN").await;
        slow.run("INSERT INTO t VALUES (1, 1)").await;
        let running = train.concertina().spawn(&["upgrade"]);
        // Longer than the instant that other steps ask for: a build that gave up would leave an invalid index behind.
        let waited = "SELECT 1 FROM pg_stat_activity WHERE application_name = 'concertina' AND wait_event_type = 'Lock' \
                      AND query LIKE 'CREATE INDEX%' AND query_start < clock_timestamp() - interval '300 ms'";
        while session.value(waited).await.is_none() {}
        slow.run("COMMIT").await;
        running.finish().expect_code(0);
        assert_eq!(introspect::schema(&db).await.fact("t, index ix_one"), Some("(a)"));
    });
}

#[test]
fn a_function_body_is_one_statement() {
    run(Kind::Postgres, "a_function_body_is_one_statement", async |db: TestDatabase| {
        let mut train = Train::new(&db);
        train.add(&[(
            "expand/01_function.postgres.sql",
            "CREATE FUNCTION two() RETURNS int LANGUAGE plpgsql AS $body$ BEGIN RETURN 1 + 1; END; $body$;\n\
             CREATE TABLE t (id INTEGER DEFAULT two());\n",
        )]);
        train.concertina().run(&["upgrade"]).expect_code(0);
        let mut session = db.owner().await;
        session.run("INSERT INTO t DEFAULT VALUES").await;
        assert_eq!(session.lines("SELECT id FROM t").await, ["2"]);
    });
}
