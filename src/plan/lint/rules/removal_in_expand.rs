//! `removal-in-expand`: an expand that drops a column, a table, an index or another object, takes a right away or empties a table.

use crate::plan::lint::effect::Effect;
use crate::plan::lint::view::View;
use crate::plan::lint::{Finder, Rule, RuleText, Severity};
use crate::step::Phase;

pub(super) const RULE: Rule = Rule {
    text: RuleText {
        name: "removal-in-expand",
        severity: Severity::Error,
        judges: "an expand that drops a column, a table, an index or another object, takes a right away or empties a table",
        why: "Nodes of the old release run during expand and after it, and their next statement fails or slows down.",
        remedy: "move it to contract, which runs when the old nodes are gone",
    },
    bad: &[(
        "expand/ocata/01_drop.sql",
        r"ALTER TABLE images DROP COLUMN is_public;
",
    )],
    good: &[(
        "contract/ocata/01_drop.sql",
        r"-- concertina: allow unwatched-drop: no node has read it since newton
ALTER TABLE images DROP COLUMN is_public;
",
    )],
    check,
};

fn check(view: &View<'_>, finder: &mut Finder<'_>) {
    for act in view.of(Phase::Expand) {
        let message = match &act.effect {
            Effect::DropColumn { table, column } if !view.adds(table, column) => {
                format!("expand drops the column `{column}` of `{table}`")
            }
            Effect::DropTable { table } if !view.makes(table) => format!("expand drops the table `{table}`"),
            Effect::DropIndex { name, .. } => format!("expand drops the index `{name}`"),
            Effect::DropOther { what, name } => format!("expand drops the {what} `{name}`"),
            Effect::Truncate { table } if !view.makes(table) => format!("expand empties the table `{table}`"),
            _ => continue,
        };
        finder.at(act, message);
    }
}
