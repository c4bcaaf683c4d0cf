//! The verbs of deploy automation: expand, migrate, contract, and upgrade, which is the same three for every release.

use std::time::{Duration, Instant};

use tracing::Instrument;

use super::backfill::{MigrateEnd, MigrateOptions};
use super::session::Session;
use super::{EngineError, Event, Next, Observer, place};
use crate::catalog::{Diagnostics, Project, Release};
use crate::db::Target;
use crate::dialect::expression;
use crate::plan::{
    Gate, Need, Refused, ReleaseState, Standing, admit, baseline_gate, check_release, live_syncs, syncs_to_put_back,
    target,
};
use crate::step::Phase;
use crate::store::{self, EventFilter};

/// The history's word for a baseline that was begun.
const BASELINE_BEGAN: &str = "baseline begins";

/// What a command is asked to do.
#[derive(Debug, Clone, Default)]
pub struct PhaseOptions {
    /// The release; left out, the open one.
    pub release: Option<String>,
    /// How migrate goes about its backfills.
    pub migrate: MigrateOptions,
    /// The quiet period of contract; left out, the manifest's.
    pub quiet_period: Option<Duration>,
    /// Gates to override.
    pub force: Vec<Gate>,
    /// How long a step is kept from its lock before those who do so are ended; `None`: they are not.
    pub cancel_blockers_after: Option<Duration>,
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The phases that were carried out, `release/phase`.
    pub done: Vec<String>,
    /// Whether a limit stopped migrate.
    pub limited: bool,
    /// What is needed next.
    pub next: Next,
    /// What an operator should know of a quiet sync.
    pub caution: Option<String>,
}

/// Runs one phase of the open release.
pub async fn run_phase(
    project: &Project,
    target: &Target,
    phase: Phase,
    options: &PhaseOptions,
    observer: &dyn Observer,
) -> Result<Outcome, EngineError> {
    if let Some(name) = &options.release
        && project.release(name).is_none()
    {
        return Err(unknown_release(project, name));
    }
    let mut session = Session::open(project, target, false, observer).await?;
    session.overrides = options.migrate.overrides.clone();
    session.cancel_blockers_after = options.cancel_blockers_after;
    let outcome = session.phase(phase, options).await;
    session.close(outcome).await
}

/// Runs the baseline and every phase of every release up to one.
pub async fn upgrade(
    project: &Project,
    target: &Target,
    to: Option<&str>,
    force: &[Gate],
    observer: &dyn Observer,
) -> Result<Outcome, EngineError> {
    let last = match to {
        Some(name) => project.release(name).map(|(index, _)| index).ok_or_else(|| unknown_release(project, name))?,
        None => project.releases.len().saturating_sub(1),
    };
    let mut session = Session::open(project, target, true, observer).await?;
    let outcome = session.upgrade(last, force).await;
    session.close(outcome).await
}

/// An error for a name that is not in the train.
pub(super) fn unknown_release(project: &Project, name: &str) -> EngineError {
    let train = project.train();
    let near = expression::nearest(name, train.iter().copied());
    let advice = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
    EngineError::Usage(format!("there is no release `{name}` in the train ({}){advice}", train.join(", ")))
}

/// Whether nothing is left to do up to a release.
fn is_upgraded(standing: &Standing<'_>, last: usize) -> bool {
    standing.baseline_pending.is_empty()
        && standing
            .releases
            .iter()
            .take(last + 1)
            .all(|(_, state)| matches!(state, ReleaseState::Unchanged | ReleaseState::Contracted))
}

impl<'p> Session<'p> {
    async fn phase(&mut self, phase: Phase, options: &PhaseOptions) -> Result<Outcome, EngineError> {
        // Asked twice: before the lease, so that a refusal writes nothing, and under it.
        let puts_back = phase == Phase::Expand && self.has_syncs_to_put_back().await?;
        if !puts_back && !self.is_held(Some(phase)).await? {
            let admitted = self.admitted(phase, options).await;
            // What another runner has just begun looks like anything; the lease says so better.
            if !matches!(admitted, Ok(Some(_))) && !self.is_held(Some(phase)).await? {
                return admitted.map(|_| self.outcome(Vec::new(), false, None));
            }
        }
        if phase == Phase::Migrate {
            self.join(phase.word()).await?;
        } else {
            self.take_lease(phase.word()).await?;
        }
        self.tell_schema_drift().await?;
        let put_back = if phase == Phase::Expand { self.put_syncs_back().await? } else { Vec::new() };
        let Some(release) = self.admitted(phase, options).await? else {
            return Ok(self.outcome(put_back, false, None));
        };
        let place = place::phase(&release.name, phase.word());
        let (limited, caution) = match phase {
            Phase::Expand => {
                self.expand(release).instrument(place).await?;
                (MigrateEnd::Done, None)
            }
            Phase::Migrate => (self.migrate(release, &options.migrate).instrument(place).await?, None),
            Phase::Contract => {
                let quiet = options.quiet_period.unwrap_or(self.project.manifest.gates.quiet_period);
                let caution = self.contract(release, quiet, &options.force).instrument(place).await?;
                (MigrateEnd::Done, caution)
            }
        };
        let limited = limited == MigrateEnd::Limit;
        let done = if limited { Vec::new() } else { vec![format!("{}/{phase}", release.name)] };
        Ok(self.outcome(done, limited, caution))
    }

