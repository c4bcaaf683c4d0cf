//! Takes a person's word on what the database cannot tell.

use super::session::Session;
use super::{EngineError, Observer};
use crate::catalog::Project;
use crate::db::{Connection, Target};
use crate::plan::{DriftKind, drifts};
use crate::store::{self, StoreError};

/// What a person says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The step took effect before the run died.
    Applied,
    /// It did not, and may be run again.
    NotApplied,
    /// The file's new text is as good as the one that was applied.
    Accept,
}

/// Records the answer; returns what it was recorded for.
pub async fn resolve(
    project: &Project,
    target: &Target,
    subject: &str,
    answer: Answer,
    observer: &dyn Observer,
) -> Result<Vec<String>, EngineError> {
    let mut session = Session::open(project, target, false, observer).await?;
    let outcome = session.resolve(subject, answer).await;
    session.close(outcome).await
}

impl Session<'_> {
    async fn resolve(&mut self, subject: &str, answer: Answer) -> Result<Vec<String>, EngineError> {
        match answer {
            Answer::Applied | Answer::NotApplied => self.resolve_step(subject, answer).await,
            Answer::Accept => self.accept(subject).await,
        }
    }

    /// Fails unless the step waits for an answer.
    fn refuse_decided(&self, id: &str) -> Result<(), EngineError> {
        let undecided: Vec<String> = self
            .records
            .steps
            .iter()
            .filter(|record| record.finished_at.is_none() && record.failure.is_none())
            .map(|record| record.id.clone())
            .collect();
        if undecided.iter().any(|step| step == id) {
            return Ok(());
        }
        let known = if undecided.is_empty() {
            "no step waits for an answer".to_owned()
        } else {
            format!("these wait for an answer: {}", undecided.join(", "))
        };
        Err(EngineError::Usage(format!("the step `{id}` does not wait for an answer; {known}")))
    }

    async fn resolve_step(&mut self, id: &str, answer: Answer) -> Result<Vec<String>, EngineError> {
        // Asked twice: a step that another runner is at is no step that waits.
        self.refuse_decided(id)?;
        self.take_lease("resolve").await?;
        self.refuse_decided(id)?;
        let (connection, lease) = self.connection_and_lease();
        connection.at("resolve");
        connection
            .transaction(async |connection: &mut Connection| -> Result<(), StoreError> {
                lease.fence(connection).await?;
                if answer == Answer::Applied {
                    store::finish_step(connection, id).await?;
                    store::append(
                        connection,
                        lease,
                        id,
                        "resolved",
                        Some("applied, by a person's word".to_owned()),
                        None,
                    )
                    .await
                } else {
                    store::fail_step(connection, id, "not applied, by a person's word").await?;
                    store::append(
                        connection,
                        lease,
                        id,
                        "resolved",
                        Some("not applied, by a person's word".to_owned()),
                        None,
                    )
                    .await
                }
            })
            .await?;
        Ok(vec![id.to_owned()])
    }

    async fn accept(&mut self, file: &str) -> Result<Vec<String>, EngineError> {
        let kind = self.connection.dialect().kind();
        let project = self.project;
        let changed = drifts(project, kind, &self.facts).into_iter().any(|drift| {
            matches!(drift.kind, DriftKind::Changed { .. }) && drift.subject.split(':').next() == Some(file)
        });
        if !changed {
            return Err(EngineError::Usage(format!("nothing that was applied from `{file}` has changed")));
        }
        self.take_lease("resolve").await?;
        let mut accepted = Vec::new();
        let (steps, backfills) = {
            let facts = &self.facts;
            let steps: Vec<_> = project
                .releases
                .iter()
                .flat_map(|release| release.expand.iter().chain(&release.contract))
                .filter(|step| step.origin.source.path == file)
                .filter(|step| facts.steps.get(&step.id).is_some_and(|fact| fact.checksum != step.checksum(kind)))
                .collect();
            let backfills: Vec<_> = project
                .releases
                .iter()
                .flat_map(|release| &release.backfills)
                .filter(|backfill| backfill.origin.source.path == file)
                .filter(|backfill| {
                    facts.backfills.get(&backfill.id).is_some_and(|fact| fact.checksum != backfill.checksum(kind))
                })
                .collect();
            (steps, backfills)
        };
        let (connection, lease) = self.connection_and_lease();
        connection.at("resolve");
        connection
            .transaction(async |connection: &mut Connection| -> Result<(), StoreError> {
                lease.fence(connection).await?;
                for step in steps {
                    store::accept_step(connection, &step.id, &step.checksum(kind), step.body(kind)).await?;
                    accepted.push(step.id.clone());
                }
                for backfill in backfills {
                    store::accept_backfill(connection, &backfill.id, &backfill.checksum(kind), backfill.body(kind))
                        .await?;
                    accepted.push(backfill.id.clone());
                }
                for id in &accepted {
                    let detail = Some("the new text was accepted".to_owned());
                    store::append(connection, lease, id, "resolved", detail, None).await?;
                }
                Ok(())
            })
            .await?;
        Ok(accepted)
    }
}
