//! What a rollback needs, and what it takes out of the records; the history keeps all of it.

use super::StoreError;
use super::records::{StepStart, finish_step};
use crate::db::{Connection, Value};

/// How a step's failure begins that a rollback could not take back, and that does no harm.
pub const LEFT: &str = "rolled back, but for what stays: ";

/// How far a rollback has come with a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Undoing {
    /// Whether nothing of the step is in force behind this part of its undo.
    pub last: bool,
    /// Whether the step was done when this part began.
    pub was_done: bool,
}

/// Records what was there before a step, unless an earlier try has.
pub async fn remember(connection: &mut Connection, id: &str, memory: &str) -> Result<(), StoreError> {
    let dialect = connection.shared_dialect();
    let known = dialect.placeholders("SELECT COUNT(*) FROM concertina_undo WHERE step_id = ?");
    if connection.integer(&known, &[id.into()]).await? == Some(0) {
        let insert =
            format!("INSERT INTO concertina_undo (step_id, memory, remembered_at) VALUES (?, ?, {})", dialect.now());
        connection.execute(&dialect.placeholders(&insert), &[id.into(), memory.into()]).await?;
    }
    Ok(())
}

/// Records that a step is being taken back: until it is, the database alone tells whether it is in force.
pub(super) async fn reopen_step(connection: &mut Connection, id: &str) -> Result<(), StoreError> {
    execute(connection, "UPDATE concertina_step SET finished_at = NULL, failure = NULL WHERE step_id = ?", &[id]).await
}

/// Records that a step, or a part of its undo, is done.
pub async fn end_step(connection: &mut Connection, step: &StepStart) -> Result<(), StoreError> {
    match step.undo {
        None => finish_step(connection, &step.id).await,
        Some(Undoing { last: true, .. }) => forget_step(connection, &step.id).await,
        Some(Undoing { last: false, .. }) => Ok(()),
    }
}

/// Forgets a step that is not in force any more.
pub async fn forget_step(connection: &mut Connection, id: &str) -> Result<(), StoreError> {
    execute(connection, "DELETE FROM concertina_step WHERE step_id = ?", &[id]).await?;
    execute(connection, "DELETE FROM concertina_undo WHERE step_id = ?", &[id]).await
}

/// Records that a step was rolled back, but for what stays: when it runs again, it is found done.
pub async fn leave_step(connection: &mut Connection, id: &str, what: &str) -> Result<(), StoreError> {
    let failure = format!("{LEFT}{what}");
    execute(connection, "UPDATE concertina_step SET finished_at = NULL, failure = ? WHERE step_id = ?", &[&failure, id])
        .await
}

/// Records that a rollback begins: the release's expand is not done any more, and its data counts as never migrated.
pub async fn begin_rollback(
    connection: &mut Connection,
    release: &str,
    backfills: &[String],
) -> Result<(), StoreError> {
    let reopen = "UPDATE concertina_phase SET finished_at = NULL WHERE release_name = ? AND phase = ?";
    execute(connection, reopen, &[release, "expand"]).await?;
    execute(connection, "DELETE FROM concertina_phase WHERE release_name = ? AND phase = ?", &[release, "migrate"])
        .await?;
    for backfill in backfills {
        execute(connection, "DELETE FROM concertina_range WHERE backfill_id = ?", &[backfill]).await?;
        execute(connection, "DELETE FROM concertina_backfill WHERE backfill_id = ?", &[backfill]).await?;
    }
    Ok(())
}

/// Records that a release is rolled back: it is pending, as if nothing of it had begun.
pub async fn end_rollback(
    connection: &mut Connection,
    release: &str,
    triggers: &[(String, String)],
) -> Result<(), StoreError> {
    for (table, name) in triggers {
        let delete = "DELETE FROM concertina_trigger WHERE table_name = ? AND trigger_name = ?";
        execute(connection, delete, &[table, name]).await?;
    }
    execute(connection, "DELETE FROM concertina_phase WHERE release_name = ? AND phase = ?", &[release, "expand"]).await
}

async fn execute(connection: &mut Connection, sql: &str, values: &[&str]) -> Result<(), StoreError> {
    let sql = connection.dialect().placeholders(sql);
    let values: Vec<Value> = values.iter().map(|value| (*value).into()).collect();
    connection.execute(&sql, &values).await?;
    Ok(())
}
