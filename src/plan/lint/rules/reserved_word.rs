//! `reserved-word`: a new table or column whose name is a reserved word of one of the databases.

use super::reserved;
use crate::plan::lint::effect::Effect;
use crate::plan::lint::view::View;
use crate::plan::lint::{Finder, Rule, RuleText, Severity};
use crate::step::Phase;

pub(super) const RULE: Rule = Rule {
    text: RuleText {
        name: "reserved-word",
        severity: Severity::Warning,
        judges: "a new table or column whose name is a reserved word of one of the databases",
        why: "Every query has to quote it, in each database in another way, and the one that does not fails.",
        remedy: "take another name",
    },
    bad: &[(
        "expand/ocata/01_rank.yaml",
        r"steps:
  - add_column: { table: images, column: { name: rank, type: integer } }
    allow: { select-star: every query names its columns, prepared-statements: every query names its columns }
",
    )],
    good: &[(
        "expand/ocata/01_rank.yaml",
        r"steps:
  - add_column: { table: images, column: { name: position, type: integer } }
    allow: { select-star: every query names its columns, prepared-statements: every query names its columns }
",
    )],
    check,
};

fn check(view: &View<'_>, finder: &mut Finder<'_>) {
    for act in view.of(Phase::Expand) {
        // An index is named in no query.
        if matches!(act.effect, Effect::CreateIndex(_)) {
            continue;
        }
        for name in act.effect.new_names() {
            let bare = name.rsplit('.').next().unwrap_or(name);
            if reserved::is_reserved(bare, view.kind) {
                finder.at_word(act, bare, format!("`{bare}` is a reserved word"));
            }
        }
    }
}
