//! `lock-table`: raw SQL that locks a table by name.

use crate::plan::lint::effect::Effect;
use crate::plan::lint::view::View;
use crate::plan::lint::{Finder, Rule, RuleText, Severity};

pub(super) const RULE: Rule = Rule {
    text: RuleText {
        name: "lock-table",
        severity: Severity::Error,
        judges: "raw SQL that locks a table by name",
        why: "Everybody waits until the file is done, however long its other statements wait themselves.",
        remedy: "leave the locks to the statements that need them",
    },
    bad: &[(
        "contract/ocata/01_lock.sql",
        r"LOCK TABLE images IN ACCESS EXCLUSIVE MODE;
",
    )],
    good: &[(
        "contract/ocata/01_note.postgres.sql",
        r"COMMENT ON TABLE images IS 'one row an image';
",
    )],
    check,
};

fn check(view: &View<'_>, finder: &mut Finder<'_>) {
    for act in view.raw() {
        if let Effect::Lock { table } = &act.effect {
            finder.at(act, format!("`{table}` is locked for as long as the file runs"));
        }
    }
}
