//! Removes all that Concertina has made in a database besides what it was asked for.

use std::time::Instant;

use serde::Serialize;

use super::asking::Asking;
use super::blockers::Attempts;
use super::session::Session;
use super::{EngineError, Event, Observer};
use crate::catalog::Project;
use crate::db::Target;
use crate::dialect::{OwnKind, OwnObject, Patience};
use crate::plan::{Gate, Refused};
use crate::store;

/// What an uninstall is asked to do.
#[derive(Debug, Clone, Default)]
pub struct UninstallOptions {
    /// Remove what was found; otherwise it is listed.
    pub remove: bool,
    /// Gates to override.
    pub force: Vec<Gate>,
}

/// What an uninstall found, and did.
#[derive(Debug, Clone, Serialize)]
pub struct Uninstalled {
    /// What is Concertina's, in the order in which it goes.
    pub objects: Vec<OwnObject>,
    /// Whether it was removed.
    pub removed: bool,
    /// Why it cannot be removed as things are.
    pub refused: Option<String>,
    /// The table that refinery keeps of the baseline, which stays: other tools read it as well.
    pub kept: Option<&'static str>,
}

/// Lists what is Concertina's in a database, or removes it.
pub async fn uninstall(
    project: &Project,
    target: &Target,
    options: &UninstallOptions,
    observer: &dyn Observer,
) -> Result<Uninstalled, EngineError> {
    let mut session = Session::open(project, target, false, observer).await?;
    let outcome = session.uninstall(options).await;
    session.close(outcome).await
}

impl Session<'_> {
    async fn uninstall(&mut self, options: &UninstallOptions) -> Result<Uninstalled, EngineError> {
        let objects = self.own_objects().await?;
        let kept = self.connection.has_table(store::BASELINE_HISTORY).await?.then_some(store::BASELINE_HISTORY);
        let refused = self.open_release();
        let found = |removed, objects| Uninstalled {
            objects,
            removed,
            refused: refused.as_ref().map(|refused| refused.reason.clone()),
            kept,
        };
        if !options.remove || objects.is_empty() {
            return Ok(found(false, objects));
        }
        if let Some(refused) = refused.clone().filter(|refused| !options.force.contains(&refused.gate)) {
            return Err(refused.into());
        }
        // Without a state there is no lease to take, and nobody who could hold it: what is left is an earlier uninstall's.
        if store::is_installed(&mut self.connection).await? {
            self.take_lease("uninstall").await?;
            if let Some(refused) = self.open_release() {
                self.force(refused, &options.force).await?;
            }
        }
        // First what others' writes meet, under the lease; the lease's own table is among the last.
        let objects = self.own_objects().await?;
        let (tables, others): (Vec<_>, Vec<_>) = objects.iter().partition(|object| object.kind == OwnKind::Table);
        for object in others {
            self.remove(object).await?;
        }
        self.give_lease_back().await?;
        // Without it there is no state: whoever comes in the middle, or after a crash, finds some tables that mean nothing.
        let (history, rest): (Vec<_>, Vec<_>) =
            tables.into_iter().partition(|object| object.name == store::STATE_HISTORY);
        for object in history.into_iter().chain(rest) {
            self.remove(object).await?;
        }
        Ok(found(true, objects))
    }

    async fn own_objects(&mut self) -> Result<Vec<OwnObject>, EngineError> {
        let query = self.connection.shared_dialect().own_objects();
        let rows = self.connection.query(&query, &[]).await?;
        let object = |row: &crate::db::Row| {
            let kind = OwnKind::from_word(&row.text(0)?)?;
            Some(OwnObject { kind, name: row.text(1)?, table: row.text(2) })
        };
        Ok(rows.iter().filter_map(object).collect())
    }

    /// The release whose nodes rely on what would go.
    fn open_release(&self) -> Option<Refused> {
        let standing = self.standing();
        let (_, release, state) = standing.open()?;
        Some(Refused {
            gate: Gate::OpenRelease,
            reason: format!(
                "{} is {}: without its syncs old and new nodes do not see each other's writes, and without the state nobody knows \
                 what is left to do",
                release.name,
                state.words()
            ),
            remedy: "go on to contract, or take it back with concertina rollback, first".to_owned(),
        })
    }

    async fn remove(&mut self, object: &OwnObject) -> Result<(), EngineError> {
        self.refuse_interrupted()?;
        if self.is_writing() {
            let (connection, lease) = self.connection_and_lease();
            lease.look(connection).await?;
        }
        let summary = match &object.table {
            Some(table) => format!("remove {} {} from {table}", object.kind.word(), object.name),
            None => format!("remove {} {}", object.kind.word(), object.name),
        };
        self.tell(Event::StepStarted { summary: summary.clone() });
        let since = Instant::now();
        let attempts = Attempts::default();
        let manifest = &self.project.manifest.locks;
        let asking = Asking {
            deadline: since + manifest.retry_for,
            instant: manifest.timeout,
            summary: &summary,
            observer: self.observer,
            attempts: &attempts,
        };
        let sql = self.connection.shared_dialect().drop_own(object);
        self.connection.at("uninstall.object");
        asking.set_patience(&mut self.connection, Patience::Instant).await?;
        let done = asking.run(&mut self.connection, &sql, Some(Patience::Instant)).await;
        self.connection.set_patience(Patience::Seconds, None).await?;
        done?;
        self.tell(Event::StepDone { summary, took: Some(since.elapsed()) });
        Ok(())
    }
}
