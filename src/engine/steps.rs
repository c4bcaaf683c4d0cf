//! Runs schema steps: each in its own transaction with its state row where the database can, and otherwise between an
//! intent and an outcome, so that after a crash the live schema tells what happened.

use std::sync::Arc;
use std::time::Instant;

use tracing::Instrument;

use super::asking::{Asking, pause};
use super::blockers::{Attempts, Watch};
use super::session::Session;
use super::{EngineError, Event, place as place_of};
use crate::catalog::{Diagnostic, Diagnostics, Release, StepLocks};
use crate::db::{Class, Connection, DbError, Row, Value};
use crate::dialect::offending::SHOWN_ROWS;
use crate::dialect::{Patience, Script, Statement};
use crate::plan::{Planned, PlannedStep, StepFact, schema_steps, syncs_to_put_back};
use crate::step::{Context, Phase};
use crate::store::{self, Lease, StepStart, StoreError, Undoing};

/// Why a script did not run.
enum Failure {
    Engine(EngineError),
    Check(String),
    /// A statement failed, and this many had run before it.
    Statement(DbError, usize),
}

impl From<DbError> for Failure {
    fn from(error: DbError) -> Self {
        StoreError::from(error).into()
    }
}
impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            // A lock on our own rows is as good a reason to try again as one on the user's.
            StoreError::Db(error) if matches!(error.class(), Class::LockTimeout | Class::Conflict) => {
                Self::Statement(error, 0)
            }
            other => Self::Engine(other.into()),
        }
    }
}

