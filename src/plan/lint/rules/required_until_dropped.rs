//! `required-until-dropped`: a contract that drops a column which was NOT NULL without a default until then, and that no sync fills in.

use super::example;
use crate::dialect::Sync;
use crate::plan::lint::effect::Effect;
use crate::plan::lint::known::same;
use crate::plan::lint::view::View;
use crate::plan::lint::{Finder, Rule, RuleText, Severity};
use crate::step::Phase;

pub(super) const RULE: Rule = Rule {
    text: RuleText {
        name: "required-until-dropped",
        severity: Severity::Error,
        judges: "a contract that drops a column which was NOT NULL without a default until then, and that no sync fills in",
        why: "New nodes leave it out, so each of their inserts fails from their first start until contract.",
        remedy: "add a drop_not_null to the release's expand files",
    },
    bad: &[
        example::BASELINE,
        (
            "contract/ocata/01_name.yaml",
            r"steps:
  - drop_column: { table: images, column: name }
    allow: { unwatched-drop: nothing has read it since newton }
",
        ),
    ],
    good: &[
        example::BASELINE,
        (
            "expand/ocata/01_name.yaml",
            r"steps:
  - drop_not_null: { table: images, column: name }
",
        ),
        (
            "contract/ocata/01_name.yaml",
            r"steps:
  - drop_column: { table: images, column: name }
    allow: { unwatched-drop: nothing has read it since newton }
",
        ),
    ],
    check,
};

fn check(view: &View<'_>, finder: &mut Finder<'_>) {
    let syncs = view.syncs();
    for act in view.of(Phase::Contract) {
        let Effect::DropColumn { table, column } = &act.effect else { continue };
        let filled_in =
            |sync: &Sync| same(&sync.table, table) && sync.backward.iter().any(|(old, _)| same(old, column));
        let known = view.expanded.column(table, column);
        let required = known.is_some_and(|known| !known.nullable && !known.has_default);
        if required && !view.adds(table, column) && !syncs.iter().any(|(_, sync)| filled_in(sync)) {
            let message =
                format!("nodes of {} cannot leave `{column}` of `{table}` out before it is dropped", view.release.name);
            finder.at_word(act, column, message);
        }
    }
}
