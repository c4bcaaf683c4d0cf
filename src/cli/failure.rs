//! An error as people and programs read it: what was tried, on what, and what to do next.

use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet};
use serde_json::{Value, json};

use super::{exit, lint, output, talk};
use crate::catalog::Diagnostic;
use crate::db::{Class, DbError, without_passwords};
use crate::engine::{Blocker, EngineError};
use crate::plan::{Drift, DriftKind};
use crate::rehearsal::ChangesError;
use crate::store::StoreError;

/// How many errors of files are shown with their lines: each costs as much as its file is long.
const SHOWN: usize = 100;

/// A failed command.
#[derive(Debug)]
pub(super) struct Failure {
    error: anyhow::Error,
    code: u8,
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        let code = exit::code(&error, talk::signal());
        Self { error: error.into(), code }
    }
}

impl From<ChangesError> for Failure {
    fn from(error: ChangesError) -> Self {
        Self { error: error.into(), code: exit::ERROR }
    }
}

impl Failure {
    pub(super) fn usage(message: String) -> Self {
        Self::from(EngineError::Usage(message))
    }

    pub(super) fn unexpected(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self { error: anyhow::Error::new(error), code: exit::ERROR }
    }

    /// An error of somebody who asked to stop.
    pub(super) fn interrupted(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self { error: anyhow::Error::new(error), code: 128 + talk::signal() }
    }

    pub(super) fn code(&self) -> u8 {
        self.code
    }

    /// Says it on stderr, for people or for collectors, and as the document where results are JSON.
    pub(super) fn print(&self, as_json: bool, logs_as_json: bool) {
        if logs_as_json {
            let mut event = json!({ "event": "error" });
            if let (Some(event), Some(facts)) = (event.as_object_mut(), self.facts().as_object()) {
                event.extend(facts.clone());
            }
            output::talk(&event.to_string());
        } else {
            self.say();
        }
        if as_json {
            output::line(&format!("{:#}", self.document()));
        }
    }

    fn say(&self) {
        let engine = self.error.downcast_ref::<EngineError>();
        if let Some(EngineError::Project(diagnostics) | EngineError::Unfit { diagnostics, .. }) = engine {
            for diagnostic in diagnostics.0.iter().take(SHOWN) {
                output::talk(&format!("{}\n", error(diagnostic)));
            }
            if let Some(more) = diagnostics.0.len().checked_sub(SHOWN).filter(|more| *more > 0) {
                output::talk(&format!("… and {more} more\n"));
            }
        }
        if let Some(EngineError::Lint { findings, .. }) = engine {
            for finding in findings {
                let level = lint::level(finding.severity);
                let diagnostic = finding.diagnostic();
                output::talk(&format!(
                    "{}\n",
                    render(&diagnostic, level, Some(finding.rule), output::talk_has_colour())
                ));
            }
        }
        if let Some(EngineError::Step { place, .. } | EngineError::StepCheck { place, .. }) = engine {
            output::talk(&error(place));
        }
        output::talk(&format!("error: {}", self.error));
        for line in engine.map(details).unwrap_or_default() {
            output::talk(&line);
        }
        if let Some(hint) = self.hint() {
            output::talk(&format!("hint: {hint}"));
        }
    }

    fn hint(&self) -> Option<String> {
        let changes = self.error.downcast_ref::<ChangesError>().map(|error| error.hint().to_owned());
        changes.or_else(|| self.error.downcast_ref::<EngineError>().and_then(hint))
    }

    /// The document of `--output json`: docs/schema/error.json.
    pub(super) fn document(&self) -> Value {
        json!({ "error": self.facts() })
    }

    fn facts(&self) -> Value {
        let engine = self.error.downcast_ref::<EngineError>();
        let details: Vec<_> = match engine {
            Some(EngineError::Project(diagnostics) | EngineError::Unfit { diagnostics, .. }) => {
                diagnostics.0.iter().map(|diagnostic| without_passwords(&diagnostic.to_string())).collect()
            }
            Some(EngineError::Lint { findings, .. }) => findings
                .iter()
                .map(|finding| format!("{}[{}]: {}", finding.severity, finding.rule, finding.diagnostic()))
                .collect(),
            Some(EngineError::Drift(drifts)) => drifts.iter().map(Drift::words).collect(),
            Some(EngineError::BaselineDiffers(details) | EngineError::BrokenTriggers(details)) => details.clone(),
            Some(EngineError::NeedsPerson { sql, .. }) => sql.clone(),
            _ => Vec::new(),
        };
        json!({ "message": format!("{}", self.error), "hint": self.hint(), "details": details, "code": self.code })
    }
}