    async fn has_syncs_to_put_back(&mut self) -> Result<bool, EngineError> {
        let schema = self.connection.inspect().await?;
        let dialect = self.connection.shared_dialect();
        let any = |release| !syncs_to_put_back(release, &self.facts, dialect.as_ref(), &schema).is_empty();
        Ok(self.project.releases.iter().any(any))
    }

    fn outcome(&self, done: Vec<String>, limited: bool, caution: Option<String>) -> Outcome {
        let standing = self.standing();
        Outcome { done, limited, next: Next::of(&standing.need(), &standing), caution }
    }

    /// The release whose phase is to run, once every gate but the data's has passed and its files fit the database;
    /// `None` where nothing is left to do.
    async fn admitted(&mut self, phase: Phase, options: &PhaseOptions) -> Result<Option<&'p Release>, EngineError> {
        let standing = self.standing();
        if !standing.baseline_pending.is_empty() || !standing.unknown.is_empty() {
            let schema = self.connection.inspect().await?;
            baseline_gate(&standing, &schema.tables.keys().map(String::as_str).collect::<Vec<_>>())?;
        }
        self.refuse_drift()?;
        self.refuse_broken_triggers().await?;
        let Some((index, release)) = target(&standing, phase, options.release.as_deref())? else { return Ok(None) };
        if !admit(&standing, index, phase)? || (phase == Phase::Migrate && !self.needs_migrate(release).await?) {
            return Ok(None);
        }
        self.refuse_unfit(release, phase).await?;
        self.refuse_lint(&[release], &options.force).await?;
        self.refuse_without_rights(release, phase).await?;
        self.refuse_cluster(release, Some(phase), &options.force).await?;
        Ok(Some(release))
    }

    /// Whether there is anything to migrate, where that was done before: rows may have come to match since.
    async fn needs_migrate(&mut self, release: &Release) -> Result<bool, EngineError> {
        if !self.facts.is_finished(&release.name, Phase::Migrate) {
            return Ok(true);
        }
        for backfill in &release.backfills {
            if !self.is_complete(release, backfill).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Fails where the phase's files do not fit this database: before its first step, and before it is recorded as begun.
    async fn refuse_unfit(&mut self, release: &Release, phase: Phase) -> Result<(), EngineError> {
        let schema = self.connection.inspect().await?;
        let dialect = self.connection.shared_dialect();
        match check_release(release, &[phase], &self.facts, dialect.as_ref(), &schema) {
            Ok(_) => Ok(()),
            Err(errors) => Err(EngineError::Unfit {
                phase: format!("{phase} of {}", release.name),
                diagnostics: Diagnostics(errors),
            }),
        }
    }

    /// The gates of `upgrade`, asked before the lease and under it.
    async fn refuse_upgrade(&mut self, last: usize, force: &[Gate]) -> Result<(), EngineError> {
        self.refuse_newer()?;
        self.refuse_drift()?;
        self.refuse_stranger().await?;
        let standing = self.standing();
        if !standing.baseline_pending.is_empty() {
            return self.refuse_lint_up_to(last, force).await;
        }
        self.refuse_broken_triggers().await?;
        // The files of later phases are looked at when those before them have run.
        let next = match standing.need() {
            Need::Phase(phase, name) => self.project.release(&name).map(|(index, release)| (phase, index, release)),
            Need::Nothing | Need::Baseline(_) => None,
        };
        match next {
            Some((phase, index, release)) if index <= last => {
                self.refuse_unfit(release, phase).await?;
                self.refuse_without_rights(release, phase).await?;
            }
            _ => {}
        }
        self.refuse_lint_up_to(last, force).await
    }

    /// The gate of lint for every release that is left, up to one: an upgrade goes through all of them or begins none.
    async fn refuse_lint_up_to(&mut self, last: usize, force: &[Gate]) -> Result<(), EngineError> {
        let releases: Vec<&Release> = self
            .standing()
            .releases
            .iter()
            .take(last + 1)
            .filter(|(_, state)| !matches!(state, ReleaseState::Unchanged | ReleaseState::Contracted))
            .map(|(release, _)| *release)
            .collect();
        self.refuse_lint(&releases, force).await
    }

    async fn upgrade(&mut self, last: usize, force: &[Gate]) -> Result<Outcome, EngineError> {
        if !self.is_held(None).await? {
            let refused = self.refuse_upgrade(last, force).await;
            if (refused.is_err() || is_upgraded(&self.standing(), last)) && !self.is_held(None).await? {
                return refused.map(|()| self.outcome(Vec::new(), false, None));
            }
        }
        self.take_lease("upgrade").await?;
        self.refuse_upgrade(last, force).await?;
        self.tell_schema_drift().await?;
        let mut done = Vec::new();
        if !self.standing().baseline_pending.is_empty() {
            done.extend(self.apply_baseline().await?);
        }
        self.refuse_broken_triggers().await?;
        for index in 0..=last {
            let Some(release) = self.project.releases.get(index) else { break };
            for phase in Phase::ALL {
                let standing = self.standing();
                if !admit(&standing, index, phase)? || (phase == Phase::Migrate && !self.needs_migrate(release).await?)
                {
                    continue;
                }
                self.refuse_unfit(release, phase).await?;
                self.refuse_without_rights(release, phase).await?;
                let place = place::phase(&release.name, phase.word());
                match phase {
                    Phase::Expand => self.expand(release).instrument(place).await?,
                    Phase::Migrate => {
                        self.migrate(release, &MigrateOptions::default()).instrument(place).await.map(drop)?;
                    }
                    Phase::Contract => {
                        self.contract(release, Duration::ZERO, &[]).instrument(place).await.map(drop)?;
                    }
                }
                done.push(format!("{}/{phase}", release.name));
            }
        }
        Ok(self.outcome(done, false, None))
    }

    /// An empty database is made; one with tables and no history is somebody's, and only `baseline` may adopt it. A baseline
    /// that died in its first file, on a database without transactional DDL, left its tables: our note that it began tells
    /// it from a stranger's.
    pub(super) async fn refuse_stranger(&mut self) -> Result<(), EngineError> {
        let standing = self.standing();
        if standing.baseline_pending.is_empty() || !self.facts.baseline.is_empty() || self.baseline_began().await? {
            return Ok(());
        }
        let schema = self.connection.inspect().await?;
        if schema.tables.is_empty() {
            return Ok(());
        }
        Ok(baseline_gate(&standing, &schema.tables.keys().map(String::as_str).collect::<Vec<_>>())?)
    }

    async fn baseline_began(&mut self) -> Result<bool, EngineError> {
        Ok(!self.begun_baseline_files().await?.is_empty())
    }

    /// The files of the baseline that were begun, in this run or an earlier one.
    async fn begun_baseline_files(&mut self) -> Result<Vec<String>, EngineError> {
        if !store::is_installed(&mut self.connection).await? {
            return Ok(Vec::new());
        }
        let filter = EventFilter { subject: Some(BASELINE_BEGAN.to_owned()), ..EventFilter::default() };
        let events = store::events(&mut self.connection, &filter).await?;
        Ok(events.into_iter().map(|event| event.detail.unwrap_or_default()).collect())
    }

    async fn apply_baseline(&mut self) -> Result<Vec<String>, EngineError> {
        let pending = self.standing().baseline_pending;
        let mut done = Vec::new();
        let begun = self.begun_baseline_files().await?;
        let transactional = self.connection.dialect().transactional_ddl();
        let entries = self.baseline_entries();
        for entry in &entries {
            if !pending.contains(&entry.label) {
                continue;
            }
            self.refuse_interrupted()?;
            let since = Instant::now();
            self.note(BASELINE_BEGAN, "started", Some(entry.label.clone()), None).await?;
            let half_done = !transactional && begun.contains(&entry.label);
            let (connection, lease) = self.connection_and_lease();
            store::run_baseline(connection, lease, &entries, entry.version).await.map_err(|error| match error {
                store::StoreError::Refinery(reason) if half_done => {
                    EngineError::BaselineHalfDone { label: entry.label.clone(), reason }
                }
                store::StoreError::Refinery(message) => {
                    store::StoreError::Refinery(format!("run {}: {message}", entry.label)).into()
                }
                other => other.into(),
            })?;
            self.note(&entry.label, "done", None, Some(since.elapsed())).await?;
            self.tell(Event::Baseline { label: entry.label.clone(), took: since.elapsed() });
            done.push(entry.label.clone());
        }
        self.reload().await?;
        Ok(done)
    }

    async fn expand(&mut self, release: &Release) -> Result<(), EngineError> {
        self.refuse_syncs(release).await?;
        let since = self.start_phase(&release.name, Phase::Expand).await?;
        self.run_steps(release, Phase::Expand).await?;
        self.finish_phase(&release.name, Phase::Expand, since).await?;
        // What the triggers looked like was recorded just now.
        self.reload().await?;
        self.refuse_broken_triggers().await
    }

    async fn migrate(&mut self, release: &Release, options: &MigrateOptions) -> Result<MigrateEnd, EngineError> {
        let since = self.start_phase(&release.name, Phase::Migrate).await?;
        let end = self.run_backfills(release, options).await?;
        if end == MigrateEnd::Done {
            self.verify(release, Phase::Migrate).await??;
            self.finish_phase(&release.name, Phase::Migrate, since).await?;
        }
        Ok(end)
    }

    async fn contract(
        &mut self,
        release: &Release,
        quiet: Duration,
        force: &[Gate],
    ) -> Result<Option<String>, EngineError> {
        let caution = match self.quiet(release, quiet).await? {
            Ok(caution) => {
                if caution.is_some() {
                    self.note_passed(Gate::Quiet, caution.clone()).await?;
                }
                caution
            }
            Err(refused) => {
                self.force(refused, force).await?;
                None
            }
        };
        match self.old_sessions(release).await? {
            Ok(true) => self.note_passed(Gate::Sessions, None).await?,
            Ok(false) => {}
            Err(refused) => self.force(refused, force).await?,
        }
        match self.verify(release, Phase::Contract).await? {
            Ok(()) => self.note_passed(Gate::Verified, None).await?,
            Err(refused) => self.force(refused, force).await?,
        }
        self.refuse_rows_in_the_way_of_contract(release).await?;
        let since = self.start_phase(&release.name, Phase::Contract).await?;
        self.run_steps(release, Phase::Contract).await?;
        self.finish_phase(&release.name, Phase::Contract, since).await?;
        Ok(caution)
    }

    /// When a release's expand was last taken back.
    async fn taken_back_at(&mut self, release: &Release) -> Result<Option<i64>, EngineError> {
        let filter = EventFilter {
            subject: Some(format!("{}/rollback", release.name)),
            outcome: Some("done".to_owned()),
            limit: Some(1),
            ..EventFilter::default()
        };
        let events = store::events(&mut self.connection, &filter).await?;
        Ok(events.first().map(|event| event.happened_at))
    }

    /// Whether old writers have been quiet for long enough. A quiet sync is evidence, not proof, and the caution says so.
    async fn quiet(
        &mut self,
        release: &Release,
        quiet: Duration,
    ) -> Result<Result<Option<String>, Refused>, EngineError> {
        // The last write is recorded once a minute, so it may have been up to a minute later than the record says.
        const GRAIN: Duration = Duration::from_mins(1);
        if quiet.is_zero() {
            return Ok(Ok(None));
        }
        let dialect = self.connection.shared_dialect();
        let schema = self.connection.inspect().await?;
        let syncs = live_syncs(release, &self.facts, dialect.as_ref(), &schema);
        if syncs.is_empty() {
            return Ok(Ok(None));
        }
        let now = store::now(&mut self.connection).await?;
        let ago = |moment: i64| Duration::from_millis(u64::try_from(now - moment).unwrap_or(0));
        let mut reasons = Vec::new();
        for sync in &syncs {
            let seen = self.connection.integer(&dialect.last_writes(sync), &[]).await?;
            let words = |ago: Duration| {
                format!("an old node wrote: the sync `{}` saw an old-style write {} s ago", sync.name, ago.as_secs())
            };
            reasons.extend(seen.map(ago).map(|ago| (ago, words(ago))));
        }
        let taken_back = if dialect.sessions_remember() { self.taken_back_at(release).await? } else { None };
        reasons.extend(taken_back.map(ago).map(|ago| {
            let words = format!(
                "an old node may have written: {} was taken back and expanded again {} s ago, and sessions that told of a write before \
                 are silent for a minute",
                release.name,
                ago.as_secs()
            );
            (ago, words)
        }));
        for (ago, words) in reasons {
            if ago < quiet + GRAIN {
                let wait = (quiet + GRAIN).saturating_sub(ago);
                return Ok(Err(Refused {
                    gate: Gate::Quiet,
                    reason: format!("{words}, and the quiet period is {} s", quiet.as_secs()),
                    remedy: format!(
                        "stop the old nodes, wait {} s and run contract again; or --force quiet, if you know that they are gone",
                        wait.as_secs() + 1
                    ),
                }));
            }
        }
        Ok(Ok(Some(format!(
            "no old-style write was seen for {} s; reads, and writes that repeat a value, leave no trace",
            quiet.as_secs()
        ))))
    }
}
