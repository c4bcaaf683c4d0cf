//! `contract-loses-data`: a contract that drops an old column of a sync which no backfill has read.

use super::example;
use super::sync_without_backfill::fills;
use crate::plan::lint::effect::Effect;
use crate::plan::lint::known::same;
use crate::plan::lint::view::View;
use crate::plan::lint::{Finder, Rule, RuleText, Severity};
use crate::step::Phase;

pub(super) const RULE: Rule = Rule {
    text: RuleText {
        name: "contract-loses-data",
        severity: Severity::Error,
        judges: "a contract that drops an old column of a sync which no backfill has read",
        why: "Rows that nobody wrote since expand have their value in the old column alone, and it goes with it.",
        remedy: "add a backfill of the new columns to the release's data files",
    },
    bad: &[example::BASELINE, example::EXPAND, example::CONTRACT],
    good: example::WHOLE,
    check,
};

fn check(view: &View<'_>, finder: &mut Finder<'_>) {
    for act in view.of(Phase::Contract) {
        for (_, sync) in view.syncs() {
            let lost = match &act.effect {
                Effect::DropColumn { table, column } => {
                    same(table, &sync.table) && sync.backward.iter().any(|(old, _)| same(old, column))
                }
                Effect::DropTable { table } => same(table, &sync.table),
                _ => false,
            };
            if lost && !view.makes(&sync.table) && !view.backfills().iter().any(|backfill| fills(backfill, &sync)) {
                let message = format!("the only copy of what the sync `{}` has not seen written is dropped", sync.name);
                finder.at(act, message);
            }
        }
    }
}
