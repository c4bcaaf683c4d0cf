//! `unclassified-sql`: raw SQL that lint does not understand, or whose effect it cannot know.

use crate::plan::lint::effect::Effect;
use crate::plan::lint::view::View;
use crate::plan::lint::{Finder, Rule, RuleText, Severity};

pub(super) const RULE: Rule = Rule {
    text: RuleText {
        name: "unclassified-sql",
        severity: Severity::Error,
        judges: "raw SQL that lint does not understand, or whose effect it cannot know",
        why: "What is not understood is not known to be safe, and no other rule has judged it.",
        remedy: "use a typed step, or say in the reason why it is safe for the nodes of both releases",
    },
    bad: &[(
        "expand/ocata/01_do.postgres.sql",
        r"DO $$ BEGIN PERFORM rebuild_images(); END $$;
",
    )],
    good: &[(
        "expand/ocata/01_do.postgres.sql",
        r"-- concertina: allow unclassified-sql: it writes a table that only reports read
DO $$ BEGIN PERFORM rebuild_images(); END $$;
",
    )],
    check,
};

fn check(view: &View<'_>, finder: &mut Finder<'_>) {
    for act in view.raw() {
        if let Effect::Unclassified { reason, .. } = &act.effect {
            finder.at(act, format!("this SQL is not judged: {reason}"));
        }
    }
}
