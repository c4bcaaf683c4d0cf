//! Every exit code that `deploy.sh` may meet, and what it makes of it. What the commands answer is the same on every database.

use std::process::Command;

use super::script::Script;
use crate::conformance::glance::at_newton;
use crate::support::{Concertina, Kind, Project, TestDatabase, Train, run};

#[test]
fn what_time_does_not_mend_stops_it() {
    run(Kind::Sqlite, "stops", async |db: TestDatabase| {
        let project = Project::bundled_copy();
        let script = Script::new(&project, &db);
        // 6: an empty database has no baseline.
        drop(db.owner().await);
        script.run(&["ocata"], &[]).expect(6, "concertina upgrade --to newton").expect(6, "expand of ocata stopped");
        // 2
        script.run(&[], &[]).expect(2, "usage: deploy.sh RELEASE");
        script.run(&["okata"], &[]).expect(2, "did you mean `ocata`?");
        script.run(&["ocata", "dance"], &[]).expect(2, "no such stage: dance");
        // 1
        let away = [("CONCERTINA_DATABASE", "postgres://nobody@127.0.0.1:1/none")];
        script.run(&["ocata"], &away).expect(1, "expand of ocata stopped with exit code 1");

        at_newton(&db).await.run(&["expand"]).expect_code(0);
        script.run(&["ocata", "roll"], &[]).expect(6, "check of ocata stopped with exit code 6");
        script.run(&["ocata", "migrate", "roll"], &[("ROLL", "")]).expect(2, "no ROLL command");
        // 8
        project.edit("expand/ocata/01_visibility.yaml", "visibility_image_idx", "another_idx");
        script.run(&["ocata"], &[]).expect(8, "files or triggers are not what was applied");
    });
}

#[test]
fn where_only_a_person_knows_it_says_so() {
    run(Kind::MySql, "a_person", async |db: TestDatabase| {
        db.owner().await.run("CREATE TABLE t (id INTEGER PRIMARY KEY)").await;
        let mut train = Train::new(&db);
        train.add(&[("expand/01_a.mysql.sql", "ALTER TABLE t ADD COLUMN a INTEGER;\n")]);
        let script = Script::new(train.project(), &db);
        script
            .run(&["r1"], &[("CONCERTINA_FAILPOINT", "step.finish.before")])
            .expect(134, "stopped with exit code 134");
        script.run(&["r1"], &[]).expect(9, "a person must look at the database");
        train.concertina().run(&["resolve", "r1/expand/01_a/1", "--applied"]).expect_code(0);
        script.run(&["r1"], &[("ROLL", "true")]).expect(0, "done: r1/contract");
    });
}

/// A database where a migrate waits, and whoever wants to contract is told that another runner is at work.
async fn held(db: &TestDatabase) -> (Concertina, Script) {
    let concertina = at_newton(db).await;
    concertina.run(&["expand"]).expect_code(0);
    concertina.run(&["pause"]).expect_code(0);
    (concertina, Script::new(&Project::bundled(), db))
}

#[test]
fn another_runner_is_waited_for() {
    run(Kind::Sqlite, "another_runner", async |db: TestDatabase| {
        let (concertina, script) = held(&db).await;
        let other = concertina.spawn(&["migrate"]);
        other.wait_for_stderr("paused by");
        let contract = ["ocata", "contract"];
        script.run(&contract, &[]).expect(7, "contract of ocata stopped with exit code 7");
        let patient = script.spawn(&contract, &[("PATIENCE", "60"), ("CONTRACT_OPTIONS", "--quiet-period 0s")]);
        concertina.run(&["resume"]).expect_code(0);
        other.finish().expect_code(0);
        Script::finish(patient).expect(0, "done: ocata/contract");
    });
}

#[test]
fn a_signal_reaches_the_command_and_it_goes_on_later() {
    run(Kind::Sqlite, "a_signal", async |db: TestDatabase| {
        let (concertina, script) = held(&db).await;
        let mut session = db.owner().await;
        let migrating = script.spawn(&["ocata", "migrate"], &[]);
        let waits = "SELECT 1 FROM concertina_worker WHERE waiting LIKE 'paused%'";
        while session.value(waits).await.is_none() {}
        // As a scheduler does: to the script alone.
        let sent = Command::new("kill").args(["-s", "TERM", &migrating.id().to_string()]).status();
        assert!(sent.expect("`kill` is installed").success());
        Script::finish(migrating).expect(143, "stopping at the next safe place");
        assert_eq!(session.value(waits).await, None, "the command is there still");
        concertina.run(&["resume"]).expect_code(0);
        script.run(&["ocata", "migrate"], &[]).expect(0, "done: ocata/migrate");
    });
}