/// An error with its source line.
fn error(diagnostic: &Diagnostic) -> String {
    render(diagnostic, Level::ERROR, None, output::talk_has_colour())
}

/// A diagnostic with its source line, the place underlined.
pub(super) fn render(diagnostic: &Diagnostic, level: Level<'_>, rule: Option<&str>, colour: bool) -> String {
    let message = without_passwords(&diagnostic.message);
    let mut title = level.primary_title(message.as_str());
    if let Some(rule) = rule {
        title = title.id(rule);
    }
    // As long as it was, so that the span still fits.
    let text = diagnostic.origin.as_ref().map(|origin| without_passwords(&origin.source.text)).unwrap_or_default();
    let mut report = match &diagnostic.origin {
        Some(origin) if !text.is_empty() => {
            // A span over several lines is cut to its first: that is the line to look at.
            let first = text[origin.span.clone()].find('\n').map_or(origin.span.end, |at| origin.span.start + at);
            let span = origin.span.start..first.max(origin.span.start);
            title.element(
                Snippet::source(text.as_str())
                    .path(origin.source.path.as_str())
                    .annotation(AnnotationKind::Primary.span(span)),
            )
        }
        _ => title.element(Origin::path(diagnostic.path.as_str())),
    };
    if let Some(help) = &diagnostic.help {
        report = report.element(Level::HELP.message(help.as_str()));
    }
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    renderer.render(&[report])
}

fn details(error: &EngineError) -> Vec<String> {
    match error {
        EngineError::Drift(drifts) => drifts.iter().flat_map(difference).collect(),
        EngineError::BaselineDiffers(differences) => differences.iter().map(|line| format!("  {line}")).collect(),
        EngineError::NeedsPerson { sql, .. } => sql.iter().map(|line| format!("  {line}")).collect(),
        _ => Vec::new(),
    }
}

fn difference(drift: &Drift) -> Vec<String> {
    let mut lines = vec![format!("  {}", drift.words())];
    if let DriftKind::Changed { applied, file } = &drift.kind {
        let diff = similar::TextDiff::from_lines(applied.as_str(), file.as_str());
        let text = diff.unified_diff().context_radius(2).header("applied", "file").to_string();
        lines.extend(text.lines().map(|line| format!("    {line}")));
    }
    lines
}

fn hint(error: &EngineError) -> Option<String> {
    Some(match error {
        EngineError::Refused(refused) => refused.remedy.clone(),
        EngineError::Lint { .. } => {
            "nothing was run; correct the files, or silence a rule on its step: allow: { RULE: REASON }; or --force lint".to_owned()
        }
        EngineError::Preflight { remedy, .. } | EngineError::Throttle { remedy, .. } => return remedy.clone(),
        EngineError::Db(DbError::Connect { hint, .. }) => (*hint).to_owned(),
        EngineError::Db(DbError::Url { .. }) => {
            "check the URL given with --database, in DATABASE_URL or in concertina.yaml".to_owned()
        }
        EngineError::Db(error) | EngineError::Store(StoreError::Db(error)) => return database_hint(error),
        EngineError::Step { blockers, .. } if !blockers.is_empty() => {
            let who = Blocker::several(blockers);
            format!(
                "it was kept from its lock by {who}; end that transaction and run the same command again, or let it do so: \
                 --cancel-blockers-after 1m"
            )
        }
        EngineError::Step { source, clean, .. } => {
            return Some(database_hint(source).unwrap_or_else(|| {
                let force =
                    if *clean { "nothing of the step is in force" } else { "a part of the step may be in force" };
                format!("{force}; correct the file or the database, and run the same command again")
            }));
        }
        EngineError::StepCheck { .. } => {
            "the step was rolled back; correct the rows and run the same command again".to_owned()
        }
        EngineError::Project(_) => "nothing was changed".to_owned(),
        EngineError::Unfit { .. } => {
            "no step of it was run; correct the files, and run the same command again".to_owned()
        }
        EngineError::Store(StoreError::Held(_)) => "wait for it, or look at it with concertina status".to_owned(),
        EngineError::Store(StoreError::StillThere) => {
            "wait until it is done, or let the database's administrator end it".to_owned()
        }
        EngineError::Store(StoreError::Lost | StoreError::RangeMoved) => "run the same command again once the other runner is done".to_owned(),
        EngineError::Drift(drifts) => {
            return Some(drift_hint(drifts));
        }
        EngineError::BrokenTriggers(_) => {
            "old and new nodes' writes are not kept in step; find out who changed the triggers, and run concertina expand, which \
             puts them back; migrate and contract look at the rows that were written meanwhile"
                .to_owned()
        }
        EngineError::NeedsPerson { id, .. } => format!(
            "look whether it took effect, then say so: concertina resolve {id} --applied, or concertina resolve {id} --not-applied"
        ),
        EngineError::BaselineHalfDone { label, .. } => format!(
            "look how far it came: if it is all there, concertina baseline --at {label} compares and records it; otherwise remove \
             what there is of it, and run the same command again"
        ),
        EngineError::BaselineDiffers(_) => {
            "name the version that the database is at, or bring the database to it; nothing was recorded".to_owned()
        }
        EngineError::Backfill { .. } => "what is done is saved; run concertina migrate again to go on".to_owned(),
        EngineError::Store(StoreError::NewerState { program, .. }) => match program {
            Some(program) => format!("run concertina {program} or later"),
            None => "run the newer concertina that made them".to_owned(),
        },
        EngineError::Store(StoreError::Refinery(_)) | EngineError::Usage(_) | EngineError::Interrupted => return None,
    })
}

