//! The published schemas of JSON documents: what they demand, and that every command and every event has one. Whether the
//! documents keep to them is seen by the harness, at every run of every test.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::schema::{DOCUMENTS, folder, published, violations};
use crate::support::{Concertina, Project, TestDatabase, on_every_database};

/// Every published schema, by its name.
fn all() -> Vec<(String, Value)> {
    let files = std::fs::read_dir(folder()).expect("the schemas");
    let names =
        files.map(|file| file.expect("a file").path().file_stem().expect("a name").to_string_lossy().into_owned());
    let names: BTreeSet<String> = names.collect();
    names.into_iter().map(|name| (name.clone(), published(&name))).collect()
}

/// Every object's schema in a schema.
fn objects(schema: &Value) -> Vec<&Value> {
    let below = match schema {
        Value::Object(parts) => parts.values().flat_map(objects).collect(),
        Value::Array(parts) => parts.iter().flat_map(objects).collect(),
        _ => Vec::new(),
    };
    let own = (schema["type"] == "object").then_some(schema);
    own.into_iter().chain(below).collect()
}

#[test]
fn every_key_is_named_and_required() {
    for (name, schema) in all() {
        assert_eq!(schema["$id"], format!("urn:concertina:schema:{name}"));
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
        for object in objects(&schema) {
            assert_eq!(object["additionalProperties"], false, "{name}: {object:#}");
            let properties: Vec<&String> = object["properties"].as_object().expect("properties").keys().collect();
            // Only what `tune` was given is there, and SQL only for the databases that it was given for.
            if name != "tune" {
                assert_eq!(json!(properties), object["required"], "{name}: {object:#}");
            }
        }
        if let Some(next) = schema.pointer("/$defs/next") {
            assert_eq!(next, &published("check")["$defs"]["next"], "{name}: `next` is the same everywhere");
        }
        let page = Project::bundled().read("docs/json.md");
        assert!(page.contains(&format!("(schema/{name}.json)")), "docs/json.md should name schema/{name}.json");
    }
}

#[test]
fn every_command_has_one() {
    let help = Concertina::in_project(Project::bundled().path()).run(&["--help"]);
    help.expect_code(0);
    let listed = help.stdout.split("Commands:").nth(1).and_then(|text| text.split("Options:").next());
    let words =
        listed.expect("a list of commands").lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let commands: BTreeSet<&str> = words.filter_map(|line| line.split_whitespace().next()).collect();
    let known: BTreeSet<&str> = DOCUMENTS.iter().map(|(command, _)| *command).chain(["help"]).collect();
    assert_eq!(commands, known);
    let files: BTreeSet<String> = all().into_iter().map(|(name, _)| name).collect();
    let used = DOCUMENTS.iter().map(|(_, name)| *name).chain(["plan-rollback", "rehearse-all", "error", "event"]);
    assert_eq!(files, used.map(ToOwned::to_owned).collect());
}

#[test]
fn every_event_has_one() {
    let source: String = ["src/cli/talk.rs", "src/cli/failure.rs", "src/cli/rehearse/screen.rs"]
        .map(|path| Project::bundled().read(path))
        .concat();
    let told: BTreeSet<&str> =
        source.split("\"event\": \"").skip(1).filter_map(|text| text.split('"').next()).collect();
    let event = published("event");
    let forms = event["oneOf"].as_array().expect("the forms");
    let known: BTreeSet<&str> = forms.iter().filter_map(|form| form["properties"]["event"]["const"].as_str()).collect();
    assert_eq!(told, known);
    let page = Project::bundled().read("docs/json.md");
    for name in known {
        assert!(page.contains(&format!("`{name}`")), "docs/json.md does not name the event `{name}`");
    }
}

#[test]
fn what_is_not_published_is_found() {
    let check =
        json!({ "next": { "phase": "none", "release": null, "command": null }, "allowed": null, "reason": null });
    assert_eq!(violations(&published("check"), &check), [""; 0]);
    for (pointer, value, complaint) in [
        ("/allowed", json!("yes"), r#"/allowed: "yes" is not of the type ["boolean","null"]"#),
        ("/next/phase", json!("dance"), "/next/phase: \"dance\" is none of "),
        ("/next", json!({ "phase": "none", "release": null }), "/next: `command` is missing"),
        ("/next", json!({ "phase": "none", "release": null, "command": null, "more": 1 }), "/next: `more` is unknown"),
    ] {
        let mut wrong = check.clone();
        *wrong.pointer_mut(pointer).expect("a place in it") = value;
        let found = violations(&published("check"), &wrong);
        assert!(found.len() == 1 && found[0].starts_with(complaint), "{found:?}");
    }
    let found = violations(&published("event"), &json!({ "event": "verified", "subject": 1 }));
    assert_eq!(found, [": not exactly one of the forms; the nearest: /subject: 1 is not of the type \"string\""]);
}

/// Every command, some in several ways, and how each ends.
const WAY: [(&[&str], i32); 29] = [
    (&["check"], 3),
    (&["upgrade", "--to", "newton"], 0),
    (&["lint"], 0),
    (&["matrix"], 0),
    (&["matrix", "--changed-since", "no-such-revision"], 1),
    (&["plan"], 0),
    (&["plan", "rollback"], 0),
    (&["expand"], 0),
    (&["plan", "rollback"], 0),
    (&["verify"], 6),
    (&["rollback", "--yes"], 0),
    (&["expand"], 0),
    (&["pause"], 0),
    (&["status"], 0),
    (&["resume"], 0),
    (&["tune", "--pace", "full", "--duty", "50", "--hours", "22:00-06:00", "--max-latency", "off"], 0),
    (&["tune", "--hours", "off", "--batch-target", "20ms", "--throttle-query", "SELECT 1", "--throttle-max", "2.5"], 0),
    (&["status"], 0),
    (&["tune"], 2),
    (&["migrate"], 0),
    (&["tune", "--reset"], 0),
    (&["verify"], 0),
    (&["uninstall"], 0),
    (&["uninstall", "--yes"], 6),
    (&["contract", "--quiet-period", "0s"], 0),
    (&["contract", "--release", "okata"], 2),
    (&["resolve", "nothing", "--applied"], 2),
    (&["history"], 0),
    (&["uninstall", "--yes"], 0),
];

on_every_database! {
    async fn every_command_says_what_is_published(db: TestDatabase) {
        if db.file().is_some() {
            drop(db.owner().await);
        }
        let concertina = Concertina::command(&db);
        for (arguments, code) in WAY {
            let output = concertina.run(&[arguments, &["--output", "json", "--log-format", "json"]].concat());
            output.expect_code(code);
            assert!(!output.stdout.is_empty(), "{output}");
            if arguments.contains(&"newton") {
                // A row that is left to migrate.
                let row = "INSERT INTO images (id, status, is_public, created_at, deleted, min_disk, min_ram)";
                let (yes, no) = (db.kind().boolean(true), db.kind().boolean(false));
                let values = format!("VALUES ('a', 'active', {yes}, '2017-01-01 00:00:00', {no}, 0, 0)");
                db.owner().await.run(format!("{row} {values}")).await;
            }
        }
    }
}
