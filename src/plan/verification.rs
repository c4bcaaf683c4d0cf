//! The queries that prove a release's data: nothing is pending, and every sync's invariant holds.

use super::backfill::BackfillPlan;
use super::facts::Facts;
use super::schema_steps::removal_id;
use crate::catalog::{FileStep, Release};
use crate::dialect::sync::{self, Sync};
use crate::dialect::{Dialect, Refusal, Schema, Table};

/// One thing to prove: the query must return no row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// What is proved.
    pub subject: String,
    /// A query for some keys that break it.
    pub query: String,
    /// What a row means.
    pub meaning: String,
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
        let live = facts.step_finished(&step.id) && !removed && gone(&sync, dialect, schema).is_empty();
        live.then_some(sync)
    };
    release.syncs().filter_map(in_force).collect()
}

/// The triggers of a sync that are missing or disabled, with the table of each.
fn gone(sync: &Sync, dialect: &dyn Dialect, schema: &Schema) -> Vec<(String, String)> {
    let mut triggers = dialect.sync_triggers(sync);
    triggers.retain(|(table, name)| {
        let live = schema.table(table).and_then(|table| table.triggers.iter().find(|trigger| trigger.name == *name));
        !live.is_some_and(|trigger| trigger.enabled)
    });
    triggers
}

/// What must be proved before contract, and again by each run of it, as far as it can still be asked.
pub fn proofs(release: &Release, facts: &Facts, dialect: &dyn Dialect, schema: &Schema) -> Result<Vec<Proof>, Refusal> {
    let mut proofs = Vec::new();
    let contract = format!("{}/contract/", release.name);
    let something_is_gone = facts.steps.iter().any(|(id, fact)| fact.finished && id.starts_with(&contract));
    for backfill in &release.backfills {
        let plan = match BackfillPlan::new(backfill, dialect, schema) {
            Ok(plan) => plan,
            // What contract took away was proved before; everything that can be asked still is.
            Err(_) if something_is_gone => continue,
            Err(refusal) => return Err(refusal),
        };
        proofs.push(Proof {
            subject: backfill.id.clone(),
            query: plan.pending,
            meaning: format!("rows of `{}` are not migrated", backfill.table),
        });
    }
    for sync in live_syncs(release, facts, dialect, schema) {
        for invariant in sync::invariants(&sync, dialect, schema)? {
            let key = schema.table(&invariant.table).and_then(Table::walk_key).unwrap_or_default();
            let table = dialect.table(&invariant.table);
            let list: Vec<_> = key.iter().map(|column| dialect.key_column(&table, column)).collect();
            let list = if list.is_empty() { "1".to_owned() } else { list.join(", ") };
            proofs.push(Proof {
                subject: sync.name.clone(),
                query: format!("SELECT {list} FROM {} WHERE {} LIMIT 5", invariant.from, invariant.broken),
                meaning: invariant.meaning,
            });
        }
    }
    Ok(proofs)
}

/// The triggers of installed syncs that are missing or disabled, in words.
pub fn missing_triggers(release: &Release, facts: &Facts, dialect: &dyn Dialect, schema: &Schema) -> Vec<String> {
    let words = |sync: &Sync| -> Vec<String> {
        let gone = gone(sync, dialect, schema).into_iter();
        gone.map(|(table, name)| format!("trigger {name} on {table}, of the sync {}", sync.name)).collect()
    };
    installed_syncs(release, facts).iter().flat_map(words).collect()
}