/// What to do about each kind of drift there is; a command is named for each file that it is for.
fn drift_hint(drifts: &[Drift]) -> String {
    let mut accepts: Vec<String> = Vec::new();
    let (mut baseline, mut removed, mut late) = (false, false, false);
    for drift in drifts {
        match &drift.kind {
            DriftKind::Changed { .. } => {
                let file = drift.subject.split(':').next().unwrap_or_default();
                let command = format!("concertina resolve {file} --accept");
                if !accepts.contains(&command) {
                    accepts.push(command);
                }
            }
            DriftKind::Baseline => baseline = true,
            DriftKind::Removed => removed = true,
            DriftKind::Late { .. } => late = true,
        }
    }
    let mut advice = Vec::new();
    if !accepts.is_empty() {
        let commands = accepts.join(", ");
        advice.push(format!("restore what was applied, or say that the new text is as good: {commands}"));
    }
    if baseline {
        advice.push("restore the file as it was applied; put a new change into a new file".to_owned());
    }
    if removed {
        advice.push("restore the files as they were applied".to_owned());
    }
    if late {
        advice.push("move it to a later release".to_owned());
    }
    advice.join("; ")
}

fn database_hint(error: &DbError) -> Option<String> {
    // MySQL's "the user specified as a definer does not exist": the application's writes fail as well.
    if error.code() == Some("1449") {
        return Some(
            "the account that installed the triggers is gone, and every write of these tables fails; run concertina expand at \
             once, by an account that stays: it takes the triggers over"
                .to_owned(),
        );
    }
    // MySQL 8 keeps up to 64 versions of a table's rows, and an instant change makes one more.
    if error.code() == Some("4092") {
        return Some(
            "the table has had as many instant changes as MySQL allows until it is built anew (TOTAL_ROW_VERSIONS in \
             information_schema.INNODB_TABLES); at a quiet time run ALTER TABLE … FORCE, ALGORITHM=INPLACE, LOCK=NONE, which lets \
             writers write, and then the same command again"
                .to_owned(),
        );
    }
    match error.class() {
        Class::LockTimeout => {
            Some("somebody holds a lock on it; end that transaction, or run the same command again later".to_owned())
        }
        Class::Denied => Some(
            "the role lacks a privilege; grant it to the role in the URL, and run the same command again".to_owned(),
        ),
        Class::Disconnected => Some("the connection was lost; state is saved, run the same command again".to_owned()),
        Class::ReadOnly => Some(
            "this server takes no writes: it is a replica, or was the primary before a fail-over; connect to the primary, and run \
             the same command again"
                .to_owned(),
        ),
        Class::Conflict => Some("run the same command again".to_owned()),
        Class::Full => Some(
            "make room where the database is, and run the same command again: it goes on where it stopped".to_owned(),
        ),
        Class::AlgorithmRefused => Some(
            "the server would copy the table, with writers waiting; do it as a new column with a sync and a backfill, or say \
             allow_rewrite: true on the step where that is bearable"
                .to_owned(),
        ),
        Class::Other => None,
    }
}
