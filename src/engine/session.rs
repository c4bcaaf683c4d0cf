//! A command's session with the database: the connection, the lease where it writes, and the facts as they are now.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{EngineError, Event, Observer, Overrides};
use crate::catalog::Project;
use crate::db::{Connection, Target};
use crate::dialect::Objects;
use crate::plan::{
    BackfillFact, BaselineFact, Facts, Gate, PhaseFact, Refused, Standing, StepFact, baseline_gate, broken_triggers,
    drifts, kept_tables, schema_drift, states,
};
use crate::step::Phase;
use crate::store::{self, BaselineEntry, Lease, Records};

/// A session. It opens for reading, and takes the lease once it is known that there is something to write: a command that
/// refuses leaves no trace in the database, no table of ours in a stranger's.
pub(super) struct Session<'p> {
    pub(super) project: &'p Project,
    pub(super) connection: Connection,
    pub(super) observer: &'p dyn Observer,
    pub(super) facts: Facts,
    pub(super) records: Records,
    /// The pace and throttles that the command line gives.
    pub(super) overrides: Overrides,
    /// The backfills whose last walk, by this run, found every row migrated: to look again at once would tell nothing new.
    pub(super) looked_over: BTreeSet<String>,
    /// How long a step is kept from its lock before those who do so are ended; `None`: they are not.
    pub(super) cancel_blockers_after: Option<Duration>,
    /// What the role was found to be allowed, by this run.
    pub(super) allowed: BTreeSet<String>,
    /// What an operator should know of what this run did.
    pub(super) cautions: Vec<String>,
    lease: Option<Arc<Lease>>,
    opened: Instant,
}

impl<'p> Session<'p> {
    /// Opens a session and reads the facts; `create` makes a SQLite file that is not there.
    pub(super) async fn open(
        project: &'p Project,
        target: &Target,
        create: bool,
        observer: &'p dyn Observer,
    ) -> Result<Self, EngineError> {
        let connection = Connection::open(target, create).await?;
        let mut session = Self {
            project,
            connection,
            observer,
            facts: Facts::default(),
            records: Records::default(),
            overrides: Overrides::default(),
            looked_over: BTreeSet::new(),
            cancel_blockers_after: None,
            allowed: BTreeSet::new(),
            cautions: Vec::new(),
            lease: None,
            opened: Instant::now(),
        };
        session.refuse_blindness().await?;
        session.reload().await?;
        Ok(session)
    }

    /// Fails where the role may look into no schema: it would be told that nothing was ever done here.
    async fn refuse_blindness(&mut self) -> Result<(), EngineError> {
        let Some(query) = self.connection.dialect().sees_nothing() else { return Ok(()) };
        let Some(row) = self.connection.query(&query, &[]).await?.into_iter().next() else { return Ok(()) };
        Err(EngineError::Preflight {
            what: "nothing can be told of this database".to_owned(),
            reason: "the role in the URL may not use any schema of its search path, or there is none".to_owned(),
            remedy: row.text(0),
        })
    }

    /// Reads the facts again, and says whether somebody keeps a phase from running: who holds the lease, or, but for another
    /// migrate, who migrates.
    pub(super) async fn is_held(&mut self, phase: Option<Phase>) -> Result<bool, EngineError> {
        self.reload().await?;
        let shared = phase == Some(Phase::Migrate);
        Ok(self.records.holder.is_some() || (!shared && !self.records.workers.is_empty()))
    }

    /// Joins those who migrate, with our tables up to date, and reads the facts again.
    pub(super) async fn join(&mut self, command: &str) -> Result<(), EngineError> {
        self.refuse_server(command).await?;
        if !store::is_current(&mut self.connection).await? {
            self.take_lease_for_now(command).await?;
            if let Some(lease) = self.lease.take() {
                lease.release(&mut self.connection).await?;
            }
        }
        self.lease = Some(Arc::new(Lease::join(&mut self.connection, command).await?));
        self.note(store::COMMAND, "started", None, None).await?;
        self.reload().await
    }

    /// The lease, to share with tasks.
    pub(super) fn shared_lease(&self) -> Arc<Lease> {
        Arc::clone(self.lease.as_ref().expect("take_lease comes before every write"))
    }

    /// Takes the lease, makes our tables where they are not there, and reads the facts again: they may have moved on
    /// while nothing was held, so what was decided by them is to be decided once more.
    pub(super) async fn take_lease(&mut self, command: &str) -> Result<(), EngineError> {
        self.take_lease_for_now(command).await?;
        self.note(store::COMMAND, "started", None, None).await?;
        self.reload().await
    }

    async fn take_lease_for_now(&mut self, command: &str) -> Result<(), EngineError> {
        self.refuse_server(command).await?;
        let taken = Lease::take(&mut self.connection, command).await?;
        let installed = store::install(&mut self.connection, &taken).await;
        self.lease = Some(Arc::new(taken));
        Ok(installed?)
    }

