//! `old-column-required`: an old column of a sync that is NOT NULL and has no default after expand.

use super::example;
use crate::plan::lint::view::View;
use crate::plan::lint::{Finder, Rule, RuleText, Severity};
use crate::step::Phase;

pub(super) const RULE: Rule = Rule {
    text: RuleText {
        name: "old-column-required",
        severity: Severity::Warning,
        judges: "an old column of a sync that is NOT NULL and has no default after expand",
        why: "A new node leaves it out of an INSERT: SQLite refuses that before the sync can fill it in, and elsewhere it hangs on the trigger alone.",
        remedy: "add a drop_not_null above the sync",
    },
    bad: &[
        example::BASELINE,
        (
            "expand/ocata/01_visibility.yaml",
            r#"steps:
  - add_column:
      table: images
      column: { name: visibility, type: string(10) }
    allow: { select-star: every query names its columns, prepared-statements: every query names its columns }
  - sync:
      name: images_visibility
      table: images
      forward: { visibility: "CASE WHEN is_public THEN 'public' ELSE 'private' END" }
      backward: { is_public: visibility = 'public' }
"#,
        ),
    ],
    good: example::WHOLE,
    check,
};

fn check(view: &View<'_>, finder: &mut Finder<'_>) {
    for (step, sync) in view.syncs() {
        for (column, _) in &sync.backward {
            let known = view.expanded.column(&sync.table, column);
            if known.is_some_and(|known| !known.nullable && !known.has_default) {
                let message =
                    format!("the old column `{column}` of the sync `{}` is NOT NULL and has no default", sync.name);
                finder.found(Phase::Expand, &step.id, step.origin.narrowed(column), message);
            }
        }
    }
}
