//! `backfill-differs-from-forward`: a backfill that gives a sync's new column another value than `forward` does.

use super::example;
use crate::catalog::Work;
use crate::plan::lint::condition::is_same;
use crate::plan::lint::known::same;
use crate::plan::lint::view::View;
use crate::plan::lint::{Finder, Rule, RuleText, Severity};
use crate::step::Phase;

pub(super) const RULE: Rule = Rule {
    text: RuleText {
        name: "backfill-differs-from-forward",
        severity: Severity::Warning,
        judges: "a backfill that gives a sync's new column another value than `forward` does",
        why: "Every row must be in step: what the backfill gives must lead back, by `backward`, to the old value; verify proves that, and contract stops where it does not hold.",
        remedy: "use the text of `forward`, or say in the reason why `backward` of each value is the old one",
    },
    bad: &[
        example::BASELINE,
        example::EXPAND,
        (
            "data/ocata/01_visibility.yaml",
            r#"backfill:
  table: images
  set: { visibility: "CASE WHEN is_public THEN 'public' ELSE 'shared' END" }
  where: visibility IS NULL
"#,
        ),
        example::CONTRACT,
    ],
    good: example::WHOLE,
    check,
};

fn check(view: &View<'_>, finder: &mut Finder<'_>) {
    for backfill in view.backfills() {
        let Work::Update(set) = &backfill.work else { continue };
        for (_, sync) in view.syncs().iter().filter(|(_, sync)| same(&backfill.table, sync.new_table())) {
            // Where the columns are in two tables, the two are not about the same row.
            if sync.to.is_some() {
                continue;
            }
            for (column, value) in set {
                let forward = sync.forward.iter().find(|(new, _)| same(new, column)).map(|(_, forward)| forward);
                let texts = forward.and_then(|forward| Some((forward.on(view.kind)?, value.on(view.kind)?)));
                if texts.is_some_and(|(forward, value)| !is_same(forward, value, view.kind.flavor())) {
                    let message =
                        format!("`{column}` is set to another value than `forward` of the sync `{}` gives", sync.name);
                    finder.found(Phase::Migrate, &backfill.id, backfill.origin.narrowed(column), message);
                }
            }
        }
    }
}
