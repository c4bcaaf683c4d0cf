//! One worker: takes a range, walks it batch by batch, and takes the next, until none is open.
//!
//! A range that nobody has is taken; where all are taken, the biggest piece of another's is cut off, so that workers end
//! together. Rows that somebody has locked are gone round: their span becomes a range of its own, for later.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};
use tracing::Instrument;

use super::batch::{self, Batch, BatchError};
use super::command;
use super::progress::rows_left;
use crate::db::{Class, Connection, Value, failpoint};
use crate::engine::pace::Pacer;
use crate::engine::span::next_span;
use crate::engine::{EngineError, Event, place as place_of};
use crate::plan::{BackfillPlan, BatchPlan};
use crate::store::ranges::{self, RangeRecord};
use crate::store::{Lease, StoreError, worker};

/// How often a batch is tried at one place before the worker goes round it.
const TRIES: u32 = 3;
/// The longest that a range with locked rows is left alone.
const LONGEST_WAIT: i64 = 2_000;
/// How many batches are left to the other worker when its range is cut, where nobody knows how many rows it has.
const BATCHES_LEFT: [u64; 2] = [16, 4];
/// A worker is left this many batches at least.
const LEAST_BATCHES: u64 = 4;
/// The most rows that are looked over to find the place of a cut.
const LONGEST_CUT: u64 = 1_000_000;
/// How often a worker renews the lease itself: the heartbeat may not come between the batches of a database with one writer.
const RENEW: Duration = Duration::from_secs(5);

/// Whether workers may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gate {
    Go,
    /// The next batch waits.
    Hold,
    /// What is in hand is finished, and nothing begun.
    Stop,
}

/// How batches follow one another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Tempo {
    pub(super) target: Duration,
    pub(super) max_rows: u64,
    /// The pause after a batch, in batches.
    pub(super) pause: f64,
}

/// What the workers of a process share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) plan: BackfillPlan,
    pub(super) lease: Arc<Lease>,
    pub(super) retry_for: Duration,
    pub(super) gate: watch::Receiver<Gate>,
    pub(super) tempo: watch::Receiver<Tempo>,
    pub(super) events: mpsc::UnboundedSender<Event>,
    /// How many more rows may be changed; `None`: any number.
    pub(super) budget: Option<AtomicI64>,
    pub(super) first_rows: u64,
    pub(super) walked: AtomicU64,
    pub(super) changed: AtomicU64,
    pub(super) size: AtomicU64,
    /// Milliseconds from `began` to the last batch that was committed.
    pub(super) progress: AtomicU64,
    pub(super) began: Instant,
}

impl Shared {
    fn note_progress(&self) {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.progress.store(now, Ordering::Relaxed);
    }

    fn stuck_for(&self) -> Duration {
        self.began.elapsed().saturating_sub(Duration::from_millis(self.progress.load(Ordering::Relaxed)))
    }

    /// Takes so many rows of the budget, or as many as there are.
    fn reserve(&self, rows: u64) -> u64 {
        let Some(budget) = &self.budget else { return rows };
        let wanted = i64::try_from(rows).unwrap_or(i64::MAX);
        let before = budget.fetch_sub(wanted, Ordering::Relaxed);
        let taken = before.clamp(0, wanted);
        budget.fetch_add(wanted - taken, Ordering::Relaxed);
        u64::try_from(taken).unwrap_or(0)
    }

    fn give_back(&self, rows: u64) {
        if let Some(budget) = &self.budget {
            budget.fetch_add(i64::try_from(rows).unwrap_or(0), Ordering::Relaxed);
        }
    }
}

/// What there is to work on.
#[derive(Debug)]
enum Next {
    Range(Box<RangeRecord>),
    /// Others are at what is left, or it is to be left alone for a while.
    Wait,
    /// All is walked.
    Nothing,
}

