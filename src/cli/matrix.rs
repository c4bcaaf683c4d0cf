//! `concertina matrix`

use clap::ValueEnum;
use serde::Serialize;
use serde_json::json;

use super::{Failure, Format, Global, exit, output};
use crate::catalog::Project;
use crate::dialect::Kind;
use crate::engine::EngineError;
use crate::rehearsal::{Cell, Changes, Pair, cells, changed_since};

/// List the upgrades to rehearse: each release with files from the one before it, and the pairs that the manifest names, on every database
///
/// It opens no database. docs/matrix.md has the CI set-ups.
#[derive(Debug, clap::Args)]
pub(super) struct Matrix {
    /// Leave out what no changed file is part of: committed since the work on REV began, changed in the working tree, or untracked
    #[arg(long, value_name = "REV")]
    changed_since: Option<String>,
    /// How it is printed; --output json has a document of its own
    #[arg(long, default_value = "table")]
    format: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// For people: a line a pair
    Table,
    /// For GitHub Actions: a line of JSON for strategy.matrix
    Github,
    /// For GitLab: a child pipeline, a job a cell
    Gitlab,
}

#[derive(Serialize)]
struct Document<'a> {
    changed_since: Option<&'a str>,
    cells: Vec<Shown<'a>>,
}

#[derive(Serialize)]
struct Shown<'a> {
    from: &'a str,
    to: &'a str,
    database: &'a str,
    pair: &'a str,
    name: String,
}

/// GitHub starts no workflow with more jobs than this in a matrix.
const GITHUB_JOBS: usize = 256;

impl Matrix {
    pub(super) fn run(self, global: &Global) -> Result<u8, Failure> {
        if matches!(global.output, Format::Sarif | Format::Github) {
            return Err(Failure::usage(
                "expected --output text or json; for CI there is --format github or gitlab".to_owned(),
            ));
        }
        if global.output == Format::Json && self.format != Form::Table {
            return Err(Failure::usage("--format and --output json are two forms: leave one out".to_owned()));
        }
        let project = Project::load(&global.project).map_err(EngineError::from)?;
        let mut cells = cells(&project);
        if let Some(revision) = &self.changed_since {
            let changes = Changes::new(&project, changed_since(&project.root, revision)?);
            cells.retain(|cell| changes.touch(cell));
        }
        let document =
            Document { changed_since: self.changed_since.as_deref(), cells: cells.iter().map(shown).collect() };
        output::line(&match (global.output, self.format) {
            (Format::Json, _) => serde_json::to_string_pretty(&document).map_err(Failure::unexpected)?,
            (_, Form::Table) => self.table(&cells),
            (_, Form::Github) => {
                if cells.len() > GITHUB_JOBS {
                    tracing::warn!("{} cells: GitHub takes {GITHUB_JOBS} jobs in a matrix", cells.len());
                }
                let jobs = cells.iter().map(|cell| {
                    json!({ "from": cell.from, "to": cell.to, "database": cell.database.key(), "name": cell.name() })
                });
                json!({ "include": jobs.collect::<Vec<_>>() }).to_string()
            }
            (_, Form::Gitlab) => self.gitlab(&cells),
        });
        Ok(exit::DONE)
    }

    fn none(&self) -> String {
        match &self.changed_since {
            Some(revision) => format!("no cells: no file that one is made of has changed since {revision}"),
            None => "no cells: no release with files has one before it".to_owned(),
        }
    }

