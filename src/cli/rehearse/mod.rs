//! `concertina rehearse`

mod all;
mod screen;
mod summary;

use std::path::{Path, PathBuf};
use std::time::Duration;

use all::Cells;

use super::{Failure, Format, Global, exit, output, talk};
use crate::catalog::{Project, parse_duration};
use crate::db::Target;
use crate::dialect::Kind;
use crate::engine::EngineError;
use crate::rehearsal::{Options, RehearsalError, Report, Verdict, junit, page, rehearse};
use screen::Screen;

/// Rehearse an upgrade: carry it out on a database of its own, with nodes of both releases at work; exit code 6 where it is not
/// as good as asked for
///
/// It makes FROM's schema and rows as tests/workloads/ says, sets nodes of FROM to work, and then expands, migrates, brings nodes
/// of TO in, drains those of FROM, and contracts; on the way it kills migrate, takes the expand back, and tries what must be
/// refused. At the end no write may be lost, no operation have failed, and the schema be the one that `upgrade` makes.
///
/// The databases are its own: a temporary SQLite file, or with --database two new ones on that server, which are dropped at the
/// end. The database that the URL or the manifest names is not touched.
#[derive(Debug, clap::Args)]
pub(super) struct Rehearse {
    /// The release to begin at
    #[arg(value_name = "FROM", required_unless_present = "all", requires = "to")]
    from: Option<String>,
    /// The release to upgrade to
    #[arg(value_name = "TO")]
    to: Option<String>,
    #[command(flatten)]
    manner: Manner,
    /// The folder that gets report.html, report.json and junit.xml; left out, rehearsal/FROM-TO-DATABASE. With --all a folder
    /// of such folders, and a junit.xml of all; left out, rehearsal
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    #[command(flatten)]
    every: Every,
}

/// Every cell of the matrix.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Every cell of the matrix")]
struct Every {
    /// Rehearse every cell of `concertina matrix`, one after the other
    #[arg(long, conflicts_with_all = ["from", "to"])]
    all: bool,
    // Read by hand: clap would repeat a URL that is none, with its password.
    /// A server to rehearse on, beside that of --database; may be given again, one for each database
    #[arg(long = "server", value_name = "URL", requires = "all")]
    servers: Vec<String>,
    /// The cells on this database alone, `postgres`, `mysql` or `sqlite`; may be given again
    #[arg(long, value_name = "DATABASE", requires = "all", value_parser = database)]
    on: Vec<Kind>,
    /// The cells alone whose files changed since this revision, as `concertina matrix` has it
    #[arg(long, value_name = "REV", requires = "all")]
    changed_since: Option<String>,
}

fn database(text: &str) -> Result<Kind, String> {
    Kind::from_key(text).ok_or_else(|| "expected `postgres`, `mysql` or `sqlite`".to_owned())
}

/// How a rehearsal is held.
#[derive(Debug, Clone, clap::Args)]
struct Manner {
    /// How good the upgrade is to be: upgrade, rolling, zero-downtime or zero-impact
    #[arg(long, value_name = "VERDICT", default_value_t = Verdict::ZeroDowntime)]
    require: Verdict,
    /// Nodes of each release, each a session
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=200))]
    nodes: u32,
    /// Operations a second, of all nodes together
    #[arg(long, value_name = "N", default_value_t = 60.0, value_parser = positive)]
    rate: f64,
    /// By how much the rows of the workload's seed are multiplied
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, value_parser = positive)]
    scale: f64,
    /// How long a stage lasts at least; the quiet one and the mixed one last twice as long
    #[arg(long, value_name = "DURATION", default_value = "4s", value_parser = parse_duration)]
    stage: Duration,
    /// How long an operation may take before it counts as an outage
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = parse_duration)]
    patience: Duration,
    /// The seed of an earlier rehearsal, to make the same choices again
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

fn positive(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|number| *number > 0.0 && number.is_finite());
    number.ok_or_else(|| "expected a number above 0".to_owned())
}

