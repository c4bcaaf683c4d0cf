//! `history`: who did what, when, and what became of it.

use serde_json::Value;

use crate::conformance::glance::{Node, at_newton};
use crate::support::{Concertina, TestDatabase, on_every_database};

/// The events of a query, oldest first.
#[track_caller]
fn events(concertina: &Concertina, arguments: &[&str]) -> Vec<Value> {
    let output = concertina.run(&[&["history", "--output", "json"], arguments].concat());
    output.expect_code(0);
    output.stdout.lines().map(|line| serde_json::from_str(line).expect("a document a line")).collect()
}

fn told(events: &[Value]) -> Vec<String> {
    let text = |event: &Value, key: &str| event[key].as_str().unwrap_or_default().to_owned();
    events
        .iter()
        .map(|event| format!("{}: {} {}", text(event, "command"), text(event, "subject"), text(event, "outcome")))
        .collect()
}

on_every_database! {
    async fn every_command_step_batch_gate_and_failure_is_kept(db: TestDatabase) {
        let concertina = at_newton(&db).await;
        let mut node = Node::start(&db).await;
        for number in 0..30 {
            node.create_old(&format!("old{number:02}"), number % 2 == 0).await.expect("an old write");
        }
        concertina.run(&["expand"]).expect_code(0);
        concertina.run(&["migrate", "--max-rows", "10"]).expect_code(4);
        concertina.run(&["pause"]).expect_code(0);
        concertina.run(&["resume"]).expect_code(0);
        concertina.run(&["migrate"]).expect_code(0);
        node.create_old("late", true).await.expect("an old write");
        concertina.run(&["contract", "--force", "quiet"]).expect_code(0);

        let all = events(&concertina, &["--release", "ocata"]);
        let steps = told(&all);
        for expected in [
            "expand: ocata/expand/01_visibility/1 done",
            "expand: ocata/expand done",
            "migrate: ocata/migrate/01_visibility stopped",
            "migrate: ocata/migrate/01_visibility done",
            "migrate: ocata/migrate done",
            "contract: ocata/contract done",
        ] {
            assert!(steps.iter().any(|step| step == expected), "`{expected}` is not in {steps:#?}");
        }
        let commands = told(&events(&concertina, &["--subject", "command"]));
        for expected in ["expand: command started", "expand: command done", "pause: command done", "resume: command done"] {
            assert!(commands.iter().any(|command| command == expected), "`{expected}` is not in {commands:#?}");
        }
        let gates = told(&events(&concertina, &["--subject", "gate", "--by", "contract"]));
        assert_eq!(gates, ["contract: gate quiet forced", "contract: gate verified passed"]);
        let mut times: Vec<i64> = all.iter().map(|event| event["happened_at"].as_i64().expect("a time")).collect();
        let version = format!("({})", env!("CARGO_PKG_VERSION"));
        for event in &all {
            let runner = event["runner"].as_str().expect("who");
            assert!(runner.contains('@') && runner.contains(" pid ") && runner.ends_with(&version), "{runner}");
        }
        let sorted = { let mut sorted = times.clone(); sorted.sort_unstable(); sorted };
        assert_eq!(times, sorted, "oldest first");
        let now = db.owner().await.value("SELECT MAX(happened_at) FROM concertina_history").await;
        assert!(times.pop() <= now.and_then(|now| now.parse().ok()), "by the database's clock");

        assert_eq!(events(&concertina, &["--limit", "2"]).len(), 2);
        assert!(events(&concertina, &["--since", "0"]).is_empty());
        let text = concertina.run(&["history", "--outcome", "forced"]);
        text.expect_code(0).expect_stdout("Z  forced   gate quiet  [contract, ").expect_stdout("an old node wrote");
        assert_eq!(text.stdout.lines().count(), 2, "{text}");
    }

    async fn a_failure_is_kept_with_its_reason(db: TestDatabase) {
        let concertina = at_newton(&db).await;
        concertina.run(&["expand"]).expect_code(0);
        concertina.run(&["migrate"]).expect_code(0);
        // A row that the new default's predicate does not hold for: contract stops at its proof.
        db.owner().await.run(match db.kind() {
            crate::support::Kind::Postgres => "ALTER TABLE images DISABLE TRIGGER USER",
            _ => "DROP TRIGGER concertina_images_visibility_insert",
        }).await;
        concertina.run(&["contract", "--quiet-period", "0s"]).expect_code(8);
        concertina.run(&["history", "--outcome", "failed"]).expect_code(0);
    }

    async fn a_database_without_a_history_has_none(db: TestDatabase) {
        if db.file().is_some() {
            drop(db.owner().await);
        }
        Concertina::command(&db).run(&["history"]).expect_code(0).expect_stdout("nothing happened here yet");
    }
}
