//! Who migrates: a row for each process, renewed by a heartbeat. Several may be at work at once, and none while a runner holds
//! the lease; joining locks the lease's row, so the two cannot miss one another.

use std::time::Duration;

use super::lease::{self, LeaseHolder};
use super::process::{self, Process};
use super::{Lease, StoreError};
use crate::db::{Connection, DbError, Value};

/// A process that migrates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerRecord {
    /// Its id.
    pub id: String,
    /// Who it is, and since when.
    pub holder: LeaseHolder,
    /// The backfill it works on.
    pub subject: Option<String>,
    /// How many rows its next batch has.
    pub batch_rows: i64,
    /// Why it waits, where it does.
    pub waiting: Option<String>,
    process: String,
    sessions: String,
    alive: bool,
}

/// The condition of a worker's row whose heartbeat is not overdue.
pub(super) fn live(now: &str) -> String {
    format!("expires_at > {now}")
}

async fn all(connection: &mut Connection) -> Result<Vec<WorkerRecord>, DbError> {
    // The tables may be of a version without this one.
    if !connection.has_table("concertina_worker").await? {
        return Ok(Vec::new());
    }
    let now = connection.dialect().now();
    let sql = format!(
        "SELECT worker_id, holder, command, process, sessions, {now} - started_at, expires_at - {now}, subject, batch_rows, waiting \
         FROM concertina_worker ORDER BY started_at, worker_id"
    );
    let rows = connection.query(&sql, &[]).await?;
    let text = |row: &crate::db::Row, position| row.text(position).unwrap_or_default();
    Ok(rows
        .iter()
        .map(|row| {
            let milliseconds =
                |position| Duration::from_millis(row.integer(position).unwrap_or(0).try_into().unwrap_or(0));
            let process = text(row, 3);
            WorkerRecord {
                id: text(row, 0),
                holder: LeaseHolder {
                    holder: text(row, 1),
                    command: text(row, 2),
                    held_for: milliseconds(5),
                    expires_in: milliseconds(6),
                },
                alive: row.integer(6).unwrap_or(0) > 0 && !process::is_gone(&process),
                process,
                sessions: text(row, 4),
                subject: row.text(7),
                batch_rows: row.integer(8).unwrap_or(0),
                waiting: row.text(9),
            }
        })
        .collect())
}

/// The processes that migrate now.
pub async fn workers(connection: &mut Connection) -> Result<Vec<WorkerRecord>, DbError> {
    Ok(all(connection).await?.into_iter().filter(|worker| worker.alive).collect())
}

/// Ends what dead workers left at the server, and forgets them, so that their ranges are free.
pub async fn reap(connection: &mut Connection) -> Result<(), StoreError> {
    for worker in all(connection).await?.into_iter().filter(|worker| !worker.alive) {
        for session in worker.sessions.split_whitespace() {
            lease::end_session(connection, session).await?;
        }
        let sql = "DELETE FROM concertina_worker WHERE worker_id = ? AND process = ?";
        let sql = connection.dialect().placeholders(sql);
        connection.execute(&sql, &[worker.id.into(), worker.process.into()]).await?;
    }
    Ok(())
}

/// Writes a worker's row, where no runner holds the lease.
pub(super) async fn enter(
    connection: &mut Connection,
    id: &str,
    process: &Process,
    session: &str,
    command: &str,
) -> Result<i64, StoreError> {
    connection
        .transaction(async |connection: &mut Connection| -> Result<i64, StoreError> {
            let token = lease::lock(connection).await?;
            if let Some(holder) = lease::holder(connection).await? {
                return Err(StoreError::Held(holder));
            }
            let dialect = connection.shared_dialect();
            let now = dialect.now();
            let sql = format!(
                "INSERT INTO concertina_worker (worker_id, holder, process, sessions, command, started_at, expires_at, seen_at, batch_rows) \
                 VALUES (?, ?, ?, ?, ?, {now}, {now} + {}, {now}, 0)",
                lease::lasts().as_millis()
            );
            let values: [Value; 5] = [
                id.into(),
                process.shown.as_str().into(),
                process.identity.as_str().into(),
                session.into(),
                command.into(),
            ];
            connection.execute(&dialect.placeholders(&sql), &values).await?;
            Ok(token)
        })
        .await
}

/// Records what a worker does, and why it waits where it does.
pub async fn report(
    connection: &mut Connection,
    lease: &Lease,
    subject: &str,
    batch_rows: i64,
    waiting: Option<&str>,
) -> Result<(), StoreError> {
    let dialect = connection.shared_dialect();
    let sql = format!(
        "UPDATE concertina_worker SET subject = ?, batch_rows = ?, waiting = ?, seen_at = {} WHERE worker_id = ?",
        dialect.now()
    );
    let values = [subject.into(), batch_rows.into(), waiting.map(str::to_owned).into(), lease.worker().into()];
    connection.execute(&dialect.placeholders(&sql), &values).await?;
    Ok(())
}

/// The text and the values of a tiny write that commits, by which the latency of writes is probed; none for a runner, who has the
/// database to itself and no row here.
pub fn probe(connection: &Connection, lease: &Lease) -> Option<(String, Vec<Value>)> {
    if !lease.is_shared() {
        return None;
    }
    let dialect = connection.dialect();
    let sql = format!("UPDATE concertina_worker SET seen_at = {} WHERE worker_id = ?", dialect.now());
    Some((dialect.placeholders(&sql), vec![lease.worker().into()]))
}
