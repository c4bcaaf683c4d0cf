//! The queries that prove a release's data: nothing is pending, and every sync's invariant holds.

use super::backfill::{BackfillPlan, shown_key, within};
use super::facts::Facts;
use super::schema_steps::removal_id;
use super::walk::Walk;
use crate::catalog::{Copy, FileStep, Release, Work};
use crate::dialect::sync::{self, Sync};
use crate::dialect::{Dialect, Refusal, Schema};

/// One thing to prove of every row of a table.
#[derive(Debug, Clone)]
pub struct Proof {
    /// What is proved.
    pub subject: String,
    /// What a row that is found means.
    pub meaning: String,
    /// Whether another migrate cannot help: only contract, which takes the other side away, must not go on then.
    pub of_contract: bool,
    /// A query for keys of rows that break it, in the whole table.
    pub whole: String,
    /// How the table is walked.
    pub walk: Walk,
    /// Queries for keys of rows that break it, in a span from the table's first row, and in one behind a place.
    pub looks: [String; 2],
}

/// The release's syncs that are to be there: expand installed them, and contract has not begun to remove them.
pub fn installed_syncs(release: &Release, facts: &Facts) -> Vec<Sync> {
    let to_be_there = |(step, sync): (&FileStep, Sync)| {
        let there = facts.step_finished(&step.id) && !facts.steps.contains_key(&removal_id(release, &sync));
        there.then_some(sync)
    };
    release.syncs().filter_map(to_be_there).collect()
}

/// The release's syncs whose triggers are all in force, whatever contract has begun: a removal that failed removed nothing.
pub fn live_syncs(release: &Release, facts: &Facts, dialect: &dyn Dialect, schema: &Schema) -> Vec<Sync> {
    let in_force = |(step, sync): (&FileStep, Sync)| {
        let removed = facts.step_finished(&removal_id(release, &sync));
        let gone = |(_, _, fault): &(String, String, Fault)| matches!(fault, Fault::Missing | Fault::Disabled);
        let live = facts.step_finished(&step.id) && !removed && !faults(&sync, facts, dialect, schema).iter().any(gone);
        live.then_some(sync)
    };
    release.syncs().filter_map(in_force).collect()
}

/// What is wrong with a trigger of a sync.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Missing,
    Disabled,
    Altered,
    /// Nobody recorded what it looked like: an older version of this program installed it, and bypasses it otherwise.
    Unrecorded,
}

/// The triggers of a sync that are not what expand installed, with the table of each.
fn faults(sync: &Sync, facts: &Facts, dialect: &dyn Dialect, schema: &Schema) -> Vec<(String, String, Fault)> {
    let fault = |(table, name): (String, String)| {
        let live = schema.table(&table).and_then(|table| table.triggers.iter().find(|trigger| trigger.name == name));
        let fault = match live {
            None => Fault::Missing,
            Some(trigger) if !trigger.enabled => Fault::Disabled,
            Some(trigger) => match facts.triggers.get(&(table.clone(), name.clone())) {
                None => Fault::Unrecorded,
                Some(installed) if *installed != trigger.fingerprint() => Fault::Altered,
                Some(_) => return None,
            },
        };
        Some((table, name, fault))
    };
    dialect.sync_triggers(sync).into_iter().filter_map(fault).collect()
}