    /// Reads the facts again.
    pub(super) async fn reload(&mut self) -> Result<(), EngineError> {
        self.records = if store::is_installed(&mut self.connection).await? {
            store::load(&mut self.connection).await?
        } else {
            Records::default()
        };
        let entries = self.baseline_entries();
        let baseline = store::applied_baseline(&mut self.connection)
            .await?
            .into_iter()
            .map(|applied| {
                let entry = entries.iter().find(|entry| entry.version == applied.version);
                let unchanged = entry.map(|entry| applied.is(entry));
                BaselineFact { version: applied.version, name: applied.name, unchanged }
            })
            .collect();
        self.facts = facts(&self.records, baseline);
        Ok(())
    }

    pub(super) fn baseline_entries(&self) -> Vec<BaselineEntry> {
        let kind = self.connection.dialect().kind();
        self.project
            .baseline(kind)
            .iter()
            .map(|file| BaselineEntry {
                label: file.label.clone(),
                version: file.version,
                name: file.name.clone(),
                sql: file.sql.clone(),
            })
            .collect()
    }

    pub(super) fn standing(&self) -> Standing<'p> {
        Standing::of(self.project, self.connection.dialect().kind(), &self.facts)
    }

    /// Whether the session holds a lease, so that it may write.
    pub(super) fn is_writing(&self) -> bool {
        self.lease.is_some()
    }

    /// The connection and the lease, to use both at once.
    pub(super) fn connection_and_lease(&mut self) -> (&mut Connection, &Lease) {
        let lease = self.lease.as_ref().expect("take_lease comes before every write");
        (&mut self.connection, lease)
    }

    /// Fails where the database records what the project does not know.
    pub(super) fn refuse_newer(&self) -> Result<(), EngineError> {
        let standing = self.standing();
        if standing.unknown.is_empty() { Ok(()) } else { Ok(baseline_gate(&standing, &[])?) }
    }

    /// Fails where the files are not what was applied.
    pub(super) fn refuse_drift(&self) -> Result<(), EngineError> {
        let found = drifts(self.project, self.connection.dialect().kind(), &self.facts);
        if found.is_empty() { Ok(()) } else { Err(EngineError::Drift(found)) }
    }

    /// Fails where triggers are not what expand installed.
    pub(super) async fn refuse_broken_triggers(&mut self) -> Result<(), EngineError> {
        let schema = self.connection.inspect().await?;
        let dialect = self.connection.shared_dialect();
        let missing: Vec<String> = self
            .project
            .releases
            .iter()
            .flat_map(|release| broken_triggers(release, &self.facts, dialect.as_ref(), &schema))
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        // Who may not make a trigger is not shown what is in one.
        self.refuse_unseen_triggers().await?;
        Err(EngineError::BrokenTriggers(missing))
    }

    pub(super) fn refuse_interrupted(&self) -> Result<(), EngineError> {
        if self.observer.interrupted() { Err(EngineError::Interrupted) } else { Ok(()) }
    }

    pub(super) fn tell(&self, event: Event) {
        self.observer.event(event);
    }

    /// Appends to the history.
    pub(super) async fn note(
        &mut self,
        subject: &str,
        outcome: &str,
        detail: Option<String>,
        took: Option<Duration>,
    ) -> Result<(), EngineError> {
        let took = took.map(|took| i64::try_from(took.as_millis()).unwrap_or(i64::MAX));
        let (connection, lease) = self.connection_and_lease();
        connection.at("history");
        Ok(store::append(connection, lease, subject, outcome, detail, took).await?)
    }

    /// Tells what somebody else changed in the tables that releases have changed, and keeps that in the history: the phase's end
    /// takes it for granted.
    pub(super) async fn tell_schema_drift(&mut self) -> Result<(), EngineError> {
        let found = schema_drift(&self.facts, &self.connection.inspect().await?);
        if found.is_empty() {
            return Ok(());
        }
        self.tell(Event::Drifted { differences: found.clone() });
        self.note("schema", "drift", Some(found.join("; ")), None).await
    }

    /// Records that a phase begins, fenced.
    pub(super) async fn start_phase(&mut self, release: &str, phase: Phase) -> Result<Instant, EngineError> {
        self.tell(Event::PhaseStarted { release: release.to_owned(), phase });
        let (connection, lease) = self.connection_and_lease();
        connection.at("phase.start");
        connection
            .transaction(async |connection: &mut Connection| {
                lease.fence(connection).await?;
                store::start_phase(connection, release, phase.word()).await
            })
            .await?;
        self.facts.phases.entry((release.to_owned(), phase)).or_insert(PhaseFact { finished: false });
        Ok(Instant::now())
    }

    /// Records that a phase is done, fenced.
    pub(super) async fn finish_phase(
        &mut self,
        release: &str,
        phase: Phase,
        since: Instant,
    ) -> Result<(), EngineError> {
        let took = since.elapsed();
        let milliseconds = i64::try_from(took.as_millis()).unwrap_or(i64::MAX);
        let tables = states(&kept_tables(self.project, &self.facts), &self.connection.inspect().await?);
        let (connection, lease) = self.connection_and_lease();
        connection.at("phase.finish");
        connection
            .transaction(async |connection: &mut Connection| {
                lease.fence(connection).await?;
                store::finish_phase(connection, release, phase.word()).await?;
                store::save_tables(connection, &tables).await?;
                let subject = format!("{release}/{phase}");
                store::append(connection, lease, &subject, "done", None, Some(milliseconds)).await
            })
            .await?;
        self.facts.phases.insert((release.to_owned(), phase), PhaseFact { finished: true });
        self.facts.tables = tables;
        self.tell(Event::PhaseDone { release: release.to_owned(), phase, took });
        Ok(())
    }

    /// Keeps in the history that a gate was asked, and let the phase pass.
    pub(super) async fn note_passed(&mut self, gate: Gate, detail: Option<String>) -> Result<(), EngineError> {
        self.note(&format!("gate {}", gate.word()), "passed", detail, None).await
    }

    /// Lets a gate pass when it is forced, and keeps that in the history.
    pub(super) async fn force(&mut self, refused: Refused, forced: &[Gate]) -> Result<(), EngineError> {
        if !forced.contains(&refused.gate) {
            return Err(refused.into());
        }
        self.tell(Event::Forced { gate: refused.gate.word(), reason: refused.reason.clone() });
        self.note(&format!("gate {}", refused.gate.word()), "forced", Some(refused.reason), None).await
    }

    /// Gives the lease back before the session ends.
    pub(super) async fn give_lease_back(&mut self) -> Result<(), EngineError> {
        match self.lease.take() {
            Some(lease) => Ok(lease.release(&mut self.connection).await?),
            None => Ok(()),
        }
    }

    /// Ends the session, the lease given back, whatever the work's outcome was.
    pub(super) async fn close<T>(mut self, outcome: Result<T, EngineError>) -> Result<T, EngineError> {
        let mut outcome = outcome;
        if let Some(lease) = self.lease.take() {
            // Why the connection went: who took the lease over ended it.
            if outcome.as_ref().is_err_and(EngineError::is_disconnected) && lease.is_lost(&self.connection).await {
                outcome = Err(store::StoreError::Lost.into());
            }
            let lost = matches!(&outcome, Err(EngineError::Store(store::StoreError::Lost)));
            if !lost {
                let (word, detail) = match &outcome {
                    Ok(_) => ("done", None),
                    Err(error) => ("failed", Some(error.to_string())),
                };
                let took = i64::try_from(self.opened.elapsed().as_millis()).ok();
                self.connection.at("history");
                let noted = store::append(&mut self.connection, &lease, store::COMMAND, word, detail, took);
                if let Err(error) = noted.await {
                    tracing::debug!(%error, "note how the command ended");
                }
            }
            if let Err(error) = lease.release(&mut self.connection).await
                && !lost
            {
                tracing::warn!(%error, "the lease was not given back; it runs out by itself");
            }
        }
        self.connection.close().await;
        outcome
    }
}

