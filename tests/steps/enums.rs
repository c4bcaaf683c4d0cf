//! `add_enum_value`: one more label, behind the last.

use super::{on, options};
use crate::conformance::introspect;
use crate::conformance::schema::Schema;
use crate::support::{Kind, Session, TestDatabase, Train, on_every_database, on_every_server, run};

const ADD: &str = "  - add_enum_value: { table: jobs, column: state, value: \"it's done\" }";

async fn jobs(db: &TestDatabase) -> Session {
    let mut session = db.owner().await;
    let kind = db.kind();
    if kind == Kind::Postgres {
        session.run("CREATE TYPE job_state AS ENUM ('new', 'running')").await;
    }
    session
        .run(format!(
            "CREATE TABLE jobs (id INTEGER NOT NULL PRIMARY KEY, state {}, again {}, note VARCHAR(20) {}) {}",
            on(
                kind,
                "job_state NOT NULL DEFAULT 'new'",
                "ENUM('new', 'running') CHARACTER SET latin1 NOT NULL DEFAULT 'new' COMMENT 'what it''s at'",
                "VARCHAR(9) NOT NULL DEFAULT 'new' CONSTRAINT ck_state CHECK (state IN ('new', 'running'))",
            ),
            on(kind, "job_state", "ENUM('new', 'running')", "TEXT"),
            on(kind, "", "", "CHECK (note IN ('a', 'b') OR state = 'new')"),
            options(kind)
        ))
        .await;
    session.run("INSERT INTO jobs (id) VALUES (1), (2)").await;
    session
}

on_every_database! {
    async fn a_label_is_added_behind_the_others(db: TestDatabase) {
        let mut session = jobs(&db).await;
        assert!(session.execute("UPDATE jobs SET state = 'it''s done' WHERE id = 1").await.is_err());
        let mut train = Train::new(&db);
        // A later step of the phase may use it.
        train.expand(&format!("{ADD}\n  - add_column: {{ table: jobs, column: {{ name: more, type: integer }} }}\n  \
            - sql: {{ run: \"UPDATE jobs SET state = 'it''s done', more = 1 WHERE id = 2\" }}\n    allow: {{ data-in-schema-file: a test }}"));
        assert_eq!(session.lines("SELECT id, state FROM jobs ORDER BY id").await, ["1|new", "2|it's done"]);
        assert!(session.execute("UPDATE jobs SET state = 'gone' WHERE id = 1").await.is_err());
        session.run("INSERT INTO jobs (id) VALUES (3)").await;
        assert_eq!(session.lines("SELECT state FROM jobs WHERE id = 3").await, ["new"]);
        train.concertina().run(&["expand"]).expect_code(0);
        train.try_steps("expand", ADD).expect_code(1).expect_stderr("already");
        if db.kind() == Kind::Sqlite {
            assert!(session.execute("UPDATE jobs SET note = 'it''s done' WHERE id = 2").await.is_err(), "that is another column");
        }
    }
}

on_every_server! {
    async fn what_is_no_enum_is_refused_before_anything_runs(db: TestDatabase) {
        jobs(&db).await;
        let before = introspect::schema(&db).await;
        let output = Train::new(&db).try_steps(
            "expand",
            "  - add_column: { table: jobs, column: { name: more, type: integer } }\n  \
             - add_enum_value: { table: jobs, column: note, value: x }",
        );
        output.expect_code(1).expect_stderr("which is no enum");
        assert_eq!(Schema::differences(&before, &introspect::schema(&db).await), []);
    }
}

#[test]
fn a_type_of_another_schema_gets_its_label() {
    run(Kind::Postgres, "a_type_of_another_schema", async |db: TestDatabase| {
        let mut session = db.owner().await;
        session.run("CREATE SCHEMA attic").await;
        session.run("CREATE TYPE attic.mood AS ENUM ('calm')").await;
        session.run("CREATE TABLE attic.jobs (id INTEGER PRIMARY KEY, state attic.mood)").await;
        Train::new(&db).expand("  - add_enum_value: { table: attic.jobs, column: state, value: wild }");
        session.run("INSERT INTO attic.jobs VALUES (1, 'wild')").await;
    });
}

#[test]
fn mariadb_keeps_what_else_the_column_is() {
    run(Kind::MySql, "mariadb_keeps_what_else_the_column_is", async |db: TestDatabase| {
        let mut session = jobs(&db).await;
        let about = "SELECT character_set_name, column_default, is_nullable, column_comment FROM information_schema.columns \
                     WHERE table_schema = DATABASE() AND table_name = 'jobs' AND column_name = 'state'";
        let before = session.lines(about).await;
        Train::new(&db).expand(ADD);
        assert_eq!(session.lines(about).await, before);
        assert_eq!(
            introspect::schema(&db).await.fact("jobs, column again"),
            Some("ENUM('new','running') NULL"),
            "the other column is its own"
        );
    });
}

#[test]
fn the_label_that_takes_another_byte_is_refused() {
    run(Kind::MySql, "the_label_that_takes_another_byte", async |db: TestDatabase| {
        let mut session = db.owner().await;
        let labels: Vec<_> = (1..=255).map(|number| format!("'l{number}'")).collect();
        session
            .run(format!("CREATE TABLE jobs (id INT PRIMARY KEY, state ENUM({})) ENGINE=InnoDB", labels.join(",")))
            .await;
        Train::new(&db)
            .try_steps("expand", ADD)
            .expect_code(1)
            .expect_stderr("another byte")
            .expect_stderr("allow_rewrite");
        session.execute("ALTER TABLE jobs MODIFY state ENUM('x'), ALGORITHM=INSTANT").await.expect_err("a copy");
    });
}

#[test]
fn a_check_of_another_form_is_refused_and_none_at_all_needs_nothing() {
    run(Kind::Sqlite, "a_check_of_another_form", async |db: TestDatabase| {
        let mut session = db.owner().await;
        session
            .run("CREATE TABLE jobs (id INTEGER PRIMARY KEY, state TEXT CHECK (state NOT IN ('old')), free TEXT)")
            .await;
        Train::new(&db).try_steps("expand", ADD).expect_code(1).expect_stderr("drop_constraint and add_check");
        Train::new(&db).expand("  - add_enum_value: { table: jobs, column: free, value: done }");
    });
}
