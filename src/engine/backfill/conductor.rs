//! What tells the workers of a process how to go on: the throttles, and what operators have set from another terminal.

use std::time::{Duration, Instant};

use super::MigrateOptions;
use super::worker::{Shared, Tempo};
use crate::catalog::Manifest;
use crate::db::Connection;
use crate::engine::{EngineError, Overrides, Probe, Settings, Throttles};
use crate::store::control::{self, Control};
use crate::store::{Lease, StoreError, worker};

/// How often a process records what it does.
const REPORT: Duration = Duration::from_secs(2);

/// Watches the signals for one migrate.
#[derive(Debug)]
pub(super) struct Conductor {
    manifest: Manifest,
    given: Overrides,
    tuned: Option<String>,
    settings: Settings,
    throttles: Throttles,
    paused: Option<String>,
    said: Option<String>,
    reported: Option<(Instant, Option<String>)>,
}

/// How to go on.
#[derive(Debug)]
pub(super) struct Look {
    /// Why the next batch waits, if it does.
    pub(super) hold: Option<String>,
    /// Why it waits, or is slower than asked for.
    pub(super) waiting: Option<String>,
    /// What is new to say of waiting.
    pub(super) news: Option<String>,
    pub(super) tempo: Tempo,
}

impl Conductor {
    /// Tries every signal, and begins to watch.
    pub(super) async fn start(
        connection: &mut Connection,
        lease: &Lease,
        manifest: &Manifest,
        options: &MigrateOptions,
    ) -> Result<Self, EngineError> {
        let tuned = control::control(connection).await?.tuning;
        let settings = settings(manifest, &options.overrides, tuned.as_deref());
        let probe = worker::probe(connection, lease).map(|(sql, values)| Probe { sql, values });
        let throttles = Throttles::start(connection, &settings, probe).await?;
        Ok(Self {
            manifest: manifest.clone(),
            given: options.overrides.clone(),
            tuned,
            settings,
            throttles,
            paused: None,
            said: None,
            reported: None,
        })
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(super) fn tempo(&self) -> Tempo {
        self.tempo_of(self.throttles.verdict().pause_factor)
    }

    fn tempo_of(&self, pause: f64) -> Tempo {
        Tempo { target: self.settings.target, max_rows: u64::from(self.settings.max_rows), pause }
    }

    /// Whether and how the next batch may run; fails when a signal has failed for longer than the operator's patience.
    pub(super) async fn look(&mut self, connection: &mut Connection, shared: &Shared) -> Result<Look, EngineError> {
        match control::control(connection).await {
            Ok(Control { paused, tuning }) => {
                self.paused = paused.map(|(who, _)| format!("paused by {who}; concertina resume lets it go on"));
                if tuning != self.tuned {
                    let settings = settings(&self.manifest, &self.given, tuning.as_deref());
                    self.tuned = tuning;
                    // What this database has no signal for was refused by `tune`; what changed since is said, and not gone by.
                    match self.throttles.retune(&settings) {
                        Ok(()) => self.settings = settings,
                        Err(error) => tracing::warn!(%error, "what was tuned is not gone by"),
                    }
                }
            }
            Err(error) => {
                tracing::debug!(%error, "look what is set");
                reconnect(connection, &error).await;
            }
        }
        let verdict = self.throttles.verdict();
        if let Some(hold) = &verdict.hold
            && hold.failing_for.is_some_and(|time| time > self.settings.patience)
        {
            let reason = format!("gave up after {} s: {}", self.settings.patience.as_secs(), hold.reason);
            return Err(EngineError::Backfill { id: shared.plan.id.clone(), reason });
        }
        let held = verdict.hold.map(|hold| hold.reason);
        let hold = match (self.paused.clone(), held) {
            (Some(paused), Some(held)) => Some(format!("{paused}; {held}")),
            (paused, held) => paused.or(held),
        };
        let waiting = hold.clone().or_else(|| verdict.slowed.map(|reason| format!("slowed: {reason}")));
        // The figures in a reason change all the time; that it waits is news once.
        let kind = waiting.as_ref().map(|waiting| waiting.chars().filter(|c| !c.is_ascii_digit()).collect::<String>());
        let news = if kind == self.said { None } else { waiting.clone() };
        self.said = kind;
        self.report(connection, shared, waiting.clone(), news.is_some()).await;
        Ok(Look { hold, waiting, news, tempo: self.tempo_of(verdict.pause_factor) })
    }

    /// Records what this process does, for `status`.
    async fn report(&mut self, connection: &mut Connection, shared: &Shared, waiting: Option<String>, news: bool) {
        // Where one writes at a time, a report would wait for the batches at full pace.
        let beside = connection.dialect().locks_rows();
        let due = self
            .reported
            .as_ref()
            .is_none_or(|(when, known)| (beside && when.elapsed() >= REPORT) || known.is_some() != waiting.is_some());
        if !due && !news {
            return;
        }
        let rows = i64::try_from(shared.size.load(std::sync::atomic::Ordering::Relaxed)).unwrap_or(0);
        let (id, lease) = (&shared.plan.id, &shared.lease);
        if let Err(error) = worker::report(connection, lease, id, rows, waiting.as_deref()).await {
            tracing::debug!(%error, "record what is done");
            reconnect(connection, &error).await;
        }
        self.reported = Some((Instant::now(), waiting));
    }
}

fn settings(manifest: &Manifest, given: &Overrides, tuned: Option<&str>) -> Settings {
    let tuned: Overrides = match tuned.map(serde_json::from_str).transpose() {
        Ok(tuned) => tuned.unwrap_or_default(),
        Err(error) => {
            tracing::warn!(%error, "what was tuned is of another concertina, and is not gone by");
            Overrides::default()
        }
    };
    Settings::new(manifest, &[given, &tuned])
}

/// Opens another session in the place of one that is gone, where that can be.
pub(super) async fn reconnect(connection: &mut Connection, error: &StoreError) {
    if let StoreError::Db(error) = error
        && error.class().wants_another_session()
        && let Ok(fresh) = connection.another().await
    {
        *connection = fresh;
    }
}
