//! The facts: phases, steps, backfills and their ranges.

use std::collections::BTreeMap;

use super::ranges::{self, RangeRecord};
use super::undo::{self, Undoing};
use super::worker::{self, WorkerRecord};
use super::{LeaseHolder, StoreError, lease};
use crate::db::{Connection, Row, Value};

/// Everything recorded.
#[derive(Debug, Clone, Default)]
pub struct Records {
    /// Phases that began.
    pub phases: Vec<PhaseRecord>,
    /// Steps that began.
    pub steps: Vec<StepRecord>,
    /// What was there before steps: the step, and what its undo needs, as JSON.
    pub memories: Vec<(String, String)>,
    /// Backfills that began.
    pub backfills: Vec<BackfillRecord>,
    /// Their ranges.
    pub ranges: Vec<RangeRecord>,
    /// The tables' objects when a phase was last done: table, object, definition.
    pub objects: Vec<(String, String, String)>,
    /// The triggers that were seen when they were installed, each by its table and its name, with its fingerprint.
    pub triggers: Vec<(String, String, String)>,
    /// The processes that migrate.
    pub workers: Vec<WorkerRecord>,
    /// Who holds the runner's lease.
    pub holder: Option<LeaseHolder>,
}

/// A phase that began. Times are milliseconds since the epoch.
#[derive(Debug, Clone)]
pub struct PhaseRecord {
    /// The release.
    pub release: String,
    /// The phase's word.
    pub phase: String,
    /// When it began.
    pub started_at: i64,
    /// When it was done.
    pub finished_at: Option<i64>,
}

/// A step that began.
#[derive(Debug, Clone)]
pub struct StepRecord {
    /// Its id.
    pub id: String,
    /// What it does.
    pub summary: String,
    /// The checksum of its text when it began.
    pub checksum: String,
    /// Its text when it began.
    pub body: String,
    /// How often it was tried.
    pub attempts: i64,
    /// When it began.
    pub started_at: i64,
    /// When it was done.
    pub finished_at: Option<i64>,
    /// How it failed last.
    pub failure: Option<String>,
}

/// A backfill that began.
#[derive(Debug, Clone)]
pub struct BackfillRecord {
    /// Its id.
    pub id: String,
    /// The checksum of its text when it began.
    pub checksum: String,
    /// Its text when it began.
    pub body: String,
    /// When it began.
    pub started_at: i64,
    /// When it was done.
    pub finished_at: Option<i64>,
}

/// Reads everything recorded. The tables are there.
pub async fn load(connection: &mut Connection) -> Result<Records, StoreError> {
    let all = async |connection: &mut Connection, sql: &str| connection.query(sql, &[]).await;
    let text = |row: &Row, position| row.text(position).unwrap_or_default();
    let number = |row: &Row, position| row.integer(position).unwrap_or(0);
    let phases = all(connection, "SELECT release_name, phase, started_at, finished_at FROM concertina_phase").await?;
    let steps = all(
        connection,
        "SELECT step_id, summary, checksum, body, attempts, started_at, finished_at, failure FROM concertina_step ORDER BY started_at",
    )
    .await?;
    let backfills =
        all(connection, "SELECT backfill_id, checksum, body, started_at, finished_at FROM concertina_backfill").await?;
    // The tables may be of a version without these.
    let workers_known = connection.has_table("concertina_worker").await?;
    let triggers = if connection.has_table("concertina_trigger").await? {
        all(connection, "SELECT table_name, trigger_name, fingerprint FROM concertina_trigger").await?
    } else {
        Vec::new()
    };
    let objects = if connection.has_table("concertina_object").await? {
        all(connection, "SELECT table_name, object, definition FROM concertina_object").await?
    } else {
        Vec::new()
    };
    let memories = if connection.has_table("concertina_undo").await? {
        all(connection, "SELECT step_id, memory FROM concertina_undo").await?
    } else {
        Vec::new()
    };
    Ok(Records {
        memories: memories.iter().map(|row| (text(row, 0), text(row, 1))).collect(),
        objects: objects.iter().map(|row| (text(row, 0), text(row, 1), text(row, 2))).collect(),
        triggers: triggers.iter().map(|row| (text(row, 0), text(row, 1), text(row, 2))).collect(),
        phases: phases
            .iter()
            .map(|row| PhaseRecord {
                release: text(row, 0),
                phase: text(row, 1),
                started_at: number(row, 2),
                finished_at: row.integer(3),
            })
            .collect(),
        steps: steps
            .iter()
            .map(|row| StepRecord {
                id: text(row, 0),
                summary: text(row, 1),
                checksum: text(row, 2),
                body: text(row, 3),
                attempts: number(row, 4),
                started_at: number(row, 5),
                finished_at: row.integer(6),
                failure: row.text(7),
            })
            .collect(),
        backfills: backfills
            .iter()
            .map(|row| BackfillRecord {
                id: text(row, 0),
                checksum: text(row, 1),
                body: text(row, 2),
                started_at: number(row, 3),
                finished_at: row.integer(4),
            })
            .collect(),
        ranges: if workers_known { ranges::all(connection).await? } else { Vec::new() },
        workers: worker::workers(connection).await?,
        holder: lease::holder(connection).await?,
    })
}