impl Session<'_> {
    /// Runs what is left of a phase's schema steps. All of them were checked before the phase began.
    pub(super) async fn run_steps(&mut self, release: &Release, phase: Phase) -> Result<(), EngineError> {
        loop {
            self.refuse_interrupted()?;
            let schema = self.connection.inspect().await?;
            let steps = schema_steps(release, phase, &self.facts, &schema);
            let Some(step) = steps.into_iter().find(|step| !step.done) else { return Ok(()) };
            self.run_step(release, phase, &step).await?;
        }
    }

    /// Installs again the syncs whose triggers are not what expand installed; gives what was done, in words.
    pub(super) async fn put_syncs_back(&mut self) -> Result<Vec<String>, EngineError> {
        // What is installed is what the file says, so the file must be the one that was applied.
        self.refuse_drift()?;
        let schema = self.connection.inspect().await?;
        let dialect = self.connection.shared_dialect();
        let mut done = Vec::new();
        for release in &self.project.releases {
            for step in syncs_to_put_back(release, &self.facts, dialect.as_ref(), &schema) {
                let planned = PlannedStep { id: step.id.clone(), planned: Planned::File(step), done: false };
                let place = place_of::phase(&release.name, Phase::Expand.word());
                self.run_step(release, Phase::Expand, &planned).instrument(place).await?;
                done.push(format!("{}/{} ({} again)", release.name, Phase::Expand, step.step.operation().summary()));
            }
        }
        if !done.is_empty() {
            self.reload().await?;
        }
        Ok(done)
    }

    /// Runs a step, and says who keeps it from its locks meanwhile.
    pub(super) async fn run_step(
        &mut self,
        release: &Release,
        phase: Phase,
        step: &PlannedStep<'_>,
    ) -> Result<(), EngineError> {
        let attempts = Arc::new(Attempts::default());
        let summary = step.operation().summary();
        let watch = Watch {
            target: self.connection.target().clone(),
            session: self.connection.id(),
            shared_name: self.connection.shared_name().map(str::to_owned),
            step: &step.id,
            summary: &summary,
            attempts: Arc::clone(&attempts),
            observer: self.observer,
            lease: self.shared_lease(),
            cancel_after: self.cancel_blockers_after,
        };
        self.connection.about(step.word(), &step.id);
        let running = async {
            tokio::select! {
                biased;
                done = self.try_step(release, phase, step, &attempts) => done,
                never = watch.run() => match never {},
            }
        };
        let done = running.instrument(place_of::step(&step.id)).await;
        self.connection.about("", "");
        done
    }

    async fn try_step(
        &mut self,
        release: &Release,
        phase: Phase,
        step: &PlannedStep<'_>,
        attempts: &Attempts,
    ) -> Result<(), EngineError> {
        let dialect = self.connection.shared_dialect();
        let kind = dialect.kind();
        let summary = step.operation().summary();
        let (checksum, body) = match &step.planned {
            Planned::File(step) => (step.checksum(kind), step.body(kind).to_owned()),
            _ => (String::new(), String::new()),
        };
        let undo = match &step.planned {
            Planned::Undo { last, .. } => Some(Undoing { last: *last, was_done: self.facts.step_finished(&step.id) }),
            _ => None,
        };
        let mut start = StepStart {
            id: step.id.clone(),
            release: release.name.clone(),
            phase: phase.word().to_owned(),
            kind: step.word().to_owned(),
            summary: summary.clone(),
            file: step.file().into_owned(),
            checksum: checksum.clone(),
            body: body.clone(),
            memory: None,
            undo,
        };
        self.tell(Event::StepStarted { summary: summary.clone() });
        let since = Instant::now();
        let locks = match &step.planned {
            Planned::File(step) | Planned::Undo { step, .. } => step.locks,
            _ => StepLocks::default(),
        };
        let manifest = &self.project.manifest.locks;
        let asking = Asking {
            deadline: since + locks.retry_for.unwrap_or(manifest.retry_for),
            instant: locks.timeout.or(manifest.timeout),
            summary: &summary,
            observer: self.observer,
            attempts,
        };
        let mut tries = 0_u32;
        let took = loop {
            let schema = self.connection.inspect().await?;
            let context = Context { dialect: dialect.as_ref(), schema: &schema };
            // An intent without an outcome: did it take effect?
            if self.facts.steps.contains_key(&step.id) {
                match step.operation().took_effect(&context) {
                    Some(true) => {
                        self.record(&start, tries == 0).await?;
                        break None;
                    }
                    None if self.is_undecided(&step.id) => {
                        let script = step.operation().script(&context).unwrap_or_default();
                        let sql = script.statements.iter().map(|statement| statement.sql().to_owned()).collect();
                        return Err(EngineError::NeedsPerson { id: step.id.clone(), sql });
                    }
                    _ => {}
                }
            }
            if phase == Phase::Expand && start.undo.is_none() && !self.facts.steps.contains_key(&step.id) {
                let memory = step.operation().remember(&context);
                start.memory = memory.and_then(|memory| serde_json::to_string(&memory).ok());
            }
            let script = step.operation().script(&context).map_err(|refusal| EngineError::Unfit {
                phase: format!("{} of {}", if undo.is_some() { "rollback" } else { phase.word() }, release.name),
                diagnostics: Diagnostics(vec![step.diagnostic(&refusal)]),
            })?;
            let (error, ran) = match self.attempt(&start, &script, &asking).await {
                Ok(()) => break Some(since.elapsed()),
                Err(Failure::Engine(error)) => return Err(error),
                Err(Failure::Check(message)) => {
                    self.record_failure(&start, &message).await?;
                    let place = Box::new(place(step));
                    return Err(EngineError::StepCheck { place, summary, message });
                }
                Err(Failure::Statement(error, ran)) => (error, ran),
            };
            if asking.again(&error).await {
                tries += 1;
                continue;
            }
            if ran == 0 && error.class() != Class::Disconnected {
                self.record_failure(&start, &error.to_string()).await?;
            }
            self.refuse_interrupted()?;
            return Err(EngineError::Step {
                place: Box::new(place(step)),
                summary,
                blockers: if error.class() == Class::LockTimeout { attempts.blockers() } else { Vec::new() },
                source: Box::new(error),
                clean: ran == 0 && !script.outside_transaction,
            });
        };
        match undo {
            Some(Undoing { last: true, .. }) => drop(self.facts.steps.remove(&step.id)),
            Some(Undoing { last: false, .. }) => {
                self.facts.steps.entry(step.id.clone()).and_modify(|fact| fact.finished = false);
            }
            None => {
                self.facts.steps.insert(step.id.clone(), StepFact { checksum, body, finished: true });
            }
        }
        self.tell(Event::StepDone { summary, took });
        Ok(())
    }

    /// Whether an earlier run died inside a step, as against having failed in good order.
    fn is_undecided(&self, id: &str) -> bool {
        self.records
            .steps
            .iter()
            .any(|record| record.id == id && record.failure.is_none() && record.finished_at.is_none())
    }

    async fn attempt(&mut self, start: &StepStart, script: &Script, asking: &Asking<'_>) -> Result<(), Failure> {
        let dialect = self.connection.shared_dialect();
        self.connection.at("step.foreign_keys");
        for pragma in dialect.foreign_keys(false).iter().filter(|_| script.without_foreign_keys) {
            self.connection.run(pragma).await?;
        }
        let done = if dialect.transactional_ddl() && !script.outside_transaction {
            self.attempt_in_transaction(start, script, asking).await
        } else {
            self.attempt_between_records(start, script, asking).await
        };
        self.connection.at("step.foreign_keys");
        for pragma in dialect.foreign_keys(true).iter().filter(|_| script.without_foreign_keys) {
            self.connection.run(pragma).await?;
        }
        done
    }

    async fn attempt_in_transaction(
        &mut self,
        start: &StepStart,
        script: &Script,
        asking: &Asking<'_>,
    ) -> Result<(), Failure> {
        let since = Instant::now();
        let (connection, lease) = self.connection_and_lease();
        connection.at("step.start");
        let done = connection
            .transaction(async |connection: &mut Connection| -> Result<(), Failure> {
                lease.look(connection).await?;
                store::start_step(connection, start).await?;
                // Only the step's own statements ask for an instant; our rows can wait for the heartbeat to be done.
                asking.set_patience(connection, script.patience).await?;
                run_statements(connection, script, asking, false).await?;
                connection.set_patience(Patience::Seconds, None).await?;
                let seen = look(connection, script).await?;
                finish(connection, lease, start, since, &seen).await
            })
            .await;
        if done.is_err() {
            self.connection.set_patience(Patience::Seconds, None).await?;
        }
        // Rolled back: nothing ran.
        done.map_err(|failure| match failure {
            Failure::Statement(error, _) => Failure::Statement(error, 0),
            other => other,
        })
    }

    async fn attempt_between_records(
        &mut self,
        start: &StepStart,
        script: &Script,
        asking: &Asking<'_>,
    ) -> Result<(), Failure> {
        let since = Instant::now();
        let (connection, lease) = self.connection_and_lease();
        connection.at("step.start");
        connection
            .transaction(async |connection: &mut Connection| -> Result<(), Failure> {
                lease.fence(connection).await?;
                Ok(store::start_step(connection, start).await?)
            })
            .await?;
        let fact = StepFact { checksum: start.checksum.clone(), body: start.body.clone(), finished: false };
        self.facts.steps.entry(start.id.clone()).and_modify(|fact| fact.finished = false).or_insert(fact);
        let (connection, lease) = self.connection_and_lease();
        connection.at("step.instant");
        lease.fence(connection).await?;
        asking.have_for_an_instant(connection, script).await.map_err(|error| Failure::Statement(error, 0))?;
        asking.set_patience(connection, script.patience).await?;
        let done = run_statements(connection, script, asking, !script.rendered_again).await;
        connection.set_patience(Patience::Seconds, None).await?;
        if let Err(failure) = done {
            return Err(undo(connection, lease, script, failure).await);
        }
        let seen = look(connection, script).await?;
        // The statements have run, so it is the record alone that is tried again.
        loop {
            let done = connection
                .transaction(async |connection: &mut Connection| finish(connection, lease, start, since, &seen).await);
            match done.await {
                Err(Failure::Statement(error, _)) if asking.may_try_again(&error) => pause().await,
                Err(Failure::Statement(error, _)) => return Err(Failure::Engine(error.into())),
                done => return done,
            }
        }
    }

    /// Records a step that an earlier run, or an earlier try, has carried out.
    async fn record(&mut self, start: &StepStart, earlier_run: bool) -> Result<(), EngineError> {
        let (connection, lease) = self.connection_and_lease();
        connection.at("step.found");
        let detail = earlier_run.then(|| "an earlier run had done it and died before it could say so".to_owned());
        connection
            .transaction(async |connection: &mut Connection| {
                lease.fence(connection).await?;
                store::end_step(connection, start).await?;
                store::append(connection, lease, &start.id, outcome(start), detail, None).await
            })
            .await?;
        Ok(())
    }

    async fn record_failure(&mut self, start: &StepStart, failure: &str) -> Result<(), EngineError> {
        let known = self.facts.steps.contains_key(&start.id);
        let (connection, lease) = self.connection_and_lease();
        connection.at("step.failure");
        connection
            .transaction(async |connection: &mut Connection| {
                lease.fence(connection).await?;
                match start.undo {
                    // What could not be taken back is in force as before; what was half done still is.
                    Some(Undoing { was_done: true, .. }) => store::finish_step(connection, &start.id).await,
                    Some(Undoing { was_done: false, .. }) => Ok(()),
                    None => {
                        if !known {
                            store::start_step(connection, start).await?;
                        }
                        store::fail_step(connection, &start.id, failure).await
                    }
                }
            })
            .await?;
        Ok(())
    }
}

