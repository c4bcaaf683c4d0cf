//! Reads `src/` and fails on an arrow that the layout forbids, on a file that nothing compiles, and on a room that does
//! what belongs to another. It reads text, not types, so that it says which line to change.

mod module_tree;
mod rust_source;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rust_source::{Reference, Source};

/// The rooms, each with those that it may import and what can be reached through them.
const ARROWS: [(&str, &[&str]); 9] = [
    ("cli", &["rehearsal"]),
    ("rehearsal", &["engine"]),
    ("engine", &["plan", "store"]),
    ("plan", &["catalog"]),
    ("catalog", &["step"]),
    ("step", &["dialect"]),
    ("store", &["db"]),
    ("db", &["dialect"]),
    ("dialect", &[]),
];

/// The crates that hide behind the name sqlx.
const SQLX: [&str; 5] = ["sqlx", "sqlx_core", "sqlx_postgres", "sqlx_mysql", "sqlx_sqlite"];

const PRINTING: [&str; 4] = ["println", "eprintln", "print", "eprint"];

/// Says whether `room` may import `other`: itself, and what lies below it.
fn may_import(room: &str, other: &str) -> bool {
    room == other
        || ARROWS
            .iter()
            .filter(|(from, _)| *from == room)
            .flat_map(|(_, to)| to.iter())
            .any(|below| may_import(below, other))
}

fn is_room(name: &str) -> bool {
    ARROWS.iter().any(|(room, _)| *room == name)
}

/// Lists what is wrong with one file of `src/`, named by its path in there.
fn violations(path: &str, text: &str) -> Vec<String> {
    let source = Source::read(text);
    let mut found = Vec::new();
    let mut complain = |line: usize, complaint: String| found.push(format!("src/{path}:{line}: {complaint}"));

    let is_root = matches!(path, "main.rs" | "lib.rs");
    let module = module_tree::module_of(path);
    let room = module.first().map_or("", String::as_str);
    if !is_root && !is_room(room) {
        complain(1, format!("`{room}` is no room of the layout"));
    }

    if !is_root {
        for Reference { line, path } in source.references(&module) {
            match path.first().map(String::as_str) {
                Some(other) if is_room(other) => {
                    if !may_import(room, other) {
                        complain(line, format!("`{room}` may not import `{other}`"));
                    }
                }
                // A name that the root hands on would be an arrow that nobody sees.
                _ => complain(line, format!("`crate::{}` is in no room: import it from its own", path.join("::"))),
            }
        }
    }
    if room != "db" {
        for line in source.lines_with(|names| names.first().is_some_and(|name| SQLX.contains(name))) {
            complain(line, "only `db` names sqlx".to_owned());
        }
    }
    if room != "cli" {
        let prints = |names: &[&str]| {
            matches!(names, [name, "!", ..] if PRINTING.contains(name))
                || matches!(names, ["io", "::", "stdout" | "stderr", ..])
        };
        for line in source.lines_with(prints) {
            complain(line, "only `cli` prints".to_owned());
        }
        // main.rs hands the exit code on.
        if path != "main.rs" {
            for line in source.lines_with(|names| matches!(names, ["process", "::", "exit", ..])) {
                complain(line, "only `cli` ends the process".to_owned());
            }
        }
    }
    found
}

/// Every .rs file below a folder of the repository, by its path in that folder.
fn rust_files(folder: &str) -> BTreeSet<String> {
    fn visit(folder: &Path, root: &Path, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).expect("a folder of the repository") {
            let path = entry.expect("an entry of the folder").path();
            if path.is_dir() {
                visit(&path, root, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let relative = path.strip_prefix(root).expect("below the root");
                found.insert(relative.to_str().expect("file names are UTF-8").replace('\\', "/"));
            }
        }
    }
    let root = repository(folder);
    let mut found = BTreeSet::new();
    visit(&root, &root, &mut found);
    found
}

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(folder: &str, path: &str) -> String {
    let file = repository(folder).join(path);
    std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("failed to read `{}`: {error}", file.display()))
}

/// Fails with the files of a folder that none of the roots leads to by `mod`.
fn expect_all_compiled(folder: &str, roots: &[&str]) {
    let files = rust_files(folder);
    let compiled = module_tree::reachable(roots, &files, |path| read(folder, path));
    let forgotten: Vec<&String> = files.difference(&compiled).collect();
    assert!(forgotten.is_empty(), "no `mod` leads from {roots:?} in {folder}/ to {forgotten:?}");
}

#[test]
fn every_room_keeps_to_the_layout() {
    let found: Vec<String> = rust_files("src").iter().flat_map(|path| violations(path, &read("src", path))).collect();
    assert!(found.is_empty(), "{} lines break the layout:\n{}", found.len(), found.join("\n"));
}

#[test]
fn every_source_file_is_compiled() {
    expect_all_compiled("src", &["lib.rs", "main.rs"]);
}

#[test]
fn every_test_file_is_compiled() {
    expect_all_compiled("tests", &["main.rs"]);
}

mod the_checker {
    use super::*;

    #[track_caller]
    fn expect(path: &str, text: &str, complaints: &[&str]) {
        let found = violations(path, text);
        let found: Vec<&str> = found.iter().filter_map(|line| line.splitn(3, ':').nth(2)).map(str::trim).collect();
        assert_eq!(found, complaints, "in {path}:\n{text}");
    }

