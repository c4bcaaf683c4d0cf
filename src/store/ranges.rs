//! The ranges of backfills: contiguous pieces of a key space, each with its own cursor, leased to one worker at a time.
//!
//! A range's row is the fence of whoever works on it: a batch commits together with a write of the row that names the worker and
//! the row's version, so whoever lost the range commits nothing.

use std::time::Duration;

use super::worker::live;
use super::{Lease, StoreError};
use crate::db::{Connection, Row, Value};

/// A range of a backfill.
#[derive(Debug, Clone, PartialEq)]
pub struct RangeRecord {
    /// The backfill.
    pub backfill: String,
    /// Its number, from 0; later walks count on.
    pub number: i64,
    /// Which walk over the table it belongs to, from 1.
    pub pass: i64,
    /// Whether it is walked to its end.
    pub done: bool,
    /// What its table is walked by; places of another key mean nothing.
    pub walked_by: String,
    /// Where it begins, exclusive; `None`: at the table's first row.
    pub lower: Option<Vec<Value>>,
    /// The last place walked; `None` before the first.
    pub cursor: Option<Vec<Value>>,
    /// Where it ends, inclusive.
    pub upper: Vec<Value>,
    /// Who works on it, by the worker's id; empty when nobody does.
    pub worker: String,
    /// Goes up whenever its bounds or its worker change.
    pub version: i64,
    /// How often rows of it were found locked and left for later.
    pub attempts: i64,
    /// Rows walked.
    pub walked: i64,
    /// Rows changed.
    pub changed: i64,
    /// Batches.
    pub batches: i64,
    /// When it changed last, in milliseconds since the epoch.
    pub updated_at: i64,
}

impl RangeRecord {
    /// The place behind which its next batch begins.
    pub fn start(&self) -> Option<&Vec<Value>> {
        self.cursor.as_ref().or(self.lower.as_ref())
    }
}

const COLUMNS: &str = "backfill_id, range_number, pass, state, walked_by, lower_key, cursor_key, upper_key, worker, version, attempts, \
    rows_walked, rows_changed, batches, updated_at";

fn place(text: Option<String>) -> Option<Vec<Value>> {
    text.and_then(|text| serde_json::from_str(&text).ok())
}

fn text(place: Option<&Vec<Value>>) -> Value {
    place.and_then(|place| serde_json::to_string(place).ok()).into()
}

fn record(row: &Row) -> RangeRecord {
    let number = |position| row.integer(position).unwrap_or(0);
    RangeRecord {
        backfill: row.text(0).unwrap_or_default(),
        number: number(1),
        pass: number(2),
        done: row.text(3).as_deref() == Some("done"),
        walked_by: row.text(4).unwrap_or_default(),
        lower: place(row.text(5)),
        cursor: place(row.text(6)),
        upper: place(row.text(7)).unwrap_or_default(),
        worker: row.text(8).unwrap_or_default(),
        version: number(9),
        attempts: number(10),
        walked: number(11),
        changed: number(12),
        batches: number(13),
        updated_at: number(14),
    }
}

/// Every range recorded, in order.
pub async fn all(connection: &mut Connection) -> Result<Vec<RangeRecord>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM concertina_range ORDER BY backfill_id, range_number");
    Ok(connection.query(&sql, &[]).await?.iter().map(record).collect())
}

/// The ranges of a backfill, in order.
pub async fn of_backfill(connection: &mut Connection, backfill: &str) -> Result<Vec<RangeRecord>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM concertina_range WHERE backfill_id = ? ORDER BY range_number");
    let sql = connection.dialect().placeholders(&sql);
    Ok(connection.query(&sql, &[backfill.into()]).await?.iter().map(record).collect())
}

/// A range as it is now.
pub async fn find(connection: &mut Connection, range: &RangeRecord) -> Result<Option<RangeRecord>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM concertina_range WHERE backfill_id = ? AND range_number = ?");
    let sql = connection.dialect().placeholders(&sql);
    let rows = connection.query(&sql, &[range.backfill.as_str().into(), range.number.into()]).await?;
    Ok(rows.first().map(record))
}

/// Makes everybody else who would add ranges of a backfill wait; inside a transaction.
pub async fn lock_backfill(connection: &mut Connection, backfill: &str) -> Result<(), StoreError> {
    let sql = "UPDATE concertina_backfill SET started_at = started_at WHERE backfill_id = ?";
    let sql = connection.dialect().placeholders(sql);
    connection.execute(&sql, &[backfill.into()]).await?;
    Ok(())
}

