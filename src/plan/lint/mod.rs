//! Lint: what is wrong with a release's files can be told, for the most part, without a database.
//!
//! One small file a rule, under [`rules`], with a bad and a good example that are its tests and its documentation. Every
//! file is judged for each of the three databases: typed steps and raw SQL become the same effects, the schema is known as
//! far as the project's own text tells it, and a rule says nothing where it cannot know.

mod condition;
mod effect;
mod known;
mod rules;
mod silence;
mod sql;
mod view;

use std::collections::HashMap;
use std::fmt;

use serde::Serialize;

use crate::catalog::{Diagnostic, Origin, Project};
use crate::dialect::Kind;
use crate::step::Phase;
use view::View;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The phase is refused.
    Error,
    /// The phase runs, and says so.
    Warning,
    /// What the files cannot tell, because it is the application's matter; only `lint` itself says it.
    Note,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        })
    }
}

/// Something that a rule found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The rule's name.
    pub rule: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong: a lower-case fragment.
    pub message: String,
    /// What to do.
    pub remedy: &'static str,
    /// Where.
    pub origin: Origin,
    /// The step's or the backfill's id.
    pub step: String,
    /// The release.
    pub release: String,
    /// The phase that it stands in.
    pub phase: Phase,
    /// The databases that it is about.
    pub kinds: Vec<Kind>,
    /// The reason with which its step silences it.
    pub silenced: Option<String>,
}

impl Finding {
    /// The finding as a diagnostic.
    pub fn diagnostic(&self) -> Diagnostic {
        let only = match self.kinds.as_slice() {
            kinds if kinds.len() == Kind::ALL.len() => String::new(),
            kinds => format!(" ({})", kinds.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
        };
        self.origin.diagnostic(format!("{}{only}", self.message)).help(self.remedy)
    }
}

/// What the rules found in a project.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// By release, file and place; silenced ones as well.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Those that nothing silences, of these databases.
    pub fn standing(&self, kinds: &[Kind]) -> impl Iterator<Item = &Finding> {
        self.findings
            .iter()
            .filter(move |finding| finding.silenced.is_none() && finding.kinds.iter().any(|kind| kinds.contains(kind)))
    }
}

/// A rule's text, for those who want to read it.
#[derive(Debug, Clone, Copy)]
pub struct RuleText {
    /// Its name, which does not change.
    pub name: &'static str,
    /// How bad what it finds is.
    pub severity: Severity,
    /// What it looks for.
    pub judges: &'static str,
    /// Why that is bad.
    pub why: &'static str,
    /// What to do instead.
    pub remedy: &'static str,
}

/// A project's files, each with its path.
type Example = &'static [(&'static str, &'static str)];

/// A rule.
struct Rule {
    text: RuleText,
    #[cfg_attr(not(test), expect(dead_code, reason = "the tests and the documentation are made of it"))]
    bad: Example,
    #[cfg_attr(not(test), expect(dead_code, reason = "the tests and the documentation are made of it"))]
    good: Example,
    check: fn(&View<'_>, &mut Finder<'_>),
}

/// Takes what a rule finds in one view.
struct Finder<'f> {
    findings: &'f mut Vec<Finding>,
    rule: RuleText,
    release: &'f str,
    kind: Kind,
}

impl Finder<'_> {
    /// What is found in the place of an act.
    fn at(&mut self, act: &view::Act<'_>, message: impl Into<String>) {
        self.found(act.phase, act.id, act.origin.clone(), message);
    }

    /// The same, with a word of the place underlined.
    fn at_word(&mut self, act: &view::Act<'_>, word: &str, message: impl Into<String>) {
        self.found(act.phase, act.id, act.origin.narrowed(word), message);
    }

    fn found(&mut self, phase: Phase, step: &str, origin: Origin, message: impl Into<String>) {
        let message = message.into();
        let same = |finding: &&mut Finding| {
            finding.rule == self.rule.name && finding.origin == origin && finding.message == message
        };
        if let Some(finding) = self.findings.iter_mut().find(same) {
            if !finding.kinds.contains(&self.kind) {
                finding.kinds.push(self.kind);
            }
            return;
        }
        self.findings.push(Finding {
            rule: self.rule.name,
            severity: self.rule.severity,
            message,
            remedy: self.rule.remedy,
            origin,
            step: step.to_owned(),
            release: self.release.to_owned(),
            phase,
            kinds: vec![self.kind],
            silenced: None,
        });
    }
}

/// Judges every file of a project.
pub fn lint(project: &Project) -> Report {
    let mut findings: Vec<Finding> = Vec::new();
    for kind in Kind::ALL {
        for view in View::all(project, kind) {
            for rule in rules::ALL {
                let release = &view.release.name;
                let mut finder = Finder { findings: &mut findings, rule: rule.text, release, kind };
                (rule.check)(&view, &mut finder);
            }
        }
    }
    silence::silence(project, &mut findings);
    let train: HashMap<&str, usize> = project.train().into_iter().enumerate().map(|(at, name)| (name, at)).collect();
    let place = |finding: &Finding| {
        let release = train.get(finding.release.as_str()).copied();
        (release, finding.phase, finding.origin.source.path.clone(), finding.origin.span.start, finding.rule)
    };
    findings.sort_by_cached_key(place);
    Report { findings }
}

/// The texts of all rules.
pub fn rules() -> impl Iterator<Item = RuleText> {
    rules::ALL.iter().map(|rule| rule.text).chain(silence::RULES)
}

#[cfg(test)]
mod tests;
