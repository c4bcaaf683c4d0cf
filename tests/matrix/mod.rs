//! `matrix`: which upgrades there are to rehearse, in each form that it is printed in, and which of them a change touches.

mod changed;
mod forms;
mod manifest;

use crate::support::{Concertina, Output, Project};

fn matrix(project: &Project, arguments: &[&str]) -> Output {
    Concertina::in_project(project.path()).run(&[&["matrix"], arguments].concat())
}

/// Three releases that change something and one between them that does not, for PostgreSQL and SQLite.
fn project() -> Project {
    let step = "steps:\n  - create_table: { name: NAME, columns: [{ name: id, type: integer }], primary_key: [id] }\n";
    let table = |name: &str| step.replace("NAME", name);
    Project::new(&[
        ("concertina.yaml", "releases: [one, two, quiet, three, four]\nmatrix: { skip_level: [[one, four]] }\n"),
        ("migrations/postgres/V1__first.sql", "CREATE TABLE a (id INTEGER PRIMARY KEY, b TEXT);\n"),
        ("migrations/sqlite/V1__first.sql", "CREATE TABLE a (id INTEGER PRIMARY KEY, b TEXT);\n"),
        ("expand/one/01_a.yaml", &table("one")),
        ("expand/two/01_a.yaml", &table("two")),
        ("data/two/01_b.yaml", COMMAND),
        ("programs/lower.py", "#!/usr/bin/env python3\n"),
        ("programs/words.txt", "words\n"),
        ("expand/three/01_a.postgres.sql", "CREATE TABLE three (id INTEGER PRIMARY KEY);\n"),
        ("expand/three/01_a.sqlite.sql", "CREATE TABLE three (id INTEGER PRIMARY KEY);\n"),
        ("contract/four/01_a.yaml", "steps:\n  - drop_table: { table: three }\n"),
    ])
}

const COMMAND: &str = "backfill:
  table: a
  command: { run: [programs/lower.py], reads: [], writes: [b] }
  where: b <> lower(b)
";
