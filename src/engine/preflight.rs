//! What must hold before a phase's first statement: the server's version and settings, the role's rights, and what steps will ask
//! of rows. What is missing is named, with the statement that grants it.
//!
//! Nothing here is tried where to ask is enough: on Galera a statement that one node refuses may be carried out by the others.

use std::collections::BTreeSet;

use super::EngineError;
use super::session::Session;
use super::steps::{naming, place};
use crate::catalog::Release;
use crate::db::{Class, DbError};
use crate::dialect::{Preflight, Right, Statement};
use crate::plan::{
    Gate, check_release, cluster_gate, installed_syncs, rights, rollback_rights, state_rights, steps_to_undo,
    trigger_rights,
};
use crate::step::Phase;
use crate::store;

impl Session<'_> {
    /// Fails where the server takes no writes, or is too old: before anything is written.
    pub(super) async fn refuse_server(&mut self, command: &str) -> Result<(), EngineError> {
        let dialect = self.connection.shared_dialect();
        let what = format!("{command} cannot run");
        if let Some(reason) = dialect.too_old() {
            return Err(EngineError::Preflight { what, reason, remedy: None });
        }
        self.refuse(&what, dialect.server_preflight()).await
    }

    /// Fails where the role lacks a right that the phase needs, with all that is missing. It is asked once a command: before the
    /// lease where that is possible, so that a refusal writes nothing.
    pub(super) async fn refuse_without_rights(&mut self, release: &Release, phase: Phase) -> Result<(), EngineError> {
        let what = format!("{phase} of {}", release.name);
        if self.allowed.contains(&what) {
            return Ok(());
        }
        let schema = self.connection.inspect().await?;
        let kind = self.connection.dialect().kind();
        let needed = rights(release, phase, &self.facts, &schema, kind);
        self.refuse_without(&what, needed).await
    }

    /// The same for a rollback.
    pub(super) async fn refuse_rollback_without_rights(&mut self, release: &Release) -> Result<(), EngineError> {
        let what = format!("rollback of {}", release.name);
        if self.allowed.contains(&what) {
            return Ok(());
        }
        let needed = rollback_rights(&steps_to_undo(release, &self.facts));
        self.refuse_without(&what, needed).await
    }

    /// The same for a look at what triggers are.
    pub(super) async fn refuse_unseen_triggers(&mut self) -> Result<(), EngineError> {
        for release in &self.project.releases {
            let needed = trigger_rights(&installed_syncs(release, &self.facts));
            let missing = self.missing(needed).await;
            refuse_missing(&format!("the syncs of {} cannot be looked at", release.name), &missing)?;
        }
        Ok(())
    }

    /// Fails where a statement of the phase can hang a cluster, unless that is forced. It is asked before the lease and under it.
    pub(super) async fn refuse_cluster(
        &mut self,
        release: &Release,
        phase: Option<Phase>,
        force: &[Gate],
    ) -> Result<(), EngineError> {
        if !self.connection.is_in_cluster() {
            return Ok(());
        }
        let schema = self.connection.inspect().await?;
        let needed = match phase {
            Some(phase) => rights(release, phase, &self.facts, &schema, self.connection.dialect().kind()),
            None => rollback_rights(&steps_to_undo(release, &self.facts)),
        };
        match cluster_gate(release, &needed, &schema) {
            Ok(()) => Ok(()),
            Err(refused) if !force.contains(&Gate::Cluster) => Err(refused.into()),
            Err(refused) if self.is_writing() => self.force(refused, force).await,
            Err(_) => Ok(()),
        }
    }

    async fn refuse_without(&mut self, what: &str, mut needed: BTreeSet<Right>) -> Result<(), EngineError> {
        self.refuse_server(what).await?;
        needed.extend(state_rights(store::is_current(&mut self.connection).await?));
        let missing = self.missing(needed).await;
        refuse_missing(&format!("{what} cannot run"), &missing)?;
        self.allowed.insert(what.to_owned());
        Ok(())
    }

    /// The statements that grant what is missing.
    async fn missing(&mut self, needed: BTreeSet<Right>) -> Vec<String> {
        let dialect = self.connection.shared_dialect();
        let mut missing: Vec<String> = Vec::new();
        for query in needed.iter().filter_map(|right| dialect.missing_right(right)) {
            // A server that does not let itself be asked is no reason not to try.
            match self.connection.query(&query, &[]).await {
                Ok(rows) => {
                    let grant = rows.first().and_then(|row| row.text(0)).filter(|grant| !missing.contains(grant));
                    missing.extend(grant);
                }
                Err(error) => tracing::debug!(%error, "ask for a right"),
            }
        }
        missing
    }

    /// Fails where the server will not let the release's syncs be installed: before the first step, not at the last.
    pub(super) async fn refuse_syncs(&mut self, release: &Release) -> Result<(), EngineError> {
        if !release.syncs().any(|(step, _)| !self.facts.step_finished(&step.id)) {
            return Ok(());
        }
        let what = format!("the syncs of {} cannot be installed", release.name);
        let preflights = self.connection.dialect().sync_preflight();
        self.refuse(&what, preflights).await
    }

    async fn refuse(&mut self, what: &str, preflights: Vec<Preflight>) -> Result<(), EngineError> {
        let refused = |reason: String, remedy| Err(EngineError::Preflight { what: what.to_owned(), reason, remedy });
        self.connection.at("preflight");
        for preflight in preflights {
            match preflight {
                Preflight::Empty { query, reason, remedy } => {
                    if !self.connection.query(&query, &[]).await?.is_empty() {
                        return refused(reason, Some(remedy));
                    }
                }
                Preflight::Works { statements, undo, remedies } => {
                    let mut works = Ok(());
                    for statement in &statements {
                        if works.is_ok() {
                            works = self.connection.run(statement).await;
                        }
                    }
                    if let Err(error) = works {
                        // A server that is gone has refused nothing.
                        if error.class() == Class::Disconnected {
                            return Err(error.into());
                        }
                        let remedy = remedies.iter().find(|(code, _)| error.code() == Some(*code));
                        return refused(error.to_string(), remedy.map(|(_, remedy)| remedy.clone()));
                    }
                    self.connection.run(&undo).await?;
                }
            }
        }
        Ok(())
    }

    /// Asks of the rows what contract's steps will ask, before the first of them has run: a constraint that rows keep from being
    /// is no reason to be half-way through. Each is asked again when its step runs.
    pub(super) async fn refuse_rows_in_the_way_of_contract(&mut self, release: &Release) -> Result<(), EngineError> {
        let schema = self.connection.inspect().await?;
        let dialect = self.connection.shared_dialect();
        let Ok(steps) = check_release(release, &[Phase::Contract], &self.facts, dialect.as_ref(), &schema) else {
            return Ok(());
        };
        for rendered in steps {
            let step = &rendered.step;
            for statement in &rendered.script.statements {
                // Behind its first change a script asks about what it has made.
                let Statement::MustBeEmpty { query, message } = statement else { break };
                match self.connection.query(query, &[]).await {
                    Ok(rows) if rows.is_empty() => {}
                    Ok(rows) => {
                        return Err(EngineError::StepCheck {
                            place: Box::new(place(step)),
                            summary: step.operation().summary(),
                            message: naming(message, rows),
                        });
                    }
                    // An earlier step may have to make what it asks about.
                    Err(error) if !is_lost(&error) => tracing::debug!(%error, "ask beforehand"),
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }
}

fn refuse_missing(what: &str, missing: &[String]) -> Result<(), EngineError> {
    if missing.is_empty() {
        return Ok(());
    }
    Err(EngineError::Preflight {
        what: what.to_owned(),
        reason: format!("the role in the URL lacks {} of the rights that it needs", missing.len()),
        remedy: Some(format!("ask an administrator for {}; then run the same command again", missing.join("; "))),
    })
}

fn is_lost(error: &DbError) -> bool {
    error.class() == Class::Disconnected
}
