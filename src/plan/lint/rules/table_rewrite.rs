//! `table-rewrite`: a statement that writes a table anew, or keeps everybody out of it while it works.

use crate::dialect::Kind;
use crate::plan::lint::effect::{DefaultValue, Effect, NewColumn};
use crate::plan::lint::view::View;
use crate::plan::lint::{Finder, Rule, RuleText, Severity};

pub(super) const RULE: Rule = Rule {
    text: RuleText {
        name: "table-rewrite",
        severity: Severity::Error,
        judges: "a statement that writes a table anew, or keeps everybody out of it while it works",
        why: "Writes, and on some databases reads, wait for as long as the whole table takes.",
        remedy: "add a column without it and fill that in with a backfill; what only tidies up belongs into a maintenance window, outside of releases",
    },
    bad: &[(
        "expand/ocata/01_token.postgres.sql",
        r"ALTER TABLE images ADD COLUMN token uuid DEFAULT gen_random_uuid();
",
    )],
    good: &[
        (
            "expand/ocata/01_token.yaml",
            r"steps:
  - add_column:
      table: images
      column: { name: token, type: uuid }
    allow: { select-star: every query names its columns, prepared-statements: every query names its columns }
",
        ),
        (
            "data/ocata/01_token.yaml",
            r"backfill:
  table: images
  set: { token: { postgres: gen_random_uuid(), mysql: uuid(), sqlite: hex(randomblob(16)) } }
  where: token IS NULL
",
        ),
    ],
    check,
};

fn check(view: &View<'_>, finder: &mut Finder<'_>) {
    for act in &view.acts {
        match &act.effect {
            Effect::Rewrite { table, how } if table.is_empty() => finder.at(act, how.clone()),
            Effect::Rewrite { table, how } if !view.makes(table) => finder.at(act, format!("{how} (`{table}`)")),
            Effect::AddColumn { table, column } if !view.makes(table) => {
                if let Some(why) = rewrites(column, view.kind, act.raw) {
                    finder.at_word(
                        act,
                        &column.name,
                        format!("to add `{}`, `{table}` is written anew: {why}", column.name),
                    );
                }
            }
            _ => {}
        }
    }
}

/// Why a new column writes every row.
fn rewrites(column: &NewColumn, kind: Kind, raw: bool) -> Option<String> {
    if kind == Kind::Sqlite {
        return None;
    }
    match &column.default {
        Some(DefaultValue::Volatile(function)) => {
            return Some(format!("`{function}` may give every row a value of its own"));
        }
        None if column.numbered && raw => return Some("every row gets a number".to_owned()),
        _ => {}
    }
    column.stored.then(|| "it is computed, and stored in every row".to_owned())
}