    #[test]
    fn knows_the_arrows() {
        assert!(may_import("cli", "dialect"));
        assert!(may_import("engine", "db"));
        assert!(may_import("plan", "step"));
        assert!(may_import("db", "dialect"));
        for (room, other) in [
            ("plan", "store"),
            ("catalog", "db"),
            ("step", "db"),
            ("store", "step"),
            ("db", "store"),
            ("engine", "cli"),
        ] {
            assert!(!may_import(room, other), "{room} to {other}");
        }
    }

    #[test]
    fn lets_arrows_down_through() {
        expect("engine/expand.rs", "use crate::{db::{Pool, Row}, plan::Plan};\nuse super::event::Event;", &[]);
        expect("cli/mod.rs", "fn main() { println!(); std::process::exit(crate::engine::run()); }", &[]);
        expect("db/pool.rs", "use sqlx::PgPool;\npub(in crate::db) fn a() {}\npub(crate) fn b() {}", &[]);
    }

    #[test]
    fn catches_an_arrow_up() {
        expect("plan/mod.rs", "use crate::engine::Engine;", &["`plan` may not import `engine`"]);
        expect("dialect/mysql.rs", "fn f(s: &crate::step::Step) {}", &["`dialect` may not import `step`"]);
    }

    #[test]
    fn catches_an_arrow_in_a_group() {
        expect(
            "catalog/mod.rs",
            "use crate::{step::{Step, add_column}, store::Store as Facts, db::*};",
            &["`catalog` may not import `store`", "`catalog` may not import `db`"],
        );
        expect("step/mod.rs", "use {std::fmt, crate::db::Pool};", &["`step` may not import `db`"]);
    }

    #[test]
    fn catches_an_arrow_by_super() {
        expect("step/sync.rs", "use super::super::store::Store;", &["`step` may not import `store`"]);
        expect("step/mod.rs", "use super::plan;", &["`step` may not import `plan`"]);
        expect("step/sync.rs", "use super::{super::{plan::Plan, dialect}, Step};", &["`step` may not import `plan`"]);
        expect(
            "step/sync.rs",
            "mod tests { use super::super::super::plan::Plan; use super::super::Step; use super::*; }",
            &["`step` may not import `plan`"],
        );
        expect("step/sync.rs", "fn f() -> self::super::super::db::Pool {}", &["`step` may not import `db`"]);
    }

    #[test]
    fn catches_a_name_that_the_root_hands_on() {
        expect("plan/mod.rs", "use crate::Error;", &["`crate::Error` is in no room: import it from its own"]);
        expect("plan/mod.rs", "use crate::*;", &["`crate::*` is in no room: import it from its own"]);
        expect("plan/mod.rs", "use crate as all;", &["`crate::` is in no room: import it from its own"]);
    }

    #[test]
    fn catches_a_file_outside_the_rooms() {
        expect("util.rs", "", &["`util` is no room of the layout"]);
        expect("helpers/text.rs", "", &["`helpers` is no room of the layout"]);
    }

    #[test]
    fn catches_sqlx_outside_db() {
        expect("store/mod.rs", "type Error = sqlx::Error;", &["only `db` names sqlx"]);
        expect("lib.rs", "pub use sqlx_postgres as postgres;", &["only `db` names sqlx"]);
    }

    #[test]
    fn catches_printing_and_exiting_outside_cli() {
        expect("engine/mod.rs", "fn f() { println!(\"{}\", 1); }", &["only `cli` prints"]);
        expect(
            "engine/mod.rs",
            "fn f() { eprint!(); std::io::stderr(); }",
            &["only `cli` prints", "only `cli` prints"],
        );
        expect("db/mod.rs", "use std::process; fn f() { process::exit(1) }", &["only `cli` ends the process"]);
        expect("main.rs", "fn main() { std::process::exit(concertina::cli::run()) }", &[]);
        expect("main.rs", "fn main() { print!() }", &["only `cli` prints"]);
    }

    #[test]
    fn does_not_read_comments_and_texts() {
        expect(
            "plan/mod.rs",
            r##"
                //! Never `use crate::db::Pool`; sqlx is for db. println!()
                /* crate::store::x /* nested */ crate::db::x */
                const A: &str = "crate::db::Pool \" sqlx";
                const B: &str = r#"println!("crate::db")"#;
                fn f<'a>(c: char) -> bool { c == '"' || c == '\'' || c == 'x' }
                const C: &[u8] = b"sqlx";
            "##,
            &[],
        );
        // What follows a text is read again.
        expect("plan/mod.rs", "const A: char = '\"'; use crate::db::A;", &["`plan` may not import `db`"]);
    }

    #[test]
    fn finds_the_files_that_nothing_compiles() {
        let files = [
            ("lib.rs", "mod a; pub mod b { mod c; } // mod not_really;"),
            ("a.rs", "pub(crate) mod x;"),
            ("a/x.rs", ""),
            ("a/forgotten.rs", ""),
            ("b/c/mod.rs", "mod d;"),
            ("b/c/d.rs", ""),
            ("main.rs", ""),
            ("not_really.rs", ""),
        ];
        let names: BTreeSet<String> = files.iter().map(|(name, _)| (*name).to_owned()).collect();
        let text = |path: &str| files.iter().find(|(name, _)| *name == path).expect("a file").1.to_owned();
        let compiled = module_tree::reachable(&["lib.rs", "main.rs"], &names, text);
        let forgotten: Vec<&String> = names.difference(&compiled).collect();
        assert_eq!(forgotten, ["a/forgotten.rs", "not_really.rs"]);
    }
}
