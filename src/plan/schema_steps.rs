//! The schema steps of a phase, in the order in which they run, checked before any of them has.

use std::borrow::Cow;

use super::backfill::BackfillPlan;
use super::facts::Facts;
use crate::catalog::{Diagnostic, FileStep, Release};
use crate::dialect::{Cost, Dialect, Refusal, Schema, Script, Statement, Sync, script_costs};
use crate::step::{Context, DropNotNull, DropSync, Operation, Phase, Step};

/// Marks the id of a step that the engine adds by itself.
pub(super) const OWN: &str = "/engine/";

/// The id of the engine's step that removes a sync.
pub(super) fn removal_id(release: &Release, sync: &Sync) -> String {
    format!("{}/contract{OWN}drop_sync/{}", release.name, sync.name)
}

/// A step of a plan.
#[derive(Debug)]
pub struct PlannedStep<'r> {
    /// Its id.
    pub id: String,
    /// What it does.
    pub planned: Planned<'r>,
    /// Whether it is recorded as done.
    pub done: bool,
}

/// Where a planned step comes from.
#[derive(Debug)]
pub enum Planned<'r> {
    /// A file.
    File(&'r FileStep),
    /// The engine: a column that a new writer leaves out may be NULL before the sync that fills it in is gone.
    Loosen(DropNotNull),
    /// The engine: no sync outlives its release.
    DropSync(DropSync),
    /// A rollback: one of the operations that take a step back; the step is forgotten with the last.
    Undo {
        /// The step.
        step: &'r FileStep,
        /// What is done.
        operation: Box<dyn Operation>,
        /// Whether nothing of the step is in force behind it.
        last: bool,
    },
}

impl PlannedStep<'_> {
    /// What it does.
    pub fn operation(&self) -> &dyn Operation {
        match &self.planned {
            Planned::File(step) => step.step.operation(),
            Planned::Loosen(step) => step,
            Planned::DropSync(step) => step,
            Planned::Undo { operation, .. } => operation.as_ref(),
        }
    }

    /// Its kind's word.
    pub fn word(&self) -> &'static str {
        match &self.planned {
            Planned::File(step) | Planned::Undo { step, .. } => step.step.word(),
            Planned::Loosen(_) => "drop_not_null",
            Planned::DropSync(_) => "drop_sync",
        }
    }

    /// The file it comes from; empty for the engine's own.
    pub fn file(&self) -> Cow<'_, str> {
        match &self.planned {
            Planned::File(step) | Planned::Undo { step, .. } => Cow::Borrowed(&step.origin.source.path),
            Planned::Loosen(_) | Planned::DropSync(_) => Cow::Borrowed(""),
        }
    }

    /// A refusal as a diagnostic at the step's place in its file.
    pub fn diagnostic(&self, refusal: &Refusal) -> Diagnostic {
        match &self.planned {
            Planned::File(step) => diagnostic(&step.origin, refusal),
            Planned::Undo { step, .. } => step.origin.diagnostic(&refusal.reason),
            Planned::Loosen(_) | Planned::DropSync(_) => Diagnostic::of_path(&self.id, &refusal.reason),
        }
    }
}

fn diagnostic(origin: &crate::catalog::Origin, refusal: &Refusal) -> Diagnostic {
    let place = refusal.word.as_deref().map_or_else(|| origin.clone(), |word| origin.narrowed(word));
    place.diagnostic(&refusal.reason)
}

