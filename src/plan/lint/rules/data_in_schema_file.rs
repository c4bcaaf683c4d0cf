//! `data-in-schema-file`: an expand or contract file that changes rows which were there before.

use crate::plan::lint::effect::Effect;
use crate::plan::lint::view::View;
use crate::plan::lint::{Finder, Rule, RuleText, Severity};

pub(super) const RULE: Rule = Rule {
    text: RuleText {
        name: "data-in-schema-file",
        severity: Severity::Error,
        judges: "an expand or contract file that changes rows which were there before",
        why: "One statement over all rows locks them all, cannot be stopped, held or resumed, and a sync takes it for a node's write.",
        remedy: "write a backfill into the release's data files, which goes by batches and fires no sync",
    },
    bad: &[(
        "expand/ocata/01_owner.sql",
        r"UPDATE images SET owner = 'nobody' WHERE owner IS NULL;
",
    )],
    good: &[(
        "data/ocata/01_owner.yaml",
        r#"backfill:
  table: images
  set: { owner: "'nobody'" }
  where: owner IS NULL
"#,
    )],
    check,
};

fn check(view: &View<'_>, finder: &mut Finder<'_>) {
    for act in view.raw() {
        let Effect::Write { verb, table, constant: false } = &act.effect else { continue };
        if !view.makes(table) {
            finder.at(act, format!("{verb} changes rows of `{table}` in a file of {}", act.phase));
        }
    }
}
