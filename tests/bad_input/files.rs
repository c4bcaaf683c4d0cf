//! Errors that the files alone show: what the operator reads, whole.

use insta::assert_snapshot;

use crate::support::{Concertina, Project};

const MANIFEST: (&str, &str) = ("concertina.yaml", "releases: [liberty, mitaka]\n");

/// A project of a sound manifest and these files.
fn project(files: &[(&str, &str)]) -> Project {
    let project = Project::new(&[MANIFEST]);
    for (path, text) in files {
        project.write(path, text);
    }
    project
}

/// What is said of a project that is wrong; the database must not even come into being.
#[track_caller]
fn said(project: &Project) -> String {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("untouched.db");
    let url = format!("sqlite://{}", file.display());
    let output = Concertina::in_project(project.path()).database(&url).run(&["upgrade"]);
    output.expect_code(1);
    assert!(output.stdout.is_empty(), "an error has no result:\n{output}");
    assert!(!file.exists(), "the database was made:\n{output}");
    output.stderr.replace(&project.path().display().to_string(), "PROJECT")
}

#[test]
fn a_missing_manifest() {
    assert_snapshot!(said(&Project::new(&[])), @"
    error: there is no concertina.yaml in PROJECT
    --> concertina.yaml
     = help: run concertina in the project's folder, or name it with --project DIR

    error: 1 error in the project
    hint: nothing was changed
    ");
}

#[test]
fn a_manifest_that_cannot_be_read() {
    let project = Project::new(&[("concertina.yaml/a_folder", "")]);
    assert_snapshot!(said(&project), @"
    error: failed to read the file: Is a directory (os error 21)
    --> concertina.yaml

    error: 1 error in the project
    hint: nothing was changed
    ");
}

#[test]
fn a_manifest_that_is_no_yaml() {
    let project = Project::new(&[("concertina.yaml", "releases: [liberty, mitaka\ngates:\n  quiet_period: 5m\n")]);
    assert_snapshot!(said(&project), @"
    error: this is no YAML: illegal placement of ':' indicator
     --> concertina.yaml:2:6
      |
    2 | gates:
      |      ^

    error: 1 error in the project
    hint: nothing was changed
    ");
}

#[test]
fn an_empty_manifest() {
    assert_snapshot!(said(&Project::new(&[("concertina.yaml", "# nothing yet\n")])), @"
    error: the file is empty
     --> concertina.yaml:1:1
      |
    1 | # nothing yet
      | ^

    error: 1 error in the project
    hint: nothing was changed
    ");
}

#[test]
fn a_manifest_that_is_a_list() {
    assert_snapshot!(said(&Project::new(&[("concertina.yaml", "- liberty\n- mitaka\n")])), @"
    error: invalid type: a list, expected a mapping
     --> concertina.yaml:1:1
      |
    1 | - liberty
      | ^^^^^^^^^

    error: 1 error in the project
    hint: nothing was changed
    ");
}

#[test]
fn unknown_keys_of_the_manifest_are_all_named() {
    let project =
        Project::new(&[("concertina.yaml", "release: [liberty]\ngates:\n  quiet_peroid: 5m\nbatch:\n  rows: 100\n")]);
    assert_snapshot!(said(&project), @"
    error: unknown key `release`, expected one of `database`, `releases`, `requires`, `gates`, `batch`, `throttle`, `locks`, `matrix`
     --> concertina.yaml:1:1
      |
    1 | release: [liberty]
      | ^^^^^^^

    error: unknown key `quiet_peroid`, expected `quiet_period` or `sessions`
     --> concertina.yaml:3:3
      |
    3 |   quiet_peroid: 5m
      |   ^^^^^^^^^^^^

    error: 2 errors in the project
    hint: nothing was changed
    ");
}

#[test]
fn a_wrong_type_in_the_manifest() {
    let project = Project::new(&[("concertina.yaml", "releases: [liberty]\nbatch:\n  rows: many\n")]);
    assert_snapshot!(said(&project), @r#"
    error: invalid type: string "many", expected a whole number
     --> concertina.yaml:3:9
      |
    3 |   rows: many
      |         ^^^^

    error: 1 error in the project
    hint: nothing was changed
    "#);
}

#[test]
fn a_duration_without_a_unit() {
    let project = Project::new(&[("concertina.yaml", "releases: [liberty]\ngates: { quiet_period: 5 }\n")]);
    assert_snapshot!(said(&project), @"
    error: `5` is no duration; expected one such as 250ms, 30s, 5m or 1h 30m
     --> concertina.yaml:2:24
      |
    2 | gates: { quiet_period: 5 }
      |                        ^

    error: 1 error in the project
    hint: nothing was changed
    ");
}

#[test]
fn a_key_of_the_manifest_that_is_there_twice() {
    let project = Project::new(&[("concertina.yaml", "releases: [liberty]\nbatch: { rows: 1 }\nreleases: [mitaka]\n")]);
    assert_snapshot!(said(&project), @"
    error: the key `releases` is there twice
     --> concertina.yaml:3:1
      |
    3 | releases: [mitaka]
      | ^^^^^^^^

    error: 1 error in the project
    hint: nothing was changed
    ");
}

#[test]
fn a_manifest_that_is_not_utf_8() {
    let project = Project::new(&[]);
    project.write_bytes("concertina.yaml", b"releases: [liberty]\n# M\xfcnchen\n");
    assert_snapshot!(said(&project), @"
    error: line 2 is not UTF-8 text
    --> concertina.yaml

    error: 1 error in the project
    hint: nothing was changed
    ");
}

#[test]
fn an_environment_variable_that_is_not_set() {
    let manifest = "database: postgres://glance:${GLANCE_DB_SECRET}@db/glance\nreleases: [liberty]\n";
    assert_snapshot!(said(&Project::new(&[("concertina.yaml", manifest)])), @"
    error: the environment variable `GLANCE_DB_SECRET` is not set, and there is no `:-default`
     --> concertina.yaml:1:31
      |
    1 | database: postgres://glance:${GLANCE_DB_SECRET}@db/glance
      |                               ^^^^^^^^^^^^^^^^

    error: 1 error in the project
    hint: nothing was changed
    ");
}

#[test]
fn a_password_in_the_manifest_is_not_shown_with_its_line() {
    let manifest = "databse: postgres://glance:hunter2@db/glance?sslpassword=hunter3\nreleases: [liberty]\n";
    let said = said(&Project::new(&[("concertina.yaml", manifest)]));
    assert!(!said.contains("hunter"), "a password was printed:\n{said}");
    assert_snapshot!(said, @"
    error: unknown key `databse`, expected one of `database`, `releases`, `requires`, `gates`, `batch`, `throttle`, `locks`, `matrix`
     --> concertina.yaml:1:1
      |
    1 | databse: postgres://glance:*******@db/glance?sslpassword=*******
      | ^^^^^^^

    error: 1 error in the project
    hint: nothing was changed
    ");
}

#[test]
fn a_release_that_is_in_the_train_twice() {
    let project = Project::new(&[("concertina.yaml", "releases: [liberty, mitaka, liberty]\n")]);
    assert_snapshot!(said(&project), @"
    error: the release `liberty` is in the train twice
     --> concertina.yaml:1:29
      |
    1 | releases: [liberty, mitaka, liberty]
      |                             ^^^^^^^

    error: 1 error in the project
    hint: nothing was changed
    ");
}

#[test]
fn an_unknown_step_that_is_nearly_a_known_one() {
    let project = project(&[("expand/liberty/01_a.yaml", "steps:\n  - add_colum: { table: images }\n")]);
    assert_snapshot!(said(&project), @"
    error: unknown step `add_colum`; did you mean `add_column`?
     --> expand/liberty/01_a.yaml:2:5
      |
    2 |   - add_colum: { table: images }
      |     ^^^^^^^^^
      |
      = help: the steps of expand are `create_table`, `add_column`, `create_index`, `add_foreign_key`, `add_check`, `widen_column`, `add_enum_value`, `drop_not_null`, `drop_default`, `drop_constraint`, `sync`, `sql`

    error: 1 error in the project
    hint: nothing was changed
    ");
}

#[test]
fn an_unknown_step_names_those_of_the_phase() {
    let project = project(&[("contract/liberty/01_a.yaml", "steps:\n  - frobnicate: { table: images }\n")]);
    assert_snapshot!(said(&project), @"
    error: unknown step `frobnicate`
     --> contract/liberty/01_a.yaml:2:5
      |
    2 |   - frobnicate: { table: images }
      |     ^^^^^^^^^^
      |
      = help: the steps of contract are `drop_constraint`, `drop_column`, `drop_table`, `drop_index`, `set_not_null`, `add_unique`, `validate`, `set_default`, `sql`

    error: 1 error in the project
    hint: nothing was changed
    ");
}

#[test]
fn an_unknown_key_of_a_step() {
    let text = "steps:\n  - create_index: { table: images, name: a, column: [owner] }\n";
    assert_snapshot!(said(&project(&[("expand/liberty/01_a.yaml", text)])), @"
    error: unknown key `column`, expected one of `table`, `name`, `columns`, `unique`, `allow_rewrite`
     --> expand/liberty/01_a.yaml:2:45
      |
    2 |   - create_index: { table: images, name: a, column: [owner] }
      |                                             ^^^^^^

    error: missing key `columns`
     --> expand/liberty/01_a.yaml:2:5
      |
    2 |   - create_index: { table: images, name: a, column: [owner] }
      |     ^^^^^^^^^^^^

    error: 2 errors in the project
    hint: nothing was changed
    ");
}

#[test]
fn a_missing_key_of_a_step() {
    let text = "steps:\n  - create_index:\n      table: images\n      columns: [owner]\n";
    assert_snapshot!(said(&project(&[("expand/liberty/01_a.yaml", text)])), @"
    error: missing key `name`
     --> expand/liberty/01_a.yaml:2:5
      |
    2 |   - create_index:
      |     ^^^^^^^^^^^^

    error: 1 error in the project
    hint: nothing was changed
    ");
}

#[test]
fn an_unknown_column_type() {
    let text = "steps:\n  - add_column: { table: images, column: { name: a, type: varchar(3), nullable: true } }\n";
    assert_snapshot!(said(&project(&[("expand/liberty/01_a.yaml", text)])), @"
    error: unknown column type `varchar(3)`, expected `boolean`, `integer`, `bigint`, `decimal`, `decimal(p, s)`, `float`, `string(n)`, `text`, `timestamp`, `date`, `json`, `uuid`, `binary`, `{ enum: […] }`, or `{ postgres: …, mysql: …, sqlite: … }`
     --> expand/liberty/01_a.yaml:2:59
      |
    2 |   - add_column: { table: images, column: { name: a, type: varchar(3), nullable: true } }
      |                                                           ^^^^^^^^^^

    error: 1 error in the project
    hint: nothing was changed
    ");
}

#[test]
fn a_step_of_contract_in_expand() {
    let project =
        project(&[("expand/liberty/01_a.yaml", "steps:\n  - drop_column: { table: images, column: owner }\n")]);
    assert_snapshot!(said(&project), @"
    error: `drop_column` is a step of contract, not of expand
     --> expand/liberty/01_a.yaml:2:5
      |
    2 |   - drop_column: { table: images, column: owner }
      |     ^^^^^^^^^^^
      |
      = help: move it to contract/liberty/01_a.yaml

    error: 1 error in the project
    hint: nothing was changed
    ");
}

#[test]
fn a_step_of_expand_in_contract() {
    let project = project(&[(
        "contract/liberty/01_a.yaml",
        "steps:\n  - create_index: { table: images, name: a, columns: [owner] }\n",
    )]);
    assert_snapshot!(said(&project), @"
    error: `create_index` is a step of expand, not of contract
     --> contract/liberty/01_a.yaml:2:5
      |
    2 |   - create_index: { table: images, name: a, columns: [owner] }
      |     ^^^^^^^^^^^^
      |
      = help: move it to expand/liberty/01_a.yaml

    error: 1 error in the project
    hint: nothing was changed
    ");
}

#[test]
fn schema_steps_in_the_data_phase() {
    let project = project(&[("data/liberty/01_a.yaml", "steps:\n  - drop_table: { table: images }\n")]);
    assert_snapshot!(said(&project), @"
    error: schema steps belong to expand or to contract, not to the migrate phase
     --> data/liberty/01_a.yaml:1:1
      |
    1 | steps:
      | ^^^^^
      |
      = help: move what adds or loosens to expand/liberty/01_a.yaml, what removes or tightens to contract/liberty/01_a.yaml

    error: 1 error in the project
    hint: nothing was changed
    ");
}

#[test]
fn a_backfill_in_expand() {
    let text = "backfill:\n  table: images\n  set: { a: b }\n  where: a IS NULL\n";
    assert_snapshot!(said(&project(&[("expand/liberty/01_a.yaml", text)])), @"
    error: a backfill belongs to the migrate phase, not to expand
     --> expand/liberty/01_a.yaml:1:1
      |
    1 | backfill:
      | ^^^^^^^^
      |
      = help: move it to data/liberty/01_a.yaml

    error: 1 error in the project
    hint: nothing was changed
    ");
}

#[test]
fn a_rename_names_the_safe_form() {
    let text = "steps:\n  - rename_column: { table: images, from: owner, to: tenant }\n";
    assert_snapshot!(said(&project(&[("expand/liberty/01_a.yaml", text)])), @"
    error: `rename_column` is not safe while two releases run
     --> expand/liberty/01_a.yaml:2:5
      |
    2 |   - rename_column: { table: images, from: owner, to: tenant }
      |     ^^^^^^^^^^^^^
      |
      = help: a rename breaks the release that still uses the old name; add the new one, sync both, backfill, and drop the old one in contract

    error: 1 error in the project
    hint: nothing was changed
    ");
}

#[test]
fn a_change_of_type_names_the_safe_form() {
    let text = "steps:\n  - change_type: { table: images, column: size, type: bigint }\n";
    assert_snapshot!(said(&project(&[("contract/liberty/01_a.yaml", text)])), @"
    error: `change_type` is not safe while two releases run
     --> contract/liberty/01_a.yaml:2:5
      |
    2 |   - change_type: { table: images, column: size, type: bigint }
      |     ^^^^^^^^^^^
      |
      = help: a type change in place rewrites the table under a lock, unless widen_column can do it; add a column of the new type, sync both, backfill, and drop the old one in contract

    error: 1 error in the project
    hint: nothing was changed
    ");
}

#[test]
fn a_rename_of_a_table_names_the_safe_form() {
    let text = "steps:\n  - rename_table: { from: images, to: pictures }\n";
    assert_snapshot!(said(&project(&[("expand/liberty/01_a.yaml", text)])), @"
    error: `rename_table` is not safe while two releases run
     --> expand/liberty/01_a.yaml:2:5
      |
    2 |   - rename_table: { from: images, to: pictures }
      |     ^^^^^^^^^^^^
      |
      = help: a rename breaks the release that still uses the old name; add the new one, sync both, backfill, and drop the old one in contract

    error: 1 error in the project
    hint: nothing was changed
    ");
}

#[test]
fn two_files_of_one_number() {
    let text = "steps:\n  - drop_default: { table: images, column: owner }\n";
    let project = project(&[("expand/liberty/01_a.yaml", text), ("expand/liberty/01_b.yaml", text)]);
    assert_snapshot!(said(&project), @"
    error: the number 01 is there twice: expand/liberty/01_a.yaml has it too
    --> expand/liberty/01_b.yaml
     = help: give one of them the next free number

    error: 1 error in the project
    hint: nothing was changed
    ");
}

#[test]
fn two_baseline_files_of_one_version() {
    let project = project(&[("migrations/V1__a.sql", "SELECT 1;"), ("migrations/V1__b.sql", "SELECT 1;")]);
    assert_snapshot!(said(&project), @"
    error: version 1 is there twice: migrations/V1__a.sql has it too
    --> migrations/V1__b.sql

    error: 1 error in the project
    hint: nothing was changed
    ");
}

#[test]
fn names_that_are_none_of_a_change_file() {
    let project = project(&[
        ("expand/liberty/1_a.yaml", ""),
        ("expand/liberty/02_b.oracle.sql", ""),
        ("contract/liberty/notes.txt", ""),
        ("data/03_c.yaml", ""),
        ("migrations/1__liberty.sql", ""),
        ("migrations/oracle/V1__liberty.sql", ""),
    ]);
    assert_snapshot!(said(&project), @"
    error: unknown folder
    --> migrations/oracle
     = help: expected files, or the folders postgres, mysql and sqlite

    error: the file's name is not one that refinery reads
    --> migrations/1__liberty.sql
     = help: expected V<number>__<words>.sql, such as V1__initial.sql

    error: a change file belongs in a release's folder: data/<release>/03_c.yaml
    --> data/03_c.yaml

    error: the name is not one of a change file
    --> expand/liberty/02_b.oracle.sql
     = help: expected <NN>_<slug>.yaml, .sql, .postgres.sql, .mysql.sql or .sqlite.sql, such as 01_visibility.yaml

    error: the name is not one of a change file
    --> expand/liberty/1_a.yaml
     = help: expected <NN>_<slug>.yaml, .sql, .postgres.sql, .mysql.sql or .sqlite.sql, such as 01_visibility.yaml

    error: the name is not one of a change file
    --> contract/liberty/notes.txt
     = help: expected <NN>_<slug>.yaml, .sql, .postgres.sql, .mysql.sql or .sqlite.sql, such as 01_visibility.yaml

    error: 6 errors in the project
    hint: nothing was changed
    ");
}

#[test]
fn releases_that_are_not_in_the_train() {
    let text = "steps:\n  - drop_default: { table: images, column: owner }\n";
    let project = project(&[("expand/mitakka/01_a.yaml", text), ("expand/ocata/01_a.yaml", text)]);
    assert_snapshot!(said(&project), @"
    error: the release `mitakka` is not in the train (liberty, mitaka)
    --> expand/mitakka
     = help: add it to `releases:` in concertina.yaml, or rename the folder to `mitaka`

    error: the release `ocata` is not in the train (liberty, mitaka)
    --> expand/ocata
     = help: add it to `releases:` in concertina.yaml, in its place, oldest first

    error: 2 errors in the project
    hint: nothing was changed
    ");
}

#[test]
fn an_expression_that_is_none() {
    let text = "backfill:\n  table: images\n  set:\n    a: (b\n  where: a IS NULL; DROP TABLE images\n";
    assert_snapshot!(said(&project(&[("data/liberty/01_a.yaml", text)])), @"
    error: a `(` is never closed
     --> data/liberty/01_a.yaml:4:8
      |
    4 |     a: (b
      |        ^

    error: expected one expression, found `;`
     --> data/liberty/01_a.yaml:5:19
      |
    5 |   where: a IS NULL; DROP TABLE images
      |                   ^

    error: 2 errors in the project
    hint: nothing was changed
    ");
}

#[test]
fn sql_in_the_data_phase() {
    assert_snapshot!(said(&project(&[("data/liberty/01_a.sql", "UPDATE images SET a = b;\n")])), @"
    error: the data phase takes YAML: a backfill runs in batches, and plain SQL cannot
    --> data/liberty/01_a.sql
     = help: write a `backfill:`; its expressions may be given per database

    error: 1 error in the project
    hint: nothing was changed
    ");
}

#[test]
fn every_error_of_every_file_is_reported_in_one_run() {
    let project = Project::new(&[
        ("concertina.yaml", "releases: [liberty, mitaka]\nbatches: { rows: 1 }\n"),
        ("migrations/V1_liberty.sql", ""),
        (
            "expand/liberty/01_a.yaml",
            "steps:\n  - add_colum: { table: images }\n  - drop_table: { table: images }\n  - drop_default: { tabel: images, column: owner, colour: red }\n",
        ),
        ("expand/liberty/02_b.yaml", "steps: 3\n"),
        ("data/liberty/01_a.yaml", "backfill:\n  table: images\n  set: { a: b }\n"),
        ("contract/mitaka/01_a.yaml", "description: nothing yet\n"),
    ]);
    assert_snapshot!(said(&project), @"
    error: unknown key `batches`, expected one of `database`, `releases`, `requires`, `gates`, `batch`, `throttle`, `locks`, `matrix`
     --> concertina.yaml:2:1
      |
    2 | batches: { rows: 1 }
      | ^^^^^^^

    error: the file's name is not one that refinery reads
    --> migrations/V1_liberty.sql
     = help: expected V<number>__<words>.sql, such as V1__initial.sql

    error: unknown step `add_colum`; did you mean `add_column`?
     --> expand/liberty/01_a.yaml:2:5
      |
    2 |   - add_colum: { table: images }
      |     ^^^^^^^^^
      |
      = help: the steps of expand are `create_table`, `add_column`, `create_index`, `add_foreign_key`, `add_check`, `widen_column`, `add_enum_value`, `drop_not_null`, `drop_default`, `drop_constraint`, `sync`, `sql`

    error: `drop_table` is a step of contract, not of expand
     --> expand/liberty/01_a.yaml:3:5
      |
    3 |   - drop_table: { table: images }
      |     ^^^^^^^^^^
      |
      = help: move it to contract/liberty/01_a.yaml

    error: unknown key `tabel`, expected `table` or `column`
     --> expand/liberty/01_a.yaml:4:21
      |
    4 |   - drop_default: { tabel: images, column: owner, colour: red }
      |                     ^^^^^

    error: unknown key `colour`, expected `table` or `column`
     --> expand/liberty/01_a.yaml:4:51
      |
    4 |   - drop_default: { tabel: images, column: owner, colour: red }
      |                                                   ^^^^^^

    error: missing key `table`
     --> expand/liberty/01_a.yaml:4:5
      |
    4 |   - drop_default: { tabel: images, column: owner, colour: red }
      |     ^^^^^^^^^^^^

    error: invalid type: integer `3`, expected a list
     --> expand/liberty/02_b.yaml:1:8
      |
    1 | steps: 3
      |        ^

    error: missing key `where`
     --> data/liberty/01_a.yaml:1:1
      |
    1 | backfill:
      | ^^^^^^^^

    error: missing key `steps`
     --> contract/mitaka/01_a.yaml:1:1
      |
    1 | description: nothing yet
      | ^^^^^^^^^^^^^^^^^^^^^^^^

    error: 10 errors in the project
    hint: nothing was changed
    ");
}
