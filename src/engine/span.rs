//! Spans of a walk: where the next one ends, by one seek of the key's index.

use crate::db::{Connection, DbError, Value};
use crate::plan::Walk;

/// A span: the rows behind a place, up to another.
#[derive(Debug, Clone)]
pub(super) struct Span {
    /// Whether it begins behind a place, and not at the table's first row.
    pub(super) after: bool,
    /// Where it ends.
    pub(super) end: Vec<Value>,
    /// Whether its end is the only row that it has.
    pub(super) one: bool,
    /// Whether it reaches the bound.
    pub(super) last: bool,
    /// The values of its condition.
    pub(super) values: Vec<Value>,
}

/// Finds the next span of a size.
pub(super) async fn next_span(
    connection: &mut Connection,
    walk: &Walk,
    start: Option<&Vec<Value>>,
    upper: &[Value],
    size: u64,
) -> Result<Span, DbError> {
    let after = start.is_some();
    let behind = start.map(|start| walk.bind(start)).unwrap_or_default();
    let bounded: Vec<Value> = behind.iter().cloned().chain(walk.bind(upper)).collect();
    let found = connection.query(&walk.span_end(after, size), &bounded).await?;
    let one = size == 1 && !found.is_empty();
    let end = found.into_iter().next().map_or_else(|| upper.to_vec(), crate::db::Row::into_values);
    let values = behind.into_iter().chain(walk.bind(&end)).collect();
    Ok(Span { after, one, last: end == upper, end, values })
}

/// Where a walk over the whole table ends now; `None` for a table without rows.
pub(super) async fn last_place(connection: &mut Connection, walk: &Walk) -> Result<Option<Vec<Value>>, DbError> {
    let rows = connection.query(&walk.last(false), &[]).await?;
    let place = rows.into_iter().next().map(crate::db::Row::into_values);
    Ok(place.filter(|place| !place.contains(&Value::Null)))
}
