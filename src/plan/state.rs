//! Where a database stands: a pure function of the project and the facts.

use serde::Serialize;

use super::facts::Facts;
use crate::catalog::{Project, Release};
use crate::dialect::Kind;
use crate::step::Phase;

/// Where a release stands. The variants have no order: a gate matches on each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReleaseState {
    /// It has no files: passed over.
    Unchanged,
    /// Nothing of it has begun.
    Pending,
    /// Its expand began.
    Expanding,
    /// Expanded; its data is not migrated.
    Expanded,
    /// Its migrate began.
    Migrating,
    /// Its data is migrated, or it has none to migrate.
    Migrated,
    /// Its contract began.
    Contracting,
    /// Done.
    Contracted,
}

impl ReleaseState {
    /// The words for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Unchanged => "no changes",
            Self::Pending => "pending",
            Self::Expanding => "expanding",
            Self::Expanded => "expanded",
            Self::Migrating => "migrating",
            Self::Migrated => "migrated",
            Self::Contracting => "contracting",
            Self::Contracted => "contracted",
        }
    }

    /// Derives it from the facts.
    pub fn of(release: &Release, facts: &Facts) -> Self {
        let started = |phase| facts.is_started(&release.name, phase);
        let finished = |phase| facts.is_finished(&release.name, phase);
        if finished(Phase::Contract) {
            Self::Contracted
        } else if started(Phase::Contract) {
            Self::Contracting
        } else if finished(Phase::Migrate) {
            Self::Migrated
        } else if finished(Phase::Expand) {
            match (release.backfills.is_empty(), started(Phase::Migrate)) {
                (true, _) => Self::Migrated,
                (false, true) => Self::Migrating,
                (false, false) => Self::Expanded,
            }
        } else if started(Phase::Expand) {
            Self::Expanding
        } else if release.has_files {
            Self::Pending
        } else {
            Self::Unchanged
        }
    }
}

/// What is needed next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Need {
    /// Nothing.
    Nothing,
    /// The baseline's files of these names.
    Baseline(Vec<String>),
    /// A phase of a release.
    Phase(Phase, String),
}

/// Where a whole database stands.
#[derive(Debug)]
pub struct Standing<'p> {
    /// Each release of the train with its state.
    pub releases: Vec<(&'p Release, ReleaseState)>,
    /// The names of the baseline's files that were not run.
    pub baseline_pending: Vec<String>,
    /// What the database records and the project does not know: it is newer than the project.
    pub unknown: Vec<String>,
}

impl<'p> Standing<'p> {
    /// Derives it.
    pub fn of(project: &'p Project, kind: Kind, facts: &Facts) -> Self {
        let releases = project.releases.iter().map(|release| (release, ReleaseState::of(release, facts))).collect();
        let baseline_pending = project
            .baseline(kind)
            .iter()
            .filter(|file| !facts.baseline.iter().any(|fact| fact.version == file.version))
            .map(|file| file.label.clone())
            .collect();
        let mut unknown: Vec<String> = facts
            .baseline
            .iter()
            .filter(|fact| fact.unchanged.is_none())
            .map(|fact| format!("V{}__{}", fact.version, fact.name))
            .collect();
        for (release, _) in facts.phases.keys() {
            if project.release(release).is_none() && !unknown.contains(release) {
                unknown.push(release.clone());
            }
        }
        Self { releases, baseline_pending, unknown }
    }

    /// The release that `expand` has opened and `contract` has not closed, with its place in the train.
    pub fn open(&self) -> Option<(usize, &'p Release, ReleaseState)> {
        self.releases.iter().enumerate().find_map(|(index, (release, state))| match state {
            ReleaseState::Expanding
            | ReleaseState::Expanded
            | ReleaseState::Migrating
            | ReleaseState::Migrated
            | ReleaseState::Contracting => Some((index, *release, *state)),
            ReleaseState::Unchanged | ReleaseState::Pending | ReleaseState::Contracted => None,
        })
    }

    /// The first release that waits to be opened.
    pub fn next_pending(&self) -> Option<(usize, &'p Release)> {
        self.releases
            .iter()
            .enumerate()
            .find(|(_, (_, state))| *state == ReleaseState::Pending)
            .map(|(index, (release, _))| (index, *release))
    }

    /// The newest release whose schema the database has in full: what nodes may have been before the open one.
    pub fn current(&self) -> Option<&'p Release> {
        let mut current = None;
        for (release, state) in &self.releases {
            match state {
                ReleaseState::Unchanged | ReleaseState::Contracted => current = Some(*release),
                _ => break,
            }
        }
        current
    }

    /// What is needed next.
    pub fn need(&self) -> Need {
        if !self.baseline_pending.is_empty() {
            return Need::Baseline(self.baseline_pending.clone());
        }
        let open = self.open().map(|(_, release, state)| (release, state));
        let next = open.or_else(|| self.next_pending().map(|(_, release)| (release, ReleaseState::Pending)));
        let Some((release, state)) = next else { return Need::Nothing };
        let phase = match state {
            ReleaseState::Pending | ReleaseState::Expanding => Phase::Expand,
            ReleaseState::Expanded | ReleaseState::Migrating => Phase::Migrate,
            ReleaseState::Migrated | ReleaseState::Contracting => Phase::Contract,
            ReleaseState::Unchanged | ReleaseState::Contracted => return Need::Nothing,
        };
        Need::Phase(phase, release.name.clone())
    }
}

/// Whether nodes of the release at this place in the train may run on the database now, with the reason.
pub fn may_run(standing: &Standing<'_>, index: usize) -> Result<String, String> {
    let Some((release, _)) = standing.releases.get(index) else {
        return Err("there is no such release".to_owned());
    };
    let name = &release.name;
    if !standing.baseline_pending.is_empty() {
        return Err("the baseline is not applied".to_owned());
    }
    // A release without changes shares the schema of the one before it.
    let schema_of =
        |index: usize| standing.releases[..=index].iter().rposition(|(_, state)| *state != ReleaseState::Unchanged);
    let wanted = schema_of(index);
    let state = wanted.map(|at| standing.releases[at].1);
    let open = standing.open();
    // The newest closed release that has changes; `None` is the baseline itself.
    let closed = standing.releases.iter().rposition(|(_, state)| *state == ReleaseState::Contracted);
    match state {
        Some(ReleaseState::Pending) => Err(format!("{name} needs a schema that is not there: expand it first")),
        Some(ReleaseState::Expanding) => Err(format!("the expand of {name} is not done")),
        Some(ReleaseState::Expanded | ReleaseState::Migrating) => {
            Err(format!("the data of {name} is not migrated: run concertina migrate first"))
        }
        Some(ReleaseState::Migrated | ReleaseState::Contracting) => Ok(format!("the database is ready for {name}")),
        Some(ReleaseState::Contracted | ReleaseState::Unchanged) | None => {
            if wanted != closed {
                let newer = closed.map_or("", |at| standing.releases[at].0.name.as_str());
                return Err(format!("{newer} is contracted: what {name} uses is gone"));
            }
            match open {
                Some((_, open, ReleaseState::Contracting)) => {
                    Err(format!("the contract of {} has begun: what {name} uses is going", open.name))
                }
                Some((_, open, _)) => Ok(format!("{name} may run until the contract of {}", open.name)),
                None => Ok(format!("the database is at {name}")),
            }
        }
    }
}
