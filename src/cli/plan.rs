//! `concertina plan`

use clap::ValueEnum;

use super::{Failure, Shell, exit};
use crate::engine::{PhasePlan, plan};
use crate::step::Phase;

/// Print the exact SQL of a phase, and run nothing
#[derive(Debug, clap::Args)]
pub(super) struct Plan {
    /// The phase of the open or next release; left out, the one that is needed next
    phase: Option<PhaseWord>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum PhaseWord {
    Expand,
    Migrate,
    Contract,
}

impl Plan {
    pub(super) async fn run(self, shell: &Shell) -> Result<u8, Failure> {
        let phase = self.phase.map(|word| match word {
            PhaseWord::Expand => Phase::Expand,
            PhaseWord::Migrate => Phase::Migrate,
            PhaseWord::Contract => Phase::Contract,
        });
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