/// A trigger as the catalog shows it: its table, its name, its fingerprint.
type SeenTrigger = (String, String, String);

/// Looks the triggers of a script up: nothing may rely on one that is not there, does not fire, or says something else.
async fn look(connection: &mut Connection, script: &Script) -> Result<Vec<SeenTrigger>, Failure> {
    if script.expects.is_empty() {
        return Ok(Vec::new());
    }
    let schema = connection.inspect().await?;
    let mut seen = Vec::new();
    for expected in &script.expects {
        let triggers = schema.table(&expected.table).map_or(&[][..], |table| &table.triggers);
        let what = match triggers.iter().find(|trigger| trigger.name == expected.name) {
            None => "is not in the catalog after it was created",
            Some(trigger) if !trigger.enabled => "is disabled after it was created",
            Some(trigger) if !trigger.definition.contains(&expected.text) => "is not the one that was created",
            Some(trigger) => {
                seen.push((expected.table.clone(), expected.name.clone(), trigger.fingerprint()));
                continue;
            }
        };
        return Err(Failure::Check(format!("the trigger `{}` on `{}` {what}", expected.name, expected.table)));
    }
    Ok(seen)
}

/// Records that a step is done, and what its triggers look like.
async fn finish(
    connection: &mut Connection,
    lease: &Lease,
    start: &StepStart,
    since: Instant,
    seen: &[SeenTrigger],
) -> Result<(), Failure> {
    connection.at("step.finish");
    lease.fence(connection).await?;
    store::end_step(connection, start).await?;
    store::save_triggers(connection, seen).await?;
    let took = i64::try_from(since.elapsed().as_millis()).unwrap_or(i64::MAX);
    Ok(store::append(connection, lease, &start.id, outcome(start), None, Some(took)).await?)
}

