//! `mixed-transaction`: a file of raw SQL that mixes what a transaction can take back with what it cannot, or ends the transaction itself.

use crate::dialect::Kind;
use crate::plan::lint::effect::Effect;
use crate::plan::lint::view::{Act, View};
use crate::plan::lint::{Finder, Rule, RuleText, Severity};

pub(super) const RULE: Rule = Rule {
    text: RuleText {
        name: "mixed-transaction",
        severity: Severity::Error,
        judges: "a file of raw SQL that mixes what a transaction can take back with what it cannot, or ends the transaction itself",
        why: "When it dies in the middle a part of it stays, and running it again fails on that part.",
        remedy: "one file for each statement that cannot run in a transaction; leave BEGIN and COMMIT to Concertina",
    },
    bad: &[(
        "expand/ocata/01_owner.postgres.sql",
        r"-- concertina: allow select-star: every query names its columns
-- concertina: allow prepared-statements: every query names its columns
ALTER TABLE images ADD COLUMN project VARCHAR(36);
CREATE INDEX CONCURRENTLY images_project ON images (project);
",
    )],
    good: &[
        (
            "expand/ocata/01_owner.postgres.sql",
            r"-- concertina: allow select-star: every query names its columns
-- concertina: allow prepared-statements: every query names its columns
ALTER TABLE images ADD COLUMN project VARCHAR(36);
",
        ),
        (
            "expand/ocata/02_index.postgres.sql",
            r"CREATE INDEX CONCURRENTLY images_project ON images (project);
",
        ),
    ],
    check,
};

fn check(view: &View<'_>, finder: &mut Finder<'_>) {
    for act in view.raw() {
        let same_file = || view.raw().filter(|other| other.id == act.id);
        let beside = || same_file().filter(|other| other.statement != act.statement);
        // What runs outside by itself, or does nothing that could be half done, is no mix.
        let is_outside = |statement: usize| {
            same_file()
                .any(|other| other.statement == statement && matches!(other.effect, Effect::OutsideTransaction { .. }))
        };
        let mixes = |other: &Act<'_>| !is_outside(other.statement) && !matches!(other.effect, Effect::Harmless);
        match &act.effect {
            Effect::Transaction { word } => {
                finder.at(act, format!("{word} ends or begins a transaction inside the one that the file runs in"));
            }
            Effect::OutsideTransaction { what } if beside().any(mixes) => {
                finder.at(
                    act,
                    format!("{what} runs in no transaction, so the other statements of the file run in none either"),
                );
            }
            // DDL commits by itself there.
            Effect::Write { table, .. }
                if view.kind == Kind::MySql && !view.makes(table) && beside().any(|other| is_ddl(&other.effect)) =>
            {
                finder.at(act, "the rows are written in a transaction that the file's DDL commits");
            }
            _ => {}
        }
    }
}

fn is_ddl(effect: &Effect) -> bool {
    !matches!(effect, Effect::Write { .. } | Effect::Harmless | Effect::Transaction { .. })
}
