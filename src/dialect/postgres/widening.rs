//! Which changes of a column's type PostgreSQL carries out in its catalog alone; each was tried, with its debug messages on.

use super::super::lex::{Flavor, identifiers};
use super::super::schema::{Column, Table};
use super::super::type_name::{TypeName, Widening};

/// What giving a column another type means.
pub(super) fn of(table: &Table, column: &Column, to: &str) -> Widening {
    let (from, to) = (TypeName::parse(&column.type_name), TypeName::parse(to));
    if from == to {
        return Widening::Same;
    }
    if !from.fits_in(&to) {
        return Widening::NotWider;
    }
    let scale = |of: &TypeName| of.arguments.get(1).copied();
    let free = match from.base.as_str() {
        "varchar" => true,
        "decimal" => to.arguments.is_empty() || scale(&from) == scale(&to),
        _ => false,
    };
    let names = |sql: &str| identifiers(sql, Flavor::Postgres).contains(&column.name);
    // Behind the first line is what the trigger runs, which may be about any column.
    let watches = |definition: &str| definition.lines().next().is_some_and(names);
    if let Some(trigger) = table.triggers.iter().find(|trigger| watches(&trigger.definition)) {
        return Widening::Refused(format!(
            "the trigger `{}` is on this column, and PostgreSQL changes no type under a trigger; do it in a release in which the \
             column has none, or above the sync",
            trigger.name
        ));
    }
    if !free {
        return Widening::Rewrite(
            "PostgreSQL writes the whole table anew under a lock that stops everybody".to_owned(),
        );
    }
    if let Some(check) = table.checks.iter().find(|check| check.columns.contains(&column.name)) {
        let name = check.name.as_deref().unwrap_or_default();
        return Widening::Rewrite(format!(
            "PostgreSQL looks at every row again for the check `{name}`, under a lock that stops everybody"
        ));
    }
    match table.indexes.iter().find(|index| index.expressions.as_deref().is_some_and(names)) {
        Some(index) => Widening::Rewrite(format!(
            "PostgreSQL builds the index `{}` anew under a lock that stops everybody, as it has an expression or a condition",
            index.name
        )),
        None => Widening::Free,
    }
}
