//! Each form: for people, for programs, for GitHub and for GitLab.

use insta::assert_snapshot;
use serde_json::json;
use serde_yaml::Value;

use super::{matrix, project};
use crate::support::{Concertina, Project};

/// A project of one release: nothing is upgraded to it.
fn alone() -> Project {
    Project::new(&[("concertina.yaml", "releases: [one]\n")])
}

#[test]
fn the_bundled_project_has_a_cell_for_each_release_that_changes_something() {
    let output = matrix(&Project::bundled(), &[]);
    output.expect_code(0);
    assert!(output.stderr.is_empty(), "{output}");
    assert_snapshot!(output.stdout.trim_end(), @"
    from      to       databases
    newton    ocata    postgres, mysql, sqlite
    ocata     pike     postgres, mysql, sqlite
    queens    rocky    postgres, mysql, sqlite
    stein     train    postgres, mysql, sqlite
    victoria  wallaby  postgres, mysql, sqlite
    2023.2    2024.1   postgres, mysql, sqlite
    2023.1    2024.1   postgres, mysql, sqlite  skip-level
    21 cells
    ");
}

#[test]
fn for_programs_there_is_a_document() {
    let output = matrix(&project(), &["--output", "json"]);
    output.expect_code(0);
    assert_snapshot!(output.stdout.trim_end(), @r#"
    {
      "changed_since": null,
      "cells": [
        {
          "from": "one",
          "to": "two",
          "database": "postgres",
          "pair": "adjacent",
          "name": "one to two on postgres"
        },
        {
          "from": "one",
          "to": "two",
          "database": "sqlite",
          "pair": "adjacent",
          "name": "one to two on sqlite"
        },
        {
          "from": "quiet",
          "to": "three",
          "database": "postgres",
          "pair": "adjacent",
          "name": "quiet to three on postgres"
        },
        {
          "from": "quiet",
          "to": "three",
          "database": "sqlite",
          "pair": "adjacent",
          "name": "quiet to three on sqlite"
        },
        {
          "from": "three",
          "to": "four",
          "database": "postgres",
          "pair": "adjacent",
          "name": "three to four on postgres"
        },
        {
          "from": "three",
          "to": "four",
          "database": "sqlite",
          "pair": "adjacent",
          "name": "three to four on sqlite"
        },
        {
          "from": "one",
          "to": "four",
          "database": "postgres",
          "pair": "skip-level",
          "name": "one to four on postgres"
        },
        {
          "from": "one",
          "to": "four",
          "database": "sqlite",
          "pair": "skip-level",
          "name": "one to four on sqlite"
        }
      ]
    }
    "#);
    assert_eq!(matrix(&alone(), &["--output", "json"]).json(), json!({ "changed_since": null, "cells": [] }));
}

#[test]
fn for_github_there_is_one_line() {
    let output = matrix(&project(), &["--format", "github"]);
    output.expect_code(0);
    assert_snapshot!(output.stdout.trim_end(), @r#"{"include":[{"from":"one","to":"two","database":"postgres","name":"one to two on postgres"},{"from":"one","to":"two","database":"sqlite","name":"one to two on sqlite"},{"from":"quiet","to":"three","database":"postgres","name":"quiet to three on postgres"},{"from":"quiet","to":"three","database":"sqlite","name":"quiet to three on sqlite"},{"from":"three","to":"four","database":"postgres","name":"three to four on postgres"},{"from":"three","to":"four","database":"sqlite","name":"three to four on sqlite"},{"from":"one","to":"four","database":"postgres","name":"one to four on postgres"},{"from":"one","to":"four","database":"sqlite","name":"one to four on sqlite"}]}"#);
    let bundled = matrix(&Project::bundled(), &["--format", "github"]);
    assert_eq!(bundled.stdout.lines().count(), 1);
    assert_eq!(bundled.json()["include"].as_array().map(Vec::len), Some(21));
    let none = matrix(&alone(), &["--format", "github"]);
    none.expect_code(0);
    assert_eq!(none.stdout, "{\"include\":[]}\n");
}

#[test]
fn more_cells_than_github_takes_are_said() {
    let releases: Vec<String> = (0..88).map(|number| format!("r{number}")).collect();
    let project = Project::new(&[("concertina.yaml", &format!("releases: [{}]\n", releases.join(", ")))]);
    for release in &releases {
        let table =
            format!("steps:\n  - create_table: {{ name: {release}, columns: [{{ name: id, type: integer }}] }}\n");
        project.write(&format!("expand/{release}/01_a.yaml"), &table);
    }
    matrix(&project, &["--format", "github"])
        .expect_code(0)
        .expect_stderr("261 cells: GitHub takes 256 jobs in a matrix");
}

#[test]
fn for_gitlab_there_is_a_child_pipeline() {
    let output = matrix(&project(), &["--format", "gitlab"]);
    output.expect_code(0);
    assert_snapshot!(output.stdout.trim_end(), @r#"
    # Made by `concertina matrix --format gitlab`. CONCERTINA_IMAGE names an image with the program.
    workflow: { rules: [{ when: always }] }   # in the pipelines of merge requests too
    default: { image: $CONCERTINA_IMAGE }

    .postgres:
      services: [{ name: "$CONCERTINA_POSTGRES_IMAGE", alias: database }]
      variables:
        CONCERTINA_POSTGRES_IMAGE: postgres:17
        POSTGRES_PASSWORD: rehearsal          # of a server that goes with the job
        REHEARSAL: postgres://postgres:rehearsal@database/postgres
      script: concertina rehearse "$FROM" "$TO" --database "$REHEARSAL" --report rehearsal
      artifacts: { when: always, paths: [rehearsal/], reports: { junit: rehearsal/junit.xml } }

    .sqlite:
      script: concertina rehearse "$FROM" "$TO" --report rehearsal
      artifacts: { when: always, paths: [rehearsal/], reports: { junit: rehearsal/junit.xml } }

    "one to two on postgres":
      extends: .postgres
      variables: { FROM: "one", TO: "two" }

    "one to two on sqlite":
      extends: .sqlite
      variables: { FROM: "one", TO: "two" }

    "quiet to three on postgres":
      extends: .postgres
      variables: { FROM: "quiet", TO: "three" }

    "quiet to three on sqlite":
      extends: .sqlite
      variables: { FROM: "quiet", TO: "three" }

    "three to four on postgres":
      extends: .postgres
      variables: { FROM: "three", TO: "four" }

    "three to four on sqlite":
      extends: .sqlite
      variables: { FROM: "three", TO: "four" }

    "one to four on postgres":
      extends: .postgres
      variables: { FROM: "one", TO: "four" }

    "one to four on sqlite":
      extends: .sqlite
      variables: { FROM: "one", TO: "four" }
    "#);

    let bundled = matrix(&Project::bundled(), &["--format", "gitlab"]);
    let pipeline: Value = serde_yaml::from_str(&bundled.stdout).expect("YAML");
    let jobs = pipeline.as_mapping().expect("jobs").iter().filter(|(_, job)| job.get("extends").is_some());
    let jobs: Vec<_> = jobs.collect();
    assert_eq!(jobs.len(), 21);
    for (name, job) in jobs {
        let template = pipeline.get(job["extends"].as_str().expect("a name")).expect("its template");
        assert!(
            template["script"].as_str().is_some_and(|script| script.starts_with("concertina rehearse ")),
            "{name:?}"
        );
        for end in ["FROM", "TO"] {
            assert!(job["variables"][end].is_string(), "2024.1 is a text: {job:?}");
        }
    }
}

#[test]
fn gitlab_gets_a_job_where_there_is_no_cell() {
    let output = matrix(&alone(), &["--format", "gitlab"]);
    output.expect_code(0);
    assert_snapshot!(output.stdout.trim_end(), @r#"
    # Made by `concertina matrix --format gitlab`. CONCERTINA_IMAGE names an image with the program.
    workflow: { rules: [{ when: always }] }   # in the pipelines of merge requests too
    default: { image: $CONCERTINA_IMAGE }

    nothing to rehearse:
      script: "echo 'no cells: no release with files has one before it'"
    "#);
    serde_yaml::from_str::<Value>(&output.stdout).expect("YAML");
    matrix(&alone(), &[]).expect_code(0).expect_stdout("no cells: no release with files has one before it");
}

#[test]
fn forms_that_are_none_of_its_own_are_refused() {
    for (arguments, words) in [
        (&["--output", "sarif"][..], "expected --output text or json; for CI there is --format github or gitlab"),
        (&["--output", "json", "--format", "github"], "--format and --output json are two forms: leave one out"),
        (&["--format", "jenkins"], "[possible values: table, github, gitlab]"),
    ] {
        matrix(&project(), arguments).expect_code(2).expect_stderr(words);
    }
}

#[test]
fn it_opens_no_database() {
    let nowhere = Concertina::in_project(project().path()).database("postgres://nobody:secret@192.0.2.1/nothing");
    // The project is gone; what is asked first is the project, and never the database.
    nowhere.run(&["matrix"]).expect_code(1).expect_stderr("there is no concertina.yaml");
    let project = project();
    let listed = Concertina::in_project(project.path()).database("postgres://nobody:secret@192.0.2.1/nothing");
    listed.run(&["matrix"]).expect_code(0);
}

#[test]
fn the_documented_pipelines_are_yaml_and_know_an_empty_matrix() {
    let page = Project::bundled().read("docs/matrix.md");
    let blocks: Vec<Value> = page
        .split("```yaml\n")
        .skip(1)
        .map(|text| text.split("```").next().expect("the block"))
        .map(|text| serde_yaml::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}")))
        .collect();
    let github = blocks.iter().find_map(|block| block.get("jobs")).expect("the workflow");
    let empty = matrix(&alone(), &["--format", "github"]).stdout;
    assert_eq!(github["rehearse"]["if"], format!("needs.cells.outputs.matrix != '{}'", empty.trim()));
    let gitlab = blocks.iter().find(|block| block.get("cells").is_some()).expect("the pipeline");
    assert!(gitlab["cells"]["script"].as_str().is_some_and(|script| script.starts_with("concertina matrix ")));
}
