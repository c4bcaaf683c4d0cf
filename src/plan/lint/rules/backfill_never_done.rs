//! `backfill-never-done`: a backfill whose `where` its own writes cannot make false.

use super::example;
use crate::catalog::Work;
use crate::plan::lint::condition::{asks_for_null, calls_unknown, is_open_case, mentions};
use crate::plan::lint::view::View;
use crate::plan::lint::{Finder, Rule, RuleText, Severity};
use crate::step::Phase;

pub(super) const RULE: Rule = Rule {
    text: RuleText {
        name: "backfill-never-done",
        severity: Severity::Error,
        judges: "a backfill whose `where` its own writes cannot make false",
        why: "The rows match again after every walk, so migrate never ends and contract never runs.",
        remedy: "ask in `where` for what `set` changes, and give every row a value: `visibility IS NULL` with a CASE that has an ELSE",
    },
    bad: &[(
        "data/ocata/01_visibility.yaml",
        r#"backfill:
  table: images
  set: { visibility: "CASE WHEN is_public THEN 'public' ELSE 'private' END" }
  where: deleted = 0
"#,
    )],
    good: &[example::DATA],
    check,
};

fn check(view: &View<'_>, finder: &mut Finder<'_>) {
    let flavor = view.kind.flavor();
    for backfill in view.backfills() {
        let Some(condition) = backfill.pending.as_ref().and_then(|sql| sql.on(view.kind)) else { continue };
        let columns: Vec<&String> = match &backfill.work {
            Work::Update(set) => set.iter().map(|(column, _)| column).collect(),
            Work::Command(program) => program.writes.iter().collect(),
            // What is copied or deleted is done by being there, or gone.
            Work::Copy(_) | Work::Delete(_) => continue,
        };
        let mut found = |word: &str, message: String| {
            finder.found(Phase::Migrate, &backfill.id, backfill.origin.narrowed(word), message);
        };
        let asked = columns.iter().any(|column| mentions(condition, flavor, column));
        if !asked && !calls_unknown(condition, flavor) {
            found("where", "`where` asks for nothing that the backfill changes".to_owned());
        }
        let Work::Update(set) = &backfill.work else { continue };
        for (column, value) in set {
            let open = value.on(view.kind).is_some_and(|value| is_open_case(value, flavor));
            if open && asks_for_null(condition, flavor, &[column]) {
                found(
                    column,
                    format!("`{column}` stays NULL where no WHEN of its CASE fits, and `where` asks for NULL"),
                );
            }
        }
    }
}
