//! Workloads are read strictly, and every error of a file is told with its place.

use insta::assert_snapshot;

use super::{Rehearsal, expect_good};
use crate::support::{Concertina, Project};

fn errors(workload: &str) -> String {
    let project = Project::new(&[("concertina.yaml", "releases: [one, two]\n")]);
    project.write("tests/workloads/one.yaml", workload);
    let output = Concertina::in_project(project.path()).run(&["rehearse", "one", "two"]);
    output.expect_code(1);
    output.stderr.trim_end().to_owned()
}

#[test]
fn an_unknown_key_is_shown() {
    assert_snapshot!(errors("operation:\n  - name: a\n    do: [SELECT 1]\n    every: 2\n"), @"
    error: unknown key `operation`, expected one of `description`, `session`, `seed`, `operations`, `invariants`, `command`
     --> tests/workloads/one.yaml:1:1
      |
    1 | operation:
      | ^^^^^^^^^

    error: 1 error in the project
    hint: nothing was changed
    ");
}

#[test]
fn a_parameter_that_is_not_there_is_shown() {
    assert_snapshot!(errors("operations:\n  - name: a\n    with: { id: uuid, image: { row: images } }\n    do:\n      - SELECT 1 WHERE 1 = :idd\n      - sql: SELECT :image\n      - SELECT :id.name\n"), @"
    error: `with` has no parameter `idd`; did you mean `:id`?
     --> tests/workloads/one.yaml:5:29
      |
    5 |       - SELECT 1 WHERE 1 = :idd
      |                             ^^^

    error: `:image` is a row of `images`; expected one of its columns, such as `:image.id`
     --> tests/workloads/one.yaml:3:23
      |
    3 |     with: { id: uuid, image: { row: images } }
      |                       ^^^^^

    error: `:id` is a value and has no column `name`
     --> tests/workloads/one.yaml:3:13
      |
    3 |     with: { id: uuid, image: { row: images } }
      |             ^^

    error: 3 errors in the project
    hint: nothing was changed
    ");
}

#[test]
fn a_generator_that_is_wrong_is_shown() {
    assert_snapshot!(errors("operations:\n  - name: a\n    with:\n      a: uid\n    do: [SELECT 1]\n"), @"
    error: nothing makes `uid`; expected one of uuid, now, value, integer, decimal, boolean, text, hex, one_of, weighted, serial, timestamp, maybe, row; for a value that is always the same, { value: uid }
     --> tests/workloads/one.yaml:4:10
      |
    4 |       a: uid
      |          ^^^

    error: 1 error in the project
    hint: nothing was changed
    ");
    assert_snapshot!(errors("operations:\n  - name: a\n    with:\n      a: { integer: { from: 9, to: 1 } }\n      b: { boolean: 2 }\n      c: { timestamp: { from: yesterday, to: 2026-01-01 } }\n    do: [SELECT 1]\n"), @"
    error: `yesterday` is no moment; expected 2026-01-31, or 2026-01-31 12:00:00
     --> tests/workloads/one.yaml:6:10
      |
    6 |       c: { timestamp: { from: yesterday, to: 2026-01-01 } }
      |          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

    error: 1 error in the project
    hint: nothing was changed
    ");
}

#[test]
fn what_cannot_be_is_shown() {
    assert_snapshot!(errors("operations:\n  - { name: a, do: [] }\n  - { name: a, do: [SELECT 1, \"SELECT '\"] }\ncommand: { run: [./none.sh] }\n"), @r#"
    error: expected `operations` or `command`, and both are there
     --> tests/workloads/one.yaml:4:1
      |
    4 | command: { run: [./none.sh] }
      | ^^^^^^^

    error: there is no program `none.sh` in the project
     --> tests/workloads/one.yaml:4:1
      |
    4 | command: { run: [./none.sh] }
      | ^^^^^^^

    error: `do` has no statement
     --> tests/workloads/one.yaml:2:5
      |
    2 |   - { name: a, do: [] }
      |     ^^^^^^^^^^^^^^^^^^

    error: the name `a` is there twice
     --> tests/workloads/one.yaml:3:5
      |
    3 |   - { name: a, do: [SELECT 1, "SELECT '"] }
      |     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

    error: the SQL cannot be read: unterminated string at byte 7
     --> tests/workloads/one.yaml:3:5
      |
    3 |   - { name: a, do: [SELECT 1, "SELECT '"] }
      |     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

    error: 5 errors in the project
    hint: nothing was changed
    "#);
    assert_snapshot!(errors("operations:\n  - { name: a, do: [{ sql: SELECT 1, expect: { rows: { min: 3, max: 1 } } }] }\n"), @"
    error: `max` is less than `min`, 3
     --> tests/workloads/one.yaml:2:54
      |
    2 |   - { name: a, do: [{ sql: SELECT 1, expect: { rows: { min: 3, max: 1 } } }] }
      |                                                      ^^^^^^^^^^^^^^^^^

    error: 1 error in the project
    hint: nothing was changed
    ");
}

#[test]
fn a_workload_of_no_release_is_refused() {
    let project = Project::new(&[("concertina.yaml", "releases: [newton, ocata]\n")]);
    project.write("tests/workloads/okata.yaml", "operations: []\n");
    let output = Concertina::in_project(project.path()).run(&["rehearse", "newton", "ocata"]);
    output.expect_code(1);
    assert_snapshot!(output.stderr.trim_end(), @"
    error: there is no release `okata` in the train; did you mean `ocata`?
    --> tests/workloads/okata.yaml

    error: 1 error in the project
    hint: nothing was changed
    ");
}

/// Whoever reviews the files sees it before a rehearsal does; a deployment does not read them.
#[test]
fn lint_reads_workloads_too() {
    let project = Project::new(&[("concertina.yaml", "database: sqlite://a.db\nreleases: [one]\n")]);
    project.write("tests/workloads/one.yaml", "operations:\n  - { name: a, do: [SELECT 1], wait: 2 }\n");
    let concertina = Concertina::in_project(project.path());
    concertina.run(&["lint"]).expect_code(1).expect_stderr("tests/workloads/one.yaml:2:32");
    concertina.run(&["upgrade"]).expect_code(0);
}

/// What the page shows is a workload that runs.
#[test]
fn the_documented_workload_runs() {
    let page = Project::bundled().read("docs/workloads.md");
    let yaml = page.split("```yaml\n").nth(1).and_then(|text| text.split("```").next()).expect("the example");
    let project = Project::bundled_copy();
    project.write("tests/workloads/newton.yaml", yaml);
    // Nodes of ocata do not know is_public.
    let ocata = yaml
        .replace("is_public = TRUE", "visibility = 'public'")
        .replace("is_public: true", "visibility: public")
        .replace("is_public", "visibility");
    let ocata = ocata.replace(":public,", "'shared',").replace("'queued', FALSE,", "'queued', 'private',");
    project.write("tests/workloads/ocata.yaml", &ocata);
    expect_good(&Rehearsal::of(&project, None).run(&["newton", "ocata"]));
}
