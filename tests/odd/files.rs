//! Files that no editor of ours would write.

use std::time::{Duration, Instant};

use insta::assert_snapshot;

use crate::support::{Concertina, Kind, Output, Project, TestDatabase, Train, on_every_database};

/// What is said of a change file, within a limit of time and of memory.
#[track_caller]
fn said(text: &str) -> String {
    let project = Project::new(&[("concertina.yaml", "releases: [r]\n"), ("expand/r/01_a.yaml", text)]);
    let output = lint(&project);
    output.expect_code(1);
    output.stderr.clone()
}

#[track_caller]
fn lint(project: &Project) -> Output {
    let since = Instant::now();
    let output = Concertina::in_project(project.path()).limit_memory(1 << 30).run(&["lint"]);
    assert!(since.elapsed() < Duration::from_secs(20), "it took {:?}", since.elapsed());
    output
}

#[test]
fn tabs() {
    assert_snapshot!(said("steps:\n\t- drop_default: { table: a, column: b }\n"), @"
    error: this is no YAML: tabs disallowed within this context (block indentation)
     --> expand/r/01_a.yaml:2:2
      |
    2 |     - drop_default: { table: a, column: b }
      |     ^^^^^^^^^^^^^^

    error: 1 error in the project
    hint: nothing was changed
    ");
}

#[test]
fn an_empty_file_and_one_of_comments() {
    assert_snapshot!(said(""), @"
    error: the file is empty
    --> expand/r/01_a.yaml

    error: 1 error in the project
    hint: nothing was changed
    ");
    assert_snapshot!(said("\u{feff}"), @"
    error: the file is empty
    --> expand/r/01_a.yaml

    error: 1 error in the project
    hint: nothing was changed
    ");
    assert_snapshot!(said("# later\r\n"), @"
    error: the file is empty
     --> expand/r/01_a.yaml:1:1
      |
    1 | # later
      | ^

    error: 1 error in the project
    hint: nothing was changed
    ");
}

#[test]
fn a_character_that_ends_the_text_for_some() {
    assert_snapshot!(said("steps: []\n\0\nsteps: 5\n"), @"
    error: there is a NUL character in it
     --> expand/r/01_a.yaml:2:1
      |
    2 | ␀
      | ^

    error: 1 error in the project
    hint: nothing was changed
    ");
    assert_snapshot!(said("steps:\n  - sql: { run: \"SELECT 1;\\0 SELECT 2\" }\n"), @r#"
    error: there is a NUL character in it
     --> expand/r/01_a.yaml:2:17
      |
    2 |   - sql: { run: "SELECT 1;\0 SELECT 2" }
      |                 ^^^^^^^^^^^^^^^^^^^^^^^

    error: 1 error in the project
    hint: nothing was changed
    "#);
    for path in ["expand/r/01_a.sql", "migrations/V1__a.sql", "concertina.yaml"] {
        let project = Project::new(&[("concertina.yaml", "releases: [r]\n"), (path, "SELECT 1;\0 SELECT 2;\n")]);
        lint(&project).expect_code(1).expect_stderr("there is a NUL character in it");
    }
}

#[test]
fn two_documents() {
    assert_snapshot!(said("steps: []\n---\nsteps: []\n"), @"
    error: expected one YAML document
     --> expand/r/01_a.yaml:1:1
      |
    1 | steps: []
      | ^

    error: 1 error in the project
    hint: nothing was changed
    ");
}

#[test]
fn a_file_that_stands_for_more_than_memory_holds() {
    let nine = |level: i32| vec![format!("*l{level}"); 9].join(", ");
    let lines = (1..12).map(|level| format!("l{level}: &l{level} [{}]\n", nine(level - 1)));
    let bomb: String = ["l0: &l0 laugh\n".to_owned()].into_iter().chain(lines).collect();
    assert_snapshot!(said(&bomb), @"
    error: its aliases make more than 16 MiB of it
     --> expand/r/01_a.yaml:8:15
      |
    8 | l7: &l7 [*l6, *l6, *l6, *l6, *l6, *l6, *l6, *l6, *l6]
      |               ^

    error: 1 error in the project
    hint: nothing was changed
    ");
    let long = format!("a: &a {}\nb: [{}]\n", "x".repeat(1_000_000), vec!["*a"; 10_000].join(", "));
    assert!(said(&long).contains("its aliases make more than 16 MiB of it"));
}

#[test]
fn a_file_that_is_nested_without_end() {
    assert_snapshot!(said(&format!("steps: {}", "[".repeat(70))), @"
    error: it is nested more than 64 deep
     --> expand/r/01_a.yaml:1:71
      |
    1 | steps: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[
      |                                                                       ^

    error: 1 error in the project
    hint: nothing was changed
    ");
    for text in ["- ".repeat(100_000), "? ".repeat(100_000), "{a: ".repeat(100_000)] {
        let said = said(&text);
        assert!(said.contains("it is nested more than 64 deep") || said.contains("it is nested too deep"), "{said}");
    }
}

#[test]
fn a_file_that_is_too_large() {
    let mut text = "steps: []\n".to_owned();
    text.push_str(&"# nothing\n".repeat(500_000));
    assert_snapshot!(said(&text), @"
    error: it is larger than 4 MiB
    --> expand/r/01_a.yaml

    error: 1 error in the project
    hint: nothing was changed
    ");
}

#[test]
fn a_file_of_wrong_keys_alone() {
    let keys: String = (0..5_000).map(|key| format!("k{key}: {key}\n")).collect();
    let said = said(&keys);
    assert_eq!(said.matches("error: unknown key").count(), 20, "{said}");
}

#[test]
fn many_files_that_are_wrong() {
    let project = Project::new(&[("concertina.yaml", "releases: [r]\n")]);
    for number in 10..400 {
        project.write(&format!("expand/r/{number}_a.yaml"), "steps: 5\n");
    }
    let output = lint(&project);
    output.expect_code(1).expect_stderr("… and 290 more").expect_stderr("error: 390 errors in the project");
    assert_eq!(output.stderr.matches("expected a list").count(), 100);
}

#[test]
fn a_text_of_urls_is_shown_soon() {
    let said = said(&format!("description: {}\nsteps: 5\n", "a://b:c@d".repeat(20_000)));
    assert!(said.contains("invalid type") && !said.contains(":c@"), "{}", &said[..500]);
}

on_every_database! {
    async fn windows_line_ends_marks_and_no_text_at_all(db: TestDatabase) {
        let mut train = Train::new(&db);
        train.add(&[
            ("expand/01_table.yaml", "\u{feff}steps:\r\n  - create_table:\r\n      name: a\r\n      columns: [{ name: id, type: integer }]\r\n"),
            ("expand/02_sql.sql", "\u{feff}INSERT INTO a VALUES (1);\r\n-- and\r\nINSERT INTO a VALUES (2);\r\n"),
            ("expand/03_empty.sql", ""),
            ("expand/04_comment.sql", "-- nothing yet\n"),
            ("expand/05_mark.sql", "\u{feff}"),
            ("expand/06_none.yaml", "steps: []\n"),
        ]);
        let concertina = train.concertina();
        concertina.run(&["upgrade", "--force", "lint"]).expect_code(0);
        let mut session = db.owner().await;
        assert_eq!(session.lines("SELECT id FROM a ORDER BY id").await, ["1", "2"]);
        // An editor that writes line ends its own way has changed nothing.
        for file in ["expand/r1/01_table.yaml", "expand/r1/02_sql.sql"] {
            let text = train.project().read(file);
            train.project().write(file, text.trim_start_matches('\u{feff}').replace("\r\n", "\n").as_str());
        }
        concertina.run(&["check"]).expect_code(0);
        if db.kind() == Kind::Sqlite {
            concertina.run(&["verify"]).expect_code(0);
        }
    }
}
