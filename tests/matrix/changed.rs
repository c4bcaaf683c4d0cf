//! `--changed-since`: which cells a change keeps, and what is said where git does not know.

use std::path::Path;
use std::process::Command;

use super::{matrix, project};
use crate::support::{Concertina, Project};

/// A project in a repository of its own.
struct Repository {
    project: Project,
}

impl Repository {
    fn new() -> Self {
        let repository = Self { project: project() };
        repository.git(&["init", "--quiet", "--initial-branch=main"]);
        repository.commit();
        repository.git(&["switch", "--quiet", "--create", "work"]);
        repository
    }

    fn git(&self, arguments: &[&str]) {
        git(self.project.path(), arguments);
    }

    fn commit(&self) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message=a change"]);
    }

    /// Goes back to where it began.
    fn clean(&self) {
        self.git(&["reset", "--quiet", "--hard", "main"]);
        self.git(&["clean", "--quiet", "--force", "-dx"]);
    }

    fn write(&self, path: &str) {
        let before = if self.project.path().join(path).exists() { self.project.read(path) } else { String::new() };
        self.project.write(path, &format!("{before}# changed\n"));
    }

    /// The cells that are kept, each `one>two:postgres`, by the database's first letter.
    #[track_caller]
    fn kept(&self) -> Vec<String> {
        kept(&self.project)
    }

    #[track_caller]
    fn expect(&self, change: &str, expected: &[&str]) {
        assert_eq!(self.kept(), expected, "after a change of {change}");
        self.clean();
    }
}

fn git(folder: &Path, arguments: &[&str]) {
    let settings =
        ["user.name=Nobody", "user.email=nobody@example.com", "commit.gpgsign=false", "core.hooksPath=/dev/null"];
    let mut command = Command::new("git");
    command.arg("-C").arg(folder);
    // Where the tests are run by a hook, git's own variables lead to another repository.
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"] {
        command.env_remove(name);
    }
    for setting in settings {
        command.args(["-c", setting]);
    }
    let output = command.args(arguments).output().expect("git is installed");
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

#[track_caller]
fn kept(project: &Project) -> Vec<String> {
    let output = matrix(project, &["--changed-since", "main", "--output", "json"]);
    output.expect_code(0);
    let document = output.json();
    assert_eq!(document["changed_since"], "main");
    let cells = document["cells"].as_array().expect("cells").iter();
    cells
        .map(|cell| {
            let word = |key: &str| cell[key].as_str().expect("a word");
            format!("{}>{}:{}", word("from"), word("to"), &word("database")[..1])
        })
        .collect()
}

const ALL: [&str; 8] = [
    "one>two:p",
    "one>two:s",
    "quiet>three:p",
    "quiet>three:s",
    "three>four:p",
    "three>four:s",
    "one>four:p",
    "one>four:s",
];

#[test]
fn nothing_is_kept_where_nothing_has_changed() {
    let repository = Repository::new();
    repository.expect("nothing", &[]);
    let output = matrix(&repository.project, &["--changed-since", "main"]);
    output.expect_code(0).expect_stdout("no cells: no file that one is made of has changed since main");
    // A change elsewhere in the project is none of a cell's.
    repository.write("docs/notes.md");
    repository.write("tests/notes.md");
    repository.expect("notes", &[]);
}

#[test]
fn a_change_keeps_the_cells_that_it_is_part_of() {
    let repository = Repository::new();
    let (two, four) = (
        ["one>two:p", "one>two:s", "one>four:p", "one>four:s"],
        ["three>four:p", "three>four:s", "one>four:p", "one>four:s"],
    );
    for (path, expected) in [
        ("expand/two/01_a.yaml", &two[..]),
        ("data/two/01_b.yaml", &two),
        ("contract/four/01_a.yaml", &four),
        // Nobody upgrades to the first release, and FROM is not upgraded to.
        ("expand/one/01_a.yaml", &[]),
        ("expand/three/01_a.sqlite.sql", &["quiet>three:s", "one>four:s"]),
        ("expand/three/01_a.postgres.sql", &["quiet>three:p", "one>four:p"]),
        ("programs/lower.py", &two),
        ("programs/words.txt", &two),
        ("migrations/sqlite/V1__first.sql", &["one>two:s", "quiet>three:s", "three>four:s", "one>four:s"]),
        ("concertina.yaml", &ALL),
    ] {
        repository.write(path);
        repository.expect(path, expected);
    }
}

#[test]
fn a_workload_is_that_of_every_release_up_to_the_next_that_has_one() {
    let repository = Repository::new();
    // Nodes of one and two do the same; those of quiet, three and four another.
    repository.write("tests/workloads/one.yaml");
    repository.write("tests/workloads/quiet.yaml");
    repository.git(&["switch", "--quiet", "main"]);
    repository.commit();
    repository.git(&["switch", "--quiet", "--force-create", "work"]);
    let two = ["one>two:p", "one>two:s", "one>four:p", "one>four:s"];
    let rest = ["quiet>three:p", "quiet>three:s", "three>four:p", "three>four:s", "one>four:p", "one>four:s"];
    repository.write("tests/workloads/one.yaml");
    repository.expect("a workload that two releases have", &two);
    repository.write("tests/workloads/quiet.yaml");
    repository.expect("a workload of a release without files", &rest);
    repository.write("tests/workloads/four.yaml");
    repository.expect("a new workload", &["three>four:p", "three>four:s", "one>four:p", "one>four:s"]);
    repository.project.remove("tests/workloads/quiet.yaml");
    repository.expect("a workload that went", &rest);
    repository.write("tests/workloads/client.py");
    repository.expect("a program of a workload", &ALL);
}

