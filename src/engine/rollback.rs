//! The verb that takes an expand back, and what it would do.
//!
//! A step that is being taken back is recorded as one that began: whatever dies in the middle, the database tells whether it is
//! in force, and both `rollback` and `expand` can go on from there.

use std::time::{Duration, Instant};

use serde::Serialize;
use tracing::Instrument;

use super::phases::unknown_release;
use super::report::reading;
use super::session::Session;
use super::{EngineError, Event, Next, Observer, place};
use crate::catalog::{Project, Release};
use crate::db::{Connection, Target};
use crate::dialect::{Dialect, Statement};
use crate::plan::{
    Gate, NewWrites, Refused, UndoOf, UndoStep, Verdict, check_rollback, data_that_stays, kept_tables, new_writes,
    rollback_target, states, steps_to_undo, undo_of,
};
use crate::step::{Context, Phase};
use crate::store::{self, StoreError};

/// What a rollback is asked to do.
#[derive(Debug, Clone, Default)]
pub struct RollbackOptions {
    /// The release; left out, the open one.
    pub release: Option<String>,
    /// Gates to override.
    pub force: Vec<Gate>,
    /// How long a step is kept from its lock before those who do so are ended; `None`: they are not.
    pub cancel_blockers_after: Option<Duration>,
}

/// How a rollback ended.
#[derive(Debug, Clone, Serialize)]
pub struct RolledBack {
    /// The release; `None` where no release was open.
    pub release: Option<String>,
    /// What stays, and does no harm.
    pub stays: Vec<String>,
    /// What is needed next.
    pub next: Next,
}

/// What a rollback would do.
#[derive(Debug, Clone, Serialize)]
pub struct RollbackPlan {
    /// The release; `None` where no release is open.
    pub release: Option<String>,
    /// Its steps, in the order in which they are taken back.
    pub steps: Vec<PlannedUndo>,
    /// What new nodes wrote, and the rollback would lose.
    pub lost: Vec<String>,
}

/// What becomes of a step.
#[derive(Debug, Clone, Serialize)]
pub struct PlannedUndo {
    /// The step's id.
    pub id: String,
    /// What the step does.
    pub summary: String,
    /// The statements that take it back, in order.
    pub statements: Vec<String>,
    /// Whether they run in one transaction with the step's record.
    pub transactional: bool,
    /// What of it stays, and does no harm.
    pub stays: Option<String>,
    /// Why it cannot be taken back.
    pub refused: Option<String>,
}

/// Takes the open release's expand back.
pub async fn rollback(
    project: &Project,
    target: &Target,
    options: &RollbackOptions,
    observer: &dyn Observer,
) -> Result<RolledBack, EngineError> {
    refuse_unknown(project, options.release.as_deref())?;
    let mut session = Session::open(project, target, false, observer).await?;
    session.cancel_blockers_after = options.cancel_blockers_after;
    let outcome = session.rollback(options).await;
    session.close(outcome).await
}

/// Works out what a rollback would do.
pub async fn plan_rollback(
    project: &Project,
    target: &Target,
    release: Option<&str>,
    observer: &dyn Observer,
) -> Result<RollbackPlan, EngineError> {
    refuse_unknown(project, release)?;
    let session = Session::open(project, target, false, observer).await?;
    reading(session, async |session| session.plan_rollback(release).await).await
}

fn refuse_unknown(project: &Project, release: Option<&str>) -> Result<(), EngineError> {
    match release {
        Some(name) if project.release(name).is_none() => Err(unknown_release(project, name)),
        _ => Ok(()),
    }
}

