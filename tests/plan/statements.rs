//! `plan`: the exact SQL, and nothing run.

use crate::support::{Concertina, Dump, Kind, Project, TestDatabase, on_every_database, run};

on_every_database! {
    async fn the_plan_of_each_phase(db: TestDatabase) {
        let concertina = Concertina::command(&db);
        if db.file().is_some() {
            drop(db.owner().await);
        }
        let before = Dump::of(&db).await;
        concertina.run(&["plan"]).expect_code(0)
            .expect_stdout("-- baseline: 3 files").expect_stdout(" images (\n").expect_stdout("V3__mitaka02");
        concertina.run(&["plan", "expand"]).expect_code(6)
            .expect_stderr("error: the baseline is not applied (V1__liberty, V2__mitaka01, V3__mitaka02)")
            .expect_stderr("hint: run concertina upgrade --to newton, which applies it");
        before.expect_same(&Dump::of(&db).await);

        concertina.run(&["upgrade", "--to", "newton"]).expect_code(0);
        let before = Dump::of(&db).await;
        // What is needed next, and what comes after it.
        concertina.run(&["plan"]).expect_code(0)
            .expect_stdout("-- expand ocata: 4 steps")
            .expect_stdout("-- ocata/expand/01_visibility/1: add column")
            .expect_stdout("visibility_image_idx");
        concertina.run(&["plan", "migrate"]).expect_code(0)
            .expect_stdout("-- migrate ocata: 1 step\n").expect_stdout("UPDATE ");
        concertina.run(&["plan", "contract"]).expect_code(0)
            .expect_stdout("-- contract ocata: 5 steps").expect_stdout("drop_sync");
        before.expect_same(&Dump::of(&db).await);

        concertina.run(&["expand"]).expect_code(0);
        // What is done is in no plan.
        concertina.run(&["plan", "expand"]).expect_code(0).expect_stdout("-- expand ocata: nothing to do");
        concertina.run(&["upgrade"]).expect_code(0);
        concertina.run(&["plan"]).expect_code(0).expect_stdout("-- nothing to do: the database is at the newest release");
    }
}

/// A database's schema without our own tables. SQLite keeps the text of a statement; how it is spaced does not count.
async fn schema(db: &TestDatabase) -> Vec<Vec<Option<String>>> {
    let query = "SELECT type, name, tbl_name, sql FROM sqlite_schema \
                 WHERE tbl_name NOT LIKE 'concertina!_%' ESCAPE '!' ORDER BY type, name";
    let rows = db.owner().await.rows(query).await;
    let spaced = |value: String| value.split_whitespace().collect::<Vec<_>>().join(" ");
    rows.into_iter().map(|row| row.into_iter().map(|value| value.map(spaced)).collect()).collect()
}

#[test]
fn its_statements_run_by_hand_give_what_the_commands_give() {
    run(Kind::Sqlite, "plan", async |db: TestDatabase| {
        let concertina = Concertina::command(&db);
        concertina.run(&["upgrade", "--to", "newton"]).expect_code(0);
        let copy = TestDatabase::create(Kind::Sqlite, "plan_copy").await;
        let (file, other) = (db.file().expect("a file"), copy.file().expect("a file"));

        for phase in ["expand", "contract"] {
            std::fs::copy(file, other).expect("a copy");
            let plan = concertina.run(&["plan", phase, "--output", "json"]);
            plan.expect_code(0);
            let plan = plan.json();
            let mut session = copy.owner().await;
            for step in plan["steps"].as_array().expect("a list of steps") {
                // A rebuild needs what the tool sets around it.
                session.execute("PRAGMA foreign_keys = OFF; PRAGMA legacy_alter_table = ON").await.expect("pragmas");
                for statement in step["statements"].as_array().expect("a list of statements") {
                    let statement = statement.as_str().expect("a text");
                    session
                        .execute(statement)
                        .await
                        .unwrap_or_else(|failure| panic!("failed to run `{statement}`: {failure:?}"));
                }
            }
            drop(session);
            let by_hand = schema(&copy).await;
            concertina.run(&[phase, "--quiet-period", "0s"][..if phase == "expand" { 1 } else { 3 }]).expect_code(0);
            assert_eq!(by_hand, schema(&db).await, "after {phase}");
            if phase == "expand" {
                concertina.run(&["migrate"]).expect_code(0);
            }
        }
    });
}

#[test]
fn a_plan_for_raw_sql_is_the_file() {
    run(Kind::Sqlite, "plan_of_sql", async |db: TestDatabase| {
        let project = Project::new(&[
            ("concertina.yaml", "releases: [one]\n"),
            ("expand/one/01_a.sql", "CREATE TABLE a (b INTEGER);\n-- concertina: undo\nDROP TABLE a;\n"),
        ]);
        drop(db.owner().await);
        let concertina = Concertina::command(&db).project(&project);
        let output = concertina.run(&["plan"]);
        output.expect_code(0).expect_stdout("CREATE TABLE a (b INTEGER);");
        assert!(!output.stdout.contains("DROP TABLE"), "the undo part is no part of it:\n{output}");
    });
}
