//! How a rehearsal is asked for: options, refusals, interruption, and the whole matrix.

use insta::assert_snapshot;

use super::{Rehearsal, left_by};
use crate::support::{Concertina, Project, TestDatabase, on_every_database};

fn refused(arguments: &[&str], code: i32) -> String {
    let output = Concertina::in_project(Project::bundled().path()).run(arguments);
    output.expect_code(code);
    output.stderr.trim_end().to_owned()
}

#[test]
fn what_cannot_be_rehearsed_is_refused() {
    assert_snapshot!(refused(&["rehearse", "ocata", "newton"], 2), @"error: newton is not newer than ocata: rehearse FROM TO, in the order of the train");
    assert_snapshot!(refused(&["rehearse", "newton", "okata"], 2).replace("2024.1)", "…)").split(" (").next().unwrap(), @"error: there is no release `okata` in the train");
    assert_snapshot!(refused(&["rehearse", "--all"], 2), @"error: `newton to ocata on postgres` needs a server: --server postgres://…; or leave such cells out: --on DATABASE for each of the others");
    assert_snapshot!(refused(&["rehearse", "newton", "ocata", "--database", "redis://me:s3cret@x/y"], 1).lines().next().unwrap(), @"error: read the database URL: expected postgres://…, mysql://…, mariadb://… or sqlite://FILE");
}

#[test]
fn nodes_of_which_nothing_is_known_are_refused() {
    let project = Project::new(&[
        ("concertina.yaml", "releases: [one, two]\n"),
        (
            "expand/two/01_a.yaml",
            "steps:\n  - create_table: { name: t, columns: [{ name: id, type: integer }], primary_key: [id] }\n",
        ),
        ("tests/workloads/two.yaml", "operations:\n  - { name: read, do: [SELECT 1] }\n"),
    ]);
    let output = Concertina::in_project(project.path()).run(&["rehearse", "one", "two"]);
    output.expect_code(1);
    assert_snapshot!(output.stderr.trim_end(), @"error: no workload says what nodes of one do: write tests/workloads/one.yaml (docs/workloads.md)");
}

/// The same seed makes the same choices: how often migrate is killed at which of its words, and whether it is taken back. When that
/// is, and how far the machine had come by then, is another matter.
#[test]
fn a_seed_is_told_and_taken() {
    let rehearsal = Rehearsal::of(&Project::bundled(), None).stage("200ms");
    let report = rehearsal.run(&["2023.2", "2024.1", "--seed", "4711"]).json();
    assert_eq!(report["seed"], 4711);
    let again = report["command"].as_str().expect("a command");
    assert!(again.contains("--seed 4711") && again.contains("--stage 200ms"), "{again}");
    let other = rehearsal.run(&["2023.2", "2024.1"]).json();
    assert_ne!(other["seed"], 4711);
}

#[test]
fn people_get_a_summary() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().display().to_string();
    let output = Concertina::in_project(Project::bundled().path())
        .patient()
        .run(&["rehearse", "2023.2", "2024.1", "--stage", "200ms", "--seed", "5", "--report", &path]);
    output.expect_code(0).expect_stderr("mixed (2023.2 → 2024.1): 3 old nodes at work");
    for text in [
        "2023.2 → 2024.1 on SQLite",
        "asked for: zero-downtime",
        "yes upgrade: ",
        "no write is lost: ",
        "seed 5 ",
        "report.html",
    ] {
        output.expect_stdout(text);
    }
}

on_every_database! {
    /// Whoever stops it leaves nothing behind.
    async fn an_interrupted_rehearsal_removes_its_databases(db: TestDatabase) {
        let rehearsal = Rehearsal::of(&Project::bundled(), Some(&db)).stage("5s");
        let running = rehearsal.concertina.spawn(&rehearsal.arguments(&["newton", "ocata"]));
        running.wait_for_stderr("quiet (newton → ocata)");
        running.signal("INT");
        let output = running.finish();
        output.expect_code(130);
        assert_eq!(left_by(&db, output.process).await, [""; 0]);
    }

    /// Two cells, of which one is bad: the others are rehearsed all the same.
    async fn the_whole_matrix_is_rehearsed(db: TestDatabase) {
        let project = Project::new(&[("concertina.yaml", "releases: [one, two, three]\n")]);
        project.write("migrations/V1__t.sql", "CREATE TABLE t (id VARCHAR(36) PRIMARY KEY, a INTEGER NOT NULL);\n");
        project.write("expand/two/01_b.yaml", "steps:\n  - add_column: { table: t, column: { name: b, type: integer } }\n    allow: { select-star: none, prepared-statements: none }\n");
        project.write("contract/three/01_b.yaml", "steps:\n  - drop_column: { table: t, column: b }\n    allow: { contract-loses-data: none, contract-drops-new: none, unwatched-drop: none }\n");
        for (release, columns, values) in [("one", "id, a", ":id, 1"), ("two", "id, a, b", ":id, 1, 2")] {
            project.write(&format!("tests/workloads/{release}.yaml"), &format!(
                "operations:\n  - {{ name: write, with: {{ id: uuid }}, do: [\"INSERT INTO t ({columns}) VALUES ({values})\"] }}\n"
            ));
        }
        let rehearsal = Rehearsal::of(&project, Some(&db)).stage("200ms");
        let output = rehearsal.run(&["--all", "--on", db.kind().name()]);
        output.expect_code(6);
        let all = output.json();
        assert_eq!(all["passed"], false);
        let cells: Vec<[&str; 3]> = all["cells"].as_array().expect("cells").iter().map(|cell| {
            ["from", "to", "verdict"].map(|key| cell[key].as_str().unwrap_or("none"))
        }).collect();
        assert_eq!(cells.len(), 2, "{cells:?}");
        assert_eq!(cells[0][..2], ["one", "two"]);
        assert!(cells[0][2].starts_with("zero-"), "{all:#}");
        // Nodes of release three do what those of two do, and write the column that is gone.
        assert_eq!(cells[1], ["two", "three", "rolling"], "{all:#}");
        let junit = rehearsal.read("junit.xml");
        assert_eq!(junit.matches("<testsuite ").count(), 2, "{junit}");
        assert!(junit.contains("<failure"), "{junit}");
        rehearsal.read(&format!("one-two-{}/report.html", db.kind().name()));
    }
}
