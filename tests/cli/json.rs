//! `--output json`: one document on stdout, with the documented fields, and nothing else there.

use serde_json::{Value, json};

use crate::conformance::glance::{CHANGING, RELEASES};
use crate::support::{BaselineFile, Concertina, TestDatabase, on_every_database};

/// Runs a command for its document.
#[track_caller]
fn document(concertina: &Concertina, arguments: &[&str], code: i32) -> Value {
    let output = concertina.run(&[arguments, &["--output", "json"]].concat());
    output.expect_code(code);
    output.json()
}

/// Fails unless an object has these fields, in this order, and no other.
#[track_caller]
fn expect_fields(value: &Value, fields: &[&str]) {
    let found: Vec<&str> =
        value.as_object().unwrap_or_else(|| panic!("no object: {value}")).keys().map(String::as_str).collect();
    assert_eq!(found, fields, "{value:#}");
}

const OUTCOME: [&str; 4] = ["done", "limited", "caution", "next"];

on_every_database! {
    async fn the_phases(db: TestDatabase) {
        let concertina = Concertina::command(&db);
        let outcome = document(&concertina, &["upgrade", "--to", "newton"], 0);
        expect_fields(&outcome, &OUTCOME);
        assert_eq!(outcome["done"], json!(["V1__liberty", "V2__mitaka01", "V3__mitaka02"]));
        let next = json!({ "phase": "expand", "release": "ocata", "command": "concertina expand" });
        assert_eq!(outcome["next"], next);

        let outcome = document(&concertina, &["expand"], 0);
        expect_fields(&outcome, &OUTCOME);
        assert_eq!(outcome["done"], json!(["ocata/expand"]));
        assert_eq!(outcome["next"]["phase"], "migrate");
        assert_eq!(document(&concertina, &["expand"], 0)["done"], json!([]));

        let outcome = document(&concertina, &["migrate"], 0);
        expect_fields(&outcome, &OUTCOME);
        assert_eq!(outcome["done"], json!(["ocata/migrate"]));
        assert_eq!(outcome["limited"], false);

        let outcome = document(&concertina, &["contract"], 0);
        expect_fields(&outcome, &OUTCOME);
        assert_eq!(outcome["done"], json!(["ocata/contract"]));
        assert!(outcome["caution"].as_str().is_some_and(|caution| caution.contains("no old-style write")), "{outcome}");

        let outcome = document(&concertina, &["upgrade"], 0);
        let phases: Vec<String> = CHANGING[1..]
            .iter()
            .flat_map(|release| {
                let migrate = (*release == "train").then_some("migrate");
                ["expand"].into_iter().chain(migrate).chain(["contract"]).map(move |phase| format!("{release}/{phase}"))
            })
            .collect();
        assert_eq!(outcome["done"], json!(phases));
        assert_eq!(outcome["next"], json!({ "phase": "none", "release": null, "command": null }));
    }

    async fn check_and_status_and_plan(db: TestDatabase) {
        let concertina = Concertina::command(&db);
        concertina.run(&["upgrade", "--to", "newton"]).expect_code(0);

        let check = document(&concertina, &["check"], 3);
        expect_fields(&check, &["next", "allowed", "reason"]);
        assert_eq!(check["allowed"], Value::Null);
        let check = document(&concertina, &["check", "--release", "ocata"], 6);
        assert_eq!(check["allowed"], false);
        assert!(check["reason"].as_str().is_some_and(|reason| reason.contains("ocata")), "{check}");

        let plan = document(&concertina, &["plan"], 0);
        expect_fields(&plan, &["release", "phase", "steps"]);
        assert_eq!((&plan["release"], &plan["phase"]), (&json!("ocata"), &json!("expand")));
        expect_fields(&plan["steps"][0], &["id", "summary", "statements", "transactional", "costs"]);
        assert_eq!(plan["steps"][0]["id"], "ocata/expand/01_visibility/1");

        concertina.run(&["expand"]).expect_code(0);
        let status = document(&concertina, &["status"], 0);
        expect_fields(
            &status,
            &["database", "server", "current_release", "next", "baseline", "releases", "drift", "runner", "workers", "paused", "tuned", "now"],
        );
        assert_eq!(status["current_release"], "newton");
        assert_eq!(status["next"]["command"], "concertina migrate");
        assert_eq!(status["runner"], Value::Null);
        assert_eq!(status["drift"], json!([]));
        assert_eq!(status["baseline"]["applied"], json!(["V1__liberty", "V2__mitaka01", "V3__mitaka02"]));
        assert_eq!(status["baseline"]["pending"], json!([]));
        let states: Vec<_> = (0..3).map(|at| status["releases"][at]["state"].clone()).collect();
        assert_eq!(states, ["unchanged", "expanded", "pending"]);
        let ocata = &status["releases"][1];
        expect_fields(ocata, &["name", "state", "phases", "steps", "backfills", "syncs"]);
        expect_fields(&ocata["phases"][0], &["phase", "started_at", "finished_at"]);
        expect_fields(&ocata["steps"][0], &["id", "summary", "state", "started_at", "duration_ms", "failure"]);
        assert_eq!(ocata["steps"][0]["state"], "done");
        expect_fields(
            &ocata["backfills"][0],
            &["id", "table", "state", "rows_changed", "rows_walked", "pass", "rows_estimated", "last_batch_at"],
        );
        assert_eq!(ocata["backfills"][0]["state"], "pending");
        expect_fields(&ocata["syncs"][0], &["name", "table", "last_old_write", "last_new_write"]);
        let now = status["now"].as_i64().expect("milliseconds");
        let started = ocata["phases"][0]["started_at"].as_i64().expect("milliseconds");
        assert!(started <= now && now - started < 600_000, "{started} and {now}");
    }

    async fn baseline(db: TestDatabase) {
        let mut session = db.owner().await;
        for file in BaselineFile::bundled(db.kind()) {
            file.run(&mut session).await;
        }
        db.grant_scratch().await;
        let concertina = Concertina::command(&db);
        let adopted = document(&concertina, &["baseline", "--at", "V3"], 0);
        assert_eq!(adopted, json!({ "adopted": ["V1__liberty", "V2__mitaka01", "V3__mitaka02"] }));
        assert_eq!(document(&concertina, &["baseline", "--at", "V3"], 0), json!({ "adopted": [] }));
        session.execute("DELETE FROM refinery_schema_history").await.expect("the owner may");
        session.execute("DROP TABLE task_info").await.expect("the owner may");
        let refused = document(&concertina, &["baseline", "--at", "V3"], 6);
        assert_eq!(refused["error"]["details"], json!(["table task_info is missing"]));
    }

    async fn errors(db: TestDatabase) {
        let concertina = Concertina::command(&db);
        concertina.run(&["upgrade", "--to", "newton"]).expect_code(0);
        let unknown = format!("there is no release `okata` in the train ({}); did you mean `ocata`?", RELEASES.join(", "));
        for (arguments, code, message) in [
            (["contract"].as_slice(), 6, "no release is open: ocata is not expanded"),
            (&["expand", "--release", "okata"], 2, unknown.as_str()),
        ] {
            let document = document(&concertina, arguments, code);
            expect_fields(&document, &["error"]);
            expect_fields(&document["error"], &["message", "hint", "details", "code"]);
            assert_eq!(document["error"]["message"], message);
            assert_eq!(document["error"]["code"], code);
        }
        // A collector of logs gets JSON on the other stream, line by line.
        let output = concertina.run(&["expand", "--output", "json", "--log-format", "json"]);
        output.expect_code(0);
        for line in output.stderr.lines() {
            let event: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}\n{output}"));
            assert!(event["event"].is_string(), "{line}");
        }
    }
}
