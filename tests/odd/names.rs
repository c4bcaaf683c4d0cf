//! Names as long as a database keeps them, and longer; names that are the same to a database and not to us.

use insta::assert_snapshot;

use crate::conformance::leftovers;
use crate::support::{Concertina, Kind, Project, TestDatabase, Train, on_every_database};

/// The longest name that a database keeps as it is, of letters of two bytes, with this end.
fn longest(kind: Kind, end: &str) -> String {
    let letters = match kind {
        Kind::Postgres => (63 - end.len()) / 2,
        Kind::MySql => 64 - end.len(),
        Kind::Sqlite => 150,
    };
    let name = format!("{}{end}", "é".repeat(letters));
    if kind == Kind::Postgres && name.len() < 63 { format!("x{name}") } else { name }
}

fn quoted(kind: Kind, name: &str) -> String {
    if kind == Kind::MySql { format!("`{name}`") } else { format!("\"{name}\"") }
}

on_every_database! {
    async fn names_as_long_as_can_be_that_begin_alike(db: TestDatabase) {
        let kind = db.kind();
        let name = |end: &str| longest(kind, end);
        let q = |end: &str| quoted(kind, &name(end));
        let mut session = db.owner().await;
        for table in ["t1", "t2"] {
            session
                .run(format!(
                    "CREATE TABLE {} (id INTEGER PRIMARY KEY, {} VARCHAR(20) NOT NULL DEFAULT 'a', {} VARCHAR(20))",
                    q(table), q("c1"), q("c2")
                ))
                .await;
            session.run(format!("INSERT INTO {} (id, {}) VALUES (1, 'b')", q(table), q("c1"))).await;
        }
        let sync = |end: &str| format!("{}{end}", "s".repeat(100));
        let steps: String = ["t1", "t2"]
            .into_iter()
            .map(|table| {
                format!(
                    "
  - add_column: {{ table: {t}, column: {{ name: {n}, type: string(20) }} }}
  - create_index: {{ table: {t}, name: {i}, columns: [{n}] }}
  - add_check: {{ table: {t}, name: {k}, check: {{ {kind}: '{c2} IS NULL OR {c2} <> {c1}' }}, allow_rewrite: true }}
  - drop_not_null: {{ table: {t}, column: {c} }}
  - sync:
      name: {s}
      table: {t}
      forward: {{ {n}: {{ {kind}: 'upper({c1})' }} }}
      backward: {{ {c}: {{ {kind}: 'lower({n1})' }} }}
      conflict: reject",
                    t = name(table), n = name("n1"), i = name(&format!("i{table}")), k = name(&format!("k{table}")),
                    c = name("c1"), s = sync(table), c1 = q("c1"), c2 = q("c2"), n1 = q("n1"), kind = kind.name(),
                )
            })
            .collect();
        let backfill = |table: &str| {
            format!(
                "backfill: {{ table: {}, set: {{ {}: {{ {kind}: 'upper({})' }} }}, where: {{ {kind}: '{} IS NULL' }} }}\n",
                name(table), name("n1"), q("c1"), q("n1"), kind = kind.name()
            )
        };
        let contract: String = ["t1", "t2"]
            .into_iter()
            .map(|table| {
                format!(
                    "
  - set_not_null: {{ table: {t}, column: {n} }}
  - add_unique: {{ table: {t}, name: {u}, columns: [{n}] }}
  - validate: {{ table: {t}, name: {k} }}
  - drop_constraint: {{ table: {t}, name: {k} }}
  - drop_index: {{ table: {t}, name: {i} }}
  - drop_column: {{ table: {t}, column: {c} }}",
                    t = name(table), n = name("n1"), u = name(&format!("u{table}")), k = name(&format!("k{table}")),
                    i = name(&format!("i{table}")), c = name("c1"),
                )
            })
            .collect();
        let mut train = Train::new(&db);
        train.add(&[
            ("expand/01_größe.yaml", &format!("steps:{steps}\n")),
            ("data/01_größe.yaml", &backfill("t1")),
            ("data/02_größe.yaml", &backfill("t2")),
            ("contract/01_größe.yaml", &format!("steps:{contract}\n")),
        ]);
        let concertina = train.concertina();
        concertina.run(&["expand"]).expect_code(0);
        for table in ["t1", "t2"] {
            session.run(format!("INSERT INTO {} (id, {}) VALUES (2, 'c')", q(table), q("c1"))).await;
            session.run(format!("INSERT INTO {} (id, {}) VALUES (3, 'D')", q(table), q("n1"))).await;
            let rows = format!("SELECT {}, {} FROM {} ORDER BY id", q("c1"), q("n1"), q(table));
            assert_eq!(session.lines(rows).await, ["b|-", "c|C", "d|D"]);
        }
        concertina.run(&["migrate"]).expect_code(0);
        concertina.run(&["contract", "--quiet-period", "0s"]).expect_code(0);
        for table in ["t1", "t2"] {
            let rows = format!("SELECT {} FROM {} ORDER BY id", q("n1"), q(table));
            assert_eq!(session.lines(rows).await, ["B", "C", "D"]);
        }
        leftovers::expect_none(&db, None).await;
        concertina.run(&["check"]).expect_code(0);
    }

    async fn releases_and_files_of_every_alphabet(db: TestDatabase) {
        let project = Project::new(&[
            ("concertina.yaml", "releases: [größe-1.0, 日本, select, ẞ_]\n"),
            ("expand/größe-1.0/01_früh.yaml", "steps:\n  - create_table: { name: a, columns: [{ name: id, type: integer }] }\n"),
            ("expand/日本/01_東京.sql", "INSERT INTO a VALUES (1);\n-- concertina: undo\nDELETE FROM a;\n"),
            ("contract/日本/0001_東京.sql", "DELETE FROM a;\n"),
            ("expand/select/01_from.yaml", "steps:\n  - create_index: { table: a, name: order, columns: [id] }\n"),
        ]);
        let concertina = Concertina::command(&db).project(&project);
        if db.file().is_some() {
            drop(db.owner().await);
        }
        for _ in 0..2 {
            concertina.run(&["upgrade", "--force", "lint"]).expect_code(0);
        }
        concertina.run(&["history"]).expect_code(0).expect_stdout("日本/expand/01_東京/1");
        concertina.run(&["status", "--output", "json"]).expect_code(0).expect_stdout("größe-1.0/expand/01_früh/1");
        concertina.run(&["check", "--release", "select"]).expect_code(0);
        project.edit("expand/日本/01_東京.sql", "(1)", "(2)");
        concertina.run(&["check"]).expect_code(8).expect_stderr("concertina resolve expand/日本/01_東京.sql --accept");
        concertina.run(&["resolve", "expand/日本/01_東京.sql", "--accept"]).expect_code(0);
        concertina.run(&["check"]).expect_code(0);
    }
}

