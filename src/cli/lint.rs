//! `concertina lint`

use std::path::Path;

use annotate_snippets::Level;
use serde::Serialize;
use serde_json::{Value, json};

use super::failure::render;
use super::{Failure, Format, Global, exit, output};
use crate::catalog::{Diagnostic, Project, Workloads};
use crate::db::Target;
use crate::dialect::Kind;
use crate::engine::EngineError;
use crate::plan::{Finding, Severity, lint, rules};

/// Judge the files of every release, or of one, without a database; exit code 6 where there is an error
///
/// Besides text and json, --output takes sarif (2.1.0, for code scanning) and github (annotations of a pull request).
/// With --database the files are judged for that database alone.
#[derive(Debug, clap::Args)]
pub(super) struct Lint {
    /// The release
    #[arg(long)]
    release: Option<String>,
}

/// What is wrong with the files as such, in the forms that know only rules.
const UNSOUND: &str = "unsound-project";

impl Lint {
    pub(super) fn run(self, global: &Global) -> Result<u8, Failure> {
        // Workloads are no part of what is deployed, so this is where their errors are met before a rehearsal does.
        let loaded = Project::load(&global.project).and_then(|project| Workloads::load(&project).map(|_| project));
        let project = match loaded {
            Ok(project) => project,
            Err(errors) => {
                let lines = Lines { base: base(&global.project), unsound: &errors.0, findings: &[] };
                match global.output {
                    Format::Sarif => output::line(&format!("{:#}", lines.sarif())),
                    Format::Github => output::line(&lines.github()),
                    Format::Text | Format::Json => {}
                }
                return Err(EngineError::from(errors).into());
            }
        };
        if let Some(name) = &self.release
            && project.release(name).is_none()
        {
            let train = project.train().join(", ");
            return Err(Failure::usage(format!("there is no release `{name}` in the train ({train})")));
        }
        let kinds = match &global.database {
            Some(url) => vec![Target::parse(url, Path::new("")).map_err(EngineError::from)?.kind()],
            None => project.kinds(),
        };
        let findings: Vec<Finding> = lint(&project)
            .findings
            .into_iter()
            .filter(|finding| self.release.as_ref().is_none_or(|name| *name == finding.release))
            .filter_map(|mut finding| {
                finding.kinds.retain(|kind| kinds.contains(kind));
                (!finding.kinds.is_empty()).then_some(finding)
            })
            .map(|finding| of_all(finding, &kinds))
            .collect();
        let lines = Lines { base: base(&global.project), unsound: &[], findings: &findings };
        output::line(&match global.output {
            Format::Text => lines.text(),
            Format::Json => serde_json::to_string_pretty(&lines.json()).map_err(Failure::unexpected)?,
            Format::Sarif => format!("{:#}", lines.sarif()),
            Format::Github => lines.github(),
        });
        Ok(if lines.count(Severity::Error) > 0 { exit::REFUSED } else { exit::DONE })
    }
}

/// Where every database that was asked for is meant, none has to be named.
fn of_all(mut finding: Finding, kinds: &[Kind]) -> Finding {
    if finding.kinds.len() == kinds.len() {
        finding.kinds = Kind::ALL.to_vec();
    }
    finding
}

/// How the terminal and GitHub's page show a severity.
pub(super) fn level(severity: Severity) -> Level<'static> {
    match severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    }
}

/// The project's folder as a prefix of its files, where it is below the current one.
fn base(project: &Path) -> String {
    if project.is_absolute() {
        return String::new();
    }
    let parts = project.components().filter(|part| !matches!(part, std::path::Component::CurDir));
    parts.map(|part| format!("{}/", part.as_os_str().to_string_lossy())).collect()
}

struct Lines<'a> {
    base: String,
    unsound: &'a [Diagnostic],
    findings: &'a [Finding],
}

#[derive(Serialize)]
struct Document<'a> {
    errors: usize,
    warnings: usize,
    notes: usize,
    findings: Vec<Shown<'a>>,
}

#[derive(Serialize)]
struct Shown<'a> {
    rule: &'a str,
    severity: Severity,
    message: &'a str,
    remedy: &'a str,
    file: &'a str,
    line: usize,
    column: usize,
    release: &'a str,
    phase: &'a str,
    step: &'a str,
    databases: Vec<&'a str>,
    silenced: Option<&'a str>,
}

