//! `tightening-in-expand`: an expand that makes a column NOT NULL, or adds a unique key, over columns that old nodes write.

use super::example;
use crate::plan::lint::effect::{Constraint, Effect};
use crate::plan::lint::view::View;
use crate::plan::lint::{Finder, Rule, RuleText, Severity};
use crate::step::Phase;

pub(super) const RULE: Rule = Rule {
    text: RuleText {
        name: "tightening-in-expand",
        severity: Severity::Error,
        judges: "an expand that makes a column NOT NULL, or adds a unique key, over columns that old nodes write",
        why: "An old node that goes on writing what was fine until now fails.",
        remedy: "move it to contract: set_not_null, or a unique index there; in expand make an index that is not unique",
    },
    bad: &[
        example::BASELINE,
        (
            "expand/ocata/01_tight.sql",
            r"ALTER TABLE images ALTER COLUMN owner SET NOT NULL;
",
        ),
    ],
    good: &[
        example::BASELINE,
        (
            "contract/ocata/01_tight.yaml",
            r"steps:
  - set_not_null: { table: images, column: owner }
",
        ),
    ],
    check,
};

fn check(view: &View<'_>, finder: &mut Finder<'_>) {
    for act in view.of(Phase::Expand) {
        match &act.effect {
            Effect::SetNotNull { table, column } if !view.adds(table, column) => {
                finder.at(act, format!("expand makes `{column}` of `{table}` refuse NULL, and old nodes may write it"));
            }
            Effect::ChangeType { table, column, nullable: Some(false), .. }
                if view.before.column(table, column).is_some_and(|known| known.nullable) =>
            {
                finder.at(act, format!("expand makes `{column}` of `{table}` refuse NULL, and old nodes may write it"));
            }
            Effect::CreateIndex(index) if index.unique && old(view, &index.table, &index.columns) => {
                let message = format!("expand makes `{}` of `{}` unique", index.columns.join(", "), index.table);
                finder.at_word(act, &index.name, message);
            }
            Effect::AddConstraint { table, constraint, .. } => match constraint {
                Constraint::PrimaryKey { columns } | Constraint::Unique { columns, from_index: false }
                    if old(view, table, columns) =>
                {
                    finder.at(act, format!("expand makes `{}` of `{table}` unique", columns.join(", ")));
                }
                Constraint::Exclude if !view.makes(table) => {
                    finder.at(act, format!("expand excludes rows of `{table}` that old nodes may write"));
                }
                _ => {}
            },
            _ => {}
        }
    }
}

/// Whether old nodes write all that these columns hold.
fn old(view: &View<'_>, table: &str, columns: &[String]) -> bool {
    !view.makes(table) && !columns.iter().any(|column| view.adds(table, column))
}
