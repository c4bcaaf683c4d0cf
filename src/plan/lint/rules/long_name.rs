//! `long-name`: a new name that is longer than a database keeps it.

use crate::dialect::Kind;
use crate::plan::lint::view::View;
use crate::plan::lint::{Finder, Rule, RuleText, Severity};
use crate::step::Phase;

pub(super) const RULE: Rule = Rule {
    text: RuleText {
        name: "long-name",
        severity: Severity::Error,
        judges: "a new name that is longer than a database keeps it",
        why: "PostgreSQL cuts a name after 63 bytes without an error, so two of them may become one; MySQL and MariaDB refuse more than 64 characters.",
        remedy: "shorten it",
    },
    bad: &[(
        "expand/ocata/01_index.yaml",
        r"steps:
  - create_index: { table: images, name: images_by_the_visibility_and_the_owner_and_the_moment_of_creation, columns: [owner] }
",
    )],
    good: &[(
        "expand/ocata/01_index.yaml",
        r"steps:
  - create_index: { table: images, name: images_by_owner, columns: [owner] }
",
    )],
    check,
};

fn check(view: &View<'_>, finder: &mut Finder<'_>) {
    let is_long = |name: &str| match view.kind {
        Kind::Postgres => name.len() > 63,
        Kind::MySql => name.chars().count() > 64,
        Kind::Sqlite => false,
    };
    for phase in [Phase::Expand, Phase::Contract] {
        for step in view.release.steps(phase) {
            for name in step.step.operation().other_names().into_iter().filter(|name| is_long(name)) {
                finder.found(phase, &step.id, step.origin.narrowed(name), message(name));
            }
        }
    }
    for act in &view.acts {
        for name in act.effect.new_names() {
            let name = name.rsplit('.').next().unwrap_or(name);
            if is_long(name) {
                finder.at_word(act, name, message(name));
            }
        }
    }
}

fn message(name: &str) -> String {
    format!("`{name}` is {} bytes long", name.len())
}