    fn table(&self, cells: &[Cell]) -> String {
        if cells.is_empty() {
            return self.none();
        }
        let mut rows = vec![["from", "to", "databases", ""].map(str::to_owned)];
        for pair in cells.chunk_by(|one, other| (&one.from, &one.to) == (&other.from, &other.to)) {
            let databases: Vec<&str> = pair.iter().map(|cell| cell.database.key()).collect();
            let mark = if pair[0].pair == Pair::SkipLevel { Pair::SkipLevel.word() } else { "" };
            rows.push([pair[0].from.clone(), pair[0].to.clone(), databases.join(", "), mark.to_owned()]);
        }
        let width = |at: usize| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or_default();
        let widths = [width(0), width(1), width(2)];
        let mut text = String::new();
        for [from, to, databases, mark] in &rows {
            let line = format!("{from:0$}  {to:1$}  {databases:2$}  {mark}", widths[0], widths[1], widths[2]);
            text.push_str(line.trim_end());
            text.push('\n');
        }
        format!("{text}{} cell{}", cells.len(), if cells.len() == 1 { "" } else { "s" })
    }

    /// <https://docs.gitlab.com/ci/pipelines/downstream_pipelines/#dynamic-child-pipelines>
    fn gitlab(&self, cells: &[Cell]) -> String {
        let mut text = PIPELINE.to_owned();
        if cells.is_empty() {
            // GitLab refuses a pipeline without jobs.
            let say = quoted(&format!("echo {}", shell(&self.none())));
            text.push_str(&format!("\nnothing to rehearse:\n  script: {say}\n"));
            return text;
        }
        for kind in Kind::ALL.into_iter().filter(|kind| cells.iter().any(|cell| cell.database == *kind)) {
            text.push_str(template(kind));
        }
        for cell in cells {
            text.push_str(&format!(
                "\n{}:\n  extends: .{}\n  variables: {{ FROM: {}, TO: {} }}\n",
                quoted(&cell.name()),
                cell.database.key(),
                quoted(&cell.from),
                quoted(&cell.to),
            ));
        }
        text
    }
}

fn shown(cell: &Cell) -> Shown<'_> {
    Shown { from: &cell.from, to: &cell.to, database: cell.database.key(), pair: cell.pair.word(), name: cell.name() }
}

/// A text as YAML and JSON both have it: a release may look like a number.
fn quoted(text: &str) -> String {
    json!(text).to_string()
}

/// A text as one word of a shell's.
fn shell(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

const PIPELINE: &str = r"# Made by `concertina matrix --format gitlab`. CONCERTINA_IMAGE names an image with the program.
workflow: { rules: [{ when: always }] }   # in the pipelines of merge requests too
default: { image: $CONCERTINA_IMAGE }
";

/// What the jobs of a database have in common.
fn template(kind: Kind) -> &'static str {
    match kind {
        Kind::Postgres => {
            r#"
.postgres:
  services: [{ name: "$CONCERTINA_POSTGRES_IMAGE", alias: database }]
  variables:
    CONCERTINA_POSTGRES_IMAGE: postgres:17
    POSTGRES_PASSWORD: rehearsal          # of a server that goes with the job
    REHEARSAL: postgres://postgres:rehearsal@database/postgres
  script: concertina rehearse "$FROM" "$TO" --database "$REHEARSAL" --report rehearsal
  artifacts: { when: always, paths: [rehearsal/], reports: { junit: rehearsal/junit.xml } }
"#
        }
        Kind::MySql => {
            r#"
.mysql:
  services: [{ name: "$CONCERTINA_MYSQL_IMAGE", alias: database }]
  variables:
    CONCERTINA_MYSQL_IMAGE: mariadb:11.4
    MARIADB_ROOT_PASSWORD: rehearsal      # of a server that goes with the job
    MYSQL_ROOT_PASSWORD: rehearsal
    REHEARSAL: mysql://root:rehearsal@database/mysql
  script: concertina rehearse "$FROM" "$TO" --database "$REHEARSAL" --report rehearsal
  artifacts: { when: always, paths: [rehearsal/], reports: { junit: rehearsal/junit.xml } }
"#
        }
        Kind::Sqlite => {
            r#"
.sqlite:
  script: concertina rehearse "$FROM" "$TO" --report rehearsal
  artifacts: { when: always, paths: [rehearsal/], reports: { junit: rehearsal/junit.xml } }
"#
        }
    }
}
