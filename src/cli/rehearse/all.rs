//! `concertina rehearse --all`: every cell of the matrix, one after the other.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::screen::Screen;
use super::{Manner, save, summary};
use crate::catalog::Project;
use crate::cli::{Failure, Format, Global, exit, output, talk};
use crate::db::Target;
use crate::dialect::Kind;
use crate::engine::EngineError;
use crate::rehearsal::{
    Audience, Cell, Changes, RehearsalError, Report, Verdict, cells, changed_since, junit, rehearse,
};

/// Which cells are rehearsed, and where.
#[derive(Debug, Default)]
pub(super) struct Cells {
    /// Those on these databases; empty: on all.
    pub(super) on: Vec<Kind>,
    /// Those that a change since a revision may touch.
    pub(super) changed_since: Option<String>,
    /// The servers, one a database.
    pub(super) servers: Vec<Target>,
}

/// How a cell went.
#[derive(Debug, Serialize)]
struct Went {
    from: String,
    to: String,
    database: &'static str,
    pair: &'static str,
    /// `None`: it could not be rehearsed.
    verdict: Option<Verdict>,
    passed: bool,
    seed: Option<u64>,
    duration_ms: u64,
    /// Why it could not be rehearsed, or the first thing that stands against what was asked for.
    reason: Option<String>,
    /// Where its reports are.
    report: PathBuf,
}

#[derive(Debug, Serialize)]
struct All<'a> {
    passed: bool,
    cells: &'a [Went],
}

impl Cells {
    /// The cells, each with its server.
    fn of(&self, project: &Project) -> Result<Vec<(Cell, Option<Target>)>, Failure> {
        let mut all = cells(project);
        if let Some(revision) = &self.changed_since {
            let changes = Changes::new(project, changed_since(&project.root, revision)?);
            all.retain(|cell| changes.touch(cell));
        }
        all.retain(|cell| self.on.is_empty() || self.on.contains(&cell.database));
        let mut found = Vec::new();
        for cell in all {
            let server = self.servers.iter().find(|server| server.kind() == cell.database).cloned();
            if server.is_none() && cell.database != Kind::Sqlite {
                let key = cell.database.key();
                return Err(Failure::usage(format!(
                    "`{}` needs a server: --server {key}://…; or leave such cells out: --on DATABASE for each of the others",
                    cell.name()
                )));
            }
            found.push((cell, server));
        }
        Ok(found)
    }

    /// Rehearses them all; the exit code is that of the worst.
    pub(super) async fn run(
        &self,
        global: &Global,
        project: &Project,
        manner: &Manner,
        base: &Path,
    ) -> Result<u8, Failure> {
        let cells = self.of(project)?;
        let screen = Screen::new(global.quiet, global.log_format == Format::Json);
        let mut all: Vec<Went> = Vec::new();
        let mut reports: Vec<Report> = Vec::new();
        for (number, (cell, server)) in cells.iter().enumerate() {
            screen.say(&format!("[{} of {}] {}", number + 1, cells.len(), cell.name()));
            let folder = base.join(format!("{}-{}-{}", cell.from, cell.to, cell.database.key()));
            let options = manner.options(&cell.from, &cell.to, server.clone())?;
            let rehearsed = Box::pin(rehearse(project, &options, &screen)).await;
            let mut went = Went {
                from: cell.from.clone(),
                to: cell.to.clone(),
                database: cell.database.key(),
                pair: cell.pair.word(),
                verdict: None,
                passed: false,
                seed: None,
                duration_ms: 0,
                reason: None,
                report: folder.clone(),
            };
            match rehearsed {
                Ok(report) => {
                    save(&folder, &report)?;
                    went.verdict = Some(report.verdict);
                    went.passed = report.passed;
                    went.seed = Some(report.seed);
                    went.duration_ms = report.duration_ms;
                    went.reason = (!report.passed).then(|| against(&report)).flatten();
                    reports.push(report);
                }
                Err(RehearsalError::Interrupted | RehearsalError::Engine(EngineError::Interrupted)) => {
                    return Err(RehearsalError::Interrupted.into());
                }
                // The next one may be possible all the same.
                Err(error) => went.reason = Some(error.to_string()),
            }
            if screen.interrupted() {
                return Err(RehearsalError::Interrupted.into());
            }
            all.push(went);
        }
        talk::finish();
        if !all.is_empty() {
            let not_held = all.iter().filter(|went| went.verdict.is_none());
            let name = |went: &Went| format!("{} to {} on {}", went.from, went.to, went.database);
            let not_held =
                not_held.map(|went| (name(went), went.reason.clone().unwrap_or_default())).collect::<Vec<_>>();
            let text = junit(&reports.iter().collect::<Vec<_>>(), &not_held).map_err(Failure::unexpected)?;
            std::fs::create_dir_all(base).map_err(Failure::unexpected)?;
            std::fs::write(base.join("junit.xml"), text).map_err(Failure::unexpected)?;
        }
        let passed = all.iter().all(|went| went.passed);
        output::line(&match global.output {
            Format::Json => serde_json::to_string_pretty(&All { passed, cells: &all }).map_err(Failure::unexpected)?,
            Format::Text | Format::Sarif | Format::Github => table(&all, base),
        });
        Ok(if passed { exit::DONE } else { exit::REFUSED })
    }
}

/// The first thing that stands against what was asked for.
fn against(report: &Report) -> Option<String> {
    let asked = report.assertions.iter().filter(|assertion| report.required.reaches(assertion.name));
    let evidence = asked.flat_map(|assertion| &assertion.evidence).find(|evidence| !evidence.holds)?;
    Some(format!("{}: {}", evidence.what, evidence.found))
}

fn table(all: &[Went], base: &Path) -> String {
    if all.is_empty() {
        return "no cells to rehearse".to_owned();
    }
    let width = |of: fn(&Went) -> &str| all.iter().map(|went| of(went).chars().count()).max().unwrap_or(0).max(4);
    let (from, to) = (width(|went| &went.from), width(|went| &went.to));
    let mut text = format!("\n{:from$}  {:to$}  database  verdict        seconds\n", "from", "to");
    for went in all {
        let verdict = went.verdict.map_or("not rehearsed", Verdict::word);
        #[expect(clippy::cast_precision_loss, reason = "seconds for people")]
        let seconds = went.duration_ms as f64 / 1e3;
        let line = format!("{:from$}  {:to$}  {:<8}  {verdict:<13}  {seconds:>7.1}", went.from, went.to, went.database);
        let reason =
            went.reason.as_deref().map_or_else(String::new, |reason| format!("  {}", summary::cut(reason, 120)));
        text.push_str(&format!("{line}{reason}\n"));
    }
    let passed = all.iter().filter(|went| went.passed).count();
    text.push_str(&format!("\n{passed} of {} as good as asked for; reports: {}\n", all.len(), base.display()));
    text
}