/// Whether there may be more to walk.
#[derive(Debug, PartialEq, Eq)]
enum Walked {
    On,
    Stopped,
}

/// A worker.
#[derive(Debug)]
pub(super) struct Worker {
    connection: Connection,
    shared: Arc<Shared>,
    gate: watch::Receiver<Gate>,
    pacer: Pacer,
    tries: u32,
    renewed: Instant,
}

impl Worker {
    /// Opens a session of its own.
    pub(super) async fn open(beside: &Connection, shared: &Arc<Shared>) -> Result<Self, EngineError> {
        let tempo = *shared.tempo.borrow();
        let mut worker = Self {
            connection: beside.another().await?,
            gate: shared.gate.clone(),
            pacer: Pacer::new(shared.first_rows, tempo.max_rows, tempo.target),
            shared: Arc::clone(shared),
            tries: 0,
            renewed: Instant::now(),
        };
        worker.prepare().await?;
        Ok(worker)
    }

    async fn prepare(&mut self) -> Result<(), StoreError> {
        // Whoever was away for longer than the lease lasts is not to begin again: others are at its ranges.
        self.connection.at("backfill");
        self.shared.lease.look(&mut self.connection).await?;
        for statement in self.connection.shared_dialect().batch_session() {
            self.connection.set(&statement).await?;
        }
        self.shared.lease.add_session(&mut self.connection).await
    }

    /// Works until nothing of the backfill is open, or it is told to stop.
    pub(super) async fn run(mut self) -> Result<(), EngineError> {
        let outcome = self.work().await;
        self.connection.close().await;
        outcome
    }

    async fn work(&mut self) -> Result<(), EngineError> {
        let mut idle = Duration::from_millis(10);
        while self.may_go_on().await {
            match self.next_range().await {
                Ok(Next::Range(range)) => {
                    idle = Duration::from_millis(10);
                    if self.walk(*range).await? == Walked::Stopped {
                        return Ok(());
                    }
                }
                Ok(Next::Nothing) => return Ok(()),
                Ok(Next::Wait) => {
                    tokio::time::sleep(idle).await;
                    idle = (idle * 2).min(Duration::from_millis(200));
                }
                Err(error) => self.recover(error).await?,
            }
        }
        Ok(())
    }