/// Updates a row, or inserts it where there is none: one runner writes, so the two statements cannot race.
async fn put(
    connection: &mut Connection,
    update: &str,
    insert: &str,
    values: &[Value],
    key: &[Value],
) -> Result<(), StoreError> {
    let dialect = connection.shared_dialect();
    let now = dialect.now();
    let all: Vec<Value> = values.iter().chain(key).cloned().collect();
    let sql = |text: &str| dialect.placeholders(&text.replace("{now}", now));
    if connection.execute(&sql(update), &all).await? == 0 {
        connection.execute(&sql(insert), &all).await?;
    }
    Ok(())
}

/// Records that a phase began, unless it had begun before.
pub async fn start_phase(connection: &mut Connection, release: &str, phase: &str) -> Result<(), StoreError> {
    let dialect = connection.shared_dialect();
    let known = dialect.placeholders("SELECT COUNT(*) FROM concertina_phase WHERE release_name = ? AND phase = ?");
    if connection.integer(&known, &[release.into(), phase.into()]).await? == Some(0) {
        let insert =
            format!("INSERT INTO concertina_phase (release_name, phase, started_at) VALUES (?, ?, {})", dialect.now());
        connection.execute(&dialect.placeholders(&insert), &[release.into(), phase.into()]).await?;
    }
    Ok(())
}

/// Records that a phase is done.
pub async fn finish_phase(connection: &mut Connection, release: &str, phase: &str) -> Result<(), StoreError> {
    let dialect = connection.shared_dialect();
    let sql =
        format!("UPDATE concertina_phase SET finished_at = {} WHERE release_name = ? AND phase = ?", dialect.now());
    connection.execute(&dialect.placeholders(&sql), &[release.into(), phase.into()]).await?;
    Ok(())
}

/// What is recorded when a step begins.
#[derive(Debug, Clone)]
pub struct StepStart {
    /// Its id.
    pub id: String,
    /// Its release.
    pub release: String,
    /// Its phase's word.
    pub phase: String,
    /// Its kind's word.
    pub kind: String,
    /// What it does.
    pub summary: String,
    /// Its file.
    pub file: String,
    /// The checksum of its text.
    pub checksum: String,
    /// Its text.
    pub body: String,
    /// What was there before it, as JSON, where its undo will need it.
    pub memory: Option<String>,
    /// How far a rollback has come with it, where it is being taken back.
    pub undo: Option<Undoing>,
}

/// Records that a step begins, or begins again; or that it is being taken back.
pub async fn start_step(connection: &mut Connection, step: &StepStart) -> Result<(), StoreError> {
    if step.undo.is_some() {
        return undo::reopen_step(connection, &step.id).await;
    }
    if let Some(memory) = &step.memory {
        undo::remember(connection, &step.id, memory).await?;
    }
    put(
        connection,
        "UPDATE concertina_step SET release_name = ?, phase = ?, kind = ?, summary = ?, file = ?, checksum = ?, body = ?, \
         attempts = attempts + 1, started_at = {now}, failure = NULL WHERE step_id = ?",
        "INSERT INTO concertina_step (release_name, phase, kind, summary, file, checksum, body, attempts, started_at, step_id) \
         VALUES (?, ?, ?, ?, ?, ?, ?, 1, {now}, ?)",
        &[
            step.release.clone().into(),
            step.phase.clone().into(),
            step.kind.clone().into(),
            step.summary.clone().into(),
            step.file.clone().into(),
            step.checksum.clone().into(),
            step.body.clone().into(),
        ],
        &[step.id.clone().into()],
    )
    .await
}

/// Records that a step is done.
pub async fn finish_step(connection: &mut Connection, id: &str) -> Result<(), StoreError> {
    let dialect = connection.shared_dialect();
    let sql = format!("UPDATE concertina_step SET finished_at = {}, failure = NULL WHERE step_id = ?", dialect.now());
    connection.execute(&dialect.placeholders(&sql), &[id.into()]).await?;
    Ok(())
}

