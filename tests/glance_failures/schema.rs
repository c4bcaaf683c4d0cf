//! Failures 10 and 11: what a rebuild keeps, and databases that are newer or older than the tool.

use super::{CONTRACT, seed, visibilities};
use crate::conformance::glance::at_newton;
use crate::support::{BaselineFile, Concertina, Dump, Kind, TestDatabase, on_every_database, run};

/// Every CHECK of the table that is rebuilt, by a write that breaks it.
async fn expect_checks(db: &TestDatabase, when: &str) {
    let mut session = db.owner().await;
    for column in ["deleted", "protected"] {
        let broken = session.execute(format!("UPDATE images SET {column} = 2 WHERE id = 'public'")).await;
        let failure = broken.expect_err(&format!("{when}: {column} may be 2"));
        assert!(failure.message.contains("CHECK constraint failed"), "{when}: {failure:?}");
    }
}

#[test]
fn failure_10_unnamed_checks_hold_through_every_phase_on_sqlite() {
    run(Kind::Sqlite, "failure_10", async |db: TestDatabase| {
        let concertina = at_newton(&db).await;
        seed(&db).await;
        expect_checks(&db, "at newton").await;
        for command in [&["expand"][..], &["migrate"], CONTRACT] {
            concertina.run(command).expect_code(0);
            expect_checks(&db, &format!("behind {command:?}")).await;
        }
    });
}

on_every_database! {
    async fn failure_11_a_newer_database_is_refused_with_the_version_it_takes(db: TestDatabase) {
        let concertina = at_newton(&db).await;
        seed(&db).await;
        let mut owner = db.owner().await;
        // A later project, by a release that this one does not know of.
        owner
            .run("INSERT INTO concertina_phase (release_name, phase, started_at, finished_at) VALUES ('2024.2', 'expand', 1, 1)")
            .await;
        let before = Dump::of(&db).await;
        let commands = [&["check"][..], &["expand"], &["migrate"], CONTRACT, &["upgrade"], &["rollback"]];
        for command in commands {
            let refused = concertina.run(command);
            refused.expect_code(6).expect_stderr("the database is newer than this project: it records 2024.2");
        }
        before.expect_same(&Dump::of(&db).await);
        // A later tool, by its version.
        owner.run("UPDATE concertina_control SET setting = '7.1.0' WHERE name = 'program'").await;
        owner.run("UPDATE concertina_schema_history SET version = 99 WHERE version = 5").await;
        let before = Dump::of(&db).await;
        for command in commands {
            concertina.run(command).expect_code(6).expect_stderr("hint: run concertina 7.1.0 or later");
        }
        before.expect_same(&Dump::of(&db).await);
    }

    async fn failure_11_a_legacy_database_is_refused_untouched_or_adopted(db: TestDatabase) {
        // As Liberty left it, two versions before the first release that has phases; nobody has recorded anything.
        let mut owner = db.owner().await;
        BaselineFile::bundled(db.kind())[0].run(&mut owner).await;
        let is_public = db.kind().boolean(true);
        let no = db.kind().boolean(false);
        owner
            .run(format!(
                "INSERT INTO images (id, created_at, deleted, status, is_public, min_disk, min_ram, protected) \
                 VALUES ('public', '2015-10-15 12:00:00', {no}, 'active', {is_public}, 0, 0, {no})"
            ))
            .await;
        db.grant_scratch().await;
        let concertina = Concertina::command(&db);
        let before = Dump::of(&db).await;
        for command in [&["check"][..], &["expand"], &["migrate"], CONTRACT, &["upgrade"]] {
            concertina.run(command).expect_code(6).expect_stderr("adopt this one with concertina baseline --at V");
        }
        // It is not what a later version made, and that is said before anything is recorded.
        concertina.run(&["baseline", "--at", "V3"]).expect_code(6);
        before.expect_same(&Dump::of(&db).await);
        concertina.run(&["baseline", "--at", "V1"]).expect_code(0);
        for command in [&["upgrade", "--to", "newton"][..], &["expand"], &["migrate"], CONTRACT] {
            concertina.run(command).expect_code(0);
        }
        assert_eq!(visibilities(&db).await, ["public|public"]);
    }
}
