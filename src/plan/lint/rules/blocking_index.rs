//! `blocking-index`: raw SQL that builds or drops an index of a live table while writers wait.

use crate::dialect::Kind;
use crate::plan::lint::effect::Effect;
use crate::plan::lint::view::View;
use crate::plan::lint::{Finder, Rule, RuleText, Severity};

pub(super) const RULE: Rule = Rule {
    text: RuleText {
        name: "blocking-index",
        severity: Severity::Error,
        judges: "raw SQL that builds or drops an index of a live table while writers wait",
        why: "Every write of the table waits until the last row is in the index.",
        remedy: "use a create_index or drop_index step, which takes the way of each database that lets writers go on",
    },
    bad: &[(
        "expand/ocata/01_owner.postgres.sql",
        r"CREATE INDEX images_owner ON images (owner);
",
    )],
    good: &[(
        "expand/ocata/01_owner.yaml",
        r"steps:
  - create_index: { table: images, name: images_owner, columns: [owner] }
",
    )],
    check,
};

fn check(view: &View<'_>, finder: &mut Finder<'_>) {
    for act in view.raw() {
        match &act.effect {
            Effect::CreateIndex(index) if !index.online && !view.makes(&index.table) => {
                let how = match view.kind {
                    Kind::MySql => "no writer goes on meanwhile",
                    _ => "without CONCURRENTLY no writer goes on meanwhile",
                };
                finder.at(act, format!("an index is built on `{}`; {how}", index.table));
            }
            Effect::DropIndex { name, concurrent: false } => {
                finder.at(
                    act,
                    format!("the index `{name}` is dropped without CONCURRENTLY, under a lock that stops readers too"),
                );
            }
            _ => {}
        }
    }
}
