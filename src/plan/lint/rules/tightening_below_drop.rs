//! `tightening-below-drop`: a contract that tightens a new column below the step that touches an old one.

use super::example;
use crate::plan::lint::effect::Effect;
use crate::plan::lint::known::same;
use crate::plan::lint::view::View;
use crate::plan::lint::{Finder, Rule, RuleText, Severity};
use crate::step::Phase;

pub(super) const RULE: Rule = Rule {
    text: RuleText {
        name: "tightening-below-drop",
        severity: Severity::Error,
        judges: "a contract that tightens a new column below the step that touches an old one",
        why: "The sync goes with the first step that touches an old column, and rows without a value may come in between that and the tightening.",
        remedy: "move set_default and set_not_null of the new columns above it",
    },
    bad: &[
        example::BASELINE,
        example::EXPAND,
        example::DATA,
        (
            "contract/ocata/01_visibility.yaml",
            r"steps:
  - drop_column: { table: images, column: is_public }
  - set_not_null: { table: images, column: visibility }
",
        ),
    ],
    good: example::WHOLE,
    check,
};

fn check(view: &View<'_>, finder: &mut Finder<'_>) {
    for (_, sync) in view.syncs() {
        let mut gone = false;
        for act in view.of(Phase::Contract) {
            let old = |table: &str, column: &str| {
                same(table, &sync.table) && sync.backward.iter().any(|(old, _)| same(old, column))
            };
            match &act.effect {
                Effect::DropColumn { table, column } => gone |= old(table, column),
                Effect::DropTable { table } => gone |= same(table, &sync.table),
                Effect::DropIndex { name, .. } => {
                    let index = view.expanded.index(name);
                    gone |= index.is_some_and(|(table, columns)| columns.iter().any(|column| old(table, column)));
                }
                Effect::SetNotNull { table, column } | Effect::SetDefault { table, column } => {
                    let new = same(table, sync.new_table()) && sync.forward.iter().any(|(new, _)| same(new, column));
                    if gone && new {
                        let message = format!("`{column}` is tightened when the sync `{}` is gone already", sync.name);
                        finder.at_word(act, column, message);
                    }
                    gone |= old(table, column);
                }
                _ => {}
            }
        }
    }
}
