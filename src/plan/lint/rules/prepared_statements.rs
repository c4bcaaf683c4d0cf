//! `prepared-statements`: a column that is added to a table that nodes use, where the database or the driver keeps prepared statements.

use crate::dialect::Kind;
use crate::plan::lint::effect::Effect;
use crate::plan::lint::view::View;
use crate::plan::lint::{Finder, Rule, RuleText, Severity};
use crate::step::Phase;

pub(super) const RULE: Rule = Rule {
    text: RuleText {
        name: "prepared-statements",
        severity: Severity::Note,
        judges: "a column that is added to a table that nodes use, where the database or the driver keeps prepared statements",
        why: "A prepared `SELECT *` of an old node fails from then on: PostgreSQL says that the cached plan must not change its result type, and sqlx on SQLite returns no rows.",
        remedy: "name the columns in every query, or turn the statement cache of the nodes off, and say so in the reason",
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
    // MySQL and MariaDB prepare a statement again when its table has changed.
    if view.kind == Kind::MySql {
        return;
    }
    let mut said: Vec<&str> = Vec::new();
    for act in view.of(Phase::Expand) {
        let Effect::AddColumn { table, .. } = &act.effect else { continue };
        if !view.makes(table) && !said.contains(&table.as_str()) {
            said.push(table);
            finder.at_word(act, table, format!("statements on `{table}` that nodes have prepared may fail"));
        }
    }
}
