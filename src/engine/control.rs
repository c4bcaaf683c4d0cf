//! Pause, resume and tune: what operators set while backfills run, from whichever terminal. They need no lease, since they change
//! no data and no schema, and count from the next batch of every process.

use super::{EngineError, Observer, Overrides, Settings, Throttles};
use crate::catalog::Project;
use crate::db::{Connection, Target};
use crate::engine::session::Session;
use crate::plan::{Gate, Refused};
use crate::store::{self, control};

/// Holds every backfill, or lets them go on; false where it was so already.
pub async fn pause(
    project: &Project,
    target: &Target,
    hold: bool,
    observer: &dyn Observer,
) -> Result<bool, EngineError> {
    let mut session = Session::open(project, target, false, observer).await?;
    let outcome = session.pause(hold).await;
    session.close(outcome).await
}

/// Changes what was tuned, and gives what is tuned now.
pub async fn tune(
    project: &Project,
    target: &Target,
    change: impl FnOnce(Overrides) -> Overrides,
    observer: &dyn Observer,
) -> Result<Overrides, EngineError> {
    let mut session = Session::open(project, target, false, observer).await?;
    let outcome = session.tune(change).await;
    session.close(outcome).await
}

impl Session<'_> {
    async fn pause(&mut self, hold: bool) -> Result<bool, EngineError> {
        refuse_strange(&mut self.connection).await?;
        self.connection.at("control");
        let setting = control::Setting::Pause;
        let changed = control::set(&mut self.connection, setting, hold.then_some("hold")).await?;
        let command = if hold { "pause" } else { "resume" };
        store::append_unleased(&mut self.connection, command, "done", None).await?;
        Ok(changed)
    }

    async fn tune(&mut self, change: impl FnOnce(Overrides) -> Overrides) -> Result<Overrides, EngineError> {
        refuse_strange(&mut self.connection).await?;
        let before = control::control(&mut self.connection).await?.tuning;
        let before = before.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
        let tuned = change(before);
        // Each signal is tried before anybody goes by it.
        let settings = Settings::new(&self.project.manifest, &[&tuned]);
        drop(Throttles::start(&self.connection, &settings, None).await?);
        self.connection.at("control");
        let text = serde_json::to_string(&tuned).ok().filter(|_| !tuned.is_empty());
        control::set(&mut self.connection, control::Setting::Tuning, text.as_deref()).await?;
        store::append_unleased(&mut self.connection, "tune", "done", text).await?;
        Ok(tuned)
    }
}

async fn refuse_strange(connection: &mut Connection) -> Result<(), EngineError> {
    if store::is_current(connection).await? {
        return Ok(());
    }
    Err(EngineError::Refused(Refused {
        gate: Gate::Order,
        reason: "this database has no backfill of this concertina: its tables are not here".to_owned(),
        remedy: "name the right database; concertina expand makes the tables".to_owned(),
    }))
}