/// Adds a range; the backfill is locked. Its number is the next one.
pub async fn add(connection: &mut Connection, range: &RangeRecord, wait_milliseconds: i64) -> Result<(), StoreError> {
    let dialect = connection.shared_dialect();
    let number = "SELECT COALESCE(MAX(range_number) + 1, 0) FROM concertina_range WHERE backfill_id = ?";
    let number =
        connection.integer(&dialect.placeholders(number), &[range.backfill.as_str().into()]).await?.unwrap_or(0);
    let now = dialect.now();
    let sql = format!(
        "INSERT INTO concertina_range (backfill_id, range_number, pass, state, walked_by, lower_key, upper_key, worker, version, \
         attempts, not_before, rows_walked, rows_changed, batches, updated_at) \
         VALUES (?, ?, ?, 'open', ?, ?, ?, '', 0, ?, {now} + {wait_milliseconds}, 0, 0, 0, {now})"
    );
    let values = [
        range.backfill.as_str().into(),
        number.into(),
        range.pass.into(),
        range.walked_by.as_str().into(),
        text(range.lower.as_ref()),
        text(Some(&range.upper)),
        range.attempts.into(),
    ];
    connection.execute(&dialect.placeholders(&sql), &values).await?;
    Ok(())
}

/// Takes a range of a backfill that is open and nobody's, the first there is.
pub async fn take(
    connection: &mut Connection,
    lease: &Lease,
    backfill: &str,
) -> Result<Option<RangeRecord>, StoreError> {
    let dialect = connection.shared_dialect();
    let sql = format!(
        "SELECT {COLUMNS} FROM concertina_range WHERE backfill_id = ? AND state = 'open' AND not_before <= {} \
         AND worker <> ? AND NOT EXISTS (SELECT 1 FROM concertina_worker WHERE worker_id = worker AND {}) \
         ORDER BY range_number LIMIT 8",
        dialect.now(),
        live(dialect.now())
    );
    let free = connection.query(&dialect.placeholders(&sql), &[backfill.into(), lease.worker().into()]).await?;
    let take = dialect.placeholders(
        "UPDATE concertina_range SET worker = ?, version = version + 1 \
         WHERE backfill_id = ? AND range_number = ? AND version = ? AND state = 'open'",
    );
    for mut range in free.iter().map(record) {
        let values = [lease.worker().into(), backfill.into(), range.number.into(), range.version.into()];
        if connection.execute(&take, &values).await? == 1 {
            lease.worker().clone_into(&mut range.worker);
            range.version += 1;
            return Ok(Some(range));
        }
    }
    Ok(None)
}

/// Records where a range is; in the transaction of its batch. Fails when the range is somebody else's, or was split.
pub async fn save(connection: &mut Connection, range: &RangeRecord) -> Result<(), StoreError> {
    let dialect = connection.shared_dialect();
    let sql = format!(
        "UPDATE concertina_range SET cursor_key = ?, rows_walked = ?, rows_changed = ?, batches = ?, state = ?, updated_at = {} \
         WHERE backfill_id = ? AND range_number = ? AND worker = ? AND version = ?",
        dialect.now()
    );
    let values = [
        text(range.cursor.as_ref()),
        range.walked.into(),
        range.changed.into(),
        range.batches.into(),
        if range.done { "done" } else { "open" }.into(),
        range.backfill.as_str().into(),
        range.number.into(),
        range.worker.as_str().into(),
        range.version.into(),
    ];
    let saved = connection.execute(&dialect.placeholders(&sql), &values).await?;
    if saved == 1 { Ok(()) } else { Err(StoreError::RangeMoved) }
}

/// Gives a range back, to be taken again after a while.
pub async fn give_back(
    connection: &mut Connection,
    range: &RangeRecord,
    wait_milliseconds: i64,
) -> Result<(), StoreError> {
    let dialect = connection.shared_dialect();
    let sql = format!(
        "UPDATE concertina_range SET worker = '', version = version + 1, attempts = ?, not_before = {} + {wait_milliseconds} \
         WHERE backfill_id = ? AND range_number = ? AND worker = ? AND version = ?",
        dialect.now()
    );
    let values = [
        range.attempts.into(),
        range.backfill.as_str().into(),
        range.number.into(),
        range.worker.as_str().into(),
        range.version.into(),
    ];
    connection.execute(&dialect.placeholders(&sql), &values).await?;
    Ok(())
}

