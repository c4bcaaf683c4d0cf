//! The command line: the only room that prints, or knows an exit code. One file a command; the doc comment of its
//! arguments is its help.
//!
//! Results go to stdout, talk goes to stderr.

mod baseline;
mod check;
mod contract;
mod exit;
mod expand;
mod failure;
mod history;
mod lint;
mod logs;
mod migrate;
mod output;
mod pause;
mod plan;
mod rehearse;
mod resolve;
mod rollback;
mod status;
mod talk;
mod tune;
mod tuning;
mod uninstall;
mod upgrade;
mod verify;

use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand, ValueEnum};
use serde::Serialize;

use crate::catalog::{MANIFEST, Project};
use crate::db::Target;
use crate::engine::EngineError;
use crate::plan::Gate;
use failure::Failure;
use talk::Talk;

/// Zero-downtime database migrations: expand, migrate, contract
///
/// Exit codes: 0 done, nothing to do, or yes; 1 error; 2 usage; 3 expand needed; 4 migrate needed; 5 contract needed;
/// 6 refused; 7 another runner holds the lease; 8 drift; 9 a person must decide; 130 or 143 interrupted, run again.
#[derive(Debug, Parser)]
#[command(name = "concertina", version, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Clone, clap::Args)]
struct Global {
    /// The project's folder
    #[arg(long, global = true, default_value = ".", value_name = "DIR")]
    project: PathBuf,
    /// The database, `postgres://…`, `mysql://…` or `sqlite://FILE`; wins over the manifest
    #[arg(long, global = true, env = "CONCERTINA_DATABASE", hide_env_values = true, value_name = "URL")]
    database: Option<String>,
    /// A file with the database's password, and nothing else; wins over the URL's
    #[arg(long, global = true, env = "CONCERTINA_PASSWORD_FILE", hide_env_values = true, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// How results are printed
    #[arg(long, global = true, default_value = "text")]
    output: Format,
    /// How progress and logs are printed
    #[arg(long, global = true, default_value = "text")]
    log_format: Format,
    /// Print results and errors only
    #[arg(short, long, global = true)]
    quiet: bool,
    /// Log what is sent to the database as well; twice, every query
    #[arg(short, long, global = true, action = clap::ArgAction::Count, conflicts_with = "quiet")]
    verbose: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// For programs
    Json,
    /// For code scanning: `lint` alone has it
    #[value(hide = true)]
    Sarif,
    /// Annotations of a pull request: `lint` alone has it
    #[value(hide = true)]
    Github,
}

#[derive(Debug, Subcommand)]
enum Command {
    Upgrade(upgrade::Upgrade),
    Expand(expand::Expand),
    Migrate(migrate::Migrate),
    Contract(contract::Contract),
    Rollback(rollback::Rollback),
    Baseline(baseline::Baseline),
    Check(check::Check),
    Status(status::Status),
    History(history::History),
    Plan(plan::Plan),
    Lint(lint::Lint),
    Rehearse(rehearse::Rehearse),
    Verify(verify::Verify),
    Pause(pause::Pause),
    Resume(pause::Resume),
    Tune(tune::Tune),
    Resolve(resolve::Resolve),
    Uninstall(uninstall::Uninstall),
}

/// What every command works with.
struct Shell {
    global: Global,
    project: Project,
    target: Target,
    talk: Talk,
}

impl Cli {
    /// Runs the command and returns its exit code.
    pub async fn run(self) -> u8 {
        let global = self.global.clone();
        let as_json = global.log_format == Format::Json;
        logs::start(global.quiet, global.verbose, as_json);
        match Box::pin(self.carry_out()).await {
            Ok(code) => code,
            Err(failure) => {
                failure.print(global.output == Format::Json, as_json);
                failure.code()
            }
        }
    }