impl<'p> Session<'p> {
    async fn rollback(&mut self, options: &RollbackOptions) -> Result<RolledBack, EngineError> {
        // Asked twice: before the lease, so that a refusal writes nothing, and under it.
        if !self.is_held(None).await? {
            let admitted = self.admitted_rollback(options).await;
            if !matches!(admitted, Ok(Some(_))) && !self.is_held(None).await? {
                return admitted.map(|_| self.rolled_back(None, Vec::new()));
            }
        }
        self.take_lease("rollback").await?;
        self.tell_schema_drift().await?;
        let Some((release, lost)) = self.admitted_rollback(options).await? else {
            return Ok(self.rolled_back(None, Vec::new()));
        };
        if let Some(refused) = lost {
            self.force(refused, &options.force).await?;
        }
        let since = Instant::now();
        self.tell(Event::RollbackStarted { release: release.name.clone() });
        let mut stays = data_that_stays(release, &self.facts);
        self.begin_rollback(release).await?;
        stays.extend(self.undo_steps(release).instrument(place::phase(&release.name, "rollback")).await?);
        self.end_rollback(release, since).await?;
        Ok(self.rolled_back(Some(release), stays))
    }

    fn rolled_back(&self, release: Option<&Release>, stays: Vec<String>) -> RolledBack {
        let standing = self.standing();
        let next = Next::of(&standing.need(), &standing);
        RolledBack { release: release.map(|release| release.name.clone()), stays, next }
    }

    /// The release that is to be taken back, and what would be lost with it, where that is forced; `None` where there is
    /// nothing to take back.
    async fn admitted_rollback(
        &mut self,
        options: &RollbackOptions,
    ) -> Result<Option<(&'p Release, Option<Refused>)>, EngineError> {
        self.refuse_newer()?;
        self.refuse_drift()?;
        let Some(release) = rollback_target(&self.standing(), options.release.as_deref())? else { return Ok(None) };
        self.refuse_undecided(release).await?;
        let schema = self.connection.inspect().await?;
        let dialect = self.connection.shared_dialect();
        let undone = check_rollback(release, &self.facts, dialect.as_ref(), &schema);
        refuse_what_cannot_be_undone(release, &undone)?;
        self.refuse_rows_in_the_way(&undone).await?;
        self.refuse_rollback_without_rights(release).await?;
        self.refuse_cluster(release, None, &options.force).await?;
        let lost = self.lost(release).await?;
        if lost.is_empty() {
            return Ok(Some((release, None)));
        }
        let refused = Refused {
            gate: Gate::NewWrites,
            reason: format!(
                "new nodes of {} wrote, and what they wrote would be lost: {}",
                release.name,
                lost.join("; ")
            ),
            remedy: "stop the new nodes, save what is needed of it, and say --yes, which is --force new_writes"
                .to_owned(),
        };
        if options.force.contains(&Gate::NewWrites) { Ok(Some((release, Some(refused)))) } else { Err(refused.into()) }
    }

    /// Fails where an earlier run died inside raw SQL: whether there is anything to undo, only a person can know.
    async fn refuse_undecided(&mut self, release: &Release) -> Result<(), EngineError> {
        let schema = self.connection.inspect().await?;
        let dialect = self.connection.shared_dialect();
        let context = Context { dialect: dialect.as_ref(), schema: &schema };
        for step in steps_to_undo(release, &self.facts) {
            let decided = self.facts.step_finished(&step.id) || self.facts.failed.contains(&step.id);
            let operation = step.step.operation();
            if !decided && operation.took_effect(&context).is_none() {
                let sql = operation.script(&context).unwrap_or_default().texts().collect();
                return Err(EngineError::NeedsPerson { id: step.id.clone(), sql });
            }
        }
        Ok(())
    }

