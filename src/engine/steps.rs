//! Runs schema steps: each in its own transaction with its state row where the database can, and otherwise between an
//! intent and an outcome, so that after a crash the live schema tells what happened.

use std::time::{Duration, Instant};

use super::session::Session;
use super::{EngineError, Event};
use crate::catalog::{Diagnostic, Diagnostics, Release};
use crate::db::{Class, Connection, DbError, failpoint};
use crate::dialect::{Patience, Script, Statement};
use crate::plan::{PlannedStep, StepFact, schema_steps};
use crate::step::{Context, Phase};
use crate::store::{self, StepStart, StoreError};

/// Why a script did not run.
enum Failure {
    Engine(EngineError),
    Check(String),
    /// A statement failed, and this many had run before it.
    Statement(DbError, usize),
}

impl From<DbError> for Failure {
    fn from(error: DbError) -> Self {
        Self::Engine(error.into())
    }
}
impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Engine(error.into())
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

    async fn run_step(&mut self, release: &Release, phase: Phase, step: &PlannedStep<'_>) -> Result<(), EngineError> {
        let dialect = self.connection.shared_dialect();
        let kind = dialect.kind();
        let summary = step.operation().summary();
        let (checksum, body) = match &step.planned {
            crate::plan::Planned::File(step) => (step.checksum(kind), step.body(kind).to_owned()),
            _ => (String::new(), String::new()),
        };
        let start = StepStart {
            id: step.id.clone(),
            release: release.name.clone(),
            phase: phase.word().to_owned(),
            kind: step.word().to_owned(),
            summary: summary.clone(),
            file: step.file().into_owned(),
            checksum: checksum.clone(),
            body: body.clone(),
        };
        self.tell(Event::StepStarted { summary: summary.clone() });
        let since = Instant::now();
        let deadline = since + self.project.manifest.locks.retry_for;
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
            let script = step.operation().script(&context).map_err(|refusal| EngineError::Unfit {
                phase: format!("{phase} of {}", release.name),
                diagnostics: Diagnostics(vec![step.diagnostic(&refusal)]),
            })?;
            let (error, ran) = match self.attempt(&start, &script).await {
                Ok(()) => break Some(since.elapsed()),
                Err(Failure::Engine(error)) => return Err(error),
                Err(Failure::Check(message)) => {
                    let place = Box::new(place(step));
                    return Err(EngineError::StepCheck { place, summary, message });
                }
                Err(Failure::Statement(error, ran)) => (error, ran),
            };
            let again = matches!(error.class(), Class::LockTimeout | Class::Conflict);
            if again && Instant::now() < deadline {
                tries += 1;
                if tries == 2 {
                    self.tell(Event::Waiting { what: summary.clone(), reason: error.to_string() });
                }
                self.refuse_interrupted()?;
                // Nothing is held between tries; the jitter keeps two tools from meeting again and again.
                tokio::time::sleep(Duration::from_millis(fastrand::u64(60..140))).await;
                continue;
            }
            if ran == 0 && error.class() != Class::Disconnected {
                self.record_failure(&start, &error.to_string()).await?;
            }
            return Err(EngineError::Step { place: Box::new(place(step)), summary, source: error });
        };
        self.facts.steps.insert(step.id.clone(), StepFact { checksum, body, finished: true });
        self.tell(Event::StepDone { summary, took });
        Ok(())
    }

    /// Whether an earlier run died inside a step, as against having failed in good order.
    fn is_undecided(&self, id: &str) -> bool {
        self.records.steps.iter().any(|record| record.id == id && record.failure.is_none())
    }

    async fn attempt(&mut self, start: &StepStart, script: &Script) -> Result<(), Failure> {
        let dialect = self.connection.shared_dialect();
        self.connection.set_patience(script.patience).await?;
        let done = if dialect.transactional_ddl() && !script.outside_transaction {
            for pragma in dialect.foreign_keys(false).iter().filter(|_| script.without_foreign_keys) {
                self.connection.run(pragma).await?;
            }
            let done = self.attempt_in_transaction(start, script).await;
            for pragma in dialect.foreign_keys(true).iter().filter(|_| script.without_foreign_keys) {
                self.connection.run(pragma).await?;
            }
            done
        } else {
            self.attempt_between_records(start, script).await
        };
        self.connection.set_patience(Patience::Seconds).await?;
        done
    }

    async fn attempt_in_transaction(&mut self, start: &StepStart, script: &Script) -> Result<(), Failure> {
        let since = Instant::now();
        let (connection, lease) = self.connection_and_lease();
        // A lock that BEGIN did not get counts as the first statement's.
        connection.begin().await.map_err(|error| Failure::Statement(error, 0))?;
        let work = async |connection: &mut Connection| -> Result<(), Failure> {
            lease.fence(connection).await?;
            store::start_step(connection, start).await?;
            failpoint::pass("step.begin");
            run_statements(connection, script).await?;
            failpoint::pass("step.ran");
            store::finish_step(connection, &start.id).await?;
            let took = i64::try_from(since.elapsed().as_millis()).unwrap_or(i64::MAX);
            store::append(connection, lease, &start.id, "done", None, Some(took)).await?;
            connection.commit().await?;
            Ok(())
        };
        match work(connection).await {
            Ok(()) => {
                failpoint::pass("step.committed");
                Ok(())
            }
            Err(failure) => {
                connection.rollback().await;
                Err(match failure {
                    // Rolled back: nothing ran.
                    Failure::Statement(error, _) => Failure::Statement(error, 0),
                    other => other,
                })
            }
        }
    }

    async fn attempt_between_records(&mut self, start: &StepStart, script: &Script) -> Result<(), Failure> {
        let since = Instant::now();
        {
            let (connection, lease) = self.connection_and_lease();
            connection
                .transaction(async |connection: &mut Connection| -> Result<(), Failure> {
                    lease.fence(connection).await?;
                    Ok(store::start_step(connection, start).await?)
                })
                .await?;
        }
        let fact = StepFact { checksum: start.checksum.clone(), body: start.body.clone(), finished: false };
        self.facts.steps.insert(start.id.clone(), fact);
        failpoint::pass("step.begin");
        let (connection, lease) = self.connection_and_lease();
        lease.fence(connection).await?;
        run_statements(connection, script).await?;
        failpoint::pass("step.ran");
        let took = i64::try_from(since.elapsed().as_millis()).unwrap_or(i64::MAX);
        connection
            .transaction(async |connection: &mut Connection| -> Result<(), Failure> {
                lease.fence(connection).await?;
                store::finish_step(connection, &start.id).await?;
                Ok(store::append(connection, lease, &start.id, "done", None, Some(took)).await?)
            })
            .await?;
        failpoint::pass("step.committed");
        Ok(())
    }

    /// Records a step that an earlier run, or an earlier try, has carried out.
    async fn record(&mut self, start: &StepStart, earlier_run: bool) -> Result<(), EngineError> {
        let (connection, lease) = self.connection_and_lease();
        let detail = earlier_run.then(|| "an earlier run had done it and died before it could say so".to_owned());
        connection
            .transaction(async |connection: &mut Connection| {
                lease.fence(connection).await?;
                store::finish_step(connection, &start.id).await?;
                store::append(connection, lease, &start.id, "done", detail, None).await
            })
            .await?;
        Ok(())
    }

    async fn record_failure(&mut self, start: &StepStart, failure: &str) -> Result<(), EngineError> {
        let known = self.facts.steps.contains_key(&start.id);
        let (connection, lease) = self.connection_and_lease();
        connection
            .transaction(async |connection: &mut Connection| {
                lease.fence(connection).await?;
                if !known {
                    store::start_step(connection, start).await?;
                }
                store::fail_step(connection, &start.id, failure).await
            })
            .await?;
        Ok(())
    }
}

async fn run_statements(connection: &mut Connection, script: &Script) -> Result<(), Failure> {
    for (position, statement) in script.statements.iter().enumerate() {
        let failed = |error: DbError| Failure::Statement(error, position);
        match statement {
            Statement::Run(sql) => connection.run(sql).await.map_err(failed)?,
            Statement::FirstAccepted(choices) => {
                let mut last = Ok(());
                for choice in choices {
                    last = connection.run(choice).await;
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
                    return Err(Failure::Check(message.clone()));
                }
            }
        }
    }
    Ok(())
}

fn place(step: &PlannedStep<'_>) -> Diagnostic {
    match &step.planned {
        crate::plan::Planned::File(file) => file.origin.diagnostic(step.operation().summary()),
        _ => Diagnostic::of_path(&step.id, step.operation().summary()),
    }
}
