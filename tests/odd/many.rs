//! A project of 10,000 change files, and one of many releases. The figure that counts is that of a release build
//! (docs/project.md); the limits here are those of a program that is not optimised, and catch what grows with the square.

use std::fmt::Write;

use crate::support::{Concertina, Project};

/// A train of releases with ten files each.
fn project(releases: usize) -> Project {
    let names: Vec<String> = (0..releases).map(|release| format!("r{release}")).collect();
    let project = Project::new(&[]);
    project.write("concertina.yaml", &format!("releases: [{}]\n", names.join(", ")));
    let mut baseline = String::new();
    for table in 0..100 {
        let old: String = (table..releases).step_by(100).map(|release| format!(", o{release} TEXT")).collect();
        writeln!(baseline, "CREATE TABLE t{table} (id INTEGER PRIMARY KEY{old});").expect("a text");
    }
    project.write("migrations/V1__start.sql", &baseline);
    for release in 0..releases {
        let table = release % 100;
        for file in 1..=6 {
            project.write(
                &format!("expand/r{release}/0{file}_column.yaml"),
                &format!("steps:\n  - add_column:\n      table: t{table}\n      column: {{ name: c{release}_{file}, type: text }}\n"),
            );
        }
        project.write(
            &format!("expand/r{release}/07_sync.yaml"),
            &format!(
                "steps:\n  - sync:\n      name: s{release}\n      table: t{table}\n      forward: {{ c{release}_1: upper(o{release}) }}\n      backward: {{ o{release}: lower(c{release}_1) }}\n      conflict: reject\n"
            ),
        );
        project.write(
            &format!("expand/r{release}/08_index.sql"),
            &format!("CREATE INDEX i{release} ON t{table} (c{release}_2);\n"),
        );
        project.write(
            &format!("data/r{release}/01_fill.yaml"),
            &format!("backfill:\n  table: t{table}\n  set: {{ c{release}_1: upper(o{release}) }}\n  where: c{release}_1 IS NULL\n"),
        );
        project.write(
            &format!("contract/r{release}/01_drop.yaml"),
            &format!("steps:\n  - drop_column: {{ table: t{table}, column: o{release} }}\n"),
        );
    }
    project
}

#[test]
fn ten_thousand_files_are_checked_soon() {
    let project = project(1_000);
    let file = project.path().join("many.db");
    std::fs::write(&file, "").expect("an empty database");
    let url = format!("sqlite://{}", file.display());
    Concertina::in_project(project.path()).database(&url).limit_work(10).run(&["check"]).expect_code(3);
}

#[test]
fn lint_knows_a_long_train_release_by_release() {
    let names: Vec<String> = (0..1_500).map(|release| format!("r{release}")).collect();
    let project = Project::new(&[]);
    project.write("concertina.yaml", &format!("releases: [{}]\n", names.join(", ")));
    let columns: String = (0..400).map(|column| format!(", a{column} INTEGER")).collect();
    project.write("migrations/V1__start.sql", &format!("CREATE TABLE t (id INTEGER PRIMARY KEY{columns});\n"));
    for name in names {
        let file = format!("contract/{name}/01_a.yaml");
        project.write(&file, &format!("steps:\n  - set_not_null: {{ table: u, column: {name} }}\n"));
    }
    // What all of its releases know together is 1.2 million columns.
    Concertina::in_project(project.path()).limit_memory(400 << 20).run(&["lint"]).expect_code(0);
}
