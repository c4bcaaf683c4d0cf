//! What must not work: each test asserts the exit code, the words that an operator needs, and that nothing changed.

mod commands;
mod connection;
mod drift;
mod expressions;
mod files;
mod order;
mod strangers;
mod throttles;

use crate::support::{Concertina, Dump, Output, TestDatabase};

/// Runs a command that must end with this code and leave the database as it was.
#[track_caller]
fn refused(db: &TestDatabase, concertina: &Concertina, arguments: &[&str], code: i32) -> impl Future<Output = Output> {
    let caller = std::panic::Location::caller();
    async move {
        let before = Dump::of(db).await;
        let output = concertina.run(arguments);
        assert_eq!(output.code, Some(code), "the exit code should be {code} (asked at {caller}):\n{output}");
        assert!(output.stdout.is_empty(), "a refusal has no result (asked at {caller}):\n{output}");
        let after = Dump::of(db).await;
        assert!(before == after, "something changed (asked at {caller}):\n{output}\n{}", before.difference(&after));
        output
    }
}
