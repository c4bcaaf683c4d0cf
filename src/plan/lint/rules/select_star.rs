//! `select-star`: a column that is added to a table that nodes use.

use crate::plan::lint::effect::Effect;
use crate::plan::lint::view::View;
use crate::plan::lint::{Finder, Rule, RuleText, Severity};
use crate::step::Phase;

pub(super) const RULE: Rule = Rule {
    text: RuleText {
        name: "select-star",
        severity: Severity::Note,
        judges: "a column that is added to a table that nodes use",
        why: "A node that reads `SELECT *` by position may break, and so does an INSERT without a list of columns, but for PostgreSQL's.",
        remedy: "make sure that the nodes of both releases name their columns, and say so in the reason",
    },
    bad: &[(
        "expand/ocata/01_size.yaml",
        r"steps:
  - add_column: { table: images, column: { name: size, type: bigint } }
",
    )],
    good: &[(
        "expand/ocata/01_size.yaml",
        r"steps:
  - add_column: { table: images, column: { name: size, type: bigint } }
    allow: { select-star: every query names its columns, prepared-statements: every query names its columns }
",
    )],
    check,
};

fn check(view: &View<'_>, finder: &mut Finder<'_>) {
    // Once a table: whoever looks at a node's queries does so once.
    let mut said: Vec<&str> = Vec::new();
    for act in view.of(Phase::Expand) {
        let Effect::AddColumn { table, .. } = &act.effect else { continue };
        if !view.makes(table) && !said.contains(&table.as_str()) {
            said.push(table);
            finder.at_word(act, table, format!("`{table}` has other columns than nodes of {} know", view.previous));
        }
    }
}
