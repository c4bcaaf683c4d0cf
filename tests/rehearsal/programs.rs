//! A workload that is a program: it gets what it needs in its environment.

use std::os::unix::fs::PermissionsExt;

use super::{Rehearsal, evidence, expect_good};
use crate::support::{Project, TestDatabase, on_every_server};

fn project(script: &str) -> Project {
    let project = Project::new(&[("concertina.yaml", "releases: [one, two]\n")]);
    project.write("migrations/V1__t.sql", "CREATE TABLE t (id INTEGER PRIMARY KEY);\n");
    project.write("expand/two/01_b.yaml", "steps:\n  - add_column: { table: t, column: { name: b, type: integer } }\n    allow: { select-star: none, prepared-statements: none }\n");
    project.write("tests/client.sh", script);
    let file = project.path().join("tests/client.sh");
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o755)).expect("a program");
    project.write("tests/workloads/one.yaml", "command: { run: [./tests/client.sh, --once] }\n");
    project
}

on_every_server! {
    async fn a_program_is_told_where_what_and_when(db: TestDatabase) {
        let log = tempfile::NamedTempFile::new().expect("a file");
        let path = log.path().display();
        let project = project(&format!(
            "#!/bin/sh\necho \"$CONCERTINA_RELEASE $CONCERTINA_STAGE $1 ${{CONCERTINA_DATABASE%%:*}} $CONCERTINA_NODE\" >> {path}\n"
        ));
        expect_good(&Rehearsal::of(&project, Some(&db)).run(&["one", "two", "--rate", "40"]));
        let said = std::fs::read_to_string(log.path()).expect("what it said");
        let kind = db.kind().name();
        for line in [format!("one quiet --once {kind} "), format!("one mixed --once {kind} "), format!("two mixed --once {kind} "), format!("two after --once {kind} ")] {
            assert!(said.contains(&line), "`{line}` is not in\n{said}");
        }
        assert!(!said.contains("two quiet") && !said.contains("one after"), "{said}");
    }
}

#[test]
fn a_program_that_fails_is_an_operation_that_fails() {
    let project = project("#!/bin/sh\n[ \"$CONCERTINA_RELEASE\" = one ] || { echo 'no such page' >&2; exit 3; }\n");
    let output = Rehearsal::of(&project, None).run(&["one", "two", "--rate", "40"]);
    output.expect_code(6);
    let report = output.json();
    let failed = evidence(&report, "no operation fails");
    assert!(failed["found"].as_str().expect("words").contains("no such page"), "{failed}");
}
