//! Where a line of the logs is from: the release, the phase, the step or the backfill, the batch.
//!
//! A line that is logged while one of them runs carries it, ours and the drivers'. The spans have the level of an error, since a
//! filter that leaves a span out leaves it out of the errors in it as well; they say nothing of themselves.

use tracing::{Span, error_span};

/// A phase of a release, or its rollback.
pub(super) fn phase(release: &str, phase: &str) -> Span {
    let release = error_span!("release", release);
    error_span!(parent: &release, "phase", phase)
}

/// A schema step.
pub(super) fn step(id: &str) -> Span {
    error_span!("step", step = id)
}

/// A backfill.
pub(super) fn backfill(id: &str) -> Span {
    error_span!("backfill", backfill = id)
}

/// A batch of at most so many rows.
pub(super) fn batch(range: i64, rows: u64) -> Span {
    error_span!("batch", range, rows)
}
