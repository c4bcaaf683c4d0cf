//! Phases out of order, and one time too often.

use super::refused;
use crate::support::{Concertina, Dump, TestDatabase, on_every_database};

on_every_database! {
    async fn no_phase_runs_before_the_baseline(db: TestDatabase) {
        if db.file().is_some() {
            drop(db.owner().await);
        }
        let concertina = Concertina::command(&db);
        for phase in ["expand", "migrate", "contract"] {
            refused(&db, &concertina, &[phase], 6).await
                .expect_stderr("error: the baseline is not applied (V1__liberty, V2__mitaka01, V3__mitaka02)")
                .expect_stderr("hint: run concertina upgrade --to newton");
        }
    }

    async fn phases_out_of_order(db: TestDatabase) {
        let concertina = Concertina::command(&db);
        concertina.run(&["upgrade", "--to", "newton"]).expect_code(0);

        // Nothing is open.
        for phase in ["migrate", "contract"] {
            refused(&db, &concertina, &[phase], 6).await
                .expect_stderr("error: no release is open: ocata is not expanded")
                .expect_stderr("hint: run concertina expand first");
            refused(&db, &concertina, &[phase, "--release", "ocata"], 6).await
                .expect_stderr(&format!("error: {phase} of ocata needs it expanded, and it is pending"))
                .expect_stderr("hint: run concertina expand first");
            refused(&db, &concertina, &[phase, "--release", "pike"], 6).await
                .expect_stderr("error: ocata comes before pike, and is pending");
        }
        refused(&db, &concertina, &["expand", "--release", "pike"], 6).await
            .expect_stderr("error: ocata comes before pike, and is pending")
            .expect_stderr("hint: run concertina expand first");

        concertina.run(&["expand"]).expect_code(0);
        refused(&db, &concertina, &["contract"], 6).await
            .expect_stderr("error: contract of ocata needs it migrated, and it is expanded")
            .expect_stderr("hint: run concertina migrate first");
        for phase in ["expand", "migrate", "contract"] {
            refused(&db, &concertina, &[phase, "--release", "pike"], 6).await
                .expect_stderr("error: ocata comes before pike, and is expanded")
                .expect_stderr("hint: run concertina migrate, then concertina contract first");
        }

        concertina.run(&["migrate"]).expect_code(0);
        for phase in ["expand", "migrate", "contract"] {
            refused(&db, &concertina, &[phase, "--release", "pike"], 6).await
                .expect_stderr("error: ocata comes before pike, and is migrated")
                .expect_stderr("hint: run concertina contract first");
        }

        // And a plain `expand` does not open pike while ocata is open.
        let before = Dump::of(&db).await;
        concertina.run(&["expand"]).expect_code(0).expect_stdout("nothing to do");
        before.expect_same(&Dump::of(&db).await);
    }

    async fn contract_once_too_often_does_not_roll_into_the_next_release(db: TestDatabase) {
        let concertina = Concertina::command(&db);
        concertina.run(&["upgrade", "--to", "newton"]).expect_code(0);
        concertina.run(&["expand"]).expect_code(0);
        concertina.run(&["migrate"]).expect_code(0);
        concertina.run(&["contract", "--quiet-period", "0s"]).expect_code(0).expect_stdout("done: ocata/contract");

        let before = Dump::of(&db).await;
        for arguments in [
            ["contract"].as_slice(),
            &["contract", "--quiet-period", "0s"],
            &["contract", "--release", "ocata"],
            &["contract", "--release", "newton"],
            &["migrate", "--release", "ocata"],
            &["expand", "--release", "ocata"],
        ] {
            concertina.run(arguments).expect_code(0).expect_stdout("nothing to do").expect_stdout("next: concertina expand (pike)");
        }
        // A migrate that finds nothing open was to come behind an expand, and a pipeline that forgot it must not go on.
        concertina.run(&["migrate"]).expect_code(6).expect_stderr("pike is not expanded");
        before.expect_same(&Dump::of(&db).await);
        assert!(before.holds("artifacts"), "pike's contract, which drops the artifacts, must not have run");
        concertina.run(&["check"]).expect_code(3);
    }
}
