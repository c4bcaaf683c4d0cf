//! Files that are not what was applied.

use super::refused;
use crate::support::{Concertina, Kind, Project, TestDatabase, on_every_database};

const EXPAND: &str = "expand/ocata/01_visibility.yaml";
const DATA: &str = "data/ocata/01_visibility.yaml";

/// Brings a database as far as these phases, with a copy of the bundled project to edit.
fn after(db: &TestDatabase, phases: &[&str]) -> (Project, Concertina) {
    let project = Project::bundled_copy();
    let concertina = Concertina::command(db).project(&project);
    concertina.run(&["upgrade", "--to", "newton"]).expect_code(0);
    for phase in phases {
        concertina.run(&[phase]).expect_code(0);
    }
    (project, concertina)
}

on_every_database! {
    async fn a_file_edited_after_it_was_applied(db: TestDatabase) {
        let (project, concertina) = after(&db, &["expand"]);
        project.edit(EXPAND, "ELSE 'shared' END", "ELSE 'private' END");
        for command in [["check"].as_slice(), &["check", "--release", "newton"], &["plan"], &["expand"], &["migrate"], &["upgrade"]] {
            refused(&db, &concertina, command, 8).await
                .expect_stderr("error: a file is not what was applied")
                .expect_stderr("expand/ocata/01_visibility.yaml:11 was changed after it was applied")
                .expect_stderr("-    visibility: CASE WHEN is_public THEN 'public' ELSE 'shared' END")
                .expect_stderr("+    visibility: CASE WHEN is_public THEN 'public' ELSE 'private' END")
                .expect_stderr(
                    "hint: restore what was applied, or say that the new text is as good: \
                     concertina resolve expand/ocata/01_visibility.yaml --accept",
                );
        }
        // It is a report, not a refusal, where somebody asks how things are.
        concertina.run(&["status"]).expect_code(0)
            .expect_stdout("drift: expand/ocata/01_visibility.yaml:11 was changed after it was applied");
        let output = concertina.run(&["check", "--output", "json"]);
        output.expect_code(8);
        assert_eq!(
            output.json()["error"]["details"][0],
            "expand/ocata/01_visibility.yaml:11 was changed after it was applied"
        );

        concertina.run(&["resolve", EXPAND, "--accept"]).expect_code(0)
            .expect_stdout("recorded for ocata/expand/01_visibility/4");
        concertina.run(&["check"]).expect_code(4);
        concertina.run(&["migrate"]).expect_code(0);
        concertina.run(&["contract", "--quiet-period", "0s"]).expect_code(0);
    }

    async fn comments_and_layout_are_no_drift(db: TestDatabase) {
        let (project, concertina) = after(&db, &["expand"]);
        project.edit(EXPAND, "steps:\n", "\n# reviewed, and found good\nsteps:\n\n");
        project.edit(EXPAND, "  # a new writer leaves it out", "");
        project.edit(
            EXPAND,
            "create_index: { table: images, name: visibility_image_idx, columns: [visibility] }",
            "create_index:\n      table: images\n      name: visibility_image_idx\n      columns:\n        - visibility",
        );
        project.edit(EXPAND, "description: One", "description: Number one: one".replace(": one", ", one").as_str());
        concertina.run(&["check"]).expect_code(4);
        concertina.run(&["migrate"]).expect_code(0);
        project.edit(DATA, "backfill:\n", "# and here\nbackfill:\n\n");
        concertina.run(&["check"]).expect_code(5);
    }

    async fn a_backfill_edited_after_it_ran(db: TestDatabase) {
        let (project, concertina) = after(&db, &["expand", "migrate"]);
        project.edit(DATA, "ELSE 'private' END", "ELSE 'shared' END");
        refused(&db, &concertina, &["contract", "--quiet-period", "0s"], 8).await
            .expect_stderr("data/ocata/01_visibility.yaml was changed after it was applied")
            .expect_stderr("hint: restore what was applied, or say that the new text is as good: concertina resolve data/ocata/01_visibility.yaml --accept");
        concertina.run(&["resolve", DATA, "--accept"]).expect_code(0);
        concertina.run(&["contract", "--quiet-period", "0s"]).expect_code(0);
    }

    async fn two_files_edited_are_both_named(db: TestDatabase) {
        let (project, concertina) = after(&db, &["expand", "migrate"]);
        project.edit(EXPAND, "ELSE 'shared' END", "ELSE 'private' END");
        project.edit(DATA, "ELSE 'private' END", "ELSE 'shared' END");
        refused(&db, &concertina, &["check"], 8).await
            .expect_stderr("error: 2 files are not what was applied")
            .expect_stderr("concertina resolve expand/ocata/01_visibility.yaml --accept")
            .expect_stderr("concertina resolve data/ocata/01_visibility.yaml --accept");
        concertina.run(&["resolve", EXPAND, "--accept"]).expect_code(0);
        refused(&db, &concertina, &["check"], 8).await.expect_stderr("error: a file is not what was applied");
        concertina.run(&["resolve", DATA, "--accept"]).expect_code(0);
        concertina.run(&["check"]).expect_code(5);
    }

    async fn a_file_that_was_applied_and_is_gone(db: TestDatabase) {
        let (project, concertina) = after(&db, &["expand"]);
        let text = project.read(EXPAND);
        project.remove(EXPAND);
        refused(&db, &concertina, &["migrate"], 8).await
            .expect_stderr("ocata/expand/01_visibility/1 was applied, and is in no file any more")
            .expect_stderr("hint: restore the files as they were applied");
        project.write(EXPAND, &text);
        concertina.run(&["migrate"]).expect_code(0);
    }

    async fn a_backfill_that_ran_and_is_gone(db: TestDatabase) {
        let (project, concertina) = after(&db, &["expand", "migrate"]);
        project.remove(DATA);
        refused(&db, &concertina, &["contract", "--quiet-period", "0s"], 8).await
            .expect_stderr("ocata/migrate/01_visibility was applied, and is in no file any more");
    }

    async fn a_new_file_in_a_finished_phase(db: TestDatabase) {
        let (project, concertina) = after(&db, &["expand"]);
        let late = "expand/ocata/02_late.yaml";
        project.write(late, "steps:\n  - create_index: { table: images, name: late_idx, columns: [name] }\n");
        for command in ["check", "expand", "migrate", "upgrade"] {
            refused(&db, &concertina, &[command], 8).await
                .expect_stderr(
                    "expand/ocata/02_late.yaml:2 is new in the expand of ocata, which is done; it belongs in a later release",
                )
                .expect_stderr("hint: move it to a later release");
        }
        project.remove(late);
        concertina.run(&["migrate"]).expect_code(0);
        project.write("data/ocata/02_late.yaml", "backfill:\n  table: images\n  set: { name: status }\n  where: name IS NULL\n");
        refused(&db, &concertina, &["check"], 8).await
            .expect_stderr("data/ocata/02_late.yaml is new in the migrate of ocata, which is done");
    }

    async fn a_step_added_to_an_applied_file(db: TestDatabase) {
        let (project, concertina) = after(&db, &["expand"]);
        project.edit(EXPAND, "steps:\n", "steps:\n  - create_index: { table: images, name: late_idx, columns: [name] }\n");
        refused(&db, &concertina, &["migrate"], 8).await.expect_stderr("expand/ocata/01_visibility.yaml:");
    }

    async fn a_step_that_has_not_started_may_be_edited(db: TestDatabase) {
        let (project, concertina) = after(&db, &["expand"]);
        project.write(
            "contract/ocata/02_more.yaml",
            "steps:\n  - drop_index: { table: images, name: visibility_image_idx }\n",
        );
        project.edit(DATA, "ELSE 'private' END", "ELSE 'shared' END");
        concertina.run(&["check"]).expect_code(4);
    }

    async fn a_baseline_file_edited_after_it_was_applied(db: TestDatabase) {
        let (project, concertina) = after(&db, &[]);
        let file = format!("migrations/{}/V2__mitaka01.sql", db.kind());
        let text = project.read(&file);
        project.write(&file, &format!("{text}\n-- an afterthought\n"));
        for command in [["check"].as_slice(), &["expand"], &["upgrade"], &["baseline", "--at", "V3"]] {
            let output = refused(&db, &concertina, command, 8).await;
            output.expect_stderr("error: a file is not what was applied")
                .expect_stderr(&format!("{file} was changed after it was applied"))
                .expect_stderr("hint: restore the file as it was applied; put a new change into a new file");
            // Nothing is offered that does not work.
            assert!(!output.stderr.contains("--accept"), "{output}");
        }
        project.write(&file, &text);
        concertina.run(&["expand"]).expect_code(0);
    }

    async fn triggers_that_somebody_dropped(db: TestDatabase) {
        let (_project, concertina) = after(&db, &["expand"]);
        let mut session = db.owner().await;
        let query = match db.kind() {
            Kind::Postgres => "SELECT format('DROP TRIGGER %I ON %s', tgname, tgrelid::regclass) FROM pg_trigger WHERE NOT tgisinternal ORDER BY tgname",
            Kind::MySql => "SELECT CONCAT('DROP TRIGGER `', trigger_name, '`') FROM information_schema.triggers WHERE trigger_schema = DATABASE() ORDER BY trigger_name",
            Kind::Sqlite => "SELECT 'DROP TRIGGER \"' || name || '\"' FROM sqlite_schema WHERE type = 'trigger' ORDER BY name",
        };
        let drop = session.value(query).await.expect("a trigger");
        session.execute(&drop).await.expect("the owner may");
        refused(&db, &concertina, &["migrate"], 8).await
            .expect_stderr("error: the database has not what expand installed")
            .expect_stderr("is missing")
            .expect_stderr("run concertina expand, which puts them back");
        concertina.run(&["check"]).expect_code(8);
        concertina.run(&["expand"]).expect_code(0).expect_stderr("install sync images_visibility");
        concertina.run(&["check"]).expect_code(4);
        concertina.run(&["expand"]).expect_code(0).expect_stdout("nothing to do");
    }
}