    /// Pauses, but not longer than it may go on.
    async fn rest(&mut self, pause: Duration) {
        let mut gate = self.gate.clone();
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _stopped = gate.wait_for(|gate| *gate == Gate::Stop) => {}
        }
    }

    /// Waits at the gate; false when it is time to stop.
    async fn may_go_on(&mut self) -> bool {
        loop {
            let gate = *self.gate.borrow_and_update();
            match gate {
                Gate::Go => return true,
                Gate::Stop => return false,
                Gate::Hold => {
                    if self.gate.changed().await.is_err() {
                        return false;
                    }
                }
            }
        }
    }

    async fn next_range(&mut self) -> Result<Next, StoreError> {
        let id = self.shared.plan.id.clone();
        self.shared.lease.look(&mut self.connection).await?;
        match ranges::take(&mut self.connection, &self.shared.lease, &id).await {
            Ok(Some(range)) => return Ok(Next::Range(Box::new(range))),
            Ok(None) => {}
            Err(error) => {
                // Whoever stood still inside a batch until its lease ran out has its range locked, until its session is ended.
                if matches!(&error, StoreError::Db(error) if error.class() == Class::LockTimeout) {
                    worker::reap(&mut self.connection).await?;
                }
                return Err(error);
            }
        }
        let open: Vec<RangeRecord> =
            ranges::of_backfill(&mut self.connection, &id).await?.into_iter().filter(|range| !range.done).collect();
        if open.is_empty() {
            return Ok(Next::Nothing);
        }
        worker::reap(&mut self.connection).await?;
        for (range, size) in self.cuts(&open).await {
            if self.cut(range, size).await? {
                let taken = ranges::take(&mut self.connection, &self.shared.lease, &id).await?;
                return Ok(taken.map_or(Next::Wait, |range| Next::Range(Box::new(range))));
            }
        }
        Ok(Next::Wait)
    }

    /// Where others' ranges may be cut, the best place first: in the middle of what is left, by the planner's estimate.
    async fn cuts<'r>(&mut self, open: &'r [RangeRecord]) -> Vec<(&'r RangeRecord, u64)> {
        let walk = &self.shared.plan.walk;
        let batch = self.pacer.size();
        let mut cuts = Vec::new();
        for range in open.iter().filter(|range| !range.worker.is_empty()) {
            let left = if walk.by_pages() { None } else { rows_left(&mut self.connection, walk, range).await };
            match left {
                // A table without statistics has few rows by its planner's word, so this much is looked for.
                Some(rows) if rows < 2 * LEAST_BATCHES * batch => cuts.push((range, LEAST_BATCHES * batch)),
                Some(rows) => cuts.extend([(range, (rows / 2).min(LONGEST_CUT)), (range, rows / 8)]),
                None => cuts.extend(BATCHES_LEFT.map(|batches| (range, batch.saturating_mul(batches)))),
            }
        }
        cuts.sort_by_key(|(_, size)| std::cmp::Reverse(*size));
        cuts
    }

    /// Cuts another worker's range so many rows ahead of it; false where it has no more than that.
    async fn cut(&mut self, range: &RangeRecord, size: u64) -> Result<bool, StoreError> {
        let span = next_span(&mut self.connection, &self.shared.plan.walk, range.start(), &range.upper, size).await?;
        if span.last {
            return Ok(false);
        }
        let walk = &self.shared.plan.walk;
        let cut = self
            .connection
            .transaction(async |connection: &mut Connection| -> Result<(), StoreError> {
                ranges::lock_backfill(connection, &range.backfill).await?;
                let now = ranges::narrow(connection, range, &span.end).await?;
                // Its worker went on while the place was looked for.
                if let Some(cursor) = now.cursor.filter(|cursor| Some(cursor) != range.cursor.as_ref()) {
                    let values: Vec<Value> = walk.bind(&cursor).into_iter().chain(walk.bind(&span.end)).collect();
                    let ahead = format!("{} LIMIT 1", walk.span_all(true));
                    if connection.query(&ahead, &values).await?.is_empty() {
                        return Err(StoreError::RangeMoved);
                    }
                }
                let second = RangeRecord { lower: Some(span.end.clone()), ..range.clone() };
                ranges::add(connection, &second, 0).await
            })
            .await;
        match cut {
            Ok(()) => Ok(true),
            Err(StoreError::RangeMoved) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn walk(&mut self, mut range: RangeRecord) -> Result<Walked, EngineError> {
        self.tries = 0;
        loop {
            let tempo = *self.shared.tempo.borrow();
            self.pacer.retarget(tempo.target, tempo.max_rows);
            // What was found locked before is taken apart, down to the row.
            let smaller = 2 * u32::try_from(range.attempts.clamp(0, 15)).unwrap_or(0);
            let wanted = (self.pacer.size() >> smaller).max(1);
            let size = if self.may_go_on().await { self.shared.reserve(wanted) } else { 0 };
            if size == 0 {
                self.leave(&range).await;
                return Ok(Walked::Stopped);
            }
            let since = Instant::now();
            let number = range.number;
            let ran = self.batch(&mut range, size).instrument(place_of::batch(number, size)).await;
            match ran {
                Ok(Batch { walked, changed, worked }) => {
                    let took = since.elapsed();
                    self.shared.give_back(size.saturating_sub(changed));
                    self.tries = 0;
                    self.shared.note_progress();
                    self.shared.walked.fetch_add(walked, Ordering::Relaxed);
                    self.shared.changed.fetch_add(changed, Ordering::Relaxed);
                    failpoint::pass("backfill.batch");
                    if !range.done || walked >= size {
                        // A slow commit costs as much whatever the batch's size, so it counts for as much as the work at most: else
                        // batches would shrink until they were nothing but commits.
                        self.pacer.record(size, worked + took.saturating_sub(worked).min(worked));
                    }
                    self.shared.size.store(self.pacer.size(), Ordering::Relaxed);
                    // What is left of the time is everybody else's; on SQLite, which has one writer at a time, whoever waits would
                    // otherwise be starved until its own patience ends.
                    let pause = took.min(tempo.target * 4).mul_f64(tempo.pause);
                    self.rest(pause).await;
                    if range.done {
                        return Ok(Walked::On);
                    }
                    if self.renewed.elapsed() > RENEW {
                        self.renewed = Instant::now();
                        if let Err(error) = self.shared.lease.fence(&mut self.connection).await {
                            self.recover(error).await?;
                        }
                    }
                }
                Err(BatchError::Program(reason)) => {
                    self.leave(&range).await;
                    return Err(EngineError::Backfill { id: self.shared.plan.id.clone(), reason });
                }
                Err(BatchError::Store(error)) => {
                    self.shared.give_back(size);
                    match self.after_failure(range, size, error).await? {
                        Some(still_ours) => range = still_ours,
                        None => return Ok(Walked::On),
                    }
                }
            }
        }
    }

    async fn batch(&mut self, range: &mut RangeRecord, size: u64) -> Result<Batch, BatchError> {
        let plan = &self.shared.plan;
        let ran = match &plan.batch {
            BatchPlan::Statements(_) => batch::run(&mut self.connection, plan, range, size).await,
            BatchPlan::Command(command) => command::run(&mut self.connection, plan, command, range, size).await,
        };
        match &ran {
            Ok(Batch { walked, changed, worked }) => {
                tracing::debug!(walked, changed, worked_ms = worked.as_millis(), "batch");
            }
            Err(error) => tracing::debug!(%error, "batch"),
        }
        ran
    }

    /// Leaves a range for whoever comes next; where that fails, it is taken over once this process is gone.
    async fn leave(&mut self, range: &RangeRecord) {
        if let Err(error) = ranges::give_back(&mut self.connection, range, 0).await {
            tracing::debug!(%error, "give a range back");
        }
    }

    /// What becomes of a range whose batch failed: it is gone on with, or is no longer this worker's.
    async fn after_failure(
        &mut self,
        range: RangeRecord,
        size: u64,
        error: StoreError,
    ) -> Result<Option<RangeRecord>, EngineError> {
        let blocked = matches!(&error, StoreError::Db(error)
            if matches!(error.class(), Class::LockTimeout | Class::Conflict));
        if blocked {
            self.pacer.halve();
            self.tries += 1;
            if self.shared.stuck_for() > self.shared.retry_for {
                self.leave(&range).await;
                return Err(self.gave_up(&range, &error.to_string()));
            }
            if self.tries == TRIES {
                let reason = format!("{error}; going round {}", place(&range));
                let what = self.shared.plan.id.clone();
                self.shared.events.send(Event::Waiting { what, reason }).ok();
            }
            if self.tries >= TRIES && self.connection.dialect().locks_rows() {
                match self.go_round(range.clone(), size).await {
                    Ok(range) => return Ok(range),
                    Err(error) => self.recover(error).await?,
                }
            } else {
                let longest = 20 * u64::from(self.tries.min(10));
                tokio::time::sleep(Duration::from_millis(fastrand::u64(10..=10 + longest))).await;
                return Ok(Some(range));
            }
        } else if !matches!(error, StoreError::RangeMoved) {
            self.recover(error).await?;
        }
        // Whether the batch was committed, the database knows.
        loop {
            let found = match self.shared.lease.look(&mut self.connection).await {
                Ok(()) => ranges::find(&mut self.connection, &range).await,
                Err(error) => Err(error),
            };
            match found {
                Ok(found) => {
                    return Ok(found.filter(|found| !found.done && found.worker == self.shared.lease.worker()));
                }
                Err(error) => self.recover(error).await?,
            }
        }
    }

    /// Makes a range of its own of the next rows, for later, and goes on behind them; a range that has no others is left alone for a
    /// while.
    async fn go_round(&mut self, mut range: RangeRecord, size: u64) -> Result<Option<RangeRecord>, StoreError> {
        self.tries = 0;
        let walk = &self.shared.plan.walk;
        let span = next_span(&mut self.connection, walk, range.start(), &range.upper, size).await?;
        if span.last {
            range.attempts += 1;
            let wait = (100 << range.attempts.clamp(0, 5)).min(LONGEST_WAIT);
            ranges::give_back(&mut self.connection, &range, wait).await?;
            return Ok(None);
        }
        let round = RangeRecord {
            lower: range.start().cloned(),
            upper: span.end.clone(),
            attempts: range.attempts + 1,
            ..range.clone()
        };
        range.cursor = Some(span.end);
        self.connection
            .transaction(async |connection: &mut Connection| -> Result<(), StoreError> {
                ranges::lock_backfill(connection, &range.backfill).await?;
                ranges::save(connection, &range).await?;
                ranges::add(connection, &round, 200).await
            })
            .await?;
        failpoint::pass("backfill.gone_round");
        Ok(Some(range))
    }

    /// Makes what failed possible again: waits for a lock, or for a connection; fails when that takes too long.
    async fn recover(&mut self, error: StoreError) -> Result<(), EngineError> {
        let database = match &error {
            StoreError::Db(database) => database,
            // What is there now is looked up by whoever was at it.
            StoreError::RangeMoved => return Ok(()),
            _ => return Err(error.into()),
        };
        match database.class() {
            Class::LockTimeout | Class::Conflict => {
                tokio::time::sleep(Duration::from_millis(fastrand::u64(10..=50))).await;
                if self.shared.stuck_for() > self.shared.retry_for { Err(error.into()) } else { Ok(()) }
            }
            // What is read-only after a fail-over is so until the name leads to the new primary.
            class if class.wants_another_session() => {
                let what = self.shared.plan.id.clone();
                self.shared.events.send(Event::Waiting { what, reason: database.to_string() }).ok();
                let since = Instant::now();
                let mut pause = 50;
                loop {
                    if let Ok(fresh) = self.connection.another().await {
                        self.connection = fresh;
                        match self.prepare().await {
                            Ok(()) => return Ok(()),
                            Err(StoreError::Lost) => return Err(StoreError::Lost.into()),
                            Err(error) => tracing::debug!(%error, "prepare a new session"),
                        }
                    }
                    let stopped = *self.gate.borrow() == Gate::Stop;
                    if stopped || since.elapsed() > self.shared.retry_for {
                        return Err(error.into());
                    }
                    tokio::time::sleep(Duration::from_millis(fastrand::u64(pause / 2..=pause))).await;
                    pause = (pause * 2).min(2_000);
                }
            }
            _ => Err(error.into()),
        }
    }

    fn gave_up(&self, range: &RangeRecord, error: &str) -> EngineError {
        let waited = self.shared.stuck_for().as_secs();
        let reason = format!("gave up after {waited} s without a batch, at {}: {error}", place(range));
        EngineError::Backfill { id: self.shared.plan.id.clone(), reason }
    }
}

/// Where a range stands, in words.
fn place(range: &RangeRecord) -> String {
    let words = |place: &[Value]| place.iter().map(Value::shown).collect::<Vec<_>>().join(", ");
    match range.start() {
        Some(start) => format!("the rows behind ({}) up to ({})", words(start), words(&range.upper)),
        None => format!("the rows up to ({})", words(&range.upper)),
    }
}
