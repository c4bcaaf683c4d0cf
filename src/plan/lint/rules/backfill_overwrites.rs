//! `backfill-overwrites`: a backfill of a sync's new columns that does not ask for rows which have none of them yet.

use super::example;
use super::sync_without_backfill::fills;
use crate::catalog::Work;
use crate::plan::lint::condition::asks_for_null;
use crate::plan::lint::view::View;
use crate::plan::lint::{Finder, Rule, RuleText, Severity};
use crate::step::Phase;

pub(super) const RULE: Rule = Rule {
    text: RuleText {
        name: "backfill-overwrites",
        severity: Severity::Error,
        judges: "a backfill of a sync's new columns that does not ask for rows which have none of them yet",
        why: "A row that has a new column was migrated, or written by a new node, and what that node wrote would be lost (Glance lost its community images like this).",
        remedy: "add `AND column IS NULL` to `where`, for one of the sync's new columns",
    },
    bad: &[
        example::BASELINE,
        example::EXPAND,
        (
            "data/ocata/01_visibility.yaml",
            r#"backfill:
  table: images
  set: { visibility: "CASE WHEN is_public THEN 'public' ELSE 'private' END" }
  where: visibility IS NULL OR visibility = 'private'
"#,
        ),
        example::CONTRACT,
    ],
    good: example::WHOLE,
    check,
};

fn check(view: &View<'_>, finder: &mut Finder<'_>) {
    for backfill in view.backfills() {
        // A copy leaves the rows alone that are there.
        if !matches!(backfill.work, Work::Update(_) | Work::Command(_)) {
            continue;
        }
        let Some(condition) = backfill.pending.as_ref().and_then(|sql| sql.on(view.kind)) else { continue };
        for (_, sync) in view.syncs().iter().filter(|(_, sync)| fills(backfill, sync)) {
            let columns: Vec<&str> = sync.forward.iter().map(|(column, _)| column.as_str()).collect();
            if !asks_for_null(condition, view.kind.flavor(), &columns) {
                let message = format!("`where` holds for rows that have `{}` already", columns.join("`, `"));
                finder.found(Phase::Migrate, &backfill.id, backfill.origin.narrowed("where"), message);
            }
        }
    }
}
