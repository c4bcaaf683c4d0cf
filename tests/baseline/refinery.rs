//! A database that the team's own refinery made: its history is the baseline's, whichever form its checksums have.

use crate::support::{BaselineFile, Concertina, Dump, Project, Session, TestDatabase, Width, on_every_database};

/// Makes the database as the team's refinery did.
async fn made_by_refinery(db: &TestDatabase, width: Width) -> Concertina {
    let mut session = db.owner().await;
    for file in BaselineFile::bundled(db.kind()) {
        file.run_by_refinery(&mut session, width).await;
    }
    Concertina::command(db)
}

async fn history(session: &mut Session) -> Vec<Vec<Option<String>>> {
    session.rows("SELECT version, name, applied_on, checksum FROM refinery_schema_history ORDER BY version").await
}

/// Goes on from there to the newest release, and fails if the baseline is run or recorded again.
async fn go_on(db: &TestDatabase, width: Width, arguments: &[&[&str]]) {
    let concertina = made_by_refinery(db, width).await;
    let mut session = db.owner().await;
    let before = history(&mut session).await;
    concertina.run(&["check"]).expect_code(3).expect_stdout("next: concertina expand (ocata)");
    for arguments in arguments {
        let output = concertina.run(arguments);
        output.expect_code(0);
        assert!(!output.stdout.contains("V1__") && !output.stderr.contains("V1__"), "the baseline was run:\n{output}");
    }
    assert_eq!(history(&mut session).await, before);
    concertina.run(&["check"]).expect_code(0);
}

const PHASES: [&[&str]; 7] = [
    &["expand"],
    &["migrate"],
    &["contract", "--quiet-period", "0s"],
    &["expand"],
    &["migrate"],
    &["contract", "--quiet-period", "0s"],
    &["upgrade"],
];

/// Adds a file to the project's baseline.
fn with_a_fourth_file(db: &TestDatabase) -> (Project, BaselineFile) {
    let project = Project::bundled_copy();
    let file = BaselineFile {
        version: 4,
        name: "late".to_owned(),
        sql: "CREATE TABLE image_notes (id INTEGER NOT NULL PRIMARY KEY, note VARCHAR(40));\n".to_owned(),
    };
    project.write(&format!("migrations/{}/V4__late.sql", db.kind()), &file.sql);
    (project, file)
}

/// Runs a file that was added later, and fails unless the team's refinery would take the record for its own.
async fn a_fourth_file(db: &TestDatabase, width: Width) {
    let concertina = made_by_refinery(db, width).await;
    let (project, file) = with_a_fourth_file(db);
    let concertina = concertina.project(&project);
    concertina.run(&["check"]).expect_code(3).expect_stdout("next: concertina upgrade --to newton");
    concertina.run(&["upgrade", "--to", "newton"]).expect_code(0).expect_stdout("done: V4__late");

    let mut session = db.owner().await;
    let records = history(&mut session).await;
    assert_eq!(records.len(), 4, "{records:?}");
    assert_eq!(records[3][1].as_deref(), Some("late"));
    assert_eq!(records[3][3], Some(file.checksum(width)), "the team's refinery would call it divergent");
    assert!(Dump::of(db).await.holds("image_notes"));
    concertina.run(&["check"]).expect_code(3).expect_stdout("next: concertina expand (ocata)");
}

/// Has another checksum recorded than the file's.
async fn a_changed_file(db: &TestDatabase, width: Width) {
    let concertina = made_by_refinery(db, width).await;
    let mut session = db.owner().await;
    session.execute("UPDATE refinery_schema_history SET checksum = '4711' WHERE version = 2").await.expect("a row");
    let before = Dump::of(db).await;
    for command in ["check", "expand", "upgrade"] {
        concertina
            .run(&[command])
            .expect_code(8)
            .expect_stderr(&format!("migrations/{}/V2__mitaka01.sql was changed after it was applied", db.kind()));
    }
    before.expect_same(&Dump::of(db).await);
}

on_every_database! {
    async fn upgrade_goes_on_from_a_history_of_narrow_versions(db: TestDatabase) {
        go_on(&db, Width::Int4, &[&["upgrade"]]).await;
    }

    async fn upgrade_goes_on_from_a_history_of_wide_versions(db: TestDatabase) {
        go_on(&db, Width::Int8, &[&["upgrade"]]).await;
    }

    async fn the_phases_go_on_from_a_history_of_narrow_versions(db: TestDatabase) {
        go_on(&db, Width::Int4, &PHASES).await;
    }

    async fn the_phases_go_on_from_a_history_of_wide_versions(db: TestDatabase) {
        go_on(&db, Width::Int8, &PHASES).await;
    }

    async fn a_changed_checksum_is_drift_with_narrow_versions(db: TestDatabase) {
        a_changed_file(&db, Width::Int4).await;
    }

    async fn a_changed_checksum_is_drift_with_wide_versions(db: TestDatabase) {
        a_changed_file(&db, Width::Int8).await;
    }

    async fn a_file_added_later_is_run_by_upgrade_with_narrow_versions(db: TestDatabase) {
        a_fourth_file(&db, Width::Int4).await;
    }

    async fn a_file_added_later_is_run_by_upgrade_with_wide_versions(db: TestDatabase) {
        a_fourth_file(&db, Width::Int8).await;
    }

    async fn what_concertina_ran_the_teams_refinery_takes_for_its_own(db: TestDatabase) {
        Concertina::command(&db).run(&["upgrade", "--to", "newton"]).expect_code(0);
        let records = history(&mut db.owner().await).await;
        let checksums: Vec<_> = records.into_iter().map(|row| row[3].clone().expect("a checksum")).collect();
        let expected: Vec<_> = BaselineFile::bundled(db.kind()).iter().map(|file| file.checksum(Width::Int8)).collect();
        assert_eq!(checksums, expected);
    }

    async fn a_baseline_that_was_not_finished_is_gone_on_with(db: TestDatabase) {
        let mut session = db.owner().await;
        BaselineFile::bundled(db.kind())[0].run_by_refinery(&mut session, Width::Int4).await;
        let concertina = Concertina::command(&db);
        concertina.run(&["upgrade", "--to", "newton"]).expect_code(0)
            .expect_stdout("done: V2__mitaka01").expect_stdout("done: V3__mitaka02");
        assert_eq!(history(&mut session).await.len(), 3);
        concertina.run(&["check"]).expect_code(3);
    }
}
