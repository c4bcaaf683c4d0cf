//! `matrix:` of the manifest: what it may say, and what is wrong with its place.

use insta::assert_snapshot;

use super::{matrix, project};
use crate::support::Output;

fn with(section: &str) -> Output {
    let project = project();
    project.write("concertina.yaml", &format!("releases: [one, two, quiet, three, four]\nmatrix:\n{section}"));
    matrix(&project, &[])
}

#[test]
fn the_databases_are_those_that_are_named() {
    let output = with("  databases: [sqlite]\n  skip_level: [[one, quiet], [one, four]]\n");
    output.expect_code(0);
    assert_snapshot!(output.stdout.trim_end(), @"
    from   to     databases
    one    two    sqlite
    quiet  three  sqlite
    three  four   sqlite
    one    quiet  sqlite     skip-level
    one    four   sqlite     skip-level
    5 cells
    ");
}

#[test]
fn wrong_pairs_are_shown_in_their_place_all_at_once() {
    let output = with(
        "  skip_level:\n    - [four, one]\n    - [one, two]\n    - [one, thre]\n    - [one, four]\n    - [one, four]\n    - [one]\n    - [two, two]\n",
    );
    output.expect_code(1);
    assert_snapshot!(output.stderr.trim_end(), @"
    error: `one` is not newer than `four`; expected a pair of releases: [FROM, TO]
     --> concertina.yaml:4:14
      |
    4 |     - [four, one]
      |              ^^^

    error: `one` comes just before `two`, so no release is skipped
     --> concertina.yaml:5:7
      |
    5 |     - [one, two]
      |       ^^^^^^^^^
      |
      = help: remove it: that upgrade is rehearsed anyway

    error: there is no release `thre` in the train (one, two, quiet, three, four)
     --> concertina.yaml:6:13
      |
    6 |     - [one, thre]
      |             ^^^^
      |
      = help: did you mean `three`?

    error: the pair `one`, `four` is there twice
     --> concertina.yaml:8:7
      |
    8 |     - [one, four]
      |       ^^^^^^^^^^

    error: expected a pair of releases: [FROM, TO]
     --> concertina.yaml:9:7
      |
    9 |     - [one]
      |       ^^^^

    error: `two` is not newer than `two`; expected a pair of releases: [FROM, TO]
      --> concertina.yaml:10:13
       |
    10 |     - [two, two]
       |             ^^^

    error: 6 errors in the project
    hint: nothing was changed
    ");
}

#[test]
fn a_number_is_no_release() {
    let output = with("  skip_level: [[one, 2024.1]]\n");
    output.expect_code(1);
    assert_snapshot!(output.stderr.trim_end(), @"
    error: invalid type: floating point `2024.1`, expected a text
     --> concertina.yaml:3:22
      |
    3 |   skip_level: [[one, 2024.1]]
      |                      ^^^^^^

    error: 1 error in the project
    hint: nothing was changed
    ");
}

#[test]
fn wrong_databases_are_shown_in_their_place() {
    let output = with("  databases: [sqlite, mysql, sqlite]\n");
    output.expect_code(1);
    assert_snapshot!(output.stderr.trim_end(), @"
    error: the project is not for `mysql`: it has no migrations/mysql/
     --> concertina.yaml:3:23
      |
    3 |   databases: [sqlite, mysql, sqlite]
      |                       ^^^^^
      |
      = help: expected `postgres` or `sqlite`

    error: the database `sqlite` is there twice
     --> concertina.yaml:3:30
      |
    3 |   databases: [sqlite, mysql, sqlite]
      |                              ^^^^^^

    error: 2 errors in the project
    hint: nothing was changed
    ");
    let output = with("  databases: [oracle]\n");
    output.expect_code(1);
    assert_snapshot!(output.stderr.trim_end(), @"
    error: `oracle` is no database; expected `postgres`, `mysql` or `sqlite`
     --> concertina.yaml:3:15
      |
    3 |   databases: [oracle]
      |               ^^^^^^

    error: 1 error in the project
    hint: nothing was changed
    ");
    with("  databases: []\n").expect_code(1).expect_stderr("expected at least one database: `postgres` or `sqlite`");
    with("  database: [sqlite]\n")
        .expect_code(1)
        .expect_stderr("unknown key `database`, expected `databases` or `skip_level`");
}

#[test]
fn pairs_are_of_the_train_that_the_folders_make_as_well() {
    let project = project();
    project.write("concertina.yaml", "matrix: { databases: [sqlite], skip_level: [[one, two], [one, five]] }\n");
    // In natural order: four, one, three, two.
    matrix(&project, &[])
        .expect_code(1)
        .expect_stderr("there is no release `five` in the train (four, one, three, two)");
    project.write("concertina.yaml", "matrix: { databases: [sqlite], skip_level: [[one, two]] }\n");
    let output = matrix(&project, &[]);
    output.expect_code(0).expect_stdout("one    two    sqlite     skip-level");
}