    async fn carry_out(self) -> Result<u8, Failure> {
        let command = match self.command {
            Command::Lint(command) => return command.run(&self.global),
            Command::Rehearse(command) => return Box::pin(command.run(&self.global)).await,
            command => command,
        };
        let shell = Shell::open(self.global)?;
        match command {
            // These have no database to open.
            Command::Lint(command) => command.run(&shell.global),
            Command::Rehearse(command) => Box::pin(command.run(&shell.global)).await,
            Command::Upgrade(command) => command.run(&shell).await,
            Command::Expand(command) => command.run(&shell).await,
            Command::Migrate(command) => command.run(&shell).await,
            Command::Contract(command) => command.run(&shell).await,
            Command::Rollback(command) => command.run(&shell).await,
            Command::Baseline(command) => command.run(&shell).await,
            Command::Check(command) => command.run(&shell).await,
            Command::Status(command) => command.run(&shell).await,
            Command::History(command) => command.run(&shell).await,
            Command::Plan(command) => command.run(&shell).await,
            Command::Verify(command) => command.run(&shell).await,
            Command::Pause(command) => command.run(&shell).await,
            Command::Resume(command) => command.run(&shell).await,
            Command::Tune(command) => command.run(&shell).await,
            Command::Resolve(command) => command.run(&shell).await,
            Command::Uninstall(command) => command.run(&shell).await,
        }
    }
}

impl Shell {
    fn open(global: Global) -> Result<Self, Failure> {
        if matches!(global.output, Format::Sarif | Format::Github)
            || matches!(global.log_format, Format::Sarif | Format::Github)
        {
            return Err(Failure::usage(
                "`sarif` and `github` are forms of `concertina lint --output`; expected text or json".to_owned(),
            ));
        }
        let project = Project::load(&global.project).map_err(EngineError::from)?;
        let target = match (&global.database, &project.manifest.database) {
            (Some(url), _) => Target::parse(url, Path::new("")),
            (None, Some(url)) => Target::parse(url, &global.project),
            (None, None) => {
                return Err(Failure::usage(format!("no database: give --database URL, or `database:` in {MANIFEST}")));
            }
        };
        let mut target = target.map_err(EngineError::from)?;
        if global.database.is_some() && std::env::var("CONCERTINA_DATABASE").ok() != global.database {
            warn_of_seen(&target);
        }
        if let Some(file) = &global.password_file {
            target = target.with_password_file(file).map_err(EngineError::from)?;
        }
        let talk = Talk::new(global.quiet, global.log_format == Format::Json);
        Ok(Self { global, project, target, talk })
    }

    /// Prints a result: as JSON, or as the text that is made of it.
    fn print<T: Serialize>(&self, result: &T, text: impl FnOnce(&T) -> String) -> Result<(), Failure> {
        talk::finish();
        match self.global.output {
            Format::Json => output::line(&serde_json::to_string_pretty(result).map_err(Failure::unexpected)?),
            Format::Text | Format::Sarif | Format::Github => output::line(&text(result)),
        }
        Ok(())
    }
}

/// A command line is no secret: `ps` shows it to everybody.
fn warn_of_seen(target: &Target) {
    if target.has_password() {
        tracing::warn!(
            "every user of this host can see the password on the command line; put the URL into CONCERTINA_DATABASE, or the \
             password into a file: --password-file"
        );
    }
}

/// Reads the word of a gate of contract that may be overridden.
fn gate(word: &str) -> Result<Gate, String> {
    [Gate::Quiet, Gate::Sessions, Gate::Verified, Gate::Lint, Gate::Cluster]
        .into_iter()
        .find(|gate| gate.word() == word)
        .ok_or_else(|| "expected `quiet`, `sessions`, `verified`, `lint` or `cluster`".to_owned())
}

/// Reads the word of a gate that every phase has which changes the schema.
fn schema_gate(word: &str) -> Result<Gate, String> {
    let known = [Gate::Lint, Gate::Cluster].into_iter().find(|gate| gate.word() == word);
    known.ok_or_else(|| "expected `lint` or `cluster`".to_owned())
}

/// Reads the word of the one gate that every phase has.
fn lint_gate(word: &str) -> Result<Gate, String> {
    if word == Gate::Lint.word() { Ok(Gate::Lint) } else { Err("expected `lint`".to_owned()) }
}