impl Lines<'_> {
    fn standing(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.silenced.is_none())
    }

    fn count(&self, severity: Severity) -> usize {
        self.standing().filter(|finding| finding.severity == severity).count()
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for finding in self.standing() {
            let level = level(finding.severity);
            let colour = output::line_has_colour();
            text.push_str(&format!("{}\n\n", render(&finding.diagnostic(), level, Some(finding.rule), colour)));
        }
        let counted = [(Severity::Error, "error"), (Severity::Warning, "warning"), (Severity::Note, "note")];
        let mut parts: Vec<String> = counted
            .into_iter()
            .map(|(severity, word)| (self.count(severity), word))
            .filter(|(count, _)| *count > 0)
            .map(|(count, word)| format!("{count} {word}{}", if count == 1 { "" } else { "s" }))
            .collect();
        let silenced = self.findings.iter().filter(|finding| finding.silenced.is_some()).count();
        if parts.is_empty() {
            parts.push("nothing found".to_owned());
        }
        if silenced > 0 {
            parts.push(format!("{silenced} silenced with a reason"));
        }
        text + &parts.join(", ")
    }

    fn json(&self) -> Document<'_> {
        Document {
            errors: self.count(Severity::Error),
            warnings: self.count(Severity::Warning),
            notes: self.count(Severity::Note),
            findings: self
                .findings
                .iter()
                .map(|finding| Shown {
                    rule: finding.rule,
                    severity: finding.severity,
                    message: &finding.message,
                    remedy: finding.remedy,
                    file: &finding.origin.source.path,
                    line: finding.origin.line(),
                    column: finding.origin.column(),
                    release: &finding.release,
                    phase: finding.phase.word(),
                    step: &finding.step,
                    databases: finding.kinds.iter().map(|kind| kind.key()).collect(),
                    silenced: finding.silenced.as_deref(),
                })
                .collect(),
        }
    }

    /// <https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>
    fn sarif(&self) -> Value {
        let texts: Vec<_> = rules().collect();
        let mut described: Vec<Value> = texts
            .iter()
            .map(|rule| {
                json!({
                    "id": rule.name,
                    "shortDescription": { "text": rule.judges },
                    "fullDescription": { "text": rule.why },
                    "help": { "text": rule.remedy },
                    "defaultConfiguration": { "level": rule.severity },
                })
            })
            .collect();
        described
            .push(json!({ "id": UNSOUND, "shortDescription": { "text": "files that cannot be read as a project" } }));
        let mut results: Vec<Value> = self
            .findings
            .iter()
            .map(|finding| {
                let index = texts.iter().position(|rule| rule.name == finding.rule);
                let diagnostic = finding.diagnostic();
                let mut result = self.result(finding.rule, index.unwrap_or(texts.len()), &diagnostic);
                result["level"] = json!(finding.severity);
                if let Some(reason) = &finding.silenced {
                    result["suppressions"] = json!([{ "kind": "inSource", "justification": reason }]);
                }
                result
            })
            .collect();
        results.extend(self.unsound.iter().map(|diagnostic| {
            let mut result = self.result(UNSOUND, texts.len(), diagnostic);
            result["level"] = json!(Severity::Error);
            result
        }));
        json!({
            "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
            "version": "2.1.0",
            "runs": [{
                "tool": { "driver": {
                    "name": env!("CARGO_PKG_NAME"),
                    "semanticVersion": env!("CARGO_PKG_VERSION"),
                    "rules": described,
                } },
                "columnKind": "unicodeCodePoints",
                "results": results,
            }],
        })
    }

    fn result(&self, rule: &str, index: usize, diagnostic: &Diagnostic) -> Value {
        let uri = format!("{}{}", self.base, diagnostic.path).replace('%', "%25").replace(' ', "%20");
        let mut place = json!({ "artifactLocation": { "uri": uri } });
        if let Some(origin) = &diagnostic.origin {
            let (end_line, end_column) = origin.end();
            place["region"] = json!({
                "startLine": origin.line(), "startColumn": origin.column(),
                "endLine": end_line, "endColumn": end_column,
            });
        }
        let help = diagnostic.help.as_ref().map_or_else(String::new, |help| format!("; {help}"));
        json!({
            "ruleId": rule,
            "ruleIndex": index,
            "message": { "text": format!("{}{help}", diagnostic.message) },
            "locations": [{ "physicalLocation": place }],
        })
    }

    /// <https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands>
    fn github(&self) -> String {
        let mut text = String::new();
        for finding in self.standing() {
            let word = match finding.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
                Severity::Note => "notice",
            };
            text.push_str(&self.annotation(word, finding.rule, &finding.diagnostic()));
        }
        for diagnostic in self.unsound {
            text.push_str(&self.annotation("error", UNSOUND, diagnostic));
        }
        text
    }

    fn annotation(&self, word: &str, rule: &str, diagnostic: &Diagnostic) -> String {
        let escape = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
        let property = |text: &str| escape(text).replace(':', "%3A").replace(',', "%2C");
        let place = diagnostic.origin.as_ref().map_or_else(String::new, |origin| {
            let (end_line, end_column) = origin.end();
            let (line, column) = (origin.line(), origin.column());
            format!(",line={line},endLine={end_line},col={column},endColumn={end_column}")
        });
        let help = diagnostic.help.as_ref().map_or_else(String::new, |help| format!("\n{help}"));
        let file = property(&format!("{}{}", self.base, diagnostic.path));
        let message = escape(&format!("{}{help}", diagnostic.message));
        format!("::{word} file={file}{place},title={}::{message}\n", property(rule))
    }
}
