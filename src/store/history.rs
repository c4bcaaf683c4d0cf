//! What happened: append-only.

use serde::Serialize;

use super::process::Process;
use super::{Lease, StoreError};
use crate::db::{Connection, Value};

/// An event, as it is read back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Event {
    /// Milliseconds since the epoch by the database's clock.
    pub happened_at: i64,
    /// Who: `user@host pid 123 (0.1.0)`, with the program's version.
    pub runner: String,
    /// The command.
    pub command: String,
    /// What it was about: a step, a phase, a backfill, a gate, or the command itself.
    pub subject: String,
    /// What became of it: `started`, `done`, `failed`, `forced`, …
    pub outcome: String,
    /// More, if there is more.
    pub detail: Option<String>,
    /// How long it took, in milliseconds.
    pub duration_ms: Option<i64>,
}

/// Which events are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// Those of a release.
    pub release: Option<String>,
    /// Those whose subject has this in it.
    pub subject: Option<String>,
    /// Those of a command.
    pub command: Option<String>,
    /// Those with an outcome.
    pub outcome: Option<String>,
    /// Those of the last so many milliseconds.
    pub since_ms: Option<i64>,
    /// At most so many, the latest; `None`: all.
    pub limit: Option<u32>,
}

/// Appends an event of a holder of the lease.
pub async fn append(
    connection: &mut Connection,
    lease: &Lease,
    subject: &str,
    outcome: &str,
    detail: Option<String>,
    duration_ms: Option<i64>,
) -> Result<(), StoreError> {
    let author = [lease.holder(), lease.command()];
    insert(connection, lease.token(), author, [subject, outcome], detail, duration_ms).await
}

/// Appends an event of a command that needs no lease.
pub async fn append_unleased(
    connection: &mut Connection,
    command: &str,
    outcome: &str,
    detail: Option<String>,
) -> Result<(), StoreError> {
    let token = super::lease::latest_token(connection).await?;
    let who = Process::this().shown;
    insert(connection, token, [&who, command], [COMMAND, outcome], detail, None).await
}

/// The subject of what is told of a command as a whole.
pub const COMMAND: &str = "command";

async fn insert(
    connection: &mut Connection,
    token: i64,
    [runner, command]: [&str; 2],
    [subject, outcome]: [&str; 2],
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
    let id = format!("{token:016x}{since_epoch:024x}");
    let values: [Value; 6] = [id.into(), runner.into(), command.into(), subject.into(), outcome.into(), detail.into()];
    connection.execute(&sql, &values).await?;
    Ok(())
}

/// The latest events that a filter lets through, oldest first.
pub async fn events(connection: &mut Connection, filter: &EventFilter) -> Result<Vec<Event>, StoreError> {
    let dialect = connection.shared_dialect();
    let mut conditions = Vec::new();
    let mut values: Vec<Value> = Vec::new();
    let mut also = |condition: String, given: Vec<Value>| {
        conditions.push(condition);
        values.extend(given);
    };
    if let Some(release) = &filter.release {
        let pattern = format!("{}/%", like(release));
        also("subject LIKE ? ESCAPE '!'".to_owned(), vec![pattern.into()]);
    }
    if let Some(subject) = &filter.subject {
        also("subject LIKE ? ESCAPE '!'".to_owned(), vec![format!("%{}%", like(subject)).into()]);
    }
    for (column, wanted) in [("command", &filter.command), ("outcome", &filter.outcome)] {
        if let Some(wanted) = wanted {
            also(format!("{column} = ?"), vec![wanted.as_str().into()]);
        }
    }
    if let Some(since) = filter.since_ms {
        also(format!("happened_at >= {} - {since}", dialect.now()), Vec::new());
    }
    let condition = if conditions.is_empty() { String::new() } else { format!("WHERE {} ", conditions.join(" AND ")) };
    let limit = filter.limit.map_or_else(String::new, |limit| format!(" LIMIT {limit}"));
    let sql = dialect.placeholders(&format!(
        "SELECT happened_at, runner, command, subject, outcome, detail, duration_ms FROM concertina_history \
         {condition}ORDER BY event_id DESC{limit}"
    ));
    let rows = connection.query(&sql, &values).await?;
    let text = |row: &crate::db::Row, position| row.text(position).unwrap_or_default();
    let event = |row: &crate::db::Row| Event {
        happened_at: row.integer(0).unwrap_or(0),
        runner: text(row, 1),
        command: text(row, 2),
        subject: text(row, 3),
        outcome: text(row, 4),
        detail: row.text(5),
        duration_ms: row.integer(6),
    };
    Ok(rows.iter().rev().map(event).collect())
}

/// A text with nothing in it that LIKE would take for more than itself.
fn like(text: &str) -> String {
    text.replace('!', "!!").replace('%', "!%").replace('_', "!_")
}
