//! What operators ask: where everything stands, and what is needed. Reads, and writes nothing.

use serde::Serialize;

use super::phases::unknown_release;
use super::session::Session;
use super::{EngineError, Observer, Overrides};
use crate::catalog::Project;
use crate::db::Target;
use crate::plan::{
    BackfillPlan, Drift, Need, ReleaseState, Standing, broken_triggers, drifts, installed_syncs, may_run, schema_drift,
};
use crate::step::Phase;
use crate::store::{self, worker::WorkerRecord};

/// Where everything stands. Times are milliseconds since the epoch by the database's clock.
#[derive(Debug, Clone, Serialize)]
pub struct Status {
    /// The database, without its password.
    pub database: String,
    /// Its version.
    pub server: String,
    /// The newest release whose schema is there in full.
    pub current_release: Option<String>,
    /// What is needed next.
    pub next: Next,
    /// The baseline.
    pub baseline: BaselineStatus,
    /// The train, oldest first.
    pub releases: Vec<ReleaseStatus>,
    /// Files that are not what was applied, and triggers that are gone.
    pub drift: Vec<String>,
    /// Who is at work.
    pub runner: Option<String>,
    /// The processes that migrate.
    pub workers: Vec<WorkerStatus>,
    /// Who holds the backfills by `pause`.
    pub paused: Option<String>,
    /// The pace and throttles that were tuned.
    pub tuned: Option<String>,
    /// The database's clock.
    pub now: i64,
}

/// What is needed next.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
pub struct Next {
    /// `none`, `baseline`, `expand`, `migrate` or `contract`.
    pub phase: String,
    /// Of which release.
    pub release: Option<String>,
    /// The command that does it.
    pub command: Option<String>,
}

impl Next {
    /// Puts a need in words.
    pub fn of(need: &Need, standing: &Standing<'_>) -> Self {
        match need {
            Need::Nothing => Self { phase: "none".to_owned(), release: None, command: None },
            Need::Baseline(_) => {
                // The baseline, and no release that is not there yet.
                let to = standing.current().map_or_else(String::new, |release| format!(" --to {}", release.name));
                Self { phase: "baseline".to_owned(), release: None, command: Some(format!("concertina upgrade{to}")) }
            }
            Need::Phase(phase, release) => Self {
                phase: phase.word().to_owned(),
                release: Some(release.clone()),
                command: Some(format!("concertina {phase}")),
            },
        }
    }
}

/// The baseline.
#[derive(Debug, Clone, Serialize)]
pub struct BaselineStatus {
    /// Files run.
    pub applied: Vec<String>,
    /// Files not run.
    pub pending: Vec<String>,
}

/// A release.
#[derive(Debug, Clone, Serialize)]
pub struct ReleaseStatus {
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub state: ReleaseState,
    /// Its phases that began.
    pub phases: Vec<PhaseStatus>,
    /// Its schema steps.
    pub steps: Vec<StepStatus>,
    /// Its backfills.
    pub backfills: Vec<BackfillStatus>,
    /// Its syncs that are installed.
    pub syncs: Vec<SyncStatus>,
}

/// A phase that began.
#[derive(Debug, Clone, Serialize)]
pub struct PhaseStatus {
    /// Which.
    pub phase: String,
    /// When it began.
    pub started_at: i64,
    /// When it was done.
    pub finished_at: Option<i64>,
}

/// A schema step.
#[derive(Debug, Clone, Serialize)]
pub struct StepStatus {
    /// Its id.
    pub id: String,
    /// What it does.
    pub summary: String,
    /// `pending`, `started`, `failed` or `done`.
    pub state: &'static str,
    /// When it began.
    pub started_at: Option<i64>,
    /// How long it took, in milliseconds.
    pub duration_ms: Option<i64>,
    /// How it failed.
    pub failure: Option<String>,
}

/// A backfill.
#[derive(Debug, Clone, Serialize)]
pub struct BackfillStatus {
    /// Its id.
    pub id: String,
    /// Its table.
    pub table: String,
    /// `pending`, `started` or `done`.
    pub state: &'static str,
    /// Rows changed.
    pub rows_changed: i64,
    /// Rows walked in this pass.
    pub rows_walked: i64,
    /// Which walk over the table it is, from 1.
    pub pass: i64,
    /// About how many rows the table has.
    pub rows_estimated: Option<i64>,
    /// When its last batch was committed.
    pub last_batch_at: Option<i64>,
}

