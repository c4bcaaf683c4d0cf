//! `concertina plan`

use clap::ValueEnum;

use super::{Failure, Shell, exit};
use crate::engine::{PhasePlan, plan};
use crate::step::Phase;

/// Print the exact SQL of a phase, and run nothing
#[derive(Debug, clap::Args)]
pub(super) struct Plan {
    /// The phase of the open or next release, or the rollback of the open one; left out, the phase that is needed next
    phase: Option<PhaseWord>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum PhaseWord {
    Expand,
    Migrate,
    Contract,
    Rollback,
}

impl Plan {
    pub(super) async fn run(self, shell: &Shell) -> Result<u8, Failure> {
        let phase = match self.phase {
            None => None,
            Some(PhaseWord::Expand) => Some(Phase::Expand),
            Some(PhaseWord::Migrate) => Some(Phase::Migrate),
            Some(PhaseWord::Contract) => Some(Phase::Contract),
            Some(PhaseWord::Rollback) => return super::rollback::plan(shell).await,
        };
        let planned = plan(&shell.project, &shell.target, phase, &shell.talk).await?;
        shell.print(&planned, text)?;
        Ok(exit::DONE)
    }
}

fn count(number: usize, what: &str) -> String {
    match number {
        0 => "nothing to do".to_owned(),
        1 => format!("1 {what}"),
        number => format!("{number} {what}s"),
    }
}

fn text(plan: &PhasePlan) -> String {
    let mut text = match (&plan.release, plan.phase.as_str()) {
        (_, "none") => return "-- nothing to do: the database is at the newest release".to_owned(),
        (Some(release), phase) => format!("-- {phase} {release}: {}\n", count(plan.steps.len(), "step")),
        (None, phase) => format!("-- {phase}: {}\n", count(plan.steps.len(), "file")),
    };
    for step in &plan.steps {
        let how = if step.transactional { "in one transaction" } else { "outside a transaction" };
        text.push_str(&format!("\n-- {}: {} ({how})\n", step.id, step.summary));
        for statement in &step.statements {
            text.push_str(&format!("{};\n", statement.trim_end().trim_end_matches(';')));
        }
    }
    text
}
