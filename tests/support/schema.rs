//! The published schemas of `docs/schema/`, and as much of JSON Schema as they use: every document that any test makes the
//! command print is held against its own.

use std::path::PathBuf;

use serde_json::Value;

use super::Output;

/// The commands, each with the schema of its document.
pub(crate) const DOCUMENTS: [(&str, &str); 19] = [
    ("upgrade", "outcome"),
    ("expand", "outcome"),
    ("migrate", "outcome"),
    ("contract", "outcome"),
    ("rollback", "rollback"),
    ("baseline", "baseline"),
    ("check", "check"),
    ("status", "status"),
    ("history", "history"),
    ("plan", "plan"),
    ("lint", "lint"),
    ("matrix", "matrix"),
    ("rehearse", "rehearse"),
    ("verify", "verify"),
    ("pause", "pause"),
    ("resume", "pause"),
    ("tune", "tune"),
    ("resolve", "resolve"),
    ("uninstall", "uninstall"),
];

/// The folder of the schemas.
pub(crate) fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/schema")
}

/// Reads a schema.
pub(crate) fn published(name: &str) -> Value {
    let path = folder().join(format!("{name}.json"));
    let text =
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("failed to read `{}`: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("`{}` is no JSON: {error}", path.display()))
}

/// Fails where what a run printed for programs is not what is published.
#[track_caller]
pub(super) fn expect_published(output: &Output) {
    let words: Vec<&str> = output.arguments().split(' ').collect();
    let is_given = |option: &str| words.windows(2).any(|pair| pair == [option, "json"]);
    // A run that was killed may have been in the middle of a line.
    let Some(code) = output.code else { return };
    if is_given("--output") {
        expect_documents(output, &words);
    }
    // clap does not know how its errors should look.
    if is_given("--log-format") && code != 2 {
        let schema = published("event");
        for line in output.stderr.lines() {
            let event = serde_json::from_str::<Value>(line);
            let event = event.unwrap_or_else(|error| panic!("`{line}` is no JSON ({error}):\n{output}"));
            // The program's own logs are the tracing library's.
            if event.get("event").is_some() || event.get("level").is_none() {
                expect(&schema, &event, output);
            }
        }
    }
}

#[track_caller]
fn expect_documents(output: &Output, words: &[&str]) {
    let known = |word: &&str| DOCUMENTS.iter().find(|(command, _)| command == word);
    let Some((command, name)) = words.iter().find_map(known) else { return };
    let lines = *command == "history" || words.contains(&"--watch");
    let name = match *command {
        "plan" if words.contains(&"rollback") => "plan-rollback",
        "rehearse" if words.contains(&"--all") => "rehearse-all",
        _ => name,
    };
    let texts = if lines { output.stdout.lines().collect() } else { vec![output.stdout.as_str()] };
    for text in texts.into_iter().filter(|text| !text.is_empty()) {
        let document = serde_json::from_str::<Value>(text);
        let document = document.unwrap_or_else(|error| panic!("`{text}` is no JSON ({error}):\n{output}"));
        let name = if document.get("error").is_some() { "error" } else { name };
        expect(&published(name), &document, output);
    }
}

#[track_caller]
fn expect(schema: &Value, document: &Value, output: &Output) {
    let found = violations(schema, document);
    assert!(found.is_empty(), "not as {} has it: {}\n{document:#}\n{output}", schema["$id"], found.join("; "));
}

/// What of a document its schema does not allow, each with its place.
pub(crate) fn violations(schema: &Value, document: &Value) -> Vec<String> {
    let mut found = Vec::new();
    Validator { root: schema }.look(schema, document, "", &mut found);
    found
}

struct Validator<'a> {
    root: &'a Value,
}

impl Validator<'_> {
    fn look(&self, schema: &Value, value: &Value, place: &str, found: &mut Vec<String>) {
        let rules = schema.as_object().unwrap_or_else(|| panic!("no schema: {schema}"));
        for (rule, wanted) in rules {
            let mut complain =
                |what: String| found.push(format!("{}: {what}", if place.is_empty() { "/" } else { place }));
            match rule.as_str() {
                "$schema" | "$id" | "title" | "description" | "$defs" => {}
                "type" => {
                    let one = [wanted.clone()];
                    let types = wanted.as_array().map_or(&one[..], Vec::as_slice);
                    if !types.iter().any(|word| is_of(value, word.as_str().expect("a type is a word"))) {
                        complain(format!("{value} is not of the type {wanted}"));
                    }
                }
                "enum" => {
                    if !wanted.as_array().expect("a list").contains(value) {
                        complain(format!("{value} is none of {wanted}"));
                    }
                }
                "const" => {
                    if value != wanted {
                        complain(format!("{value} is not {wanted}"));
                    }
                }
                "minimum" => {
                    if value.as_f64() < wanted.as_f64() && value.is_number() {
                        complain(format!("{value} is less than {wanted}"));
                    }
                }
                "required" => {
                    for key in wanted.as_array().expect("a list").iter().filter_map(Value::as_str) {
                        if value.as_object().is_some_and(|object| !object.contains_key(key)) {
                            complain(format!("`{key}` is missing"));
                        }
                    }
                }
                "additionalProperties" => {
                    assert_eq!(*wanted, Value::Bool(false), "only false is understood");
                    for key in value.as_object().into_iter().flat_map(serde_json::Map::keys) {
                        if schema["properties"].get(key).is_none() {
                            complain(format!("`{key}` is unknown"));
                        }
                    }
                }
                "properties" | "items" | "$ref" | "oneOf" => self.below(rule, wanted, value, place, found),
                // What is published must mean to others what it means here.
                other => panic!("the keyword `{other}` is not understood here"),
            }
        }
    }

    fn below(&self, rule: &str, wanted: &Value, value: &Value, place: &str, found: &mut Vec<String>) {
        match rule {
            "properties" => {
                for (key, schema) in wanted.as_object().expect("schemas by their keys") {
                    if let Some(value) = value.get(key) {
                        self.look(schema, value, &format!("{place}/{key}"), found);
                    }
                }
            }
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    self.look(wanted, item, &format!("{place}/{index}"), found);
                }
            }
            "$ref" => {
                let pointer = wanted.as_str().and_then(|text| text.strip_prefix('#')).expect("a place in this file");
                let schema = self.root.pointer(pointer).unwrap_or_else(|| panic!("nothing is at {wanted}"));
                self.look(schema, value, place, found);
            }
            _ => {
                let complaints: Vec<Vec<String>> = wanted
                    .as_array()
                    .expect("a list of schemas")
                    .iter()
                    .map(|schema| {
                        let mut found = Vec::new();
                        self.look(schema, value, place, &mut found);
                        found
                    })
                    .collect();
                if complaints.iter().filter(|found| found.is_empty()).count() != 1 {
                    let nearest = complaints.into_iter().min_by_key(Vec::len).unwrap_or_default();
                    found.push(format!("{place}: not exactly one of the forms; the nearest: {}", nearest.join(", ")));
                }
            }
        }
    }
}

fn is_of(value: &Value, word: &str) -> bool {
    match word {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("`{other}` is no type"),
    }
}
