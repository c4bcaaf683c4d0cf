//! Columns that do not exist: found before any step of the phase has run.

use super::refused;
use crate::support::{Concertina, Project, TestDatabase, on_every_database};

const EXPAND: &str = "expand/ocata/01_visibility.yaml";
const DATA: &str = "data/ocata/01_visibility.yaml";
const CONTRACT: &str = "contract/ocata/01_visibility.yaml";

/// Brings a database to Newton with the bundled files, then goes on with a project in which a text is another.
fn with_edit(db: &TestDatabase, phases: &[&str], path: &str, from: &str, to: &str) -> (Project, Concertina) {
    Concertina::command(db).run(&["upgrade", "--to", "newton"]).expect_code(0);
    for phase in phases {
        Concertina::command(db).run(&[phase]).expect_code(0);
    }
    let project = Project::bundled_copy();
    project.edit(path, from, to);
    let concertina = Concertina::command(db).project(&project);
    (project, concertina)
}

on_every_database! {
    async fn an_unknown_column_in_forward(db: TestDatabase) {
        let (_project, concertina) = with_edit(&db, &[], EXPAND, "CASE WHEN is_public THEN", "CASE WHEN is_pubic THEN");
        let output = refused(&db, &concertina, &["expand"], 1).await;
        output
            .expect_stderr("no column `is_pubic` in table `images`; did you mean `is_public`?")
            .expect_stderr("--> expand/ocata/01_visibility.yaml:12:31")
            .expect_stderr("visibility: CASE WHEN is_pubic THEN 'public' ELSE 'shared' END")
            .expect_stderr("expand of ocata");
        refused(&db, &concertina, &["upgrade"], 1).await.expect_stderr("is_pubic");
        // The next one goes on with the file put right.
        Concertina::command(&db).run(&["expand"]).expect_code(0);
    }

    async fn an_unknown_column_in_backward(db: TestDatabase) {
        let (_project, concertina) =
            with_edit(&db, &[], EXPAND, "is_public: visibility = 'public'", "is_public: visibilty = 'public'");
        refused(&db, &concertina, &["expand"], 1).await
            .expect_stderr("no column `visibilty` in table `images`; did you mean `visibility`?")
            .expect_stderr("--> expand/ocata/01_visibility.yaml:14:20");
    }

    async fn an_unknown_column_as_a_target_of_a_sync(db: TestDatabase) {
        let (_project, concertina) =
            with_edit(&db, &[], EXPAND, "is_public: visibility = 'public'", "is_open: visibility = 'public'");
        refused(&db, &concertina, &["expand"], 1).await
            .expect_stderr("there is no column `is_open` in table `images`")
            .expect_stderr("--> expand/ocata/01_visibility.yaml:14:9");
    }

    async fn an_unknown_column_in_when(db: TestDatabase) {
        let (_project, concertina) =
            with_edit(&db, &[], EXPAND, "NOT related.deleted", "NOT related.delete_at");
        refused(&db, &concertina, &["expand"], 1).await
            .expect_stderr("no column `delete_at` in table `image_members`; did you mean `deleted_at`?")
            .expect_stderr("--> expand/ocata/01_visibility.yaml:17:");
    }

    async fn an_unknown_column_in_the_set_of_a_backfill(db: TestDatabase) {
        let (_project, concertina) =
            with_edit(&db, &["expand"], DATA, "CASE WHEN is_public THEN 'public'", "CASE WHEN is_pubic THEN 'public'");
        let output = refused(&db, &concertina, &["migrate"], 1).await;
        output
            .expect_stderr("no column `is_pubic` in table `images`; did you mean `is_public`?")
            .expect_stderr("--> data/ocata/01_visibility.yaml:6:17")
            .expect_stderr("migrate of ocata");
        // It is known before that, when expand could still be called off.
        Concertina::command(&db).run(&["migrate"]).expect_code(0);
    }

    async fn an_unknown_column_in_the_where_of_a_backfill(db: TestDatabase) {
        let (_project, concertina) = with_edit(&db, &["expand"], DATA, "where: visibility IS NULL", "where: visibilty IS NULL");
        refused(&db, &concertina, &["migrate"], 1).await
            .expect_stderr("no column `visibilty` in table `images`; did you mean `visibility`?")
            .expect_stderr("--> data/ocata/01_visibility.yaml:9:10");
    }

    async fn an_unknown_column_that_a_backfill_sets(db: TestDatabase) {
        let (_project, concertina) = with_edit(&db, &["expand"], DATA, "    visibility: >-", "    visibilty: >-");
        refused(&db, &concertina, &["migrate"], 1).await
            .expect_stderr("column `visibilty`")
            .expect_stderr("--> data/ocata/01_visibility.yaml:5:5");
    }

    async fn an_unknown_table_in_the_last_step_of_expand_stops_the_first(db: TestDatabase) {
        let (_project, concertina) =
            with_edit(&db, &[], EXPAND, "- { table: image_members,", "- { table: image_member,");
        refused(&db, &concertina, &["expand"], 1).await
            .expect_stderr("`image_member`")
            .expect_stderr("--> expand/ocata/01_visibility.yaml:17:");
    }

    async fn an_unknown_column_in_the_last_step_of_contract_stops_the_first(db: TestDatabase) {
        let (_project, concertina) = with_edit(
            &db,
            &["expand", "migrate"],
            CONTRACT,
            "drop_column: { table: images, column: is_public }",
            "drop_column: { table: images, column: is_pubic }",
        );
        refused(&db, &concertina, &["contract", "--quiet-period", "0s"], 1).await
            .expect_stderr("there is no column `is_pubic` in table `images`; did you mean `is_public`?")
            .expect_stderr("--> contract/ocata/01_visibility.yaml:6:");
        // Newton's nodes lose nothing: contract has not begun.
        Concertina::command(&db).run(&["check", "--release", "newton"]).expect_code(0);
    }

    async fn errors_of_several_steps_are_reported_in_one_run(db: TestDatabase) {
        let (project, concertina) =
            with_edit(&db, &[], EXPAND, "columns: [visibility] }", "columns: [visibilty] }");
        project.edit(EXPAND, "drop_not_null: { table: images, column: is_public }", "drop_not_null: { table: images, column: is_pubic }");
        refused(&db, &concertina, &["expand"], 1).await
            .expect_stderr("`visibilty`")
            .expect_stderr("`is_pubic`")
            .expect_stderr("errors in its files");
    }
}
