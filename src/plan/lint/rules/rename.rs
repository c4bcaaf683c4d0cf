//! `rename`: a rename of a table or a column, in whatever phase.

use super::example;
use crate::plan::lint::effect::Effect;
use crate::plan::lint::view::View;
use crate::plan::lint::{Finder, Rule, RuleText, Severity};

pub(super) const RULE: Rule = Rule {
    text: RuleText {
        name: "rename",
        severity: Severity::Error,
        judges: "a rename of a table or a column, in whatever phase",
        why: "In expand the old nodes fail at once, and in contract the new ones do: no moment is right for both names.",
        remedy: "add the new one in expand, sync both, backfill, and drop the old one in contract",
    },
    bad: &[(
        "expand/ocata/01_rename.sql",
        r"ALTER TABLE images RENAME COLUMN owner TO project_id;
",
    )],
    good: &[example::EXPAND, example::DATA, example::CONTRACT],
    check,
};

fn check(view: &View<'_>, finder: &mut Finder<'_>) {
    for act in view.raw() {
        match &act.effect {
            Effect::RenameColumn { table, from, to } if !view.adds(table, from) => {
                finder.at(act, format!("the column `{from}` of `{table}` becomes `{to}` under nodes that use it"));
            }
            Effect::RenameTable { from, to } if !view.makes(from) => {
                finder.at(act, format!("the table `{from}` becomes `{to}` under nodes that use it"));
            }
            _ => {}
        }
    }
}