    /// Asks what the undo will ask of the rows, before anything is gone.
    async fn refuse_rows_in_the_way(&mut self, undone: &[UndoStep<'_>]) -> Result<(), EngineError> {
        let scripts = undone.iter().flat_map(|undo| match &undo.verdict {
            Verdict::Undone(scripts) => scripts.as_slice(),
            Verdict::Stays(_) | Verdict::Refused(_) => &[],
        });
        for (planned, script) in scripts {
            for statement in &script.statements {
                // Behind its first change a script asks about what it has made.
                let Statement::MustBeEmpty { query, message } = statement else { break };
                let rows = self.connection.query(query, &[]).await?;
                if !rows.is_empty() {
                    let reason = super::steps::naming(message, rows);
                    return Err(Refused {
                        gate: Gate::Undo,
                        reason: format!("{} cannot be done: {reason}", planned.operation().summary()),
                        remedy: "nothing was changed; correct these rows, and run the same command again".to_owned(),
                    }
                    .into());
                }
            }
        }
        Ok(())
    }

    /// What new nodes wrote, as far as it leaves traces, in words.
    async fn lost(&mut self, release: &Release) -> Result<Vec<String>, EngineError> {
        let schema = self.connection.inspect().await?;
        let dialect = self.connection.shared_dialect();
        let mut lost = Vec::new();
        for place in new_writes(release, &self.facts, dialect.as_ref(), &schema) {
            match place {
                NewWrites::Sync(sync) => {
                    let rows = self.connection.query(&dialect.last_writes(&sync), &[]).await?;
                    let Some(seen) = rows.first().and_then(|row| row.integer(1)) else { continue };
                    let now = store::now(&mut self.connection).await?;
                    let ago = u64::try_from(now - seen).unwrap_or(0) / 1000;
                    lost.push(format!("the sync `{}` saw a new-style write {ago} s ago", sync.name));
                }
                NewWrites::Rows { query, meaning } => {
                    if !self.connection.query(&query, &[]).await?.is_empty() {
                        lost.push(meaning);
                    }
                }
            }
        }
        Ok(lost)
    }

    async fn begin_rollback(&mut self, release: &Release) -> Result<(), EngineError> {
        let prefix = format!("{}/", release.name);
        let backfills: Vec<String> =
            self.facts.backfills.keys().filter(|id| id.starts_with(&prefix)).cloned().collect();
        let (connection, lease) = self.connection_and_lease();
        connection.at("rollback.begin");
        connection
            .transaction(async |connection: &mut Connection| -> Result<(), StoreError> {
                lease.fence(connection).await?;
                store::begin_rollback(connection, &release.name, &backfills).await?;
                let subject = format!("{}/rollback", release.name);
                store::append(connection, lease, &subject, "started", None, None).await
            })
            .await?;
        self.reload().await
    }

    /// Takes what is left of the release's steps back; gives what stays.
    async fn undo_steps(&mut self, release: &Release) -> Result<Vec<String>, EngineError> {
        let mut stays = Vec::new();
        loop {
            self.refuse_interrupted()?;
            let schema = self.connection.inspect().await?;
            let dialect = self.connection.shared_dialect();
            let context = Context { dialect: dialect.as_ref(), schema: &schema };
            let Some(step) = steps_to_undo(release, &self.facts).into_iter().next() else { return Ok(stays) };
            match undo_of(step, &self.facts, &context) {
                Err(reason) => return Err(cannot_be_undone(release, &[reason]).into()),
                Ok(UndoOf::Stays(reason)) => {
                    self.leave(&step.id, &reason).await?;
                    stays.push(reason);
                }
                Ok(UndoOf::By(operations)) if operations.is_empty() => self.forget(&step.id).await?,
                Ok(UndoOf::By(operations)) => {
                    for planned in operations {
                        self.run_step(release, Phase::Expand, &planned).await?;
                    }
                }
            }
        }
    }

    async fn leave(&mut self, id: &str, reason: &str) -> Result<(), EngineError> {
        let (connection, lease) = self.connection_and_lease();
        connection.at("rollback.leave");
        connection
            .transaction(async |connection: &mut Connection| -> Result<(), StoreError> {
                lease.fence(connection).await?;
                store::leave_step(connection, id, reason).await?;
                store::append(connection, lease, id, "left", Some(reason.to_owned()), None).await
            })
            .await?;
        self.reload().await
    }

    async fn forget(&mut self, id: &str) -> Result<(), EngineError> {
        let (connection, lease) = self.connection_and_lease();
        connection.at("rollback.forget");
        connection
            .transaction(async |connection: &mut Connection| -> Result<(), StoreError> {
                lease.fence(connection).await?;
                store::forget_step(connection, id).await?;
                let detail = Some("nothing of it was in force".to_owned());
                store::append(connection, lease, id, "undone", detail, None).await
            })
            .await?;
        self.reload().await
    }

    async fn end_rollback(&mut self, release: &Release, since: Instant) -> Result<(), EngineError> {
        let took = since.elapsed();
        let milliseconds = i64::try_from(took.as_millis()).unwrap_or(i64::MAX);
        let dialect = self.connection.shared_dialect();
        let triggers: Vec<_> = release.syncs().flat_map(|(_, sync)| dialect.sync_triggers(&sync)).collect();
        self.facts.phases.remove(&(release.name.clone(), Phase::Expand));
        let tables = states(&kept_tables(self.project, &self.facts), &self.connection.inspect().await?);
        let (connection, lease) = self.connection_and_lease();
        connection.at("rollback.end");
        connection
            .transaction(async |connection: &mut Connection| -> Result<(), StoreError> {
                lease.fence(connection).await?;
                store::end_rollback(connection, &release.name, &triggers).await?;
                store::save_tables(connection, &tables).await?;
                let subject = format!("{}/rollback", release.name);
                store::append(connection, lease, &subject, "done", None, Some(milliseconds)).await
            })
            .await?;
        self.tell(Event::RollbackDone { release: release.name.clone(), took });
        self.reload().await
    }

    async fn plan_rollback(&mut self, named: Option<&str>) -> Result<RollbackPlan, EngineError> {
        self.refuse_newer()?;
        self.refuse_drift()?;
        let Some(release) = rollback_target(&self.standing(), named)? else {
            return Ok(RollbackPlan { release: None, steps: Vec::new(), lost: Vec::new() });
        };
        let schema = self.connection.inspect().await?;
        let dialect = self.connection.shared_dialect();
        let undone = check_rollback(release, &self.facts, dialect.as_ref(), &schema);
        let steps = undone.iter().map(|undo| planned(undo, dialect.as_ref())).collect();
        Ok(RollbackPlan { release: Some(release.name.clone()), steps, lost: self.lost(release).await? })
    }
}

fn planned(undo: &UndoStep<'_>, dialect: &dyn Dialect) -> PlannedUndo {
    let mut planned = PlannedUndo {
        id: undo.step.id.clone(),
        summary: undo.step.step.operation().summary(),
        statements: Vec::new(),
        transactional: dialect.transactional_ddl(),
        stays: None,
        refused: None,
    };
    match &undo.verdict {
        Verdict::Stays(reason) => planned.stays = Some(reason.clone()),
        Verdict::Refused(reason) => planned.refused = Some(reason.clone()),
        Verdict::Undone(scripts) => {
            for (_, script) in scripts {
                planned.transactional &= !script.outside_transaction;
                planned.statements.extend(script.shown(dialect));
            }
        }
    }
    planned
}

fn refuse_what_cannot_be_undone(release: &Release, undone: &[UndoStep<'_>]) -> Result<(), EngineError> {
    let reasons: Vec<String> = undone
        .iter()
        .filter_map(|undo| match &undo.verdict {
            Verdict::Refused(reason) => Some(format!("{}: {reason}", undo.step.id)),
            Verdict::Stays(_) | Verdict::Undone(_) => None,
        })
        .collect();
    if reasons.is_empty() { Ok(()) } else { Err(cannot_be_undone(release, &reasons).into()) }
}

fn cannot_be_undone(release: &Release, reasons: &[String]) -> Refused {
    Refused {
        gate: Gate::Undo,
        reason: format!("{} cannot be rolled back: {}", release.name, reasons.join("; ")),
        remedy: "look at concertina plan rollback; or go forward".to_owned(),
    }
}