fn facts(records: &Records, baseline: Vec<BaselineFact>) -> Facts {
    let triggers = records.triggers.iter().cloned();
    let mut tables: BTreeMap<String, Objects> = BTreeMap::new();
    for (table, object, definition) in records.objects.iter().cloned() {
        tables.entry(table).or_default().insert(object, definition);
    }
    let unfinished = || records.steps.iter().filter(|record| record.finished_at.is_none());
    let failed = |record: &&store::StepRecord| record.failure.is_some();
    let left = |record: &&store::StepRecord| record.failure.as_ref().is_some_and(|why| why.starts_with(store::LEFT));
    let memory = |(id, text): &(String, String)| Some((id.clone(), serde_json::from_str(text).ok()?));
    Facts {
        memories: records.memories.iter().filter_map(memory).collect(),
        failed: unfinished().filter(failed).map(|record| record.id.clone()).collect(),
        left: unfinished().filter(left).map(|record| record.id.clone()).collect(),
        baseline,
        tables,
        triggers: triggers.map(|(table, name, fingerprint)| ((table, name), fingerprint)).collect(),
        phases: records
            .phases
            .iter()
            .filter_map(|record| {
                let phase = Phase::from_word(&record.phase)?;
                Some(((record.release.clone(), phase), PhaseFact { finished: record.finished_at.is_some() }))
            })
            .collect(),
        steps: records
            .steps
            .iter()
            .map(|record| {
                let finished = record.finished_at.is_some();
                let fact = StepFact { checksum: record.checksum.clone(), body: record.body.clone(), finished };
                (record.id.clone(), fact)
            })
            .collect(),
        backfills: records
            .backfills
            .iter()
            .map(|record| {
                let finished = record.finished_at.is_some();
                let fact = BackfillFact { checksum: record.checksum.clone(), body: record.body.clone(), finished };
                (record.id.clone(), fact)
            })
            .collect(),
    }
}