/// A process that migrates.
#[derive(Debug, Clone, Serialize)]
pub struct WorkerStatus {
    /// Who, and since when.
    pub holder: String,
    /// The backfill it works on.
    pub backfill: Option<String>,
    /// Rows of its next batch.
    pub batch_rows: i64,
    /// Why it waits, or is slower than asked for.
    pub waiting: Option<String>,
}

/// A sync.
#[derive(Debug, Clone, Serialize)]
pub struct SyncStatus {
    /// Its name.
    pub name: String,
    /// Its table.
    pub table: String,
    /// When an old-style write was seen last, to the minute.
    pub last_old_write: Option<i64>,
    /// When a new-style write was seen last, to the minute.
    pub last_new_write: Option<i64>,
}

/// The answer to `check`.
#[derive(Debug, Clone, Serialize)]
pub struct Check {
    /// What is needed next.
    pub next: Next,
    /// For `--release`: whether its nodes may run now.
    pub allowed: Option<bool>,
    /// Why.
    pub reason: Option<String>,
}

impl Check {
    /// Whether the answer is yes: the release's nodes may run, or, where none was named, nothing is left to do.
    pub fn is_yes(&self) -> bool {
        self.allowed.unwrap_or(self.next.phase == "none")
    }
}

impl WorkerStatus {
    fn of(worker: &WorkerRecord) -> Self {
        Self {
            holder: worker.holder.to_string(),
            backfill: worker.subject.clone(),
            batch_rows: worker.batch_rows,
            waiting: worker.waiting.clone(),
        }
    }
}

/// Reads where everything stands.
pub async fn status(project: &Project, target: &Target, observer: &dyn Observer) -> Result<Status, EngineError> {
    let session = Session::open(project, target, false, observer).await?;
    reading(session, async |session| session.status().await).await
}

/// Reads what is needed next, or whether nodes of a release may run.
pub async fn check(
    project: &Project,
    target: &Target,
    release: Option<&str>,
    observer: &dyn Observer,
) -> Result<Check, EngineError> {
    let index = match release {
        Some(name) => Some(project.release(name).ok_or_else(|| unknown_release(project, name))?.0),
        None => None,
    };
    let session = Session::open(project, target, false, observer).await?;
    reading(session, async |session| session.check(index).await).await
}

pub(super) async fn reading<'p, T>(
    mut session: Session<'p>,
    work: impl AsyncFnOnce(&mut Session<'p>) -> Result<T, EngineError>,
) -> Result<T, EngineError> {
    let outcome = work(&mut session).await;
    session.close(outcome).await
}

