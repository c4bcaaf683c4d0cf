//! `contract-drops-new`: a contract that drops what the same release's expand has made, or what its syncs made new.

use super::example;
use crate::dialect::Sync;
use crate::plan::lint::effect::Effect;
use crate::plan::lint::known::same;
use crate::plan::lint::view::View;
use crate::plan::lint::{Finder, Rule, RuleText, Severity};
use crate::step::Phase;

pub(super) const RULE: Rule = Rule {
    text: RuleText {
        name: "contract-drops-new",
        severity: Severity::Error,
        judges: "a contract that drops what the same release's expand has made, or what its syncs made new",
        why: "The release's own nodes were written for it, and they run on after contract.",
        remedy: "drop it in a later release, whose nodes do without it",
    },
    bad: &[
        (
            "expand/ocata/01_notes.sql",
            r"CREATE TABLE notes (id INTEGER PRIMARY KEY);
",
        ),
        (
            "contract/ocata/01_notes.yaml",
            r"steps:
  - drop_table: { table: notes }
",
        ),
    ],
    good: example::WHOLE,
    check,
};

fn check(view: &View<'_>, finder: &mut Finder<'_>) {
    let synced = |table: &str, column: &str| {
        let of = |sync: &Sync| same(sync.new_table(), table) && sync.forward.iter().any(|(new, _)| same(new, column));
        view.syncs().iter().any(|(_, sync)| of(sync))
    };
    for act in view.of(Phase::Contract) {
        match &act.effect {
            Effect::DropColumn { table, column } if view.adds(table, column) || synced(table, column) => {
                let message = format!("nodes of {} use the column `{column}` of `{table}`", view.release.name);
                finder.at_word(act, column, message);
            }
            Effect::DropTable { table } if view.makes(table) => {
                finder.at_word(act, table, format!("nodes of {} use the table `{table}`", view.release.name));
            }
            _ => {}
        }
    }
}
