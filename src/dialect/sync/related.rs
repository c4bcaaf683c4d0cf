//! Rows of another table that change what the new columns of a row must be.

use super::mapping::{Place, columns_read};
use super::{Event, Related, Rule, Sync, Timing, Trigger, Write, live_column, live_table};
use crate::dialect::expression::{self, Scope};
use crate::dialect::schema::{Schema, Table};
use crate::dialect::statement::Refusal;
use crate::dialect::{Assignment, Dialect};

/// A trigger's part of its name.
pub(super) fn part(position: usize, event: Event) -> String {
    format!("related{position}_{}", event.keyword().to_ascii_lowercase())
}

/// A query that has the condition in it, and returns nothing.
pub(super) fn trial(sync: &Sync, related: &Related, dialect: &dyn Dialect, schema: &Schema) -> Result<String, Refusal> {
    let (target, other) = (live_table(schema, &sync.table)?, live_table(schema, &related.table)?);
    let (target_name, other_name) = (dialect.table(&sync.table), dialect.table(&related.table));
    let when = when(sync, related, dialect, target, &format!("{other_name}."), other)?;
    Ok(format!("SELECT 1 FROM {target_name}, {other_name} WHERE 1 = 0 AND ({when})"))
}

/// The condition, rendered: `row` is what `related.` stands for.
fn when(
    sync: &Sync,
    related: &Related,
    dialect: &dyn Dialect,
    target: &Table,
    row: &str,
    other: &Table,
) -> Result<String, Refusal> {
    let target_row = format!("{}.", dialect.table(&sync.table));
    let quote = |name: &str| dialect.quote(name);
    let scope = Scope {
        table: target,
        row: &target_row,
        related: Some((row, other)),
        quote: &quote,
        subquery_end: dialect.subquery_lock(),
    };
    let text = related
        .when
        .on(dialect.kind())
        .ok_or_else(|| Refusal::new(format!("`when` has no text for {}", dialect.kind())))?;
    Ok(expression::render(text, dialect.kind().flavor(), &scope)?)
}

/// The trigger of one event: it takes the rows that are pointed to, and only then writes them. They are two statements on
/// purpose: the second must see what a concurrent transaction committed while the first waited.
pub(super) fn trigger(
    sync: &Sync,
    related: &Related,
    position: usize,
    event: Event,
    dialect: &dyn Dialect,
    schema: &Schema,
) -> Result<Trigger, Refusal> {
    let (target, other) = (live_table(schema, &sync.table)?, live_table(schema, &related.table)?);
    let target_name = dialect.table(&sync.table);
    let target_row = format!("{target_name}.");
    for (there, here) in &related.key {
        live_column(other, there)?;
        live_column(target, here)?;
    }
    let points_here = |row: &str| -> String {
        let tests: Vec<_> = related
            .key
            .iter()
            .map(|(there, here)| format!("{target_row}{} = {row}{}", dialect.quote(here), dialect.quote(there)))
            .collect();
        format!("({})", tests.join(" AND "))
    };
    let rows = match event {
        Event::Update => format!("({} OR {})", points_here("OLD."), points_here("NEW.")),
        Event::Insert | Event::Delete => points_here(event.row()),
    };
    let when = when(sync, related, dialect, target, event.row(), other)?;
    let known: Vec<&str> = sync.forward.iter().chain(&sync.backward).map(|(name, _)| name.as_str()).collect();
    let mapping = Place { dialect, reads: target, row: &target_row, known: &known }.render(&sync.forward, target)?;
    let as_it_is: Vec<_> =
        sync.forward.iter().map(|(name, _)| format!("{0} = {target_row}{0}", dialect.quote(name))).collect();
    // It reads the row that it writes.
    let assignments = mapping.iter().zip(&sync.forward).map(|((column, value), (_, sql))| Assignment {
        column: column.name.clone(),
        value: value.clone(),
        reads: columns_read(sql, dialect, target).into_iter().map(|read| read.name.clone()).collect(),
    });
    let follow: Vec<_> = dialect
        .in_order(assignments.collect())?
        .iter()
        .map(|of| format!("{} = {}", dialect.quote(&of.column), of.value))
        .collect();
    let follow = follow.join(", ");
    Ok(Trigger {
        part: part(position, event),
        table: related.table.clone(),
        timing: Timing::After,
        event,
        touched: None,
        met_by_syncs: true,
        rules: vec![
            Rule::Lock(Write {
                statement: format!("UPDATE {target_name} SET {}", as_it_is.join(", ")),
                rows: rows.clone(),
                kept: None,
            }),
            Rule::Write(Write {
                statement: format!("UPDATE {target_name} SET {follow}"),
                rows: format!("{rows} AND ({when})"),
                kept: None,
            }),
        ],
    })
}
