//! `column-order`: a column that is put FIRST or AFTER another.

use crate::plan::lint::effect::Effect;
use crate::plan::lint::view::View;
use crate::plan::lint::{Finder, Rule, RuleText, Severity};

pub(super) const RULE: Rule = Rule {
    text: RuleText {
        name: "column-order",
        severity: Severity::Warning,
        judges: "a column that is put FIRST or AFTER another",
        why: "A node that reads `SELECT *` by position, or inserts without a list of columns, takes one column for another, without an error.",
        remedy: "add it behind the others",
    },
    bad: &[(
        "expand/ocata/01_size.mysql.sql",
        r"ALTER TABLE images ADD COLUMN size BIGINT NULL AFTER id;
",
    )],
    good: &[(
        "expand/ocata/01_size.mysql.sql",
        r"-- concertina: allow select-star: every query names its columns
ALTER TABLE images ADD COLUMN size BIGINT NULL;
",
    )],
    check,
};

fn check(view: &View<'_>, finder: &mut Finder<'_>) {
    for act in view.raw() {
        let Effect::Position { table, column } = &act.effect else { continue };
        if !view.makes(table) {
            finder.at(act, format!("`{column}` moves the columns of `{table}` behind it"));
        }
    }
}
