//! `sync-without-backfill`: a sync whose new columns no backfill of its release fills in.

use super::example;
use crate::catalog::{Backfill, Work};
use crate::dialect::Sync;
use crate::plan::lint::known::same;
use crate::plan::lint::view::View;
use crate::plan::lint::{Finder, Rule, RuleText, Severity};
use crate::step::Phase;

pub(super) const RULE: Rule = Rule {
    text: RuleText {
        name: "sync-without-backfill",
        severity: Severity::Warning,
        judges: "a sync whose new columns no backfill of its release fills in",
        why: "Rows that nobody writes keep NULL in the new column for ever, and new nodes read that.",
        remedy: "add a backfill of the new columns to the release's data files",
    },
    bad: &[example::BASELINE, example::EXPAND],
    good: example::WHOLE,
    check,
};

fn check(view: &View<'_>, finder: &mut Finder<'_>) {
    for (step, sync) in view.syncs() {
        let fills = |backfill: &&Backfill| fills(backfill, &sync);
        if !view.backfills().iter().any(|backfill| fills(&backfill)) && !view.makes(&sync.table) {
            let message = format!("no backfill fills in what the sync `{}` keeps in step", sync.name);
            finder.found(Phase::Expand, &step.id, step.origin.narrowed(&sync.name), message);
        }
    }
}

/// Whether a backfill writes a new column of a sync.
pub(super) fn fills(backfill: &Backfill, sync: &Sync) -> bool {
    let is_new = |column: &String| sync.forward.iter().any(|(new, _)| same(new, column));
    match &backfill.work {
        Work::Update(set) => same(&backfill.table, sync.new_table()) && set.iter().any(|(column, _)| is_new(column)),
        Work::Copy(copy) => same(&copy.into, sync.new_table()),
        Work::Command(program) => same(&backfill.table, sync.new_table()) && program.writes.iter().any(is_new),
        Work::Delete(_) => false,
    }
}