/// The history's word for a step that came to its end.
fn outcome(start: &StepStart) -> &'static str {
    if start.undo.is_some() { "undone" } else { "done" }
}

/// Runs a script; where it may, a statement that did not get its lock is tried again until the time given.
async fn run_statements(
    connection: &mut Connection,
    script: &Script,
    asking: &Asking<'_>,
    again: bool,
) -> Result<(), Failure> {
    connection.at("step.statement");
    let mut again = again.then_some(script.patience);
    for (position, statement) in script.statements.iter().enumerate() {
        let failed = |error: DbError| Failure::Statement(error, position);
        match statement {
            Statement::Run(sql) => asking.run(connection, sql, again).await.map_err(failed)?,
            Statement::FirstAccepted(choices) => {
                let mut last = Ok(());
                for choice in choices {
                    last = asking.run(connection, choice, again).await;
                    match &last {
                        Err(error) if error.class() == Class::AlgorithmRefused => {}
                        _ => break,
                    }
                }
                last.map_err(failed)?;
            }
            Statement::MustBeEmpty { query, message } => {
                let rows = connection.query(query, &[]).await.map_err(failed)?;
                if !rows.is_empty() {
                    return Err(Failure::Check(naming(message, rows)));
                }
            }
            Statement::Patience(patience) => {
                asking.set_patience(connection, *patience).await.map_err(failed)?;
                again = again.map(|_| *patience);
            }
        }
    }
    Ok(())
}

/// What rows mean, with the values that the query gave of the first of them.
pub(super) fn naming(message: &str, rows: Vec<Row>) -> String {
    let more = if rows.len() < SHOWN_ROWS { "" } else { ", perhaps more" };
    let shown = |row: Row| {
        let values: Vec<_> =
            row.into_values().iter().filter(|value| **value != Value::Null).map(Value::shown).collect();
        match values.as_slice() {
            [] => None,
            [one] => Some(one.clone()),
            several => Some(format!("({})", several.join(", "))),
        }
    };
    let named: Vec<_> = rows.into_iter().filter_map(shown).collect();
    if named.is_empty() { message.to_owned() } else { format!("{message}: {}{more}", named.join(", ")) }
}

/// Takes back what ran before a statement failed, where the script says how; the statement's own failure is what is told.
async fn undo(connection: &mut Connection, lease: &Lease, script: &Script, failure: Failure) -> Failure {
    let Failure::Statement(error, ran) = failure else { return failure };
    if script.undo.is_empty() || error.class() == Class::Disconnected {
        return Failure::Statement(error, ran);
    }
    connection.at("step.undo");
    // What is there may be somebody else's by now: behind a pooler there is no session that could have been ended.
    if let Err(error) = lease.look(connection).await {
        return error.into();
    }
    for sql in &script.undo {
        if let Err(error) = connection.run(sql).await {
            tracing::warn!(%error, sql, "take a failed step back");
            return Failure::Statement(error, ran);
        }
    }
    Failure::Statement(error, 0)
}

pub(super) fn place(step: &PlannedStep<'_>) -> Diagnostic {
    match &step.planned {
        Planned::File(file) | Planned::Undo { step: file, .. } => file.origin.diagnostic(step.operation().summary()),
        _ => Diagnostic::of_path(&step.id, step.operation().summary()),
    }
}
