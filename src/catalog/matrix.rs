//! `matrix:` of the manifest: which upgrades are rehearsed besides those from one release to the next, and on which databases.

use std::collections::HashSet;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::diagnostic::Diagnostic;
use super::document::{Document, Part};
use super::in_short;
use crate::dialect::{Kind, expression};

/// `matrix:`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Matrix {
    /// The databases that upgrades are rehearsed on. Default: those that the project is for.
    databases: Option<Vec<Database>>,
    /// Upgrades over releases, each FROM and TO. Default: none.
    skip_level: Vec<Vec<String>>,
}

/// A database by its word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Database(Kind);

impl<'de> Deserialize<'de> for Database {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        let kind = Kind::from_key(&word);
        kind.map(Self)
            .ok_or_else(|| D::Error::custom(format!("`{word}` is no database; expected {}", keys(&Kind::ALL))))
    }
}

fn keys(kinds: &[Kind]) -> String {
    let keys: Vec<String> = kinds.iter().map(|kind| format!("`{}`", kind.key())).collect();
    match keys.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => keys.concat(),
    }
}

impl Matrix {
    /// The databases that are named.
    pub fn databases(&self) -> Option<Vec<Kind>> {
        Some(self.databases.as_ref()?.iter().map(|Database(kind)| *kind).collect())
    }

    /// The pairs FROM, TO over releases.
    pub fn skips(&self) -> impl Iterator<Item = (&str, &str)> {
        self.skip_level.iter().filter_map(|pair| match pair.as_slice() {
            [from, to] => Some((from.as_str(), to.as_str())),
            _ => None,
        })
    }

    /// What is wrong with it in a project of this train and for these databases.
    pub(super) fn errors(&self, document: &Document, train: &[String], kinds: &[Kind]) -> Vec<Diagnostic> {
        let mut errors = self.database_errors(document, kinds);
        let mut seen = HashSet::new();
        for (at, pair) in self.skip_level.iter().enumerate() {
            let place = |inside: Option<usize>| {
                let mut path = vec![key("matrix"), key("skip_level"), Part::Index(at)];
                path.extend(inside.map(Part::Index));
                document.origin(&path)
            };
            let [from, to] = pair.as_slice() else {
                errors.push(place(None).diagnostic("expected a pair of releases: [FROM, TO]"));
                continue;
            };
            let mut places = Vec::new();
            for (inside, name) in pair.iter().enumerate() {
                match train.iter().position(|release| release == name) {
                    Some(position) => places.push(position),
                    None => {
                        let message = format!("there is no release `{name}` in the train ({})", in_short(train));
                        let mut error = place(Some(inside)).diagnostic(message);
                        if let Some(near) = expression::nearest(name, train.iter().map(String::as_str)) {
                            error = error.help(format!("did you mean `{near}`?"));
                        }
                        errors.push(error);
                    }
                }
            }
            let [older, newer] = places[..] else { continue };
            if newer <= older {
                let message = format!("`{to}` is not newer than `{from}`; expected a pair of releases: [FROM, TO]");
                errors.push(place(Some(1)).diagnostic(message));
            } else if newer == older + 1 {
                let message = format!("`{from}` comes just before `{to}`, so no release is skipped");
                errors.push(place(None).diagnostic(message).help("remove it: that upgrade is rehearsed anyway"));
            } else if !seen.insert(pair) {
                errors.push(place(None).diagnostic(format!("the pair `{from}`, `{to}` is there twice")));
            }
        }
        errors
    }

    fn database_errors(&self, document: &Document, kinds: &[Kind]) -> Vec<Diagnostic> {
        let Some(databases) = &self.databases else { return Vec::new() };
        let place = |inside: Option<usize>| {
            let mut path = vec![key("matrix"), key("databases")];
            path.extend(inside.map(Part::Index));
            document.origin(&path)
        };
        let mut errors = Vec::new();
        if databases.is_empty() {
            errors.push(place(None).diagnostic(format!("expected at least one database: {}", keys(kinds))));
        }
        for (at, Database(kind)) in databases.iter().enumerate() {
            if databases[..at].contains(&Database(*kind)) {
                errors.push(place(Some(at)).diagnostic(format!("the database `{}` is there twice", kind.key())));
            } else if !kinds.contains(kind) {
                let message = format!("the project is not for `{0}`: it has no migrations/{0}/", kind.key());
                errors.push(place(Some(at)).diagnostic(message).help(format!("expected {}", keys(kinds))));
            }
        }
        errors
    }
}

fn key(name: &str) -> Part {
    Part::Key(name.to_owned())
}
