//! One batch: a short transaction that does the rows of the next span and moves the range's cursor. A kill loses at most the
//! batch in flight and repeats nothing.

use std::fmt;
use std::time::{Duration, Instant};

use crate::db::{Connection, DbError, failpoint};
use crate::engine::span::{Span, next_span};
use crate::plan::BackfillPlan;
use crate::store::StoreError;
use crate::store::ranges::{self, RangeRecord};

/// A look at a row is this much cheaper than a write, so a span of looks has that many more.
const CHEAPER: u64 = 4;
/// How long a worker looks before it saves how far it is.
const LOOK: Duration = Duration::from_millis(500);

/// Why a batch did not happen.
#[derive(Debug)]
pub(super) enum BatchError {
    Store(StoreError),
    /// The external program failed; in words.
    Program(String),
}

impl fmt::Display for BatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error) => error.fmt(f),
            Self::Program(reason) => f.write_str(reason),
        }
    }
}

impl From<StoreError> for BatchError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<DbError> for BatchError {
    fn from(error: DbError) -> Self {
        Self::Store(error.into())
    }
}

/// What a batch came to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Batch {
    pub(super) walked: u64,
    pub(super) changed: u64,
    /// How long it worked before it was committed.
    pub(super) worked: Duration,
}

/// Does the next rows of a range; the record moves with the commit.
pub(super) async fn run(
    connection: &mut Connection,
    plan: &BackfillPlan,
    range: &mut RangeRecord,
    size: u64,
) -> Result<Batch, BatchError> {
    let since = Instant::now();
    let mut worked = Duration::ZERO;
    let mut moved = range.clone();
    let nothing = range.pass > 1 && !look_ahead(connection, plan, &mut moved, size).await?;
    let done = connection
        .transaction(async |connection: &mut Connection| -> Result<u64, StoreError> {
            if nothing {
                ranges::save(connection, &moved).await?;
                return Ok(0);
            }
            let span = next_span(connection, &plan.walk, moved.start(), &moved.upper, size).await?;
            let changed = write(connection, plan, range.pass, &span).await?;
            failpoint::pass("backfill.written");
            save(connection, plan, &mut moved, span, size, changed).await?;
            worked = since.elapsed();
            Ok(changed)
        })
        .await;
    match done {
        Ok(changed) => {
            let walked = u64::try_from(moved.walked - range.walked).unwrap_or(0);
            *range = moved;
            Ok(Batch { walked, changed, worked })
        }
        Err(error) => {
            leave_bypass(connection, plan).await;
            Err(error.into())
        }
    }
}

/// Makes syncs fire again after a batch that failed: a session variable outlives the rollback.
pub(super) async fn leave_bypass(connection: &mut Connection, plan: &BackfillPlan) {
    if !connection.dialect().bypass_outlives_rollback() {
        return;
    }
    for statement in &plan.bypass[1] {
        if let Err(error) = connection.run(statement).await {
            tracing::debug!(%error, "leave the bypass");
        }
    }
}

/// A later walk looks before it writes: hardly anything is left, and a look locks nothing. Moves the record to the first span with
/// a row that matches; false where it came to the range's end, or has looked for long enough to save how far it is.
async fn look_ahead(
    connection: &mut Connection,
    plan: &BackfillPlan,
    range: &mut RangeRecord,
    size: u64,
) -> Result<bool, StoreError> {
    let since = Instant::now();
    let size = size.saturating_mul(CHEAPER);
    loop {
        let span = next_span(connection, &plan.walk, range.start(), &range.upper, size).await?;
        if !connection.query(&plan.pending_in_span(span.after), &span.values).await?.is_empty() {
            return Ok(true);
        }
        let walked = count(connection, plan, &span, size).await?;
        range.walked = range.walked.saturating_add_unsigned(walked);
        range.cursor = Some(span.end);
        range.done = span.last;
        if span.last || since.elapsed() > LOOK {
            range.batches += 1;
            return Ok(false);
        }
    }
}

/// How many rows a span has.
async fn count(connection: &mut Connection, plan: &BackfillPlan, span: &Span, size: u64) -> Result<u64, DbError> {
    if !span.last && !plan.walk.by_pages() {
        return Ok(size);
    }
    let counted = connection.integer(&plan.walk.span_rows(span.after), &span.values).await?;
    Ok(counted.and_then(|rows| u64::try_from(rows).ok()).unwrap_or(0))
}

/// Writes the rows of a span that match.
async fn write(connection: &mut Connection, plan: &BackfillPlan, pass: i64, span: &Span) -> Result<u64, StoreError> {
    if pass > 1 && connection.query(&plan.pending_in_span(span.after), &span.values).await?.is_empty() {
        return Ok(0);
    }
    let [on, off] = &plan.bypass;
    for statement in on {
        connection.run(statement).await?;
    }
    let mut changed = 0;
    let dialect = connection.shared_dialect();
    let one = if span.one { plan.writes_at(dialect.as_ref()) } else { None };
    let (statements, values) = match one {
        Some(statements) => (statements, &span.end),
        None => (plan.writes(dialect.as_ref(), span.after), &span.values),
    };
    for statement in statements {
        changed = connection.execute(&statement, values).await?;
    }
    for statement in off {
        connection.run(statement).await?;
    }
    Ok(changed)
}

/// Moves a range's cursor to the end of a span, in the transaction of its batch.
pub(super) async fn save(
    connection: &mut Connection,
    plan: &BackfillPlan,
    range: &mut RangeRecord,
    span: Span,
    size: u64,
    changed: u64,
) -> Result<u64, StoreError> {
    // A delete has taken the rows that it walked.
    let walked = count(connection, plan, &span, size).await?.max(changed);
    range.done = span.last;
    range.cursor = Some(span.end);
    range.walked = range.walked.saturating_add_unsigned(walked);
    range.changed = range.changed.saturating_add_unsigned(changed);
    range.batches += 1;
    ranges::save(connection, range).await?;
    failpoint::pass("backfill.before_commit");
    Ok(walked)
}
