//! The queries that prove a release's data: nothing is pending, and every sync's invariant holds.

use super::backfill::BackfillPlan;
use super::facts::Facts;
use super::schema_steps::OWN;
use crate::catalog::Release;
use crate::dialect::sync::Rules;
use crate::dialect::{Dialect, Refusal, Schema, Sync};

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

/// The release's syncs that are installed: expand put them there, and contract has not removed them.
pub fn installed_syncs(release: &Release, facts: &Facts) -> Vec<Sync> {
    release
        .syncs()
        .filter(|(step, sync)| {
            let removed = format!("{}/contract{OWN}drop_sync/{}", release.name, sync.name);
            facts.step_finished(&step.id) && !facts.steps.contains_key(&removed)
        })
        .map(|(_, sync)| sync)
        .collect()
}

/// What must be proved before contract. Once a sync is removed, what it guarded is proved already.
pub fn proofs(release: &Release, facts: &Facts, dialect: &dyn Dialect, schema: &Schema) -> Result<Vec<Proof>, Refusal> {
    let mut proofs = Vec::new();
    let contract_began = facts.steps.keys().any(|id| id.starts_with(&format!("{}/contract/", release.name)));
    for backfill in release.backfills.iter().filter(|_| !contract_began) {
        let plan = BackfillPlan::new(backfill, dialect, schema)?;
        proofs.push(Proof {
            subject: backfill.id.clone(),
            query: plan.pending,
            meaning: format!("rows of `{}` are not migrated", backfill.table),
        });
    }
    for sync in installed_syncs(release, facts) {
        let rules = Rules::new(&sync, dialect, schema, "")?;
        let key = rules.table().walk_key().unwrap_or_default();
        let table = dialect.table(&sync.table);
        let list: Vec<_> = key.iter().map(|column| dialect.key_column(&table, column)).collect();
        let list = if list.is_empty() { "1".to_owned() } else { list.join(", ") };
        proofs.push(Proof {
            subject: sync.name.clone(),
            query: format!("SELECT {list} FROM {table} WHERE {} LIMIT 5", rules.out_of_step()),
            meaning: format!("rows of `{}` break the sync `{}`: old and new columns disagree", sync.table, sync.name),
        });
    }
    Ok(proofs)
}

/// The triggers of installed syncs that are missing or disabled.
pub fn missing_triggers(release: &Release, facts: &Facts, dialect: &dyn Dialect, schema: &Schema) -> Vec<String> {
    let mut missing = Vec::new();
    for sync in installed_syncs(release, facts) {
        for (table, name) in dialect.sync_triggers(&sync) {
            let live =
                schema.table(&table).and_then(|table| table.triggers.iter().find(|trigger| trigger.name == name));
            if !live.is_some_and(|trigger| trigger.enabled) {
                missing.push(format!("trigger {name} on {table}, of the sync {}", sync.name));
            }
        }
    }
    missing
}
