//! Proves the data: before anything is taken away, and whenever an operator asks.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::phases::unknown_release;
use super::session::Session;
use super::walk::Manner;
use super::{EngineError, Event, Observer, Overrides, Settings, Throttles};
use crate::catalog::{Diagnostic, Diagnostics, Project, Release};
use crate::db::{Target, Value};
use crate::plan::{Gate, Proof, Refused, ReleaseState, proofs};
use crate::step::Phase;
use crate::store::{self, ranges};

/// How old a saved place may be for `verify` to go on from it.
const FRESH: Duration = Duration::from_hours(1);
/// How often the place is saved.
const SAVE: Duration = Duration::from_secs(2);
/// How many rows are listed of each proof that fails.
const LISTED: usize = 20;

/// What `verify` found.
#[derive(Debug, Clone, Serialize)]
pub struct Verification {
    /// The release.
    pub release: Option<String>,
    /// Whether everything holds.
    pub holds: bool,
    /// Each thing that was proved, or was not.
    pub proofs: Vec<ProofResult>,
}

/// One thing that was proved, or was not.
#[derive(Debug, Clone, Serialize)]
pub struct ProofResult {
    /// A backfill's id, or a sync's name.
    pub subject: String,
    /// Whether it holds for every row.
    pub holds: bool,
    /// How many rows were looked at by this run.
    pub rows: u64,
    /// What is wrong, where it does not hold.
    pub meaning: Option<String>,
    /// Keys of rows for which it does not hold, the first ones.
    pub keys: Vec<String>,
}

/// Proves a release's data: the named one's, or the open one's.
pub async fn verify(
    project: &Project,
    target: &Target,
    release: Option<&str>,
    restart: bool,
    observer: &dyn Observer,
) -> Result<Verification, EngineError> {
    let named = match release {
        Some(name) => Some(project.release(name).ok_or_else(|| unknown_release(project, name))?.1),
        None => None,
    };
    let mut session = Session::open(project, target, false, observer).await?;
    let outcome = session.verification(named, restart).await;
    session.close(outcome).await
}

impl<'p> Session<'p> {
    async fn proofs(&mut self, release: &Release) -> Result<Vec<Proof>, EngineError> {
        let schema = self.connection.inspect().await?;
        let dialect = self.connection.shared_dialect();
        proofs(release, &self.facts, dialect.as_ref(), &schema).map_err(|refusal| EngineError::Unfit {
            phase: format!("verify {}", release.name),
            diagnostics: Diagnostics(vec![Diagnostic::of_path(format!("release {}", release.name), refusal.reason)]),
        })
    }

    /// Proves that nothing is pending and that every sync's invariant holds, as it is now: from the first row to the last; before
    /// contract also that copies are what they are copies of.
    pub(super) async fn verify(&mut self, release: &Release, phase: Phase) -> Result<Result<(), Refused>, EngineError> {
        let proofs = self.proofs(release).await?;
        for proof in proofs.into_iter().filter(|proof| !proof.of_contract || phase == Phase::Contract) {
            let just_looked = phase == Phase::Migrate && self.looked_over.contains(&proof.subject);
            if just_looked || self.finds_nothing_soon(&proof.whole).await {
                self.tell(Event::Verified { subject: proof.subject });
                continue;
            }
            let look = |after| proof.looks[usize::from(after)].clone();
            let manner = Manner { most: 1, ..Manner::default() };
            let walked = self.walk_for(&proof.subject, &proof.walk, look, manner, async |_, _| Ok(())).await?;
            if !walked.found.is_empty() {
                return Ok(Err(Refused {
                    gate: Gate::Verified,
                    reason: format!("{} (among them {})", proof.meaning, walked.found.join("; ")),
                    remedy: if proof.of_contract {
                        "look at the rows that concertina verify lists; --force verified, if both sides are as they should be"
                    } else {
                        "run concertina migrate again; if the rows stay, look at them"
                    }
                    .to_owned(),
                }));
            }
            self.tell(Event::Verified { subject: proof.subject });
        }
        Ok(Ok(()))
    }

    async fn verification(&mut self, named: Option<&'p Release>, restart: bool) -> Result<Verification, EngineError> {
        self.refuse_newer()?;
        self.refuse_drift()?;
        let standing = self.standing();
        let release = named.or_else(|| standing.open().map(|(_, release, _)| release));
        let Some(release) = release else {
            return Ok(Verification { release: None, holds: true, proofs: Vec::new() });
        };
        let state = standing.releases.iter().find(|(known, _)| known.name == release.name).map(|(_, state)| *state);
        if matches!(state, Some(ReleaseState::Pending | ReleaseState::Expanding)) {
            return Err(EngineError::Refused(Refused {
                gate: Gate::Order,
                reason: format!("{} is not expanded, so there is nothing to prove of it yet", release.name),
                remedy: "run concertina expand first".to_owned(),
            }));
        }
        let installed = store::is_current(&mut self.connection).await?;
        let settings = Settings::new(&self.project.manifest, &[&Overrides::default()]);
        let throttles = Throttles::start(&self.connection, &settings, None).await?;
        let mut results: Vec<ProofResult> = Vec::new();
        for (number, proof) in self.proofs(release).await?.into_iter().enumerate() {
            let id = format!("verify/{number}/{}", proof.subject);
            let from = if installed && !restart {
                ranges::remembered(&mut self.connection, &id, &proof.walk.by, FRESH).await?
            } else {
                None
            };
            if let Some(from) = &from {
                let reason =
                    format!("goes on behind ({})", from.iter().map(Value::shown).collect::<Vec<_>>().join(", "));
                self.tell(Event::Waiting { what: format!("verify {}", proof.subject), reason });
            }
            let manner = Manner { throttles: Some(&throttles), from, most: LISTED };
            let look = |after| proof.looks[usize::from(after)].clone();
            let mut saved = Instant::now();
            let by = proof.walk.by.clone();
            let save = async |session: &mut Self, place: &[Value]| -> Result<(), EngineError> {
                if installed && saved.elapsed() >= SAVE {
                    saved = Instant::now();
                    ranges::remember(&mut session.connection, &id, &by, place).await?;
                }
                Ok(())
            };
            let walked = self.walk_for(&proof.subject, &proof.walk, look, manner, save).await?;
            if installed {
                ranges::forget(&mut self.connection, &id).await?;
            }
            let holds = walked.found.is_empty();
            if holds {
                self.tell(Event::Verified { subject: proof.subject.clone() });
            }
            let mut keys = walked.found;
            keys.truncate(LISTED);
            results.push(ProofResult {
                subject: proof.subject,
                holds,
                rows: walked.rows,
                meaning: (!holds).then_some(proof.meaning),
                keys,
            });
        }
        Ok(Verification {
            release: Some(release.name.clone()),
            holds: results.iter().all(|result| result.holds),
            proofs: results,
        })
    }
}
