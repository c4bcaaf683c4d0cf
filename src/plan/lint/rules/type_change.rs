//! `type-change`: a change of a column's type in place.

use super::example;
use crate::dialect::Kind;
use crate::plan::lint::effect::Effect;
use crate::plan::lint::view::View;
use crate::plan::lint::{Finder, Rule, RuleText, Severity};

pub(super) const RULE: Rule = Rule {
    text: RuleText {
        name: "type-change",
        severity: Severity::Error,
        judges: "a change of a column's type in place",
        why: "It writes the table anew while everybody waits, and the nodes of one of the two releases read a type that they do not expect.",
        remedy: "add a column of the new type, sync both, backfill, and drop the old one in contract",
    },
    bad: &[(
        "expand/ocata/01_type.sql",
        r"ALTER TABLE images ALTER COLUMN owner TYPE uuid USING owner::uuid;
",
    )],
    good: &[
        example::BASELINE,
        (
            "expand/ocata/01_type.postgres.sql",
            r"ALTER TABLE images ALTER COLUMN owner TYPE varchar(64);  -- wider: nothing is written
",
        ),
    ],
    check,
};

fn check(view: &View<'_>, finder: &mut Finder<'_>) {
    for act in view.raw() {
        let Effect::ChangeType { table, column, to, .. } = &act.effect else { continue };
        if view.makes(table) {
            continue;
        }
        let from = view.before.column(table, column).map(|known| known.type_name.as_str());
        if from.is_some_and(|from| is_harmless(from, to, view.kind)) {
            continue;
        }
        let message = match from.filter(|from| !from.is_empty()) {
            Some(from) => format!("the column `{column}` of `{table}` changes from `{from}` to `{to}` in place"),
            None => format!("the column `{column}` of `{table}` changes to `{to}` in place"),
        };
        finder.at(act, message);
    }
}

/// Whether the server changes a word of its catalog and nothing else.
fn is_harmless(from: &str, to: &str, kind: Kind) -> bool {
    if from == to && !from.is_empty() {
        return true;
    }
    match (characters(from), characters(to)) {
        // From 63 characters of four bytes on, MySQL keeps a length of two bytes, and writes every row anew.
        (Some(from), Some(to)) if kind == Kind::MySql => from <= to && (to <= 63 || from > 63),
        (Some(from), Some(to)) => from <= to,
        (Some(_), None) => kind == Kind::Postgres && to == "text",
        _ => false,
    }
}

/// The length of a varchar.
fn characters(name: &str) -> Option<u32> {
    let (word, rest) = name.split_once('(')?;
    matches!(word.trim(), "varchar" | "character varying").then_some(())?;
    rest.trim_end().strip_suffix(')')?.trim().parse().ok()
}