#[test]
fn committed_staged_unstaged_and_untracked_changes_count_and_those_of_others_do_not() {
    let repository = Repository::new();
    let three = ["quiet>three:s", "one>four:s"];
    let file = "expand/three/01_a.sqlite.sql";
    repository.write(file);
    repository.commit();
    assert_eq!(repository.kept(), three, "committed");
    // What others did on main since is no change of ours.
    repository.git(&["switch", "--quiet", "main"]);
    repository.write("concertina.yaml");
    repository.commit();
    repository.git(&["switch", "--quiet", "work"]);
    assert_eq!(repository.kept(), three, "behind main");
    repository.git(&["reset", "--quiet", "--soft", "HEAD^"]);
    assert_eq!(repository.kept(), three, "staged");
    repository.git(&["reset", "--quiet"]);
    assert_eq!(repository.kept(), three, "unstaged");
    repository.git(&["checkout", "--quiet", "--", "."]);
    assert_eq!(repository.kept(), [""; 0], "taken back");
    let untracked = "data/three/01_ü b.sqlite.sql";
    repository.write(untracked);
    // It is no sound file of a release yet: the project's errors come first.
    matrix(&repository.project, &["--changed-since", "main"]).expect_code(1);
    repository.project.remove(untracked);
    repository.project.write("expand/three/02_ü.sqlite.sql", "SELECT 1;\n");
    assert_eq!(repository.kept(), three, "untracked");
    repository.project.write(".gitignore", "*.sql\n");
    assert_eq!(repository.kept(), [""; 0], "ignored");
    repository.clean();
    // What was removed, or has another name.
    repository.git(&["mv", "expand/two/01_a.yaml", "expand/three/03_a.yaml"]);
    assert_eq!(
        repository.kept(),
        ["one>two:p", "one>two:s", "quiet>three:p", "quiet>three:s", "one>four:p", "one>four:s"]
    );
}

#[test]
fn a_project_may_be_a_folder_of_a_repository() {
    let outer = Project::new(&[("expand/two/01_a.yaml", "not ours\n")]);
    let inner = project();
    for part in ["concertina.yaml", "expand/one/01_a.yaml", "expand/two/01_a.yaml"] {
        outer.write(&format!("services/images/{part}"), &inner.read(part));
    }
    outer.write("services/images/concertina.yaml", "releases: [one, two]\n");
    git(outer.path(), &["init", "--quiet", "--initial-branch=main"]);
    git(outer.path(), &["add", "--all"]);
    git(outer.path(), &["commit", "--quiet", "--message=first"]);
    let folder = outer.path().join("services/images");
    let ask = || Concertina::in_project(&folder).run(&["matrix", "--changed-since", "main"]);
    outer.write("expand/two/01_a.yaml", "changed, and not ours\n");
    ask().expect_code(0).expect_stdout("no cells");
    outer.write("services/images/expand/two/02_a.sql", "CREATE TABLE b (id INTEGER);\n");
    ask().expect_code(0).expect_stdout("3 cells");
}

#[test]
fn what_git_does_not_know_is_said_with_what_to_do() {
    let repository = Repository::new();
    let ask = |revision: &str| matrix(&repository.project, &[&format!("--changed-since={revision}")]);
    for revision in ["origin/main", "--output=/tmp/x", ""] {
        ask(revision)
            .expect_code(1)
            .expect_stderr(&format!("error: git knows no revision `{revision}`"))
            .expect_stderr("hint: fetch it with its history");
    }
    repository.git(&["switch", "--quiet", "--orphan", "other"]);
    repository.git(&["checkout", "--quiet", "main", "--", "."]);
    repository.write("other.md");
    repository.commit();
    ask("main").expect_code(1).expect_stderr("error: `main` and HEAD have no commit in common");

    let nowhere = project();
    let output = matrix(&nowhere, &["--changed-since", "main", "--output", "json"]);
    output.expect_code(1).expect_stderr("is no working copy of git: not a git repository");
    let hint = "run it where the project was checked out, or leave --changed-since out: then every cell is listed";
    assert_eq!(output.json()["error"]["hint"], hint);

    let without =
        Concertina::in_project(nowhere.path()).env("PATH", "/nowhere").run(&["matrix", "--changed-since", "main"]);
    without.expect_code(1).expect_stderr("error: failed to run git: ").expect_stderr("hint: install git");
}

/// What a client of the team's does is what its nodes do.
#[test]
fn a_changed_program_of_a_workload_keeps_the_cells_whose_nodes_run_it() {
    let repository = Repository { project: project() };
    repository.git(&["init", "--quiet", "--initial-branch=main"]);
    repository.project.write("clients/two.sh", "#!/bin/sh\n");
    repository.project.write("tests/workloads/two.yaml", "command: { run: [./clients/two.sh] }\n");
    repository.commit();
    repository.git(&["switch", "--quiet", "--create", "work"]);
    let all = |pair: &str| ["postgres", "sqlite"].map(|database| format!("{pair}:{}", &database[..1]));
    let expected: Vec<String> =
        ["one>two", "quiet>three", "three>four", "one>four"].into_iter().flat_map(all).collect();
    repository.write("clients/two.sh");
    assert_eq!(repository.kept(), expected);
}
