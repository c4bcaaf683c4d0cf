//! `foreign-key-without-index`: a foreign key whose columns begin no index.

use super::example;
use crate::dialect::Kind;
use crate::plan::lint::effect::{Constraint, Effect};
use crate::plan::lint::view::View;
use crate::plan::lint::{Finder, Rule, RuleText, Severity};
use crate::step::Phase;

pub(super) const RULE: Rule = Rule {
    text: RuleText {
        name: "foreign-key-without-index",
        severity: Severity::Warning,
        judges: "a foreign key whose columns begin no index",
        why: "Every delete and key update in the table that it refers to reads the whole referring table.",
        remedy: "make an index on the columns above the foreign key",
    },
    bad: &[
        example::BASELINE,
        (
            "expand/ocata/01_fk.yaml",
            r"steps:
  - add_foreign_key:
      table: images
      name: images_owner
      columns: [owner]
      references: { table: owners, columns: [id] }
",
        ),
    ],
    good: &[
        example::BASELINE,
        (
            "expand/ocata/01_fk.yaml",
            r"steps:
  - create_index: { table: images, name: images_owner_idx, columns: [owner] }
  - add_foreign_key:
      table: images
      name: images_owner
      columns: [owner]
      references: { table: owners, columns: [id] }
",
        ),
    ],
    check,
};

fn check(view: &View<'_>, finder: &mut Finder<'_>) {
    // MySQL and MariaDB make the index themselves.
    if view.kind == Kind::MySql {
        return;
    }
    for act in view.of(Phase::Expand) {
        let (table, keys) = match &act.effect {
            Effect::AddConstraint { table, constraint: Constraint::ForeignKey { columns }, .. } => {
                (table, vec![columns])
            }
            Effect::CreateTable(new) => (&new.name, new.foreign_keys.iter().collect()),
            _ => continue,
        };
        for columns in keys {
            if view.expanded.table(table).and_then(|known| known.is_indexed(columns)) == Some(false) {
                let message = format!("the foreign key on `{}` of `{table}` has no index", columns.join(", "));
                finder.at(act, message);
            }
        }
    }
}
