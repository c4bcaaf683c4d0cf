//! `unwatched-drop`: a contract that drops a column or a table that no sync of its release watches.

use super::example;
use crate::dialect::Sync;
use crate::plan::lint::effect::Effect;
use crate::plan::lint::known::same;
use crate::plan::lint::view::View;
use crate::plan::lint::{Finder, Rule, RuleText, Severity};
use crate::step::Phase;

pub(super) const RULE: Rule = Rule {
    text: RuleText {
        name: "unwatched-drop",
        severity: Severity::Warning,
        judges: "a contract that drops a column or a table that no sync of its release watches",
        why: "The old release may still use it: without a sync nothing shows when old nodes wrote it last, the quiet period sees nothing, and no new column has what was in it.",
        remedy: "carry it over with a sync and a backfill, or say in the reason how you know that no node of the old release uses it",
    },
    bad: &[(
        "contract/ocata/01_owner.yaml",
        r"steps:
  - drop_column: { table: images, column: owner }
",
    )],
    good: example::WHOLE,
    check,
};

fn check(view: &View<'_>, finder: &mut Finder<'_>) {
    let syncs = view.syncs();
    for act in view.of(Phase::Contract) {
        let (table, column, what) = match &act.effect {
            Effect::DropColumn { table, column } if !view.adds(table, column) => {
                (table, Some(column), format!("the column `{column}` of `{table}`"))
            }
            Effect::DropTable { table } if !view.makes(table) => (table, None, format!("the table `{table}`")),
            _ => continue,
        };
        let watches = |sync: &Sync| {
            same(&sync.table, table)
                && column.is_none_or(|column| sync.backward.iter().any(|(old, _)| same(old, column)))
        };
        if !syncs.iter().any(|(_, sync)| watches(sync)) {
            let word = column.unwrap_or(table);
            finder.at_word(act, word, format!("nothing tells whether nodes of {} still use {what}", view.previous));
        }
    }
}
