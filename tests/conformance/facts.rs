//! Reads the recorded facts.

use std::collections::HashMap;
use std::path::PathBuf;

use serde_json::Value;

use super::schema::Schema;
use crate::support::Kind;

/// Glance's revisions, in order.
pub(crate) fn revisions() -> Vec<String> {
    let order = json("order.json");
    let names = order.as_array().expect("the order is a list").iter();
    names.map(|name| name.as_str().expect("a revision has a name").to_owned()).collect()
}

/// Gives the schema that Glance's own program left behind at `revision`. One that changed nothing has no file: its schema was
/// measured too, and is that of the revision before it, word for word.
pub(crate) fn schema(kind: Kind, revision: &str) -> Schema {
    let revisions = revisions();
    let at = revisions.iter().position(|name| name == revision);
    let at = at.unwrap_or_else(|| panic!("there is no revision `{revision}`"));
    let recorded =
        revisions[..=at].iter().rev().map(|name| format!("{kind}/{name}.json")).find(|name| path(name).exists());
    Schema::from_facts(&json(&recorded.expect("the first revision is recorded")))
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

/// Reads rows whose last field may be a text in quotes, with two for one in it, or `<NULL>`.
pub(crate) fn quoted_rows(path: &str) -> Vec<Vec<Option<String>>> {
    let text = text(path);
    let mut lines = text.lines();
    let columns = lines.next().expect("the line of names").split(',').count();
    lines
        .map(|line| {
            let mut fields: Vec<&str> = line.splitn(columns, ',').collect();
            let last = fields.pop().expect("a field");
            let text = match last.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
                Some(text) => Some(text.replace("\"\"", "\"")),
                None if last == "<NULL>" => None,
                None => Some(last.to_owned()),
            };
            fields.into_iter().map(|field| Some(field.to_owned())).chain([text]).collect()
        })
        .collect()
}

fn path(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests/conformance/facts", name].iter().collect()
}

fn text(name: &str) -> String {
    let file = path(name);
    std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("failed to read `{}`: {error}", file.display()))
}
