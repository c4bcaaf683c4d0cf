//! What happened: append-only.

use super::{Lease, StoreError};
use crate::db::{Connection, Value};

/// An event, as it is read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Milliseconds since the epoch by the database's clock.
    pub happened_at: i64,
    /// Who: `user@host pid 123`.
    pub runner: String,
    /// The command.
    pub command: String,
    /// What it was about: a step, a phase, a gate.
    pub subject: String,
    /// `done`, `failed`, `forced`.
    pub outcome: String,
    /// More, if there is more.
    pub detail: Option<String>,
    /// How long it took, in milliseconds.
    pub duration_ms: Option<i64>,
}

/// Appends an event.
pub async fn append(
    connection: &mut Connection,
    lease: &Lease,
    subject: &str,
    outcome: &str,
    detail: Option<String>,
    duration_ms: Option<i64>,
) -> Result<(), StoreError> {
    let dialect = connection.shared_dialect();
    let sql = dialect.placeholders(&format!(
        "INSERT INTO concertina_history (event_id, happened_at, runner, command, subject, outcome, detail, duration_ms) \
         VALUES (?, {}, ?, ?, ?, ?, ?, {})",
        dialect.now(),
        duration_ms.map_or_else(|| "NULL".to_owned(), |duration| duration.to_string())
    ));
    // The ids sort in the order of writing: the lease's token, then the time.
    let since_epoch = std::time::UNIX_EPOCH.elapsed().map_or(0, |elapsed| elapsed.as_nanos());
    let id = format!("{:016x}{since_epoch:024x}", lease.token());
    let values: [Value; 6] =
        [id.into(), lease.holder().into(), lease.command().into(), subject.into(), outcome.into(), detail.into()];
    connection.execute(&sql, &values).await?;
    Ok(())
}

/// The latest events, newest first.
pub async fn recent(connection: &mut Connection, limit: u32) -> Result<Vec<Event>, StoreError> {
    let sql = format!(
        "SELECT happened_at, runner, command, subject, outcome, detail, duration_ms FROM concertina_history \
         ORDER BY event_id DESC LIMIT {limit}"
    );
    let rows = connection.query(&sql, &[]).await?;
    Ok(rows
        .iter()
        .map(|row| Event {
            happened_at: row.integer(0).unwrap_or(0),
            runner: row.text(1).unwrap_or_default(),
            command: row.text(2).unwrap_or_default(),
            subject: row.text(3).unwrap_or_default(),
            outcome: row.text(4).unwrap_or_default(),
            detail: row.text(5),
            duration_ms: row.integer(6),
        })
        .collect())
}