/// What must be proved before contract, and again by each run of it, as far as it can still be asked.
pub fn proofs(release: &Release, facts: &Facts, dialect: &dyn Dialect, schema: &Schema) -> Result<Vec<Proof>, Refusal> {
    let mut proofs = Vec::new();
    let contract = format!("{}/contract/", release.name);
    let something_is_gone = facts.steps.iter().any(|(id, fact)| fact.finished && id.starts_with(&contract));
    for backfill in &release.backfills {
        let plan = match BackfillPlan::new(backfill, release, dialect, schema) {
            Ok(plan) => plan,
            // What contract took away was proved before; everything that can be asked still is.
            Err(_) if something_is_gone => continue,
            Err(refusal) => return Err(refusal),
        };
        proofs.push(Proof {
            subject: backfill.id.clone(),
            meaning: format!("rows of `{}` are not migrated", backfill.table),
            of_contract: false,
            whole: plan.pending.clone(),
            looks: [false, true].map(|after| plan.pending_in_span(after)),
            walk: plan.walk.clone(),
        });
        // A sync between the two tables knows better which of the two sides was written last.
        let synced = |copy: &Copy| {
            release.syncs().any(|(_, sync)| {
                schema.key(&sync.table) == schema.key(&backfill.table)
                    && sync.to.as_ref().is_some_and(|to| schema.key(&to.table) == schema.key(&copy.into))
            })
        };
        if let Work::Copy(copy) = &backfill.work
            && !synced(copy)
        {
            proofs.push(Proof {
                subject: backfill.id.clone(),
                meaning: format!("rows of `{}` are not what their copies in `{}` are", backfill.table, copy.into),
                of_contract: true,
                whole: plan.differing(copy, dialect, schema, None)?,
                looks: [
                    plan.differing(copy, dialect, schema, Some(false))?,
                    plan.differing(copy, dialect, schema, Some(true))?,
                ],
                walk: plan.walk,
            });
        }
    }
    for sync in live_syncs(release, facts, dialect, schema) {
        for invariant in sync::invariants(&sync, dialect, schema)? {
            let Some(live) = schema.table(&invariant.table) else { continue };
            let walk = Walk::new(dialect, live)?;
            let shown = shown_key(dialect, live);
            let look = |after| {
                let rows = within(walk.span(after), &format!("({})", invariant.broken));
                format!("SELECT {shown} FROM {} WHERE {rows} LIMIT 5", invariant.from)
            };
            proofs.push(Proof {
                subject: sync.name.clone(),
                whole: format!("SELECT {shown} FROM {} WHERE {} LIMIT 5", invariant.from, invariant.broken),
                looks: [look(false), look(true)],
                meaning: invariant.meaning,
                of_contract: false,
                walk,
            });
        }
    }
    Ok(proofs)
}

/// The triggers of installed syncs that are not what expand installed, in words.
pub fn broken_triggers(release: &Release, facts: &Facts, dialect: &dyn Dialect, schema: &Schema) -> Vec<String> {
    let words = |sync: &Sync| -> Vec<String> {
        let faults = faults(sync, facts, dialect, schema).into_iter();
        faults
            .map(|(table, name, fault)| {
                let what = match fault {
                    Fault::Missing => "is missing",
                    Fault::Disabled => "is disabled",
                    Fault::Altered => "is not the one that was installed",
                    Fault::Unrecorded => "was installed by an older concertina",
                };
                format!("trigger {name} on {table}, of the sync {}, {what}", sync.name)
            })
            .collect()
    };
    installed_syncs(release, facts).iter().flat_map(words).collect()
}

/// The steps whose syncs are to be installed again: a trigger is not what it was, or runs with the rights of an account that
/// is not the one at work now.
pub fn syncs_to_put_back<'r>(
    release: &'r Release,
    facts: &Facts,
    dialect: &dyn Dialect,
    schema: &Schema,
) -> Vec<&'r FileStep> {
    let installed = installed_syncs(release, facts);
    let of_another = |sync: &Sync| {
        dialect.sync_triggers(sync).iter().any(|(table, name)| {
            let mut triggers = schema.table(table).into_iter().flat_map(|table| &table.triggers);
            triggers.any(|trigger| trigger.name == *name && trigger.of_another)
        })
    };
    release
        .syncs()
        .filter(|(_, sync)| installed.iter().any(|installed| installed.name == sync.name))
        .filter(|(_, sync)| of_another(sync) || !faults(sync, facts, dialect, schema).is_empty())
        .map(|(step, _)| step)
        .collect()
}