impl Session<'_> {
    async fn check(&mut self, release: Option<usize>) -> Result<Check, EngineError> {
        let standing = self.standing();
        self.refuse_newer()?;
        self.refuse_drift()?;
        self.refuse_stranger().await?;
        if standing.open().is_some() {
            self.refuse_broken_triggers().await?;
        }
        let next = Next::of(&standing.need(), &standing);
        let Some(index) = release else { return Ok(Check { next, allowed: None, reason: None }) };
        let (allowed, reason) = match may_run(&standing, index) {
            Ok(reason) => (true, reason),
            Err(reason) => (false, reason),
        };
        Ok(Check { next, allowed: Some(allowed), reason: Some(reason) })
    }

    async fn status(&mut self) -> Result<Status, EngineError> {
        // This project cannot say where a newer database stands.
        self.refuse_newer()?;
        let project = self.project;
        let dialect = self.connection.shared_dialect();
        let schema = self.connection.inspect().await?;
        let standing = self.standing();
        let mut drift: Vec<String> =
            drifts(project, dialect.kind(), &self.facts).iter().map(|drift: &Drift| drift.words()).collect();
        drift.extend(schema_drift(&self.facts, &schema));
        let mut releases = Vec::new();
        for (release, state) in &standing.releases {
            drift.extend(
                broken_triggers(release, &self.facts, dialect.as_ref(), &schema)
                    .into_iter()
                    .map(|trigger| format!("{trigger}, is missing or disabled")),
            );
            let mut status = ReleaseStatus {
                name: release.name.clone(),
                state: *state,
                phases: Vec::new(),
                steps: Vec::new(),
                backfills: Vec::new(),
                syncs: Vec::new(),
            };
            for phase in Phase::ALL {
                let record = self
                    .records
                    .phases
                    .iter()
                    .find(|record| record.release == release.name && record.phase == phase.word());
                status.phases.extend(record.map(|record| PhaseStatus {
                    phase: record.phase.clone(),
                    started_at: record.started_at,
                    finished_at: record.finished_at,
                }));
            }
            for step in release.expand.iter().chain(&release.contract) {
                let record = self.records.steps.iter().find(|record| record.id == step.id);
                status.steps.push(StepStatus {
                    id: step.id.clone(),
                    summary: step.step.operation().summary(),
                    state: match record {
                        None => "pending",
                        Some(record) if record.finished_at.is_some() => "done",
                        Some(_) if self.facts.left_behind(&step.id) => "pending",
                        Some(record) if record.failure.is_some() => "failed",
                        Some(_) => "started",
                    },
                    started_at: record.map(|record| record.started_at),
                    duration_ms: record.and_then(|record| Some(record.finished_at? - record.started_at)),
                    failure: record
                        .filter(|_| !self.facts.left_behind(&step.id))
                        .and_then(|record| record.failure.clone()),
                });
            }
            for backfill in &release.backfills {
                let record = self.records.backfills.iter().find(|record| record.id == backfill.id);
                let ranges: Vec<_> = self.records.ranges.iter().filter(|range| range.backfill == backfill.id).collect();
                let pass = ranges.iter().map(|range| range.pass).max().unwrap_or(0);
                let estimate = match BackfillPlan::new(backfill, release, dialect.as_ref(), &schema) {
                    Ok(plan) => self.connection.integer(&plan.estimate, &[]).await.ok().flatten(),
                    // Before its expand the backfill's columns are not there, and there is nothing to estimate.
                    Err(_) => None,
                };
                status.backfills.push(BackfillStatus {
                    id: backfill.id.clone(),
                    table: backfill.table.clone(),
                    state: match record {
                        None => "pending",
                        Some(record) if record.finished_at.is_some() => "done",
                        Some(_) => "started",
                    },
                    rows_changed: ranges.iter().map(|range| range.changed).sum(),
                    rows_walked: ranges.iter().filter(|range| range.pass == pass).map(|range| range.walked).sum(),
                    pass,
                    rows_estimated: estimate,
                    last_batch_at: ranges.iter().filter(|range| range.batches > 0).map(|range| range.updated_at).max(),
                });
            }
            for sync in installed_syncs(release, &self.facts) {
                let rows = self.connection.query(&dialect.last_writes(&sync), &[]).await?;
                let seen = |position| rows.first().and_then(|row| row.integer(position));
                status.syncs.push(SyncStatus {
                    name: sync.name.clone(),
                    table: sync.table.clone(),
                    last_old_write: seen(0),
                    last_new_write: seen(1),
                });
            }
            releases.push(status);
        }
        let set = if store::is_current(&mut self.connection).await? {
            store::control::control(&mut self.connection).await?
        } else {
            store::control::Control::default()
        };
        let tuned =
            set.tuning.and_then(|text| serde_json::from_str::<Overrides>(&text).ok()).map(|tuned| tuned.words());
        let applied = self.facts.baseline.iter().map(|fact| format!("V{}__{}", fact.version, fact.name)).collect();
        let current = standing.current().filter(|_| standing.baseline_pending.is_empty());
        Ok(Status {
            database: self.connection.target().to_string(),
            server: dialect.server().product(dialect.kind()),
            current_release: current.map(|release| release.name.clone()),
            next: Next::of(&standing.need(), &standing),
            baseline: BaselineStatus { applied, pending: standing.baseline_pending.clone() },
            releases,
            drift,
            runner: self.records.holder.as_ref().map(ToString::to_string),
            workers: self.records.workers.iter().map(WorkerStatus::of).collect(),
            paused: set.paused.map(|(who, _)| who),
            tuned,
            now: store::now(&mut self.connection).await?,
        })
    }
}
