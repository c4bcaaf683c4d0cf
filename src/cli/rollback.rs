//! `concertina rollback`, and `concertina plan rollback`

use std::time::Duration;

use super::migrate::next_line;
use super::{Failure, Shell, exit};
use crate::catalog::parse_duration;
use crate::engine::{RollbackOptions, RollbackPlan, RolledBack, plan_rollback, rollback};
use crate::plan::Gate;

/// Undo the expand of the open release, and forget its migrate; what new nodes wrote to new columns is lost
///
/// It refuses where a contract step has ever started, where a step has no undo (see plan rollback), and, unless told otherwise,
/// where new nodes have written.
#[derive(Debug, clap::Args)]
pub(super) struct Rollback {
    /// The release; left out, the open one
    #[arg(long)]
    release: Option<String>,
    /// Lose what new nodes wrote: the same as --force `new_writes`
    #[arg(long)]
    yes: bool,
    /// Override a gate, `new_writes` or `cluster`; the history keeps it
    #[arg(long, value_name = "GATE", value_parser = rollback_gate)]
    force: Vec<Gate>,
    /// End sessions that keep a step from its lock for longer than this; left out, they are named and left alone
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    cancel_blockers_after: Option<Duration>,
}

fn rollback_gate(word: &str) -> Result<Gate, String> {
    let known = [Gate::NewWrites, Gate::Cluster].into_iter().find(|gate| gate.word() == word);
    known.ok_or_else(|| "expected `new_writes` or `cluster`".to_owned())
}

impl Rollback {
    pub(super) async fn run(self, shell: &Shell) -> Result<u8, Failure> {
        let mut force = self.force;
        force.extend(self.yes.then_some(Gate::NewWrites));
        let options =
            RollbackOptions { release: self.release, force, cancel_blockers_after: self.cancel_blockers_after };
        let outcome = rollback(&shell.project, &shell.target, &options, &shell.talk).await?;
        shell.print(&outcome, ended)?;
        Ok(exit::DONE)
    }
}

fn ended(outcome: &RolledBack) -> String {
    let mut text = match &outcome.release {
        Some(release) => format!("done: {release}/rollback\n"),
        None => "nothing to do: nothing of a release is there to take back\n".to_owned(),
    };
    for reason in &outcome.stays {
        text.push_str(&format!("note: {reason}\n"));
    }
    text.push_str(&next_line(&outcome.next));
    text
}

/// Prints what a rollback would do; exit code 6 where a step of it cannot be undone.
pub(super) async fn plan(shell: &Shell) -> Result<u8, Failure> {
    let planned = plan_rollback(&shell.project, &shell.target, None, &shell.talk).await?;
    shell.print(&planned, text)?;
    let refused = planned.steps.iter().any(|step| step.refused.is_some());
    Ok(if refused { exit::REFUSED } else { exit::DONE })
}

fn text(plan: &RollbackPlan) -> String {
    let Some(release) = &plan.release else {
        return "-- nothing to do: nothing of a release is there to take back".to_owned();
    };
    let count = plan.steps.len();
    let mut text = format!("-- rollback {release}: {count} {}\n", if count == 1 { "step" } else { "steps" });
    for lost in &plan.lost {
        text.push_str(&format!("-- would be lost: {lost}\n"));
    }
    for step in &plan.steps {
        let how = match (&step.stays, &step.refused) {
            (_, Some(reason)) => format!("CANNOT BE UNDONE: {reason}"),
            (Some(reason), None) => format!("stays: {reason}"),
            (None, None) if step.statements.is_empty() => "nothing of it is in force".to_owned(),
            (None, None) if step.transactional => "undone in one transaction".to_owned(),
            (None, None) => "undone outside a transaction".to_owned(),
        };
        text.push_str(&format!("\n-- {}: {} ({how})\n", step.id, step.summary));
        for statement in &step.statements {
            text.push_str(&format!("{};\n", statement.trim_end().trim_end_matches(';')));
        }
    }
    text
}
