//! Runs backfills: one short transaction a batch, which moves the range's cursor as it commits. A kill loses at most the
//! batch in flight and repeats nothing.

use std::time::{Duration, Instant};

use super::session::Session;
use super::{EngineError, Event, Settings};
use crate::catalog::{Backfill, Diagnostics, Release};
use crate::db::{Class, Connection, DbError, Value, failpoint};
use crate::dialect::Patience;
use crate::plan::{BackfillFact, BackfillPlan};
use crate::store::{self, BackfillRecord, Lease, RangeRecord, StoreError};

/// How many walks a backfill makes before it says that its rows never stop matching.
const PASSES: i64 = 5;
const LARGEST: u64 = 50_000;

/// How a migrate ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MigrateEnd {
    /// Every backfill is done.
    Done,
    /// The limit of `--max-rows` was reached.
    Limit,
}

/// What a batch came to.
struct Batch {
    changed: u64,
    end: Option<Vec<Value>>,
}

impl Session<'_> {
    /// Runs a release's backfills, changing at most `max_rows` rows.
    pub(super) async fn run_backfills(
        &mut self,
        release: &Release,
        max_rows: Option<u64>,
    ) -> Result<MigrateEnd, EngineError> {
        let mut left = max_rows;
        for backfill in &release.backfills {
            if self.is_complete(release, backfill).await? {
                continue;
            }
            // A batch that waits for a row makes others wait for the rows it has.
            self.connection.set_patience(Patience::Batch).await?;
            let end = self.run_backfill(release, backfill, &mut left).await;
            self.connection.set_patience(Patience::Seconds).await?;
            if end? == MigrateEnd::Limit {
                return Ok(MigrateEnd::Limit);
            }
        }
        Ok(MigrateEnd::Done)
    }

    /// Whether a backfill is done, and stayed so: rows may have come to match `where` since.
    pub(super) async fn is_complete(&mut self, release: &Release, backfill: &Backfill) -> Result<bool, EngineError> {
        if !self.facts.backfills.get(&backfill.id).is_some_and(|fact| fact.finished) {
            return Ok(false);
        }
        let plan = self.backfill_plan(release, backfill).await?;
        Ok(self.connection.query(&plan.pending, &[]).await?.is_empty())
    }

    async fn backfill_plan(&mut self, release: &Release, backfill: &Backfill) -> Result<BackfillPlan, EngineError> {
        let dialect = self.connection.shared_dialect();
        let schema = self.connection.inspect().await?;
        BackfillPlan::new(backfill, release, dialect.as_ref(), &schema).map_err(|refusal| {
            let place =
                refusal.word.as_deref().map_or_else(|| backfill.origin.clone(), |word| backfill.origin.narrowed(word));
            EngineError::Unfit {
                phase: format!("migrate of {}", release.name),
                diagnostics: Diagnostics(vec![place.diagnostic(&refusal.reason)]),
            }
        })
    }

    async fn run_backfill(
        &mut self,
        release: &Release,
        backfill: &Backfill,
        left: &mut Option<u64>,
    ) -> Result<MigrateEnd, EngineError> {
        let plan = self.backfill_plan(release, backfill).await?;
        let mut range = self.begin(release, backfill).await?;
        // An estimate is a comfort: a table it cannot be had for is walked all the same.
        let estimate = self.connection.integer(&plan.estimate, &[]).await.ok().flatten();
        self.tell(Event::BackfillStarted {
            id: plan.id.clone(),
            estimate: estimate.and_then(|rows| u64::try_from(rows).ok()),
            walked: u64::try_from(range.walked).unwrap_or(0),
        });
        let target = Settings::new(&self.project.manifest, &[]).target;
        let mut size = u64::from(self.project.manifest.batch.rows);
        let mut waiting: Option<(Instant, u32)> = None;
        loop {
            self.refuse_interrupted()?;
            if *left == Some(0) {
                self.stopped(&plan, &range, false);
                return Ok(MigrateEnd::Limit);
            }
            let rows = left.map_or(size, |left| left.min(size)).max(1);
            let since = Instant::now();
            let (connection, lease) = self.connection_and_lease();
            let batch = match run_batch(connection, lease, &plan, &mut range, rows).await {
                Ok(batch) => batch,
                Err(StoreError::Db(error)) if matches!(error.class(), Class::LockTimeout | Class::Conflict) => {
                    let (began, tries) = waiting.map_or((Instant::now(), 1), |(began, tries)| (began, tries + 1));
                    waiting = Some((began, tries));
                    if began.elapsed() > self.project.manifest.locks.retry_for {
                        let waited = began.elapsed().as_secs();
                        let reason = format!("gave up after {waited} s and {tries} tries: {error}");
                        return Err(EngineError::Backfill { id: plan.id, reason });
                    }
                    size = (size / 2).max(1);
                    if tries == 1 {
                        self.tell(Event::Waiting { what: plan.id.clone(), reason: error.to_string() });
                    }
                    let longest = 50 * u64::from(tries.min(20));
                    tokio::time::sleep(Duration::from_millis(fastrand::u64(20..=20 + longest))).await;
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let took = since.elapsed();
            waiting = None;
            failpoint::pass("backfill.batch");
            // Half of the time is everybody else's, and on SQLite, which has one writer at a time, whoever waits would otherwise
            // be starved until its own patience ends.
            tokio::time::sleep(took.min(target)).await;
            if let Some(left) = left {
                *left = left.saturating_sub(batch.changed);
            }
            if batch.end.is_some() {
                size = next_size(size, rows, took, target);
                self.tell(Event::Batch {
                    id: plan.id.clone(),
                    walked: u64::try_from(range.walked).unwrap_or(0),
                    changed: u64::try_from(range.changed).unwrap_or(0),
                    next_size: size,
                });
                continue;
            }
            if self.finish_or_walk_again(&plan, &mut range).await? {
                self.stopped(&plan, &range, true);
                return Ok(MigrateEnd::Done);
            }
        }
    }

    fn stopped(&self, plan: &BackfillPlan, range: &RangeRecord, done: bool) {
        let changed = u64::try_from(range.changed).unwrap_or(0);
        self.tell(Event::BackfillStopped { id: plan.id.clone(), changed, done });
    }

    /// Where an earlier run stopped, or the beginning.
    async fn begin(&mut self, release: &Release, backfill: &Backfill) -> Result<RangeRecord, EngineError> {
        if let Some(range) = self.records.ranges.iter().find(|range| range.backfill == backfill.id) {
            let mut range = range.clone();
            if self.facts.backfills.get(&backfill.id).is_some_and(|fact| fact.finished) {
                // It was done, and rows have come to match since: walk again from the start.
                (range.cursor, range.pass, range.walked) = (None, 1, 0);
            }
            return Ok(range);
        }
        let kind = self.connection.dialect().kind();
        let record = BackfillRecord {
            id: backfill.id.clone(),
            checksum: backfill.checksum(kind),
            body: backfill.body(kind).to_owned(),
            started_at: 0,
            finished_at: None,
        };
        let range = RangeRecord {
            backfill: backfill.id.clone(),
            number: 0,
            cursor: None,
            pass: 1,
            walked: 0,
            changed: 0,
            batches: 0,
        };
        let (connection, lease) = self.connection_and_lease();
        connection
            .transaction(async |connection: &mut Connection| -> Result<(), StoreError> {
                lease.fence(connection).await?;
                let file = &backfill.origin.source.path;
                store::start_backfill(connection, &release.name, &backfill.table, file, &record).await?;
                store::save_range(connection, &range).await
            })
            .await?;
        let fact = BackfillFact { checksum: record.checksum, body: record.body, finished: false };
        self.facts.backfills.insert(backfill.id.clone(), fact);
        Ok(range)
    }

    /// At the end of a walk: done, or once more over what still matches (a row whose key moved behind the cursor).
    async fn finish_or_walk_again(
        &mut self,
        plan: &BackfillPlan,
        range: &mut RangeRecord,
    ) -> Result<bool, EngineError> {
        let pending = self.connection.query(&plan.pending, &[]).await?;
        let done = pending.is_empty();
        if !done && range.pass >= PASSES {
            if pending.iter().any(|row| row.text(0).is_none()) {
                let reason =
                    "rows with a NULL in their primary key match `where`, and cannot be walked: give them a key"
                        .to_owned();
                return Err(EngineError::Backfill { id: plan.id.clone(), reason });
            }
            let keys: Vec<_> = pending.iter().map(|row| row.text(0).unwrap_or_default()).collect();
            let reason = format!(
                "after {PASSES} walks rows still match `where` (keys {}); does `set` make it false for every row?",
                keys.join(", ")
            );
            return Err(EngineError::Backfill { id: plan.id.clone(), reason });
        }
        if !done {
            range.pass += 1;
            range.cursor = None;
            range.walked = 0;
        }
        let (connection, lease) = self.connection_and_lease();
        connection
            .transaction(async |connection: &mut Connection| -> Result<(), StoreError> {
                lease.fence(connection).await?;
                store::save_range(connection, range).await?;
                if done {
                    store::finish_backfill(connection, &plan.id).await?;
                    let detail = format!("{} rows changed in {} batches", range.changed, range.batches);
                    store::append(connection, lease, &plan.id, "done", Some(detail), None).await?;
                }
                Ok(())
            })
            .await?;
        if let Some(fact) = self.facts.backfills.get_mut(&plan.id) {
            fact.finished = done;
        }
        Ok(done)
    }
}

async fn run_batch(
    connection: &mut Connection,
    lease: &Lease,
    plan: &BackfillPlan,
    range: &mut RangeRecord,
    rows: u64,
) -> Result<Batch, StoreError> {
    let [on, off] = &plan.bypass;
    let mut moved = range.clone();
    let done = connection
        .transaction(async |connection: &mut Connection| -> Result<Batch, StoreError> {
            lease.fence(connection).await?;
            let behind = bind(plan, moved.cursor.as_deref());
            let after_cursor = moved.cursor.is_some();
            let (end, walked) = match one_key(connection, &plan.span_end(after_cursor, rows), &behind).await? {
                Some(end) => (end, Some(rows)),
                // Fewer rows are left than a batch has: the span ends with the table's last key.
                None => match one_key(connection, &plan.last_key(after_cursor), &behind).await? {
                    Some(end) => (end, None),
                    None => return Ok(Batch { changed: 0, end: None }),
                },
            };
            let span: Vec<Value> = behind.into_iter().chain(bind(plan, Some(&end))).collect();
            let walked = match walked {
                Some(walked) => walked,
                None => {
                    let counted = connection.integer(&plan.span_rows(after_cursor), &span).await?;
                    counted.and_then(|rows| u64::try_from(rows).ok()).unwrap_or(0)
                }
            };
            for statement in on {
                connection.run(statement).await?;
            }
            let changed = connection.execute(&plan.update(after_cursor), &span).await?;
            for statement in off {
                connection.run(statement).await?;
            }
            moved.cursor = Some(end.clone());
            moved.walked = moved.walked.saturating_add_unsigned(walked);
            moved.changed = moved.changed.saturating_add_unsigned(changed);
            moved.batches += 1;
            store::save_range(connection, &moved).await?;
            failpoint::pass("backfill.before_commit");
            Ok(Batch { changed, end: Some(end) })
        })
        .await;
    match done {
        Ok(batch) => {
            *range = moved;
            Ok(batch)
        }
        Err(error) => {
            // A session variable outlives the rollback where a transaction-local setting does not.
            for statement in off {
                if let Err(error) = connection.run(statement).await {
                    tracing::debug!(%error, "leave the bypass");
                }
            }
            Err(error)
        }
    }
}

async fn one_key(connection: &mut Connection, sql: &str, values: &[Value]) -> Result<Option<Vec<Value>>, DbError> {
    Ok(connection.query(sql, values).await?.into_iter().next().map(crate::db::Row::into_values))
}

fn bind(plan: &BackfillPlan, key: Option<&[Value]>) -> Vec<Value> {
    let Some(key) = key else { return Vec::new() };
    plan.binding.iter().filter_map(|position| key.get(*position).cloned()).collect()
}

/// Follows the target duration: at most half as much again upwards, as far down as it takes.
fn next_size(size: u64, ran: u64, took: Duration, target: Duration) -> u64 {
    if ran < size {
        // Feedback from a batch that was cut short says nothing of this size.
        return size;
    }
    let factor = (target.as_secs_f64() / took.as_secs_f64().max(0.000_1)).clamp(0.1, 1.5);
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a batch has at most 50,000 rows"
    )]
    let next = (size as f64 * factor) as u64;
    next.clamp(1, LARGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_follows_the_target() {
        let target = Duration::from_millis(50);
        assert_eq!(next_size(1_000, 1_000, Duration::from_millis(10), target), 1_500);
        assert_eq!(next_size(1_000, 1_000, Duration::from_millis(100), target), 500);
        assert_eq!(next_size(1_000, 1_000, Duration::from_secs(50), target), 100);
        assert_eq!(next_size(1_000, 10, Duration::from_secs(50), target), 1_000);
        assert_eq!(next_size(1, 1, Duration::from_secs(50), target), 1);
    }
}
