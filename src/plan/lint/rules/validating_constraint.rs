//! `validating-constraint`: raw SQL that adds a constraint to a live table and looks at every row in one go.

use crate::dialect::Kind;
use crate::plan::lint::effect::{Constraint, Effect};
use crate::plan::lint::known::has_default;
use crate::plan::lint::view::{Act, View};
use crate::plan::lint::{Finder, Rule, RuleText, Severity};

pub(super) const RULE: Rule = Rule {
    text: RuleText {
        name: "validating-constraint",
        severity: Severity::Error,
        judges: "raw SQL that adds a constraint to a live table and looks at every row in one go",
        why: "The scan runs under the lock that adding a constraint takes, so writers wait for all of it.",
        remedy: "use a typed step (add_foreign_key, add_check, add_unique, set_not_null), or add it NOT VALID here and validate it in contract",
    },
    bad: &[(
        "expand/ocata/01_fk.postgres.sql",
        r"ALTER TABLE images ADD CONSTRAINT images_owner FOREIGN KEY (owner) REFERENCES owners (id);
",
    )],
    good: &[
        (
            "expand/ocata/01_fk.postgres.sql",
            r"ALTER TABLE images ADD CONSTRAINT images_owner FOREIGN KEY (owner) REFERENCES owners (id) NOT VALID;
",
        ),
        (
            "contract/ocata/01_fk.postgres.sql",
            r"ALTER TABLE images VALIDATE CONSTRAINT images_owner;
",
        ),
    ],
    check,
};

fn check(view: &View<'_>, finder: &mut Finder<'_>) {
    for act in view.raw() {
        match &act.effect {
            Effect::AddConstraint { table, constraint, validated: true } if !view.makes(table) => {
                let what = match constraint {
                    Constraint::Unique { from_index: true, .. } => continue,
                    Constraint::PrimaryKey { .. } => "a primary key",
                    Constraint::Unique { .. } if view.kind != Kind::Postgres => continue,
                    Constraint::Unique { .. } => "a unique constraint",
                    Constraint::ForeignKey { .. } => "a foreign key",
                    Constraint::Check => "a check",
                    Constraint::Exclude => "an exclusion constraint",
                };
                finder.at(act, format!("{what} of `{table}` is added and checked in one go, with writers waiting"));
            }
            Effect::AddColumn { table, column } if view.kind == Kind::Postgres && !view.makes(table) => {
                // A column without a value has nothing to check; a key is built all the same.
                let checked = (column.references || column.check) && has_default(column.default.as_ref());
                if checked || column.key {
                    let name = &column.name;
                    finder.at(
                        act,
                        format!("the constraint of the new column `{name}` looks at every row, with writers waiting"),
                    );
                }
            }
            Effect::SetNotNull { table, column } if view.kind == Kind::Postgres && !view.makes(table) => {
                finder.at(
                    act,
                    format!("SET NOT NULL looks at every row of `{table}` for `{column}`, with readers waiting"),
                );
            }
            Effect::Validate { table, name } if added_beside(view, act) => {
                finder.at(
                    act,
                    format!("`{name}` of `{table}` is added and validated in one file, so that one lock covers both"),
                );
            }
            _ => {}
        }
    }
}

/// Whether the constraint is added by the same file.
fn added_beside(view: &View<'_>, act: &Act<'_>) -> bool {
    view.raw().any(|other| other.id == act.id && matches!(other.effect, Effect::AddConstraint { validated: false, .. }))
}
