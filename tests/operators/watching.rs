//! `status --watch`: the same screen, again and again.

use crate::conformance::glance::at_newton;
use crate::support::{TestDatabase, on_every_database};

on_every_database! {
    async fn what_changes_is_seen(db: TestDatabase) {
        let concertina = at_newton(&db).await;
        let watching = concertina.spawn(&["status", "--watch", "--every", "100ms"]);
        watching.wait_for_stdout("next: concertina expand (ocata)");
        concertina.run(&["expand"]).expect_code(0);
        watching.wait_for_stdout("next: concertina migrate (ocata)");
        watching.signal("INT");
        let output = watching.finish();
        output.expect_code(130);
        assert!(!output.stdout.contains('\u{1b}'), "nobody watches a pipe");

        let documents = concertina.spawn(&["status", "--watch", "--every", "100ms", "--output", "json"]);
        documents.wait_for_stdout("\n");
        documents.signal("TERM");
        let output = documents.finish();
        output.expect_code(143);
        for line in output.stdout.lines() {
            let status: serde_json::Value = serde_json::from_str(line).expect("a document a line");
            assert_eq!(status["next"]["phase"], "migrate");
        }
    }
}

#[test]
fn on_a_terminal_it_is_redrawn_in_place() {
    crate::support::run(crate::support::Kind::Sqlite, "redrawn_in_place", async |db: TestDatabase| {
        let concertina = at_newton(&db).await;
        // `script` gives the command a terminal.
        let watching = concertina.on_a_terminal().spawn(&["status", "--watch", "--every", "100ms"]);
        watching.wait_for_stdout("\u{1b}[H");
        watching.wait_for_stdout("\u{1b}[J");
        watching.wait_for_stdout("next: concertina expand (ocata)\u{1b}[K");
        watching.kill();
    });
}
