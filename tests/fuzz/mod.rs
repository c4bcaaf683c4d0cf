//! Hostile input: the manifest, change files, expressions, scripts and a table's own text. Each target takes a text, does what
//! Concertina does with it, and fails where a property does not hold; no text may make it panic, hang, or take memory without end.
//!
//! A test runs every file of `corpus/<target>/`, and then mutations of them for some seconds, in a process of its own with limits.
//! When one fails, the text is left in `target/tmp/` in its smallest form, and belongs into the corpus once it is put right.
//! `CONCERTINA_FUZZ_SEED=N` draws the same mutations again, `CONCERTINA_FUZZ_SECONDS=N` goes on for longer, and so does
//! `CONCERTINA_DEEP=1`.
//!
//! To add a target: a function in `targets/`, a line in `TARGETS`, a test below, a folder in `corpus/`.

mod mutation;
mod runner;
mod targets;

use runner::Target;

const TARGETS: [Target; 5] = [
    Target { name: "manifest", run: targets::manifest::run, words: mutation::MANIFEST },
    Target { name: "change", run: targets::change::run, words: mutation::CHANGE },
    Target { name: "sql", run: targets::sql::run, words: mutation::SQL },
    Target { name: "expression", run: targets::expression::run, words: mutation::SQL },
    Target { name: "table", run: targets::table::run, words: mutation::TABLE },
];

#[test]
fn manifest() {
    runner::fuzz("manifest");
}

#[test]
fn change() {
    runner::fuzz("change");
}

#[test]
fn sql() {
    runner::fuzz("sql");
}

#[test]
fn expression() {
    runner::fuzz("expression");
}

#[test]
fn table() {
    runner::fuzz("table");
}

#[test]
#[ignore = "the process that the others start"]
fn process() {
    runner::process(&TARGETS);
}
