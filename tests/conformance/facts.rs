//! Reads the recorded facts.

use std::collections::HashMap;
use std::path::PathBuf;

use serde_json::Value;

use super::schema::Schema;
use crate::support::Kind;

/// Gives the schema that Glance's own program left behind at `revision`.
pub(crate) fn schema(kind: Kind, revision: &str) -> Schema {
    Schema::from_facts(&json(&format!("{kind}/{revision}.json")))
}

/// Reads a JSON document of facts.
pub(crate) fn json(path: &str) -> Value {
    serde_json::from_str(&text(path)).unwrap_or_else(|error| panic!("failed to read `{path}` as JSON: {error}"))
}

/// Reads a table of rows; an empty field is NULL. No field of ours holds a comma, a quote or a backslash.
pub(crate) fn rows(path: &str) -> Vec<HashMap<String, Option<String>>> {
    let text = text(path);
    assert!(!text.contains(['"', '\'', '\\']), "`{path}` needs a real CSV reader, and quoting in SQL");
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().expect("the line of names").split(',').collect();
    lines
        .map(|line| {
            let fields: Vec<&str> = line.split(',').collect();
            assert_eq!(fields.len(), names.len(), "`{path}` has a line of another length: {line}");
            names
                .iter()
                .zip(fields)
                .map(|(name, field)| ((*name).to_owned(), (!field.is_empty()).then(|| field.to_owned())))
                .collect()
        })
        .collect()
}

fn text(path: &str) -> String {
    let file: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests/conformance/facts", path].iter().collect();
    std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("failed to read `{}`: {error}", file.display()))
}