#[test]
fn a_name_that_a_database_would_cut_is_told_wherever_it_stands() {
    let long = |end: &str| format!("{}{end}", "x".repeat(63));
    let steps = format!(
        "steps:
  - create_table:
      name: {table}
      columns: [{{ name: {column}, type: {{ enum: [a], name: {kind} }} }}, {{ name: id, type: integer }}]
      uniques: [{{ name: {unique}, columns: [id] }}]
      foreign_keys: [{{ name: {key}, columns: [id], references: {{ table: a, columns: [id] }} }}]
  - add_column: {{ table: a, column: {{ name: {added}, type: integer }} }}
  - create_index: {{ table: a, name: {index}, columns: [id] }}
  - add_check: {{ table: a, name: {check}, check: id > 0 }}
  - add_foreign_key: {{ table: a, name: {second}, columns: [id], references: {{ table: a, columns: [id] }} }}
",
        table = long("t"),
        column = long("c"),
        kind = long("e"),
        unique = long("u"),
        key = long("k"),
        added = long("a"),
        index = long("i"),
        check = long("h"),
        second = long("s"),
    );
    let contract = format!("steps:\n  - add_unique: {{ table: a, name: {}, columns: [id] }}\n", long("q"));
    let project = Project::new(&[
        ("concertina.yaml", "releases: [r]\n"),
        ("expand/r/01_a.yaml", &steps),
        ("contract/r/01_a.yaml", &contract),
    ]);
    let found = Concertina::in_project(project.path()).run(&["lint", "--output", "json"]);
    let found = found.expect_code(6).json();
    let mut ends: Vec<String> = found["findings"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|finding| finding["rule"] == "long-name")
        .map(|finding| {
            assert_eq!(finding["databases"], serde_json::json!(["postgres"]), "{finding}");
            let message = finding["message"].as_str().expect("a text");
            message.split('`').nth(1).expect("a name")[63..].to_owned()
        })
        .collect();
    ends.sort();
    assert_eq!(ends.concat(), "aceehikqstu".replacen('e', "", 1), "{found:#}");
}

#[test]
fn syncs_that_are_one_to_a_database() {
    let sync = |name: &str, old: &str, more: &str| {
        format!(
            "  - sync: {{ name: {name}, table: t, forward: {{ n{old}: {old} }}, backward: {{ {old}: n{old} }}{more} }}\n"
        )
    };
    let related = ", related: [{ table: m, key: { t: id }, when: b IS NULL }]";
    let project = Project::new(&[
        ("concertina.yaml", "releases: [r]\n"),
        (
            "expand/r/01_a.yaml",
            &format!(
                "steps:\n{}{}{}{}",
                sync("one", "a", ""),
                sync("One", "c", ""),
                sync("two", "b", related),
                sync("two_related0", "d", "")
            ),
        ),
    ]);
    let output = Concertina::in_project(project.path()).run(&["lint"]);
    output.expect_code(1);
    assert_snapshot!(output.stderr, @"
    error: the sync `One` would have a trigger of the same name as `one`
     --> expand/r/01_a.yaml:3:19
      |
    3 |   - sync: { name: One, table: t, forward: { nc: c }, backward: { c: nc } }
      |                   ^^^

    error: the sync `two_related0` would have a trigger of the same name as `two`
     --> expand/r/01_a.yaml:5:19
      |
    5 |   - sync: { name: two_related0, table: t, forward: { nd: d }, backward: { d: nd } }
      |                   ^^^^^^^^^^^^

    error: 2 errors in the project
    hint: nothing was changed
    ");
}
