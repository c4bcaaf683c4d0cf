//! Files that are not what was applied.

use super::facts::Facts;
use super::state::{ReleaseState, Standing};
use crate::catalog::Project;
use crate::dialect::Kind;
use crate::step::Phase;

/// One difference between the files and the facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drift {
    /// The file, or what was recorded from it.
    pub subject: String,
    /// What differs.
    pub kind: DriftKind,
}

impl Drift {
    /// In words, on one line.
    pub fn words(&self) -> String {
        match &self.kind {
            DriftKind::Changed { .. } | DriftKind::Baseline => {
                format!("{} was changed after it was applied", self.subject)
            }
            DriftKind::Removed => format!("{} was applied, and is in no file any more", self.subject),
            DriftKind::Late { release, phase } => {
                format!(
                    "{} is new in the {phase} of {release}, which is done; it belongs in a later release",
                    self.subject
                )
            }
        }
    }
}

/// What differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DriftKind {
    /// An applied step's text is another one now.
    Changed {
        /// What was applied.
        applied: String,
        /// What the file says.
        file: String,
    },
    /// A file of the baseline is another one now; only a checksum of what was applied is kept.
    Baseline,
    /// An applied step, or a backfill that began, is in no file.
    Removed,
    /// A step stands in a phase that is done.
    Late {
        /// The release.
        release: String,
        /// The phase.
        phase: Phase,
    },
}

/// Everything that differs, in the order of the train.
pub fn drifts(project: &Project, kind: Kind, facts: &Facts) -> Vec<Drift> {
    let mut found = Vec::new();
    for fact in facts.baseline.iter().filter(|fact| fact.unchanged == Some(false)) {
        let file = project.baseline(kind).iter().find(|file| file.version == fact.version);
        found.push(Drift {
            subject: file.map_or_else(|| format!("V{}__{}", fact.version, fact.name), |file| file.path.clone()),
            kind: DriftKind::Baseline,
        });
    }
    let standing = Standing::of(project, kind, facts);
    let last_begun = standing
        .releases
        .iter()
        .rposition(|(_, state)| !matches!(state, ReleaseState::Unchanged | ReleaseState::Pending));
    for (index, (release, state)) in standing.releases.iter().enumerate() {
        let skipped = *state == ReleaseState::Pending && last_begun.is_some_and(|last| last > index);
        let late = |phase: Phase| skipped || facts.is_finished(&release.name, phase);
        for phase in [Phase::Expand, Phase::Contract] {
            for step in release.steps(phase) {
                let kind = match facts.steps.get(&step.id) {
                    Some(fact) if fact.finished && fact.checksum != step.checksum(kind) => {
                        DriftKind::Changed { applied: fact.body.clone(), file: step.body(kind).to_owned() }
                    }
                    Some(_) => continue,
                    None if late(phase) => DriftKind::Late { release: release.name.clone(), phase },
                    None => continue,
                };
                found.push(Drift { subject: format!("{}:{}", step.origin.source.path, step.origin.line()), kind });
            }
        }
        for backfill in &release.backfills {
            let kind = match facts.backfills.get(&backfill.id) {
                Some(fact) if fact.checksum != backfill.checksum(kind) => {
                    DriftKind::Changed { applied: fact.body.clone(), file: backfill.body(kind).to_owned() }
                }
                Some(_) => continue,
                None if late(Phase::Migrate) || state_is_closed(*state) => {
                    DriftKind::Late { release: release.name.clone(), phase: Phase::Migrate }
                }
                None => continue,
            };
            found.push(Drift { subject: backfill.origin.source.path.clone(), kind });
        }
        let known = |id: &str| {
            release.expand.iter().chain(&release.contract).any(|step| step.id == id)
                || id.contains(super::schema_steps::OWN)
        };
        let prefix = format!("{}/", release.name);
        for (id, fact) in &facts.steps {
            if fact.finished && id.starts_with(&prefix) && !known(id) {
                found.push(Drift { subject: id.clone(), kind: DriftKind::Removed });
            }
        }
        for id in facts.backfills.keys().filter(|id| id.starts_with(&prefix)) {
            if !release.backfills.iter().any(|backfill| backfill.id == *id) {
                found.push(Drift { subject: id.clone(), kind: DriftKind::Removed });
            }
        }
    }
    found
}

fn state_is_closed(state: ReleaseState) -> bool {
    matches!(state, ReleaseState::Contracting | ReleaseState::Contracted)
}
