//! Every integration test, in one binary: `tests/run` starts the servers and runs it.
//!
//! The tests stand outside. They run the real `concertina` and look at the database with SQL of their own, so that
//! nothing in `src/` can vouch for itself. One folder per concern; a test that concerns behaviour on a database is
//! written once, inside `on_every_database!`, and runs on all of them.

#![allow(
    clippy::doc_markdown,
    clippy::expect_used,
    clippy::format_collect,
    clippy::option_option,
    clippy::ref_option,
    clippy::too_many_lines,
    clippy::panic,
    clippy::unwrap_used,
    missing_docs,
    reason = "a test fails by panicking, its name is its documentation, and it is not in a hurry"
)]

mod backfill;
mod bad_input;
mod baseline;
mod cli;
mod conformance;
mod connections;
mod crash;
mod deploy;
mod drift;
mod fuzz;
mod glance_failures;
mod layout;
mod lease;
mod lint;
mod locks;
mod matrix;
mod odd;
mod operators;
mod page;
mod plan;
mod rehearsal;
mod rights;
mod rollback;
mod steps;
mod support;
mod sync;
mod uninstall;
