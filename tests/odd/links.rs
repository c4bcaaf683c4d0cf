//! Links in a project: inside it they are followed, and none leads out.

use std::os::unix::fs::symlink;
use std::process::Command;

use insta::assert_snapshot;

use crate::support::{Concertina, Project};

const FILE: &str = "steps:\n  - drop_default: { table: a, column: b }\n";

fn project() -> Project {
    let project = Project::new(&[("concertina.yaml", "releases: [r]\n")]);
    std::fs::create_dir_all(project.path().join("expand/r")).expect("a folder");
    project
}

fn link(project: &Project, target: &str, path: &str) {
    symlink(target, project.path().join(path)).expect("a link");
}

#[track_caller]
fn said(project: &Project) -> String {
    let output = Concertina::in_project(project.path()).run(&["lint"]);
    output.expect_code(1);
    output.stderr
}

#[test]
fn a_link_inside_the_project_is_followed() {
    let project = project();
    project.write("shared/a.yaml", FILE);
    link(&project, "../../shared/a.yaml", "expand/r/01_a.yaml");
    link(&project, "r", "expand/s");
    project.write("concertina.yaml", "releases: [r, s]\n");
    Concertina::in_project(project.path()).run(&["lint"]).expect_code(0);
    // As Kubernetes mounts a configuration.
    project.write("..data/02_b.yaml", FILE);
    link(&project, "../../..data/02_b.yaml", "expand/r/02_b.yaml");
    Concertina::in_project(project.path()).run(&["lint"]).expect_code(0);
    // The project itself may be a link.
    let beside = tempfile::tempdir().expect("a folder");
    symlink(project.path(), beside.path().join("link")).expect("a link");
    Concertina::in_project(&beside.path().join("link")).run(&["lint"]).expect_code(0);
}

#[test]
fn a_link_out_of_the_project_is_refused_and_its_target_not_shown() {
    let beside = tempfile::tempdir().expect("a folder");
    std::fs::write(beside.path().join("secret.yaml"), "password: hunter2\n").expect("a file");
    std::fs::write(beside.path().join("V1__a.sql"), "SELECT 'hunter2'").expect("a file");
    let outside = beside.path().display().to_string();
    let project = project();
    link(&project, &format!("{outside}/secret.yaml"), "expand/r/01_a.yaml");
    link(&project, &outside, "expand/s");
    link(&project, &outside, "data");
    link(&project, &outside, "migrations");
    let said = said(&project);
    assert!(!said.contains("hunter2"), "{said}");
    assert_snapshot!(said.replace(&outside, "OUTSIDE"), @"
    error: the link leads out of the project, to OUTSIDE
    --> migrations
     = help: put the file itself into the project; a link inside it is followed

    error: the link leads out of the project, to OUTSIDE
    --> expand/s
     = help: put the file itself into the project; a link inside it is followed

    error: the link leads out of the project, to OUTSIDE
    --> data
     = help: put the file itself into the project; a link inside it is followed

    error: the link leads out of the project, to OUTSIDE/secret.yaml
    --> expand/r/01_a.yaml
     = help: put the file itself into the project; a link inside it is followed

    error: 4 errors in the project
    hint: nothing was changed
    ");

    let manifest = Project::new(&[]);
    link(&manifest, &format!("{outside}/secret.yaml"), "concertina.yaml");
    let output = Concertina::in_project(manifest.path()).run(&["lint"]);
    output.expect_code(1).expect_stderr("the link leads out of the project");
    assert!(!output.stderr.contains("hunter2"), "{output}");
}

#[test]
fn a_link_that_leads_nowhere_or_round_in_circles() {
    let project = project();
    link(&project, "nowhere.yaml", "expand/r/01_a.yaml");
    link(&project, "02_b.yaml", "expand/r/02_b.yaml");
    link(&project, "../expand", "expand/loop");
    assert_snapshot!(said(&project), @"
    error: the release `loop` is not in the train (r)
    --> expand/loop
     = help: add it to `releases:` in concertina.yaml, in its place, oldest first

    error: failed to follow the link: No such file or directory (os error 2)
    --> expand/r/01_a.yaml

    error: failed to follow the link: Too many levels of symbolic links (os error 40)
    --> expand/r/02_b.yaml

    error: 3 errors in the project
    hint: nothing was changed
    ");
}

#[test]
fn what_is_no_file_does_not_keep_us_waiting() {
    let project = project();
    let pipe = project.path().join("expand/r/01_a.yaml");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo is installed").success());
    assert!(said(&project).contains("it is neither a file nor a folder"));
}
