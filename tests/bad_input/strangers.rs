//! Databases that are somebody else's, and databases that are newer than the project.

use super::refused;
use crate::support::{Concertina, Dump, TestDatabase, on_every_database};

const COMMANDS: [&[&str]; 7] = [
    &["check"],
    &["check", "--release", "newton"],
    &["status"],
    &["plan"],
    &["expand"],
    &["upgrade"],
    &["baseline", "--at", "V3"],
];

/// Writes what somebody else has, and fails unless it was one row.
async fn write(db: &TestDatabase, statement: &str) {
    db.owner()
        .await
        .execute(statement)
        .await
        .unwrap_or_else(|failure| panic!("failed to run `{statement}`: {failure:?}"));
}

on_every_database! {
    async fn a_database_that_is_not_ours(db: TestDatabase) {
        write(&db, "CREATE TABLE customers (id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(40))").await;
        write(&db, "INSERT INTO customers VALUES (1, 'Ada')").await;
        let concertina = Concertina::command(&db);
        for command in ["upgrade", "expand", "migrate", "contract", "check"] {
            refused(&db, &concertina, &[command], 6).await
                .expect_stderr(
                    "the baseline was never applied here (V1__liberty, V2__mitaka01, V3__mitaka02), \
                     and the database has tables of its own (customers)",
                )
                .expect_stderr("hint: name the right database, or adopt this one with concertina baseline --at V");
        }
        refused(&db, &concertina, &["upgrade", "--to", "newton"], 6).await;
        assert!(!Dump::of(&db).await.holds("concertina_"), "a stranger's database was written to");
    }

    async fn a_baseline_that_is_newer_than_the_project(db: TestDatabase) {
        let concertina = Concertina::command(&db);
        concertina.run(&["upgrade", "--to", "newton"]).expect_code(0);
        write(
            &db,
            "INSERT INTO refinery_schema_history (version, name, applied_on, checksum) \
             VALUES (4, 'queens', '2026-01-01T00:00:00Z', '4711')",
        )
        .await;
        for command in COMMANDS {
            refused(&db, &concertina, command, 6).await
                .expect_stderr("error: the database is newer than this project: it records V4__queens")
                .expect_stderr("hint: run the project that made it, or a newer one");
        }
    }

    async fn a_release_that_the_project_lacks(db: TestDatabase) {
        let concertina = Concertina::command(&db);
        concertina.run(&["upgrade"]).expect_code(0);
        write(
            &db,
            "INSERT INTO concertina_phase (release_name, phase, started_at, finished_at) VALUES ('2024.2', 'expand', 1, 1)",
        )
        .await;
        for command in COMMANDS {
            refused(&db, &concertina, command, 6).await
                .expect_stderr("error: the database is newer than this project: it records 2024.2")
                .expect_stderr("hint: run the project that made it, or a newer one");
        }
    }

    async fn state_tables_of_a_newer_concertina(db: TestDatabase) {
        let concertina = Concertina::command(&db);
        concertina.run(&["upgrade", "--to", "newton"]).expect_code(0);
        write(
            &db,
            "INSERT INTO concertina_schema_history (version, name, applied_on, checksum) \
             VALUES (99, 'future', '2036-01-01T00:00:00Z', '4711')",
        )
        .await;
        for command in COMMANDS {
            refused(&db, &concertina, command, 6).await
                .expect_stderr("error: the state tables have version 99, made by concertina 0.1.0, and this program, 0.1.0, knows 5")
                .expect_stderr("hint: run concertina 0.1.0 or later");
        }
    }

    async fn what_is_newer_is_said_in_json_as_well(db: TestDatabase) {
        let concertina = Concertina::command(&db);
        concertina.run(&["upgrade"]).expect_code(0);
        write(
            &db,
            "INSERT INTO concertina_phase (release_name, phase, started_at, finished_at) VALUES ('2024.2', 'expand', 1, 1)",
        )
        .await;
        let output = concertina.run(&["check", "--output", "json"]);
        output.expect_code(6);
        assert_eq!(output.json()["error"]["code"], 6);
    }
}
