//! The slow tier: every cell of the bundled matrix, with stages as long as a user's.

use std::io::Write;

use super::Rehearsal;
use crate::support::{Project, TestDatabase, is_deep, on_every_database};

on_every_database! {
    async fn every_cell_of_the_bundled_matrix(db: TestDatabase) {
        if !is_deep() {
            return;
        }
        let rehearsal = Rehearsal::of(&Project::bundled(), Some(&db)).stage("2s");
        let output = rehearsal.run(&["--all", "--on", db.kind().name()]);
        let all = output.json();
        let cells = all["cells"].as_array().expect("cells");
        let mut table = String::new();
        for cell in cells {
            let word = |key: &str| cell[key].as_str().unwrap_or("-").to_owned();
            let seconds = cell["duration_ms"].as_f64().unwrap_or(0.0) / 1e3;
            let [from, to, database, verdict] = ["from", "to", "database", "verdict"].map(word);
            table.push_str(&format!("| {from} | {to} | {database} | {verdict} | {seconds:.1} s |\n"));
        }
        say(&table);
        output.expect_code(0);
        assert_eq!(cells.len(), 7);
    }
}

/// Tells what the closing note shows; the harness keeps it with the test's output.
fn say(table: &str) {
    std::io::stderr().write_all(table.as_bytes()).expect("stderr");
}
