//! `gates.sessions`: what nodes of a release call themselves.

use serde::Deserialize;

use super::diagnostic::Diagnostic;
use super::document::{Document, Part};
use crate::dialect::SessionName;

/// Stands for the release's name.
const RELEASE: &str = "{release}";

/// `gates.sessions:`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NodeSessions {
    /// PostgreSQL: the setting `application_name`.
    pub application_name: Option<NodeName>,
    /// The account, on PostgreSQL and MySQL/MariaDB.
    pub user: Option<NodeName>,
    /// MySQL/MariaDB: the connection attribute `program_name`.
    pub program_name: Option<NodeName>,
}

/// A name in which `{release}` stands for the release, and `*` for any text.
#[derive(Debug, Clone, Deserialize)]
#[serde(transparent)]
pub struct NodeName(String);

impl NodeSessions {
    /// What is given.
    pub fn marks(&self) -> impl Iterator<Item = (SessionName, &NodeName)> {
        [
            (SessionName::ApplicationName, &self.application_name),
            (SessionName::User, &self.user),
            (SessionName::ProgramName, &self.program_name),
        ]
        .into_iter()
        .filter_map(|(by, name)| Some((by, name.as_ref()?)))
    }

    pub(super) fn errors(&self, document: &Document) -> Vec<Diagnostic> {
        let wrong = self.marks().filter(|(_, name)| !name.0.contains(RELEASE));
        wrong
            .map(|(by, _)| {
                let path = ["gates", "sessions", by.word()].map(|key| Part::Key(key.to_owned()));
                document.origin(&path).diagnostic(format!(
                    "expected `{RELEASE}` in it, in the place of the release's name: without it new nodes would be taken for old ones"
                ))
            })
            .collect()
    }
}

impl NodeName {
    /// The pattern of LIKE, with `!` as its escape, for the nodes of a release.
    pub fn of_release(&self, release: &str) -> String {
        let literal = |text: &str| text.replace('!', "!!").replace('%', "!%").replace('_', "!_");
        let parts: Vec<_> = self.0.split(RELEASE).map(|part| literal(part).replace('*', "%")).collect();
        parts.join(&literal(release))
    }
}
