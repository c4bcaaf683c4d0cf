//! Hosts with different versions of the program: the older one refuses, and says which it takes.

use crate::conformance::glance::at_newton;
use crate::support::{Concertina, Dump, Project, TestDatabase, on_every_database};

on_every_database! {
    async fn a_newer_state_is_refused_with_the_version_it_takes(db: TestDatabase) {
        let concertina = at_newton(&db).await;
        let mut owner = db.owner().await;
        let made = owner.lines("SELECT setting FROM concertina_control WHERE name = 'program'").await;
        assert_eq!(made, [env!("CARGO_PKG_VERSION")]);
        owner.run("UPDATE concertina_control SET setting = '7.1.0' WHERE name = 'program'").await;
        owner.run("UPDATE concertina_schema_history SET version = 99 WHERE version = 5").await;
        let before = Dump::of(&db).await;
        for command in [&["expand"][..], &["check"], &["status"], &["upgrade"], &["history"], &["uninstall", "--yes"]] {
            concertina.run(command).expect_code(6)
                .expect_stderr("error: the state tables have version 99, made by concertina 7.1.0, and this program, ")
                .expect_stderr("hint: run concertina 7.1.0 or later");
        }
        before.expect_same(&Dump::of(&db).await);
    }
}

#[test]
fn a_newer_project_is_refused_with_the_version_it_takes() {
    let project = Project::new(&[("concertina.yaml", "requires: 7.1.0\nnobody_knows_this_yet: true\n")]);
    let refused = Concertina::in_project(project.path()).database("sqlite://x.db").run(&["status"]);
    refused.expect_code(1).expect_stderr("error: this project needs concertina 7.1.0 or later, and this is ");
    assert!(!refused.stderr.contains("nobody_knows"), "{refused}");
    let project = Project::new(&[("concertina.yaml", "requires: 0.10\n")]);
    let refused = Concertina::in_project(project.path()).database("sqlite://x.db").run(&["status"]);
    refused.expect_code(1).expect_stderr("expected the least version of concertina, in quotes");
}
