//! What takes a release's expand back: new foreign keys and the syncs first, then the new objects, then what was loosened; within each, what was
//! done last goes first.

use super::facts::Facts;
use super::gate::{Gate, Refused};
use super::schema_steps::{Planned, PlannedStep};
use super::state::{ReleaseState, Standing};
use super::verification::installed_syncs;
use crate::catalog::{FileStep, Release, Work};
use crate::dialect::{Dialect, Schema, Script, Sync};
use crate::step::{Context, Step, Undo};

/// A step of expand that began, and what becomes of it.
#[derive(Debug)]
pub struct UndoStep<'r> {
    /// The step.
    pub step: &'r FileStep,
    /// What becomes of it.
    pub verdict: Verdict<'r>,
}

/// What becomes of a step.
#[derive(Debug)]
pub enum Verdict<'r> {
    /// These take it back, in order, each with its statements; nothing, where nothing of it is in force.
    Undone(Vec<(PlannedStep<'r>, Script)>),
    /// It stays, and does no harm.
    Stays(String),
    /// It cannot be taken back.
    Refused(String),
}

/// The release that a rollback is about, by its place in the train; `None` where there is nothing to take back.
pub fn rollback_target<'p>(standing: &Standing<'p>, named: Option<&str>) -> Result<Option<&'p Release>, Refused> {
    let found = match named {
        Some(name) => standing.releases.iter().find(|(release, _)| release.name == name).copied(),
        None => standing.open().map(|(_, release, state)| (release, state)),
    };
    let Some((release, state)) = found else { return Ok(None) };
    let gone = |words: &str| {
        Err(Refused {
            gate: Gate::Order,
            reason: format!(
                "the contract of {} {words}: what the release before it uses is gone or going",
                release.name
            ),
            remedy: "go forward: run concertina contract to its end; a step back is a release of its own".to_owned(),
        })
    };
    match state {
        ReleaseState::Expanding | ReleaseState::Expanded | ReleaseState::Migrating | ReleaseState::Migrated => {
            Ok(Some(release))
        }
        ReleaseState::Unchanged | ReleaseState::Pending => Ok(None),
        ReleaseState::Contracting => gone("has begun"),
        ReleaseState::Contracted => gone("is done"),
    }
}

/// What backfills have done to tables and columns that are older than the release, and no rollback takes back.
pub fn data_that_stays(release: &Release, facts: &Facts) -> Vec<String> {
    let is_new_table = |table: &str| {
        let makes = |step: &FileStep| matches!(&step.step, Step::CreateTable(made) if made.0.name == table);
        release.expand.iter().any(makes)
    };
    let is_new = |table: &str, column: &str| {
        let adds = |step: &FileStep| matches!(&step.step, Step::AddColumn(added) if added.table == table && added.column.name == column);
        is_new_table(table) || release.expand.iter().any(adds)
    };
    let started = release.backfills.iter().filter(|backfill| facts.backfills.contains_key(&backfill.id));
    started
        .filter_map(|backfill| {
            let table = &backfill.table;
            let older = |columns: Vec<&String>| -> Option<String> {
                let older: Vec<&str> =
                    columns.into_iter().filter(|column| !is_new(table, column)).map(String::as_str).collect();
                (!older.is_empty()).then(|| format!("wrote {} of `{table}`", older.join(", ")))
            };
            let what = match &backfill.work {
                Work::Update(set) => older(set.iter().map(|(column, _)| column).collect()),
                Work::Command(program) => older(program.writes.iter().collect()),
                Work::Delete(_) => Some(format!("deleted from `{table}`")),
                Work::Copy(copy) => (!is_new_table(&copy.into)).then(|| format!("made rows in `{}`", copy.into)),
            };
            what.map(|what| format!("{} {what}: what it did stays", backfill.id))
        })
        .collect()
}

/// Where a step stands in the order; within a place the last one goes first.
fn place(step: &Step) -> u8 {
    match step {
        // One that says whose row a new row is would keep old nodes from deleting theirs, once no sync deletes both.
        Step::AddForeignKey(_) => 0,
        Step::Sync(_) => 1,
        Step::DropNotNull(_) | Step::DropDefault(_) | Step::DropConstraint(_) => 3,
        _ => 2,
    }
}

/// The steps of a release's expand that began, in the order in which they are taken back.
pub fn steps_to_undo<'r>(release: &'r Release, facts: &Facts) -> Vec<&'r FileStep> {
    let began = |step: &&FileStep| facts.steps.contains_key(&step.id) && !facts.left_behind(&step.id);
    let mut steps: Vec<_> = release.expand.iter().filter(began).collect();
    steps.reverse();
    steps.sort_by_key(|step| place(&step.step));
    steps
}