/// Records what triggers look like in the catalog, each by its table and its name, with its fingerprint.
pub async fn save_triggers(
    connection: &mut Connection,
    triggers: &[(String, String, String)],
) -> Result<(), StoreError> {
    for (table, name, fingerprint) in triggers {
        put(
            connection,
            "UPDATE concertina_trigger SET fingerprint = ?, seen_at = {now} WHERE table_name = ? AND trigger_name = ?",
            "INSERT INTO concertina_trigger (fingerprint, seen_at, table_name, trigger_name) VALUES (?, {now}, ?, ?)",
            &[fingerprint.clone().into()],
            &[table.clone().into(), name.clone().into()],
        )
        .await?;
    }
    Ok(())
}

/// How many rows one statement inserts: all three take some thousand values and more.
const ROWS_AT_ONCE: usize = 200;

/// Records what tables look like, and forgets those that are not named.
pub async fn save_tables(
    connection: &mut Connection,
    tables: &BTreeMap<String, BTreeMap<String, String>>,
) -> Result<(), StoreError> {
    connection.execute("DELETE FROM concertina_object", &[]).await?;
    let dialect = connection.shared_dialect();
    let mut rows: Vec<[Value; 4]> = Vec::new();
    for (table, objects) in tables {
        let numbered = (0_i64..).zip(objects);
        rows.extend(numbered.map(|(number, (object, definition))| {
            [table.as_str().into(), number.into(), object.as_str().into(), definition.as_str().into()]
        }));
    }
    // A row a statement would be a journey to the server for each column of the schema.
    for rows in rows.chunks(ROWS_AT_ONCE) {
        let row = format!("(?, ?, ?, ?, {})", dialect.now());
        let insert = format!(
            "INSERT INTO concertina_object (table_name, object_number, object, definition, seen_at) VALUES {}",
            vec![row; rows.len()].join(", ")
        );
        connection.execute(&dialect.placeholders(&insert), &rows.concat()).await?;
    }
    Ok(())
}

/// Records how a step failed.
pub async fn fail_step(connection: &mut Connection, id: &str, failure: &str) -> Result<(), StoreError> {
    let sql = connection.dialect().placeholders("UPDATE concertina_step SET failure = ? WHERE step_id = ?");
    connection.execute(&sql, &[failure.into(), id.into()]).await?;
    Ok(())
}

/// Records that a backfill begins, or begins again.
pub async fn start_backfill(
    connection: &mut Connection,
    release: &str,
    table: &str,
    file: &str,
    record: &BackfillRecord,
) -> Result<(), StoreError> {
    put(
        connection,
        "UPDATE concertina_backfill SET release_name = ?, table_name = ?, file = ?, checksum = ?, body = ?, finished_at = NULL WHERE backfill_id = ?",
        "INSERT INTO concertina_backfill (release_name, table_name, file, checksum, body, started_at, backfill_id) \
         VALUES (?, ?, ?, ?, ?, {now}, ?)",
        &[
            release.into(),
            table.into(),
            file.into(),
            record.checksum.clone().into(),
            record.body.clone().into(),
        ],
        &[record.id.clone().into()],
    )
    .await
}

/// Whether a backfill is recorded as done.
pub async fn is_backfill_finished(connection: &mut Connection, id: &str) -> Result<bool, StoreError> {
    let sql = "SELECT COUNT(*) FROM concertina_backfill WHERE backfill_id = ? AND finished_at IS NOT NULL";
    let sql = connection.dialect().placeholders(sql);
    Ok(connection.integer(&sql, &[id.into()]).await? == Some(1))
}

/// Records that a backfill is done.
pub async fn finish_backfill(connection: &mut Connection, id: &str) -> Result<(), StoreError> {
    let dialect = connection.shared_dialect();
    let sql = format!("UPDATE concertina_backfill SET finished_at = {} WHERE backfill_id = ?", dialect.now());
    connection.execute(&dialect.placeholders(&sql), &[id.into()]).await?;
    Ok(())
}

/// Records a person's word that a step's new text is as good as the one that was applied.
pub async fn accept_step(connection: &mut Connection, id: &str, checksum: &str, body: &str) -> Result<(), StoreError> {
    let sql = "UPDATE concertina_step SET checksum = ?, body = ? WHERE step_id = ?";
    let sql = connection.dialect().placeholders(sql);
    connection.execute(&sql, &[checksum.into(), body.into(), id.into()]).await?;
    Ok(())
}

/// Records a person's word that a backfill's new text is as good as the one that was started.
pub async fn accept_backfill(
    connection: &mut Connection,
    id: &str,
    checksum: &str,
    body: &str,
) -> Result<(), StoreError> {
    let sql = "UPDATE concertina_backfill SET checksum = ?, body = ? WHERE backfill_id = ?";
    let sql = connection.dialect().placeholders(sql);
    connection.execute(&sql, &[checksum.into(), body.into(), id.into()]).await?;
    Ok(())
}
