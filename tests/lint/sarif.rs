//! SARIF 2.1.0: what the schema requires, and what a reader needs to find its way.

use serde_json::Value;

use super::command::{lint, project};

#[test]
fn the_document_has_what_the_schema_requires() {
    let output = lint(&project(), &["--output", "sarif"]);
    output.expect_code(6);
    let log = output.json();
    // sarifLog requires version and runs; run requires tool; tool requires driver; toolComponent requires name.
    assert_eq!(log["version"], "2.1.0");
    assert!(log["$schema"].as_str().is_some_and(|uri| uri.ends_with("sarif-2.1.0.json")), "{log:#}");
    let runs = log["runs"].as_array().expect("an array");
    assert_eq!(runs.len(), 1);
    let driver = &runs[0]["tool"]["driver"];
    assert_eq!(driver["name"], "concertina");
    assert_eq!(runs[0]["columnKind"], "unicodeCodePoints");

    // reportingDescriptor requires id, and no two of them have the same.
    let rules = driver["rules"].as_array().expect("an array");
    let mut ids: Vec<&str> = rules.iter().map(|rule| rule["id"].as_str().expect("an id")).collect();
    for rule in rules {
        assert!(rule["shortDescription"]["text"].is_string(), "{rule:#}");
        if rule["id"] != "unsound-project" {
            assert!(is_level(&rule["defaultConfiguration"]["level"]), "{rule:#}");
        }
    }
    let results = runs[0]["results"].as_array().expect("an array");
    assert_eq!(results.len(), 3);
    for result in results {
        // result requires message; message requires text or id; level is one of four words; ruleIndex points at the rule.
        assert!(result["message"]["text"].is_string() && is_level(&result["level"]), "{result:#}");
        let index = usize::try_from(result["ruleIndex"].as_u64().expect("a number")).expect("a small one");
        assert_eq!(rules[index]["id"], result["ruleId"]);
        let place = &result["locations"][0]["physicalLocation"];
        let uri = place["artifactLocation"]["uri"].as_str().expect("a uri");
        assert!(!uri.starts_with('/') && !uri.contains(' '), "{uri}");
        for key in ["startLine", "startColumn", "endLine", "endColumn"] {
            assert!(place["region"][key].as_u64().is_some_and(|number| number > 0), "{key}: {place:#}");
        }
    }
    // suppression requires kind.
    let suppressed: Vec<&Value> = results.iter().filter(|result| !result["suppressions"].is_null()).collect();
    assert_eq!(suppressed.len(), 1);
    assert_eq!(suppressed[0]["suppressions"][0]["kind"], "inSource");
    assert_eq!(suppressed[0]["suppressions"][0]["justification"], "nobody reads it");

    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count);
}

fn is_level(value: &Value) -> bool {
    ["none", "note", "warning", "error"].iter().any(|level| value == level)
}