/// What takes one step back, as the database is now.
pub fn undo_of<'r>(step: &'r FileStep, facts: &Facts, context: &Context<'_>) -> Result<UndoOf<'r>, String> {
    // It failed before any of it was in force, and no look tells raw SQL's effect.
    let failed = facts.failed.contains(&step.id);
    if failed && step.step.operation().took_effect(context) != Some(true) && matches!(step.step, Step::Sql(_)) {
        return Ok(UndoOf::By(Vec::new()));
    }
    let memory = facts.memories.get(&step.id).cloned().unwrap_or_default();
    let began_only = !facts.step_finished(&step.id);
    match step.step.operation().inverse(context, &memory).map_err(|refusal| refusal.reason)? {
        // What never took effect does not stay either.
        Undo::Stays(_) if began_only && step.step.operation().took_effect(context) == Some(false) => {
            Ok(UndoOf::By(Vec::new()))
        }
        Undo::Stays(reason) => Ok(UndoOf::Stays(reason)),
        Undo::By(operations) => {
            let last = operations.len();
            let planned = operations.into_iter().enumerate().map(|(at, operation)| PlannedStep {
                id: step.id.clone(),
                planned: Planned::Undo { step, operation, last: at + 1 == last },
                done: false,
            });
            Ok(UndoOf::By(planned.collect()))
        }
    }
}

/// What takes one step back.
#[derive(Debug)]
pub enum UndoOf<'r> {
    /// These, in order.
    By(Vec<PlannedStep<'r>>),
    /// It stays.
    Stays(String),
}

/// Goes through a whole rollback on a copy of the schema, before any of it has run.
pub fn check_rollback<'r>(
    release: &'r Release,
    facts: &Facts,
    dialect: &dyn Dialect,
    live: &Schema,
) -> Vec<UndoStep<'r>> {
    let mut schema = live.clone();
    let mut undone = Vec::new();
    for step in steps_to_undo(release, facts) {
        let verdict = match undo_of(step, facts, &Context { dialect, schema: &schema }) {
            Err(reason) => Verdict::Refused(reason),
            Ok(UndoOf::Stays(reason)) => Verdict::Stays(reason),
            Ok(UndoOf::By(operations)) => undone_by(operations, dialect, &mut schema),
        };
        undone.push(UndoStep { step, verdict });
    }
    undone
}

fn undone_by<'r>(operations: Vec<PlannedStep<'r>>, dialect: &dyn Dialect, schema: &mut Schema) -> Verdict<'r> {
    let mut scripts = Vec::new();
    for planned in operations {
        let context = Context { dialect, schema };
        if planned.operation().took_effect(&context) == Some(true) {
            continue;
        }
        match planned.operation().script(&context) {
            Ok(script) => {
                planned.operation().apply(schema, dialect);
                scripts.push((planned, script));
            }
            Err(refusal) => return Verdict::Refused(refusal.reason),
        }
    }
    Verdict::Undone(scripts)
}

/// What new nodes may have written, and a rollback loses.
#[derive(Debug)]
pub enum NewWrites {
    /// A sync remembers when it saw a new-style write last.
    Sync(Sync),
    /// A query that finds a row where something was written; what that means.
    Rows {
        /// The query.
        query: String,
        /// A lower-case fragment.
        meaning: String,
    },
}

/// Where to look for what new nodes have written.
///
/// What a backfill copied, or filled in, tells nothing: a sync knows better, and where there is none nothing does.
pub fn new_writes(release: &Release, facts: &Facts, dialect: &dyn Dialect, schema: &Schema) -> Vec<NewWrites> {
    let mut found: Vec<NewWrites> = installed_syncs(release, facts).into_iter().map(NewWrites::Sync).collect();
    let syncs: Vec<Sync> = release.syncs().map(|(_, sync)| sync).collect();
    let new_table = |sync: &Sync| sync.to.as_ref().map_or(&sync.table, |to| &to.table).clone();
    let rows = |table: &str, condition: &str, meaning: String| NewWrites::Rows {
        query: format!("SELECT 1 FROM {}{condition} LIMIT 1", dialect.table(table)),
        meaning,
    };
    let began = release.expand.iter().filter(|step| facts.steps.contains_key(&step.id));
    for step in began {
        match &step.step {
            Step::CreateTable(step) => {
                let table = &step.0.name;
                let filled = syncs.iter().any(|sync| &new_table(sync) == table);
                if !filled && schema.table(table).is_some() {
                    found.push(rows(table, "", format!("there are rows in the new table `{table}`")));
                }
            }
            Step::AddColumn(step) => {
                let (table, column) = (&step.table, &step.column.name);
                let synced = syncs
                    .iter()
                    .any(|sync| &new_table(sync) == table && sync.forward.iter().any(|(name, _)| name == column));
                let filled = release.backfills.iter().any(|backfill| match &backfill.work {
                    Work::Update(set) => &backfill.table == table && set.iter().any(|(name, _)| name == column),
                    Work::Copy(copy) => &copy.into == table,
                    Work::Command(_) => &backfill.table == table,
                    Work::Delete(_) => false,
                });
                let live = schema.table(table).and_then(|live| live.column(column));
                let plain = live.is_some_and(|live| live.nullable && live.default.is_none() && !live.generated);
                if plain && !synced && !filled {
                    let condition = format!(" WHERE {} IS NOT NULL", dialect.quote(column));
                    found.push(rows(
                        table,
                        &condition,
                        format!("there are values in the new column `{column}` of `{table}`"),
                    ));
                }
            }
            _ => {}
        }
    }
    found
}
