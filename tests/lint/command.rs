//! The command: no database, one exit code, four forms.

use insta::assert_snapshot;
use serde_json::json;

use crate::support::{Concertina, Output, Project};

pub(super) fn project() -> Project {
    Project::new(&[
        ("concertina.yaml", "releases: [one, two]\n"),
        ("expand/one/01_a.sql", "-- the owner goes\nALTER TABLE a DROP COLUMN owner;\n"),
        (
            "contract/two/01_b.yaml",
            "steps:\n  - drop_column: { table: a, column: b }\n    allow: { unwatched-drop: nobody reads it }\n  \
             - drop_column: { table: a, column: c }\n",
        ),
    ])
}

pub(super) fn lint(project: &Project, arguments: &[&str]) -> Output {
    Concertina::in_project(project.path()).run(&[&["lint"], arguments].concat())
}

#[test]
fn the_bundled_project_has_no_finding() {
    let output = lint(&Project::bundled(), &[]);
    output.expect_code(0);
    assert_snapshot!(output.stdout.trim_end(), @"nothing found, 15 silenced with a reason");
}

#[test]
fn a_finding_has_its_line_and_its_remedy() {
    let output = lint(&project(), &[]);
    output.expect_code(6);
    assert!(output.stderr.is_empty(), "{output}");
    assert_snapshot!(output.stdout.trim_end(), @"
    error[removal-in-expand]: expand drops the column `owner` of `a`
     --> expand/one/01_a.sql:2:1
      |
    2 | ALTER TABLE a DROP COLUMN owner;
      | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: move it to contract, which runs when the old nodes are gone

    warning[unwatched-drop]: nothing tells whether nodes of one still use the column `c` of `a`
     --> contract/two/01_b.yaml:4:38
      |
    4 |   - drop_column: { table: a, column: c }
      |                                      ^
      |
      = help: carry it over with a sync and a backfill, or say in the reason how you know that no node of the old release uses it

    1 error, 1 warning, 1 silenced with a reason
    ");
}

#[test]
fn one_release_is_judged_by_itself() {
    let output = lint(&project(), &["--release", "two"]);
    output.expect_code(0).expect_stdout("1 warning, 1 silenced with a reason");
    assert!(!output.stdout.contains("removal-in-expand"), "{output}");
    lint(&project(), &["--release", "three"])
        .expect_code(2)
        .expect_stderr("there is no release `three` in the train (one, two)");
}

#[test]
fn a_database_that_is_named_is_the_only_one() {
    let files = [
        ("concertina.yaml", "releases: [one]\n"),
        ("expand/one/01_a.postgres.sql", "CREATE INDEX b ON a (c);\n"),
        ("expand/one/01_a.mysql.sql", "CREATE INDEX b ON a (c);\n"),
    ];
    let project = Project::new(&files);
    lint(&project, &[]).expect_code(6).expect_stdout("blocking-index").expect_stdout("(PostgreSQL)");
    lint(&project, &["--database", "mysql://nobody@nowhere/x"]).expect_code(0).expect_stdout("nothing found");
    let output = lint(&project, &["--database", "postgres://nobody@nowhere/x"]);
    output.expect_code(6).expect_stdout("blocking-index");
    assert!(!output.stdout.contains("(PostgreSQL)"), "which database is no news:\n{output}");
}

#[test]
fn json_has_every_finding() {
    let output = lint(&project(), &["--output", "json"]);
    output.expect_code(6);
    let document = output.json();
    assert_eq!((&document["errors"], &document["warnings"], &document["notes"]), (&json!(1), &json!(1), &json!(0)));
    assert_eq!(
        document["findings"][0],
        json!({
            "rule": "removal-in-expand",
            "severity": "error",
            "message": "expand drops the column `owner` of `a`",
            "remedy": "move it to contract, which runs when the old nodes are gone",
            "file": "expand/one/01_a.sql",
            "line": 2,
            "column": 1,
            "release": "one",
            "phase": "expand",
            "step": "one/expand/01_a/1",
            "databases": ["postgres", "mysql", "sqlite"],
            "silenced": null,
        })
    );
    assert_eq!(document["findings"][1]["silenced"], "nobody reads it");
    assert_eq!(document["findings"][2]["silenced"], json!(null));
}

#[test]
fn github_has_an_annotation_a_finding() {
    let output = lint(&project(), &["--output", "github"]);
    output.expect_code(6);
    assert_snapshot!(output.stdout.trim_end(), @"
    ::error file=expand/one/01_a.sql,line=2,endLine=2,col=1,endColumn=32,title=removal-in-expand::expand drops the column `owner` of `a`%0Amove it to contract, which runs when the old nodes are gone
    ::warning file=contract/two/01_b.yaml,line=4,endLine=4,col=38,endColumn=39,title=unwatched-drop::nothing tells whether nodes of one still use the column `c` of `a`%0Acarry it over with a sync and a backfill, or say in the reason how you know that no node of the old release uses it
    ");
}

#[test]
fn files_that_are_no_project_are_annotated_too() {
    let project = Project::new(&[
        ("concertina.yaml", "releases: [one]\n"),
        ("expand/one/01_a.yaml", "steps:\n  - drop_it: {}\n"),
    ]);
    let output = lint(&project, &["--output", "github"]);
    output
        .expect_code(1)
        .expect_stdout("::error file=expand/one/01_a.yaml,line=2,")
        .expect_stdout("title=unsound-project");
    let output = lint(&project, &["--output", "sarif"]);
    output.expect_code(1);
    assert_eq!(output.json()["runs"][0]["results"][0]["ruleId"], "unsound-project");
}

#[test]
fn an_allow_that_cannot_be_read_is_an_error_of_the_file() {
    let project = Project::new(&[
        ("concertina.yaml", "releases: [one]\n"),
        ("expand/one/01_a.yaml", "steps:\n  - drop_default: { table: a, column: b }\n    allow: [rename]\n"),
        ("expand/one/02_b.sql", "-- concertina: allow rename because it is so\nSELECT 1;\n"),
    ]);
    let output = lint(&project, &[]);
    output
        .expect_code(1)
        .expect_stderr("expand/one/01_a.yaml:3:")
        .expect_stderr("expected a mapping of rules to reasons")
        .expect_stderr("expand/one/02_b.sql:1:1")
        .expect_stderr("expected `-- concertina: allow RULE: REASON`");
}

#[test]
fn the_forms_of_lint_are_its_own() {
    for form in ["sarif", "github"] {
        let output = Concertina::in_project(project().path()).run(&["check", "--output", form]);
        output.expect_code(2).expect_stderr("`sarif` and `github` are forms of `concertina lint --output`");
    }
}
