//! `sync-without-contract`: a sync whose old columns its release does not drop in contract.

use super::example;
use crate::plan::lint::effect::Effect;
use crate::plan::lint::known::same;
use crate::plan::lint::view::View;
use crate::plan::lint::{Finder, Rule, RuleText, Severity};
use crate::step::Phase;

pub(super) const RULE: Rule = Rule {
    text: RuleText {
        name: "sync-without-contract",
        severity: Severity::Warning,
        judges: "a sync whose old columns its release does not drop in contract",
        why: "Contract removes the sync all the same, and from then on the old columns hold what was true once.",
        remedy: "drop the old columns in the release's contract files",
    },
    bad: &[example::BASELINE, example::EXPAND, example::DATA],
    good: example::WHOLE,
    check,
};

fn check(view: &View<'_>, finder: &mut Finder<'_>) {
    for (step, sync) in view.syncs() {
        let stays = |column: &String| !drops(view, &sync.table, column);
        if let Some((column, _)) = sync.backward.iter().find(|(column, _)| stays(column)) {
            let message = format!("contract removes the sync `{}` and leaves its old column `{column}`", sync.name);
            finder.found(Phase::Expand, &step.id, step.origin.narrowed(column), message);
        }
    }
}

fn drops(view: &View<'_>, table: &str, column: &str) -> bool {
    view.of(Phase::Contract).any(|act| match &act.effect {
        Effect::DropColumn { table: of, column: dropped } => same(of, table) && same(dropped, column),
        Effect::DropTable { table: dropped } => same(dropped, table),
        // What is not understood may drop it.
        Effect::Unclassified { .. } => true,
        _ => false,
    })
}
