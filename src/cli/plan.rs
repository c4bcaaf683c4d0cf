//! `concertina plan`

use clap::ValueEnum;

use super::{Failure, Shell, exit};
use crate::engine::{PhasePlan, StatementCost, plan};
use crate::step::Phase;

/// Print the exact SQL of a phase, the locks it takes and the rows it looks at, and run nothing
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
        for line in costs(&step.costs) {
            text.push_str(&format!("-- {line}\n"));
        }
        for statement in &step.statements {
            let statement = statement.trim_end().trim_end_matches(';');
            // What says something and sends nothing ends like a comment.
            let end = if statement.lines().all(|line| line.starts_with("--")) { "" } else { ";" };
            text.push_str(&format!("{statement}{end}\n"));
        }
    }
    text
}

/// What a step costs others: a line for each lock, and a line for each table whose rows are looked at.
fn costs(costs: &[StatementCost]) -> Vec<String> {
    let mut lines = Vec::new();
    let mut rows = Vec::new();
    for cost in costs {
        let (Some(lock), Some(table)) = (cost.lock, cost.table.as_deref()) else {
            lines.push("lock: not known, for this SQL is not understood here".to_owned());
            continue;
        };
        let held = match cost.held {
            "instant" => "for an instant",
            "ends" => "for an instant as it begins and as it ends",
            "batch" => "batch by batch",
            _ => "while it works",
        };
        let on = match cost.locks {
            "database" => "the database",
            _ => table,
        };
        let waits = match cost.stops {
            "nobody" => "nobody waits",
            "schema_changes" => "readers and writers go on",
            "writers" if cost.locks == "rows" => "who writes the same rows waits for a batch",
            "writers" => "writers wait",
            _ => "everybody waits",
        };
        lines.push(format!("lock: {lock} on {on}, {held}; {waits}"));
        let size = size(cost);
        match cost.work {
            "reads" => rows.push(format!("rows: all of {table} are read{size}")),
            "changes" => rows.push(format!("rows: those of {table} that it asks for are changed{size}")),
            "rewrites" => rows.push(format!("rows: all of {table} are written anew{size}")),
            _ => {}
        }
        if let Some(left) = cost.instant_changes_left {
            rows.push(format!("changes of {table} before the server builds it anew for one: {left} left"));
        }
    }
    if rows.is_empty() && !lines.is_empty() && costs.iter().all(|cost| cost.work == "none") {
        rows.push("rows: none is looked at".to_owned());
    }
    lines.extend(rows);
    let mut seen = std::collections::BTreeSet::new();
    lines.retain(|line| seen.insert(line.clone()));
    lines
}

/// How much that is, and how long it takes a server that gets so far in a second.
fn size(cost: &StatementCost) -> String {
    /// What a quiet server with a slow disk gets through, in MiB a second, of rows that are read, and that are written.
    const READ: u64 = 100;
    const WRITTEN: u64 = 20;
    const MIB: u64 = 1 << 20;
    let Some(rows) = cost.rows_estimated else { return String::new() };
    let Some(bytes) = cost.bytes_estimated.and_then(|bytes| u64::try_from(bytes).ok()) else {
        return format!(" (about {rows})");
    };
    let rate = if cost.work == "reads" { READ } else { WRITTEN };
    let seconds = bytes.div_ceil(rate * MIB).max(1);
    format!(" (about {rows}, {} MiB: {seconds} s at {rate} MiB/s)", bytes.div_ceil(MIB))
}
