//! `concertina migrate`

use std::time::Duration;

use serde::Serialize;

use super::tuning::{Replicas, Tuning};
use super::{Failure, Shell, exit, lint_gate};
use crate::catalog::parse_duration;
use crate::engine::{MigrateOptions, Next, Outcome, PhaseOptions, run_phase};
use crate::plan::Gate;
use crate::step::Phase;

/// Run the migrate phase: backfills, in batches, while both releases write
#[derive(Debug, clap::Args)]
pub(super) struct Migrate {
    /// The release; left out, the open one
    #[arg(long)]
    release: Option<String>,
    /// Stop, with exit code 4, once this many rows were changed
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    max_rows: Option<u64>,
    /// Stop, with exit code 4, after this time (`30s`, `5m`)
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    max_time: Option<Duration>,
    /// How many batches run side by side; the same command on other hosts shares the work too. SQLite has one writer
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    workers: u32,
    /// Override a gate, `lint`; the history keeps it
    #[arg(long, value_name = "GATE", value_parser = lint_gate)]
    force: Vec<Gate>,
    #[command(flatten)]
    tuning: Tuning,
    #[command(flatten)]
    replicas: Replicas,
}

impl Migrate {
    pub(super) async fn run(self, shell: &Shell) -> Result<u8, Failure> {
        let overrides = self.replicas.add_to(self.tuning.overrides()?)?;
        let options = PhaseOptions {
            release: self.release,
            force: self.force,
            migrate: MigrateOptions {
                max_rows: self.max_rows,
                max_time: self.max_time,
                workers: self.workers,
                overrides,
            },
            ..PhaseOptions::default()
        };
        let outcome = run_phase(&shell.project, &shell.target, Phase::Migrate, &options, &shell.talk).await?;
        print_outcome(shell, &outcome)?;
        Ok(if outcome.limited { exit::MIGRATE_NEEDED } else { exit::DONE })
    }
}

#[derive(Serialize)]
struct Ended<'a> {
    done: &'a [String],
    limited: bool,
    caution: Option<&'a str>,
    next: &'a Next,
}

/// Prints how a phase command ended.
pub(super) fn print_outcome(shell: &Shell, outcome: &Outcome) -> Result<(), Failure> {
    let result = Ended {
        done: &outcome.done,
        limited: outcome.limited,
        caution: outcome.caution.as_deref(),
        next: &outcome.next,
    };
    shell.print(&result, |result| {
        let mut text = String::new();
        for done in result.done {
            text.push_str(&format!("done: {done}\n"));
        }
        if result.limited {
            text.push_str("stopped at the limit; state is saved\n");
        } else if result.done.is_empty() {
            text.push_str("nothing to do\n");
        }
        if let Some(caution) = result.caution {
            text.push_str(&format!("note: {caution}\n"));
        }
        text.push_str(&next_line(result.next));
        text
    })
}

/// What to do next, on one line.
pub(super) fn next_line(next: &Next) -> String {
    match (&next.command, &next.release) {
        (Some(command), Some(release)) => format!("next: {command} ({release})"),
        (Some(command), None) => format!("next: {command}"),
        (None, _) => "next: nothing; the database is at the newest release".to_owned(),
    }
}
