//! What somebody else changed in the tables that releases have changed.

use std::collections::{BTreeMap, BTreeSet};

use super::facts::Facts;
use crate::catalog::Project;
use crate::dialect::{Objects, Schema, differences};
use crate::step::Phase;

/// The tables whose state is kept: those that steps and backfills of releases that were begun name.
pub fn kept_tables(project: &Project, facts: &Facts) -> BTreeSet<String> {
    let begun = |release: &str| Phase::ALL.into_iter().any(|phase| facts.is_started(release, phase));
    let mut tables: BTreeSet<String> = facts.tables.keys().cloned().collect();
    for release in project.releases.iter().filter(|release| begun(&release.name)) {
        let steps = release.expand.iter().chain(&release.contract);
        tables.extend(steps.flat_map(|step| step.tables.iter().cloned()));
        tables.extend(release.backfills.iter().map(|backfill| backfill.table.clone()));
    }
    tables
}

/// The state of these tables now; one that is not there has none.
pub fn states(tables: &BTreeSet<String>, schema: &Schema) -> BTreeMap<String, Objects> {
    let state = |table: &String| Some((table.clone(), schema.table(table)?.objects()));
    tables.iter().filter_map(state).collect()
}

/// What differs from what was recorded, in words; nothing while a schema phase is under way, which changes tables itself.
pub fn schema_drift(facts: &Facts, schema: &Schema) -> Vec<String> {
    let under_way = facts.phases.iter().any(|((_, phase), fact)| *phase != Phase::Migrate && !fact.finished);
    if under_way {
        return Vec::new();
    }
    let mut words = Vec::new();
    for (name, recorded) in &facts.tables {
        let Some(table) = schema.table(name) else {
            words.push(format!("table {name} is missing"));
            continue;
        };
        words.extend(
            differences(recorded, &table.objects()).iter().map(|difference| difference.words("is new", "and was")),
        );
    }
    words
}
