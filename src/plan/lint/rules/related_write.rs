//! `related-write-fails`: a sync with `related` on MySQL or MariaDB.

use super::example;
use crate::dialect::Kind;
use crate::plan::lint::view::View;
use crate::plan::lint::{Finder, Rule, RuleText, Severity};
use crate::step::Phase;

pub(super) const RULE: Rule = Rule {
    text: RuleText {
        name: "related-write-fails",
        severity: Severity::Warning,
        judges: "a sync with `related` on MySQL or MariaDB",
        why: "While the sync is there, a statement that writes the related table and reads the sync's table fails there (error 1442).",
        remedy: "make sure that no node has such a statement (INSERT … SELECT, UPDATE with a join or a subquery), and say so in the reason",
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
  - drop_not_null: { table: images, column: is_public }
  - sync:
      name: images_visibility
      table: images
      forward: { visibility: "CASE WHEN is_public THEN 'public' ELSE 'private' END" }
      backward: { is_public: visibility = 'public' }
      related:
        - { table: image_members, key: { image_id: id }, when: visibility = 'private' }
"#,
        ),
        example::DATA,
        example::CONTRACT,
    ],
    good: example::WHOLE,
    check,
};

fn check(view: &View<'_>, finder: &mut Finder<'_>) {
    if view.kind != Kind::MySql {
        return;
    }
    for (step, sync) in view.syncs() {
        for related in &sync.related {
            let message = format!("a statement that writes `{}` while it reads `{}` fails", related.table, sync.table);
            finder.found(Phase::Expand, &step.id, step.origin.narrowed("related"), message);
        }
    }
}