/// The steps of a phase.
///
/// In contract, each sync is removed right before the first step that touches an old column of its, or at the end. At no
/// instant may a new writer fail: so the new columns are tightened above that place, and the old ones may be left out.
pub fn schema_steps<'r>(release: &'r Release, phase: Phase, facts: &Facts, schema: &Schema) -> Vec<PlannedStep<'r>> {
    let planned = |id: String, planned: Planned<'r>| {
        let done = facts.step_finished(&id);
        PlannedStep { id, planned, done }
    };
    let mut steps: Vec<PlannedStep<'r>> = Vec::new();
    let mut installed: Vec<Sync> = match phase {
        Phase::Contract => release.syncs().map(|(_, sync)| sync).collect(),
        Phase::Expand | Phase::Migrate => Vec::new(),
    };
    let remove = |steps: &mut Vec<PlannedStep<'r>>, sync: Sync| {
        let loosened = sync.backward.iter().map(|(column, _)| column).filter(|column| {
            let live = schema.table(&sync.table).and_then(|table| table.column(column));
            live.is_some_and(|column| !column.nullable && column.default.is_none())
        });
        for column in loosened {
            let id = format!("{}/contract{OWN}loosen/{}/{column}", release.name, sync.name);
            let step = DropNotNull { table: sync.table.clone(), column: column.clone(), allow_rewrite: false };
            steps.push(planned(id, Planned::Loosen(step)));
        }
        let id = removal_id(release, &sync);
        steps.push(planned(id, Planned::DropSync(DropSync(sync))));
    };
    for step in release.steps(phase) {
        let (touched, rest) = installed.into_iter().partition(|sync| {
            let old: Vec<String> = sync.backward.iter().map(|(column, _)| column.clone()).collect();
            // What raw SQL touches is not known, so it counts.
            matches!(step.step, Step::Sql(_)) || step.step.operation().touches(schema, &sync.table, &old)
        });
        installed = rest;
        let touched: Vec<Sync> = touched;
        for sync in touched {
            remove(&mut steps, sync);
        }
        steps.push(planned(step.id.clone(), Planned::File(step)));
    }
    for sync in installed {
        remove(&mut steps, sync);
    }
    steps
}

/// A step, with all that it would send to the database as that is by then.
#[derive(Debug)]
pub struct RenderedStep<'r> {
    /// The step.
    pub step: PlannedStep<'r>,
    /// Its statements.
    pub script: Script,
    /// What each of its statements costs; `None` where that is not known.
    pub costs: Vec<Option<Vec<Cost>>>,
}

impl<'r> RenderedStep<'r> {
    fn new(step: PlannedStep<'r>, script: Script, dialect: &dyn Dialect, schema: &Schema) -> Self {
        let ways: Vec<Vec<String>> = script.statements.iter().map(Statement::ways).collect();
        let in_transaction = dialect.transactional_ddl() && !script.outside_transaction;
        let costs = script_costs(dialect, schema, &ways, in_transaction);
        Self { step, script, costs }
    }
}

/// Goes through what is left of a release's expand and contract on a copy of the schema: every step's statements, and
/// everything that is wrong, before the first has run.
pub fn check_release<'r>(
    release: &'r Release,
    phases: &[Phase],
    facts: &Facts,
    dialect: &dyn Dialect,
    live: &Schema,
) -> Result<Vec<RenderedStep<'r>>, Vec<Diagnostic>> {
    let mut schema = live.clone();
    let mut errors = Vec::new();
    let mut scripts = Vec::new();
    for phase in phases {
        if *phase == Phase::Migrate {
            for backfill in &release.backfills {
                if let Err(refusal) = BackfillPlan::new(backfill, release, dialect, &schema) {
                    errors.push(diagnostic(&backfill.origin, &refusal));
                }
            }
        }
        for step in schema_steps(release, *phase, facts, &schema) {
            if step.done {
                continue;
            }
            let context = Context { dialect, schema: &schema };
            let began = facts.steps.contains_key(&step.id);
            if began && step.operation().took_effect(&context) == Some(true) {
                continue;
            }
            match step.operation().script(&context) {
                Ok(script) => {
                    let rendered = RenderedStep::new(step, script, dialect, &schema);
                    rendered.step.operation().apply(&mut schema, dialect);
                    scripts.push(rendered);
                }
                Err(refusal) => errors.push(step.diagnostic(&refusal)),
            }
        }
    }
    if errors.is_empty() { Ok(scripts) } else { Err(errors) }
}