/// Lets a range end earlier, and gives it as it is now; inside a transaction. Fails where it has changed hands or bounds.
pub async fn narrow(
    connection: &mut Connection,
    range: &RangeRecord,
    upper: &[Value],
) -> Result<RangeRecord, StoreError> {
    let sql = connection.dialect().placeholders(
        "UPDATE concertina_range SET upper_key = ?, version = version + 1 \
         WHERE backfill_id = ? AND range_number = ? AND version = ? AND state = 'open'",
    );
    let values =
        [text(Some(&upper.to_vec())), range.backfill.as_str().into(), range.number.into(), range.version.into()];
    if connection.execute(&sql, &values).await? == 0 {
        return Err(StoreError::RangeMoved);
    }
    find(connection, range).await?.ok_or(StoreError::RangeMoved)
}

/// Begins a walk over a backfill's table, up to a place, unless it has begun already; the backfill's ranges of earlier walks stay
/// as a record. Where a table has no rows there is no range.
pub async fn start_pass(
    connection: &mut Connection,
    backfill: &str,
    pass: i64,
    walked_by: &str,
    upper: Option<Vec<Value>>,
) -> Result<(), StoreError> {
    lock_backfill(connection, backfill).await?;
    let sql = "SELECT COUNT(*) FROM concertina_range WHERE backfill_id = ? AND pass >= ?";
    let sql = connection.dialect().placeholders(sql);
    if connection.integer(&sql, &[backfill.into(), pass.into()]).await? != Some(0) {
        return Ok(());
    }
    let Some(upper) = upper else { return Ok(()) };
    let range = RangeRecord {
        backfill: backfill.to_owned(),
        number: 0,
        pass,
        done: false,
        walked_by: walked_by.to_owned(),
        lower: None,
        cursor: None,
        upper,
        worker: String::new(),
        version: 0,
        attempts: 0,
        walked: 0,
        changed: 0,
        batches: 0,
        updated_at: 0,
    };
    add(connection, &range, 0).await
}

/// Ends what is open of a backfill's walks: their places mean nothing any more. The backfill is locked.
pub async fn abandon(connection: &mut Connection, backfill: &str) -> Result<(), StoreError> {
    let sql =
        "UPDATE concertina_range SET state = 'done', version = version + 1 WHERE backfill_id = ? AND state = 'open'";
    let sql = connection.dialect().placeholders(sql);
    connection.execute(&sql, &[backfill.into()]).await?;
    Ok(())
}

/// Where a walk that writes nothing stopped, if it was not long ago.
pub async fn remembered(
    connection: &mut Connection,
    id: &str,
    walked_by: &str,
    within: Duration,
) -> Result<Option<Vec<Value>>, StoreError> {
    let dialect = connection.shared_dialect();
    let sql = format!(
        "SELECT cursor_key FROM concertina_range WHERE backfill_id = ? AND walked_by = ? AND updated_at > {} - {}",
        dialect.now(),
        within.as_millis()
    );
    let rows = connection.query(&dialect.placeholders(&sql), &[id.into(), walked_by.into()]).await?;
    Ok(rows.first().and_then(|row| place(row.text(0))))
}

/// Remembers where a walk that writes nothing is.
pub async fn remember(connection: &mut Connection, id: &str, walked_by: &str, at: &[Value]) -> Result<(), StoreError> {
    let at = text(Some(&at.to_vec()));
    connection
        .transaction(async |connection: &mut Connection| -> Result<(), StoreError> {
            forget(connection, id).await?;
            let dialect = connection.shared_dialect();
            let sql = format!(
                "INSERT INTO concertina_range (backfill_id, range_number, pass, state, walked_by, cursor_key, upper_key, worker, version, \
                 attempts, not_before, rows_walked, rows_changed, batches, updated_at) \
                 VALUES (?, 0, 0, 'done', ?, ?, '[]', '', 0, 0, 0, 0, 0, 0, {})",
                dialect.now()
            );
            connection.execute(&dialect.placeholders(&sql), &[id.into(), walked_by.into(), at]).await?;
            Ok(())
        })
        .await
}

/// Forgets it.
pub async fn forget(connection: &mut Connection, id: &str) -> Result<(), StoreError> {
    let sql = connection.dialect().placeholders("DELETE FROM concertina_range WHERE backfill_id = ?");
    connection.execute(&sql, &[id.into()]).await?;
    Ok(())
}
