//! Runs backfills: workers walk a table's ranges in batches, and this process tells them when to go on, to hold and to stop.
//!
//! A walk ends at the last place there was when it began, so that writers at the end of the key cannot keep it going. A backfill is
//! done when a walk found nothing to do; each walk behind the first looks for rows whose key moved behind the cursor, and for rows
//! that were written meanwhile.

mod batch;
mod command;
mod conductor;
mod progress;
mod worker;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tracing::Instrument;

use super::session::Session;
use super::span::last_place;
use super::walk::Manner;
use super::{EngineError, Event, Overrides, place};
use crate::catalog::{Backfill, Diagnostics, Release};
use crate::db::{Class, Connection};
use crate::plan::{BackfillFact, BackfillPlan};
use crate::store::ranges;
use crate::store::{self, BackfillRecord, StoreError};
use conductor::{Conductor, reconnect};
use progress::Progress;
use worker::{Gate, Shared, Tempo, Worker};

/// How many walks a backfill makes before it says that its rows never stop matching.
const WALKS: i64 = 5;
/// How often this process looks whether it is to stop.
const TICK: Duration = Duration::from_millis(20);
/// How often it looks what the throttles say and what operators have set, and tells how far it is.
const LOOK: Duration = Duration::from_millis(100);

/// How migrate goes about its backfills.
#[derive(Debug, Clone)]
pub struct MigrateOptions {
    /// How many rows it may change.
    pub max_rows: Option<u64>,
    /// How long it may take.
    pub max_time: Option<Duration>,
    /// How many workers it has; SQLite, with one writer at a time, has one.
    pub workers: u32,
    /// The pace and throttles, where they are not the manifest's.
    pub overrides: Overrides,
}

impl Default for MigrateOptions {
    fn default() -> Self {
        Self { max_rows: None, max_time: None, workers: 1, overrides: Overrides::default() }
    }
}

/// What a walk came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Walked {
    /// Nothing is left.
    Done,
    /// Another is to follow, or to go on.
    Again,
    /// There were so many that another would not help.
    Enough(i64),
}

/// How a migrate ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MigrateEnd {
    /// Every backfill is done.
    Done,
    /// A limit was reached.
    Limit,
}

/// What is left of what migrate may do.
#[derive(Debug)]
struct Limits {
    rows: Option<i64>,
    until: Option<Instant>,
}

impl Limits {
    fn reached(&self) -> bool {
        self.rows.is_some_and(|rows| rows <= 0) || self.until.is_some_and(|until| Instant::now() >= until)
    }
}

/// What earlier runs came to, and what of this one was told.
struct Shown {
    walked: u64,
    changed: u64,
    last: u64,
    progress: Progress,
}

impl Shown {
    fn of(known: &[ranges::RangeRecord]) -> Self {
        let pass = known.iter().map(|range| range.pass).max().unwrap_or(1);
        let walked = known.iter().filter(|range| range.pass == pass).map(|range| range.walked).sum::<i64>();
        let changed = known.iter().map(|range| range.changed).sum::<i64>();
        Self {
            walked: u64::try_from(walked).unwrap_or(0),
            changed: u64::try_from(changed).unwrap_or(0),
            last: 0,
            progress: Progress::new(),
        }
    }
}

/// How a round of the workers ended.
enum Round {
    /// Nothing of the backfill is open.
    Walked,
    Limit,
}

fn summary(changed: i64, batches: i64) -> String {
    format!("{changed} rows changed in {batches} batches, over all runs")
}

