//! `not-null-without-default`: a new column of a live table that is NOT NULL and has no default.

use crate::plan::lint::effect::Effect;
use crate::plan::lint::known::has_default;
use crate::plan::lint::view::View;
use crate::plan::lint::{Finder, Rule, RuleText, Severity};

pub(super) const RULE: Rule = Rule {
    text: RuleText {
        name: "not-null-without-default",
        severity: Severity::Error,
        judges: "a new column of a live table that is NOT NULL and has no default",
        why: "An old node does not know the column, so every row that it inserts fails.",
        remedy: "make it nullable, fill it in with a backfill, and set_not_null in contract",
    },
    bad: &[(
        "expand/ocata/01_min.sql",
        r"ALTER TABLE images ADD COLUMN min_disk INTEGER NOT NULL;
",
    )],
    good: &[(
        "expand/ocata/01_min.yaml",
        r"steps:
  - add_column:
      table: images
      column: { name: min_disk, type: integer, nullable: false, default: 0 }
    allow: { select-star: every query names its columns, prepared-statements: every query names its columns }
",
    )],
    check,
};

fn check(view: &View<'_>, finder: &mut Finder<'_>) {
    for act in &view.acts {
        let Effect::AddColumn { table, column } = &act.effect else { continue };
        let filled_in = has_default(column.default.as_ref()) || column.numbered || column.generated;
        if column.not_null && !filled_in && !view.makes(table) {
            let message = format!("`{}` of `{table}` is NOT NULL and has no default", column.name);
            finder.at_word(act, &column.name, message);
        }
    }
}
