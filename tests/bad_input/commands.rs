//! Words on the command line that mean nothing.

use super::refused;
use crate::conformance::glance::RELEASES;
use crate::support::{Concertina, TestDatabase, on_every_database};

on_every_database! {
    async fn an_unknown_release(db: TestDatabase) {
        let concertina = Concertina::command(&db);
        if db.file().is_some() {
            // Elsewhere the database is there, and empty.
            drop(db.owner().await);
        }
        for state in ["untouched", "at newton"] {
            if state == "at newton" {
                concertina.run(&["upgrade", "--to", "newton"]).expect_code(0);
            }
            for arguments in [
                ["upgrade", "--to", "okata"],
                ["expand", "--release", "okata"],
                ["migrate", "--release", "okata"],
                ["contract", "--release", "okata"],
                ["check", "--release", "okata"],
            ] {
                refused(&db, &concertina, &arguments, 2).await.expect_stderr(&format!(
                    "error: there is no release `okata` in the train ({}); did you mean `ocata`?",
                    RELEASES.join(", ")
                ));
            }
        }
    }

    async fn nothing_to_resolve(db: TestDatabase) {
        let concertina = Concertina::command(&db);
        if db.file().is_some() {
            drop(db.owner().await);
        }
        let file = "expand/ocata/01_visibility.yaml";
        refused(&db, &concertina, &["resolve", file, "--accept"], 2).await
            .expect_stderr(&format!("nothing that was applied from `{file}` has changed"));
        refused(&db, &concertina, &["resolve", "ocata/expand/01_visibility/1", "--applied"], 2).await
            .expect_stderr("does not wait for an answer");
    }
}

#[test]
fn words_that_clap_knows_nothing_of() {
    for arguments in [
        ["contract", "--quiet-period", "soon"].as_slice(),
        &["contract", "--force", "everything"],
        &["migrate", "--max-rows", "0"],
        &["plan", "baseline"],
        &["frobnicate"],
        &["resolve", "expand/ocata/01_visibility.yaml"],
        &["baseline"],
    ] {
        let output = Concertina::in_project(crate::support::Project::bundled().path()).run(arguments);
        output.expect_code(2);
        assert!(output.stdout.is_empty(), "{output}");
    }
}