impl Session<'_> {
    /// Runs a release's backfills.
    pub(super) async fn run_backfills(
        &mut self,
        release: &Release,
        options: &MigrateOptions,
    ) -> Result<MigrateEnd, EngineError> {
        let mut limits = Limits {
            rows: options.max_rows.map(|rows| i64::try_from(rows).unwrap_or(i64::MAX)),
            until: options.max_time.map(|time| Instant::now() + time),
        };
        let mut conductor = None;
        self.connection.at("backfill");
        for backfill in &release.backfills {
            if self.is_complete(release, backfill).await? {
                // By an earlier run, and looked over by this one: what nodes write from here on is contract's to ask for.
                self.looked_over.insert(backfill.id.clone());
                continue;
            }
            let conductor = match &mut conductor {
                Some(conductor) => conductor,
                none => {
                    let manifest = &self.project.manifest;
                    let (connection, lease) = self.connection_and_lease();
                    none.insert(Conductor::start(connection, lease, manifest, options).await?)
                }
            };
            let run = self.run_backfill(release, backfill, options, conductor, &mut limits);
            if run.instrument(place::backfill(&backfill.id)).await? == MigrateEnd::Limit {
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
        if self.finds_nothing_soon(&plan.pending).await {
            return Ok(true);
        }
        let manner = Manner { most: 1, ..Manner::default() };
        let look = |after| plan.pending_in_span(after);
        let walked = self.walk_for(&plan.id, &plan.walk, look, manner, async |_, _| Ok(())).await?;
        Ok(walked.found.is_empty())
    }

    async fn backfill_plan(&mut self, release: &Release, backfill: &Backfill) -> Result<BackfillPlan, EngineError> {
        let dialect = self.connection.shared_dialect();
        let schema = self.connection.inspect().await?;
        let plan = BackfillPlan::new(backfill, release, dialect.as_ref(), &schema).map_err(|refusal| {
            let place =
                refusal.word.as_deref().map_or_else(|| backfill.origin.clone(), |word| backfill.origin.narrowed(word));
            EngineError::Unfit {
                phase: format!("migrate of {}", release.name),
                diagnostics: Diagnostics(vec![place.diagnostic(&refusal.reason)]),
            }
        })?;
        self.suit(&plan.walk).await?;
        Ok(plan)
    }

    async fn run_backfill(
        &mut self,
        release: &Release,
        backfill: &Backfill,
        options: &MigrateOptions,
        conductor: &mut Conductor,
        limits: &mut Limits,
    ) -> Result<MigrateEnd, EngineError> {
        let plan = self.backfill_plan(release, backfill).await?;
        let first_walk = self.begin(release, backfill, &plan).await?;
        let known = ranges::of_backfill(&mut self.connection, &plan.id).await?;
        let walked = known.iter().filter(|range| range.pass == first_walk).map(|range| range.walked).sum::<i64>();
        // An estimate is a comfort: a table it cannot be had for is walked all the same.
        let estimate = self.connection.integer(&plan.estimate, &[]).await.ok().flatten();
        self.tell(Event::BackfillStarted {
            id: plan.id.clone(),
            estimate: estimate.and_then(|rows| u64::try_from(rows).ok()),
            walked: u64::try_from(walked).unwrap_or(0),
        });
        let mut left_before: Option<Vec<String>> = None;
        loop {
            let round = self.round(&plan, options, conductor, limits).await;
            if !matches!(round, Ok(Round::Walked) | Err(EngineError::Store(StoreError::Lost))) {
                self.note_stopped(&plan).await;
            }
            if let Round::Limit = round? {
                self.tell_stopped(&plan, false).await?;
                return Ok(MigrateEnd::Limit);
            }
            self.reconnect().await?;
            let left = match self.finish_or_walk_again(backfill, &plan, first_walk).await? {
                Walked::Done => None,
                Walked::Again => {
                    left_before = Some(self.left(&plan).await?);
                    continue;
                }
                Walked::Enough(walks) => Some((walks, self.left(&plan).await?)),
            };
            if let Some((walks, left)) = left {
                // What each walk makes false is true of other rows behind it: somebody writes them, and will go on.
                let outrun = left_before.take().is_some_and(|before| !left.iter().any(|key| before.contains(key)));
                if !outrun {
                    return Err(never_done(&plan, walks, &left));
                }
                self.finish_outrun(&plan, &left).await?;
            }
            self.tell_stopped(&plan, true).await?;
            return Ok(MigrateEnd::Done);
        }
    }

    /// Keeps how far a backfill came before it stopped; where the session is lost, its ranges say the same.
    async fn note_stopped(&mut self, plan: &BackfillPlan) {
        let Ok(known) = ranges::of_backfill(&mut self.connection, &plan.id).await else { return };
        let (changed, batches) = known.iter().fold((0, 0), |sum, range| (sum.0 + range.changed, sum.1 + range.batches));
        if let Err(error) = self.note(&plan.id, "stopped", Some(summary(changed, batches)), None).await {
            tracing::debug!(%error, "note how far a backfill came");
        }
    }

    async fn tell_stopped(&mut self, plan: &BackfillPlan, done: bool) -> Result<(), EngineError> {
        let known = ranges::of_backfill(&mut self.connection, &plan.id).await?;
        let changed = known.iter().map(|range| range.changed).sum::<i64>();
        self.tell(Event::BackfillStopped { id: plan.id.clone(), changed: u64::try_from(changed).unwrap_or(0), done });
        Ok(())
    }

    /// Records that a backfill begins, or goes on, and gives the number of the walk at which that is.
    async fn begin(&mut self, release: &Release, backfill: &Backfill, plan: &BackfillPlan) -> Result<i64, EngineError> {
        let kind = self.connection.dialect().kind();
        let record = BackfillRecord {
            id: backfill.id.clone(),
            checksum: backfill.checksum(kind),
            body: backfill.body(kind).to_owned(),
            started_at: 0,
            finished_at: None,
        };
        let fact = BackfillFact { checksum: record.checksum.clone(), body: record.body.clone(), finished: false };
        let (connection, lease) = self.connection_and_lease();
        let begun = connection
            .transaction(async |connection: &mut Connection| -> Result<i64, StoreError> {
                lease.fence(connection).await?;
                let finished = store::is_backfill_finished(connection, &plan.id).await?;
                let file = &backfill.origin.source.path;
                store::start_backfill(connection, &release.name, &backfill.table, file, &record).await?;
                ranges::lock_backfill(connection, &plan.id).await?;
                let known = ranges::of_backfill(connection, &plan.id).await?;
                let last = known.iter().map(|range| range.pass).max().unwrap_or(0);
                // A walk that was begun goes on; one that came to its end is judged before there is another.
                let mut latest = known.iter().filter(|range| range.pass == last);
                if !finished && last > 0 && latest.all(|range| range.walked_by == plan.walk.by) {
                    return Ok(last);
                }
                ranges::abandon(connection, &plan.id).await?;
                let upper = last_place(connection, &plan.walk).await?;
                ranges::start_pass(connection, &plan.id, last + 1, &plan.walk.by, upper).await?;
                Ok(last + 1)
            })
            .await?;
        self.facts.backfills.insert(backfill.id.clone(), fact);
        Ok(begun)
    }

    /// Lets workers walk what is open of a backfill.
    async fn round(
        &mut self,
        plan: &BackfillPlan,
        options: &MigrateOptions,
        conductor: &mut Conductor,
        limits: &mut Limits,
    ) -> Result<Round, EngineError> {
        let (events, mut told) = mpsc::unbounded_channel();
        let (gate, gate_seen) = watch::channel(Gate::Hold);
        let (tempo, tempo_seen) = watch::channel(conductor.tempo());
        let first_rows = u64::from(conductor.settings().rows);
        let shared = Arc::new(Shared {
            plan: plan.clone(),
            lease: self.shared_lease(),
            retry_for: self.project.manifest.locks.retry_for,
            gate: gate_seen,
            tempo: tempo_seen,
            events,
            budget: limits.rows.map(AtomicI64::new),
            first_rows,
            walked: AtomicU64::new(0),
            changed: AtomicU64::new(0),
            size: AtomicU64::new(first_rows),
            progress: AtomicU64::new(0),
            began: Instant::now(),
        });
        let mut crew = JoinSet::new();
        let count = if self.connection.dialect().locks_rows() { options.workers.max(1) } else { 1 };
        for _ in 0..count {
            crew.spawn(self.open_worker(&shared).await?.run().in_current_span());
        }
        let mut end: Result<Round, EngineError> = Ok(Round::Walked);
        let mut looked: Option<Instant> = None;
        let mut shown = Shown::of(&ranges::of_backfill(&mut self.connection, &plan.id).await?);
        loop {
            if *gate.borrow() != Gate::Stop {
                let directed = if looked.is_none_or(|looked| looked.elapsed() >= LOOK) {
                    looked = Some(Instant::now());
                    self.direct(conductor, &shared, &gate, &tempo, &mut shown).await
                } else {
                    self.refuse_interrupted()
                };
                if shared.lease.is_known_lost() {
                    end = Err(StoreError::Lost.into());
                } else if let Err(error) = directed {
                    end = Err(error);
                } else if limits.until.is_some_and(|until| Instant::now() >= until) {
                    end = Ok(Round::Limit);
                }
                if !matches!(end, Ok(Round::Walked)) {
                    gate.send_replace(Gate::Stop);
                }
            }
            tokio::select! {
                ended = crew.join_next() => match ended {
                    None => break,
                    Some(Ok(Ok(()))) => {}
                    Some(Ok(Err(error))) => {
                        end = if end.is_ok() { Err(error) } else { end };
                        gate.send_replace(Gate::Stop);
                    }
                    Some(Err(panic)) => {
                        let reason = format!("a worker broke down: {panic}");
                        end = Err(EngineError::Backfill { id: plan.id.clone(), reason });
                        gate.send_replace(Gate::Stop);
                    }
                },
                Some(event) = told.recv() => self.tell(event),
                () = tokio::time::sleep(TICK) => {}
            }
        }
        // A reserve that was not used up was given back; a worker that got none has stopped by itself.
        if let Some(budget) = &shared.budget {
            limits.rows = Some(budget.load(Ordering::Relaxed));
        }
        match end {
            Ok(Round::Walked) if limits.reached() => Ok(Round::Limit),
            other => other,
        }
    }

    /// Opens a worker's session, again and again where the connection is lost just then.
    async fn open_worker(&mut self, shared: &Arc<Shared>) -> Result<Worker, EngineError> {
        let since = Instant::now();
        loop {
            match Worker::open(&self.connection, shared).await {
                Err(error) if error.is_disconnected() && since.elapsed() < shared.retry_for => {
                    self.refuse_interrupted()?;
                    tokio::time::sleep(Duration::from_millis(fastrand::u64(50..=200))).await;
                }
                opened => return opened,
            }
        }
    }

    /// Lets the workers go on or holds them, and tells how far they are.
    async fn direct(
        &mut self,
        conductor: &mut Conductor,
        shared: &Shared,
        gate: &watch::Sender<Gate>,
        tempo: &watch::Sender<Tempo>,
        shown: &mut Shown,
    ) -> Result<(), EngineError> {
        self.refuse_interrupted()?;
        let look = conductor.look(&mut self.connection, shared).await?;
        if let Some(reason) = look.news {
            self.tell(Event::Waiting { what: shared.plan.id.clone(), reason });
        }
        tempo.send_replace(look.tempo);
        let open = if look.hold.is_some() { Gate::Hold } else { Gate::Go };
        gate.send_if_modified(|gate| std::mem::replace(gate, open) != open);
        let walked = shared.walked.load(Ordering::Relaxed);
        if walked > shown.last {
            shown.last = walked;
            if shown.progress.is_due() {
                let open: Vec<_> = ranges::of_backfill(&mut self.connection, &shared.plan.id)
                    .await
                    .unwrap_or_default()
                    .into_iter()
                    .filter(|range| !range.done)
                    .collect();
                shown.progress.look(&mut self.connection, &shared.plan.walk, &open, walked).await;
            }
            self.tell(Event::Batch {
                id: shared.plan.id.clone(),
                walked: shown.walked + walked,
                changed: shown.changed + shared.changed.load(Ordering::Relaxed),
                next_size: shared.size.load(Ordering::Relaxed),
                rate: shown.progress.rate,
                left: shown.progress.left,
                time_left: shown.progress.time_left(),
                throttle: look.waiting,
            });
        }
        Ok(())
    }

    /// Makes sure that there is a session that can write: the workers may have outlived ours.
    async fn reconnect(&mut self) -> Result<(), EngineError> {
        let since = Instant::now();
        loop {
            // By a write: a session that outlived a fail-over may be with a server that takes none.
            let error = match self.shared_lease().fence(&mut self.connection).await {
                Ok(()) => return Ok(()),
                Err(StoreError::Db(error)) if since.elapsed() < self.project.manifest.locks.retry_for => error,
                Err(error) => return Err(error.into()),
            };
            let passes = matches!(error.class(), Class::LockTimeout | Class::Conflict);
            if !passes && !error.class().wants_another_session() {
                return Err(error.into());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
            reconnect(&mut self.connection, &error.into()).await;
        }
    }

    /// At the end of a walk: done when it found nothing to do, or else another one.
    async fn finish_or_walk_again(
        &mut self,
        backfill: &Backfill,
        plan: &BackfillPlan,
        first_walk: i64,
    ) -> Result<Walked, EngineError> {
        let by_program = matches!(backfill.work, crate::catalog::Work::Command(_));
        let nothing_left = self.finds_nothing_soon(&plan.pending).await;
        let (connection, lease) = self.connection_and_lease();
        let finished = connection
            .transaction(async |connection: &mut Connection| -> Result<Walked, StoreError> {
                lease.fence(connection).await?;
                ranges::lock_backfill(connection, &plan.id).await?;
                let known = ranges::of_backfill(connection, &plan.id).await?;
                if known.iter().any(|range| !range.done) {
                    return Ok(Walked::Again);
                }
                let last = known.iter().map(|range| range.pass).max().unwrap_or(0);
                let changed: i64 = known.iter().filter(|range| range.pass == last).map(|range| range.changed).sum();
                // What a concurrent writer was faster with, a program is asked again.
                let left = by_program && !nothing_left && !connection.query(&plan.pending, &[]).await?.is_empty();
                if nothing_left || (changed == 0 && !left) {
                    store::finish_backfill(connection, &plan.id).await?;
                    let (changed, batches) =
                        known.iter().fold((0, 0), |sum, range| (sum.0 + range.changed, sum.1 + range.batches));
                    let detail = summary(changed, batches);
                    store::append(connection, lease, &plan.id, "done", Some(detail), None).await?;
                    return Ok(Walked::Done);
                }
                if last + 1 - first_walk >= WALKS {
                    return Ok(Walked::Enough(last + 1 - first_walk));
                }
                let upper = last_place(connection, &plan.walk).await?;
                ranges::start_pass(connection, &plan.id, last + 1, &plan.walk.by, upper).await?;
                Ok(Walked::Again)
            })
            .await?;
        if let Some(fact) = self.facts.backfills.get_mut(&plan.id) {
            fact.finished = finished == Walked::Done;
        }
        if finished == Walked::Done {
            self.looked_over.insert(plan.id.clone());
        }
        Ok(finished)
    }

    /// Keys of rows that match `where` still, the first ones by their text.
    async fn left(&mut self, plan: &BackfillPlan) -> Result<Vec<String>, EngineError> {
        let pending = self.connection.query(&plan.first_pending, &[]).await?;
        Ok(pending.iter().map(|row| row.text(0).unwrap_or_else(|| "NULL".to_owned())).collect())
    }

    /// Ends a backfill whose rows all were migrated once, while others come to match: with old nodes at work that never ends, and
    /// new ones cannot begin before it does. Contract looks again, and asks for migrate once more where some are left.
    async fn finish_outrun(&mut self, plan: &BackfillPlan, left: &[String]) -> Result<(), EngineError> {
        let (connection, lease) = self.connection_and_lease();
        let detail = format!("rows that nodes write come to match `where` all the time (keys {})", left.join(", "));
        let note = detail.clone();
        connection
            .transaction(async |connection: &mut Connection| -> Result<(), StoreError> {
                lease.fence(connection).await?;
                ranges::lock_backfill(connection, &plan.id).await?;
                store::finish_backfill(connection, &plan.id).await?;
                store::append(connection, lease, &plan.id, "done", Some(note), None).await
            })
            .await?;
        if let Some(fact) = self.facts.backfills.get_mut(&plan.id) {
            fact.finished = true;
        }
        self.looked_over.insert(plan.id.clone());
        self.cautions.push(format!(
            "{}: {detail}; every row was migrated once, and contract will ask for migrate again when the old nodes are gone",
            plan.id
        ));
        Ok(())
    }
}

/// Why a backfill is not done after so many walks.
fn never_done(plan: &BackfillPlan, walks: i64, left: &[String]) -> EngineError {
    let reason = if left.is_empty() {
        format!("after {walks} walks rows still came to match `where`; do nodes without a sync write them?")
    } else {
        format!(
            "after {walks} walks rows still match `where` (keys {}); does what is done make it false for every row?",
            left.join(", ")
        )
    };
    EngineError::Backfill { id: plan.id.clone(), reason }
}