impl From<RehearsalError> for Failure {
    fn from(error: RehearsalError) -> Self {
        match error {
            RehearsalError::Usage(message) => Self::usage(message),
            RehearsalError::Workloads(diagnostics) => EngineError::Project(diagnostics).into(),
            RehearsalError::Db(error) => EngineError::Db(error).into(),
            RehearsalError::Engine(EngineError::Interrupted) => Self::from(RehearsalError::Interrupted),
            RehearsalError::Engine(error) => error.into(),
            // Nothing is saved, and there is nothing to go on with.
            error @ RehearsalError::Interrupted => Self::interrupted(error),
            error @ (RehearsalError::NoWorkload { .. }
            | RehearsalError::Preparing(_)
            | RehearsalError::Program { .. }) => Self::unexpected(error),
        }
    }
}

impl Rehearse {
    pub(super) async fn run(self, global: &Global) -> Result<u8, Failure> {
        let project = Project::load(&global.project).map_err(EngineError::from)?;
        let server = server(global)?;
        let (Some(from), Some(to)) = (&self.from, &self.to) else {
            let mut servers: Vec<Target> = server.into_iter().collect();
            for (number, url) in self.every.servers.iter().enumerate() {
                let parsed = Target::parse(url, Path::new(""));
                servers
                    .push(parsed.map_err(|error| Failure::usage(format!("--server, number {}: {error}", number + 1)))?);
            }
            let cells = Cells { on: self.every.on, changed_since: self.every.changed_since, servers };
            let base = self.report.unwrap_or_else(|| PathBuf::from(FOLDER));
            return cells.run(global, &project, &self.manner, &base).await;
        };
        let screen = Screen::new(global.quiet, global.log_format == Format::Json);
        let options = self.manner.options(from, to, server)?;
        let report = Box::pin(rehearse(&project, &options, &screen)).await;
        talk::finish();
        let report = report?;
        let folder = self.report.unwrap_or_else(|| folder(&report));
        save(&folder, &report)?;
        match global.output {
            Format::Json => output::line(&serde_json::to_string_pretty(&report).map_err(Failure::unexpected)?),
            Format::Text | Format::Sarif | Format::Github => {
                output::line(&summary::text(&report, &folder, output::line_has_colour()));
            }
        }
        Ok(if report.passed { exit::DONE } else { exit::REFUSED })
    }
}

impl Manner {
    fn options(&self, from: &str, to: &str, server: Option<Target>) -> Result<Options, Failure> {
        Ok(Options {
            from: from.to_owned(),
            to: to.to_owned(),
            server,
            nodes: self.nodes as usize,
            rate: self.rate,
            scale: self.scale,
            stage: self.stage,
            seed: self.seed.unwrap_or_else(|| fastrand::u64(..1 << 32)),
            require: self.require,
            patience: self.patience,
            program: std::env::current_exe().map_err(Failure::unexpected)?,
        })
    }
}

/// The server on which databases are made; the manifest's is not asked, since a rehearsal is work for it.
fn server(global: &Global) -> Result<Option<Target>, Failure> {
    let Some(url) = &global.database else { return Ok(None) };
    let mut target = Target::parse(url, Path::new("")).map_err(EngineError::from)?;
    if let Some(file) = &global.password_file {
        target = target.with_password_file(file).map_err(EngineError::from)?;
    }
    Ok(Some(target))
}

/// Where reports go, unless they are told where.
const FOLDER: &str = "rehearsal";

fn folder(report: &Report) -> PathBuf {
    Path::new(FOLDER).join(format!("{}-{}-{}", report.from, report.to, report.database))
}

/// Writes the three reports.
fn save(folder: &Path, report: &Report) -> Result<(), Failure> {
    std::fs::create_dir_all(folder).map_err(Failure::unexpected)?;
    let write = |name: &str, text: String| std::fs::write(folder.join(name), text).map_err(Failure::unexpected);
    write("report.html", page(report).map_err(Failure::unexpected)?)?;
    write("report.json", serde_json::to_string_pretty(report).map_err(Failure::unexpected)?)?;
    write("junit.xml", junit(&[report], &[]).map_err(Failure::unexpected)?)
}
