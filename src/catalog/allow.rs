//! `allow`: the rules of lint that a step silences, each with its reason.
//!
//! It says nothing of what the step does, so it is no part of a checksum: it may be added to a step that was applied.

use std::sync::Arc;

use indexmap::IndexMap;
use serde_yaml::Value;

use super::Loader;
use super::diagnostic::{Diagnostic, Origin, Source};
use super::document::{Document, Part};
use crate::dialect::Kind;

/// A rule that a step silences.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allow {
    /// The rule's name, as it is written.
    pub rule: String,
    /// Why.
    pub reason: String,
    /// Where it is written.
    pub origin: Origin,
    /// The databases it is written for.
    pub kinds: Vec<Kind>,
}

/// The key of a step.
pub(super) const KEY: &str = "allow";

const MARK: &str = "-- concertina: allow";

impl Loader {
    /// Takes the key out of a mapping, and reads it.
    pub(super) fn take_allows(&mut self, document: &Document, value: &mut Value, place: &[Part]) -> Vec<Allow> {
        let Value::Mapping(map) = value else { return Vec::new() };
        let Some(value) = map.remove(KEY) else { return Vec::new() };
        let mut path = place.to_vec();
        path.push(Part::Key(KEY.to_owned()));
        let rules: IndexMap<String, String> = match document.read(&value, &path) {
            Ok(rules) => rules,
            Err(errors) => {
                let help = "expected a mapping of rules to reasons: `allow: { rule: \"why it is safe here\" }`";
                self.errors.extend(errors.into_iter().map(|error| error.help(help)));
                return Vec::new();
            }
        };
        let at = |rule: &str| {
            let mut path = path.clone();
            path.push(Part::Key(rule.to_owned()));
            document.key_origin(&path)
        };
        rules
            .into_iter()
            .map(|(rule, reason)| Allow { origin: at(&rule), rule, reason, kinds: Kind::ALL.to_vec() })
            .collect()
    }

    /// Reads the lines of an SQL file that silence a rule.
    pub(super) fn sql_allows(&mut self, source: &Arc<Source>, kinds: &[Kind]) -> Vec<Allow> {
        let mut allows = Vec::new();
        for line in source.text.lines() {
            let Some(rest) = marked(line) else { continue };
            let start = line.as_ptr() as usize - source.text.as_ptr() as usize;
            let origin = Origin { source: Arc::clone(source), span: start..start + line.len() };
            let parts = rest.split_once(':').map(|(rule, reason)| (rule.trim(), reason.trim()));
            match parts {
                Some((rule, reason)) if !rule.is_empty() && !rule.contains(char::is_whitespace) => {
                    allows.push(Allow {
                        rule: rule.to_owned(),
                        reason: reason.to_owned(),
                        origin,
                        kinds: kinds.to_vec(),
                    });
                }
                _ => self.errors.push(misspelt(&origin)),
            }
        }
        allows
    }
}

fn misspelt(origin: &Origin) -> Diagnostic {
    origin.diagnostic("expected `-- concertina: allow RULE: REASON`")
}

/// What stands behind the mark, where a line has it.
fn marked(line: &str) -> Option<&str> {
    let rest = line.trim().strip_prefix(MARK)?;
    (rest.is_empty() || rest.starts_with([' ', '\t', ':'])).then_some(rest)
}

/// A text without those lines.
pub(super) fn without_marks(text: &str) -> String {
    text.split_inclusive('\n').filter(|line| marked(line).is_none()).collect()
}

#[cfg(test)]
mod tests {
    use super::without_marks;

    #[test]
    fn a_text_without_marks_is_as_it_was() {
        assert_eq!(without_marks("a;\n-- concertina: allow x: y\nb;"), "a;\nb;");
        for text in ["", "a;", "a;\n\n", "-- concertina: allowed\n", "-- concertina: undo\nb;\n"] {
            assert_eq!(without_marks(text), text);
        }
    }
}
