//! The phases ask lint first: an error refuses, a warning is said, and what is forced is kept.

use crate::support::{Concertina, Dump, Output, Project, TestDatabase, Train, on_every_database};

const TABLE: &str = "steps:\n  - create_table:\n      name: items\n      columns:\n        - { name: id, type: integer, nullable: false }\n        \
                     - { name: a, type: integer }\n        - { name: b, type: integer }\n      primary_key: [id]\n";

/// Fails unless the command is refused by lint and has changed nothing.
async fn expect_refused(db: &TestDatabase, concertina: &Concertina, arguments: &[&str]) -> Output {
    let before = Dump::of(db).await;
    let output = concertina.run(arguments);
    output
        .expect_code(6)
        .expect_stderr("error[")
        .expect_stderr("error: lint: 1 error in the files of r2")
        .expect_stderr("--force lint");
    assert!(output.stdout.is_empty(), "a refusal has no result:\n{output}");
    before.expect_same(&Dump::of(db).await);
    output
}

async fn forced(db: &TestDatabase) -> Vec<String> {
    db.owner().await.lines("SELECT detail FROM concertina_history WHERE outcome = 'forced' AND subject = 'gate lint' ORDER BY happened_at, event_id").await
}

/// A train whose first release made a table, and whose second has these files.
fn train(db: &TestDatabase, files: &[(&str, &str)]) -> Train {
    let mut train = Train::new(db);
    train.add(&[("expand/01_items.yaml", TABLE)]);
    train.concertina().run(&["upgrade"]).expect_code(0);
    train.add(files);
    train
}

on_every_database! {
    async fn expand_refuses_an_error_of_its_release(db: TestDatabase) {
        let train = train(&db, &[("expand/01_drop.sql", "ALTER TABLE items DROP COLUMN b;\n")]);
        let concertina = train.concertina();
        for arguments in [["expand"].as_slice(), &["upgrade"]] {
            expect_refused(&db, &concertina, arguments).await.expect_stderr("removal-in-expand").expect_stderr("expand/r2/01_drop.sql:1:1");
        }
        let refused = concertina.run(&["expand", "--output", "json"]);
        let details = &refused.json()["error"]["details"];
        assert_eq!(details[0], "error[removal-in-expand]: expand/r2/01_drop.sql:1:1: expand drops the column `b` of `items`");

        let output = concertina.run(&["expand", "--force", "lint"]);
        output.expect_code(0).expect_stderr("the gate `lint` is forced: removal-in-expand expand/r2/01_drop.sql:1:1");
        assert_eq!(
            forced(&db).await,
            ["removal-in-expand expand/r2/01_drop.sql:1:1: expand drops the column `b` of `items`"]
        );
        assert!(db.owner().await.execute("SELECT b FROM items").await.is_err(), "it ran");
        // What is done is not judged again.
        concertina.run(&["contract"]).expect_code(0);
    }

    async fn an_error_of_a_later_phase_refuses_the_first(db: TestDatabase) {
        let train = train(&db, &[
            ("expand/01_index.yaml", "steps:\n  - create_index: { table: items, name: items_a, columns: [a] }\n"),
            ("contract/01_data.sql", "UPDATE items SET a = 1;\n"),
        ]);
        let concertina = train.concertina();
        expect_refused(&db, &concertina, &["expand"]).await.expect_stderr("data-in-schema-file");
        concertina.run(&["expand", "--force", "lint"]).expect_code(0);
        expect_refused(&db, &concertina, &["contract"]).await.expect_stderr("data-in-schema-file");
        concertina.run(&["contract", "--force", "lint"]).expect_code(0);
        assert_eq!(forced(&db).await.len(), 2);
    }

    async fn migrate_refuses_and_upgrade_forces(db: TestDatabase) {
        let backfill = "backfill:\n  table: items\n  set: { a: b }\n  where: b IS NOT NULL\n";
        let train = train(&db, &[
            ("expand/01_index.yaml", "steps:\n  - create_index: { table: items, name: items_a, columns: [a] }\n"),
            ("data/01_fill.yaml", backfill),
        ]);
        let concertina = train.concertina();
        concertina.run(&["expand", "--force", "lint"]).expect_code(0);
        expect_refused(&db, &concertina, &["migrate"]).await.expect_stderr("backfill-never-done");
        expect_refused(&db, &concertina, &["upgrade"]).await.expect_stderr("backfill-never-done");
        // No row matches, so it ends.
        concertina.run(&["upgrade", "--force", "lint"]).expect_code(0);
        assert_eq!(forced(&db).await.len(), 2);
    }

    async fn a_warning_is_said_and_no_more(db: TestDatabase) {
        let train = train(&db, &[("contract/01_drop.yaml", "steps:\n  - drop_column: { table: items, column: b }\n")]);
        let said = "  warning[unwatched-drop]: contract/r2/01_drop.yaml:2:42: nothing tells whether nodes of r1 still use the column `b` of `items`\n";
        let output = train.concertina().run(&["expand"]);
        output.expect_code(0).expect_stderr(said);
        assert_eq!(output.stderr.matches("unwatched-drop").count(), 1, "{output}");
        let output = train.concertina().run(&["contract", "--log-format", "json"]);
        output.expect_code(0).expect_stderr(r#"{"event":"lint","severity":"warning","rule":"unwatched-drop","message":"contract/r2/01_drop.yaml:2:42: "#);
    }

    async fn an_allow_lets_it_pass_and_is_no_drift(db: TestDatabase) {
        let sql = "ALTER TABLE items DROP COLUMN b;\n";
        let train = train(&db, &[("expand/01_drop.sql", sql), ("contract/01_drop.yaml", "steps:\n  - drop_column: { table: items, column: a }\n")]);
        let concertina = train.concertina();
        let file = "expand/r2/01_drop.sql";
        train.project().write(file, &format!("-- concertina: allow removal-in-expand: no node has ever read it\n{sql}"));
        let output = concertina.run(&["expand"]);
        output.expect_code(0);
        assert!(!output.stderr.contains("removal-in-expand"), "{output}");
        assert_eq!(forced(&db).await, [""; 0]);
        // Neither what was there nor what comes later is a part of the checksum.
        train.project().write(file, sql);
        concertina.run(&["check"]).expect_code(5);
        train.project().write(file, &format!("{sql}-- concertina: allow removal-in-expand: said in other words\n"));
        concertina.run(&["contract"]).expect_code(0);
        let contract = "steps:\n  - drop_column: { table: items, column: a }\n    allow: { unwatched-drop: nobody reads it }\n";
        train.project().write("contract/r2/01_drop.yaml", contract);
        concertina.run(&["check"]).expect_code(0);
        train.project().edit("contract/r2/01_drop.yaml", "column: a", "column: id");
        concertina.run(&["check"]).expect_code(8);
    }

    async fn the_bundled_project_runs_without_a_word_of_lint(db: TestDatabase) {
        let output = Concertina::command(&db).project(&Project::bundled()).run(&["upgrade"]);
        output.expect_code(0);
        assert!(!output.stderr.contains("warning["), "{output}");
    }
}
