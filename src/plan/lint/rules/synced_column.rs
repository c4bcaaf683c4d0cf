//! `synced-new-column`: a new column of a sync that is NOT NULL, or has a default, before contract.

use super::example;
use crate::plan::lint::view::View;
use crate::plan::lint::{Finder, Rule, RuleText, Severity};
use crate::step::Phase;

pub(super) const RULE: Rule = Rule {
    text: RuleText {
        name: "synced-new-column",
        severity: Severity::Error,
        judges: "a new column of a sync that is NOT NULL, or has a default, before contract",
        why: "A row of an old node then looks as if a new node had written it, so the sync takes the default for a value.",
        remedy: "make it nullable without a default in expand; set_default and set_not_null in contract",
    },
    bad: &[
        example::BASELINE,
        (
            "expand/ocata/01_visibility.yaml",
            r#"steps:
  - add_column:
      table: images
      column: { name: visibility, type: string(10), default: private }
    allow: { select-star: every query names its columns, prepared-statements: every query names its columns }
  - drop_not_null: { table: images, column: is_public }
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
        for (column, _) in &sync.forward {
            let Some(known) = view.expanded.column(sync.new_table(), column) else { continue };
            let what = match (known.nullable, known.has_default) {
                (false, _) => "is NOT NULL",
                (true, true) => "has a default",
                (true, false) => continue,
            };
            let message = format!("the new column `{column}` of the sync `{}` {what}", sync.name);
            finder.found(Phase::Expand, &step.id, step.origin.narrowed(column), message);
        }
    }
}
