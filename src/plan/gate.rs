//! The conditions of the phases: which release a command is about, and whether its phase may run.

use std::collections::BTreeSet;

use super::state::{ReleaseState, Standing};
use crate::catalog::{Project, Release};
use crate::dialect::{Right, Schema};
use crate::step::{Phase, Step};

/// A condition that must hold before a phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// The database is not newer than the project.
    Newer,
    /// The baseline is there.
    Baseline,
    /// The phases before this one are done.
    Order,
    /// No old write was seen for a while.
    Quiet,
    /// No session names itself an old node.
    Sessions,
    /// The data is complete and every sync's invariant holds.
    Verified,
    /// Lint finds no error in the phase's files.
    Lint,
    /// No new node has written what a rollback would lose.
    NewWrites,
    /// Every step can be undone.
    Undo,
    /// No release is open.
    OpenRelease,
    /// Nobody writes what a trigger's statement can hang a Galera cluster over.
    Cluster,
}

impl Gate {
    /// The word in messages and in `--force`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Newer => "newer",
            Self::Baseline => "baseline",
            Self::Order => "order",
            Self::Quiet => "quiet",
            Self::Sessions => "sessions",
            Self::Verified => "verified",
            Self::Lint => "lint",
            Self::NewWrites => "new_writes",
            Self::Undo => "undo",
            Self::OpenRelease => "open_release",
            Self::Cluster => "cluster",
        }
    }
}

/// A gate that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Which.
    pub gate: Gate,
    /// The fact: a lower-case fragment.
    pub reason: String,
    /// What to do.
    pub remedy: String,
}

fn refused(gate: Gate, reason: impl Into<String>, remedy: impl Into<String>) -> Refused {
    Refused { gate, reason: reason.into(), remedy: remedy.into() }
}

/// The gates that every phase shares.
///
/// `tables` are those of the application that are there, for a database whose baseline is not.
pub fn baseline_gate(standing: &Standing<'_>, tables: &[&str]) -> Result<(), Refused> {
    if !standing.unknown.is_empty() {
        return Err(refused(
            Gate::Newer,
            format!("the database is newer than this project: it records {}", standing.unknown.join(", ")),
            "run the project that made it, or a newer one",
        ));
    }
    if standing.baseline_pending.is_empty() {
        return Ok(());
    }
    let missing = standing.baseline_pending.join(", ");
    let never =
        standing.releases.iter().all(|(_, state)| matches!(state, ReleaseState::Unchanged | ReleaseState::Pending));
    if !tables.is_empty() && never {
        return Err(refused(
            Gate::Baseline,
            format!(
                "the baseline was never applied here ({missing}), and the database has tables of its own ({})",
                some_of(tables)
            ),
            "name the right database, or adopt this one with concertina baseline --at V",
        ));
    }
    Err(refused(
        Gate::Baseline,
        format!("the baseline is not applied ({missing})"),
        format!("run concertina upgrade{}, which applies it", upgrade_to(standing)),
    ))
}

/// The argument with which `upgrade` stops before the first release that changes anything, where there is such a place.
fn upgrade_to(standing: &Standing<'_>) -> String {
    let releases = standing.releases.iter().map(|(release, _)| release);
    let last = releases.take_while(|release| !release.has_files).last();
    last.map_or_else(String::new, |release| format!(" --to {}", release.name))
}

/// The gate of a Galera cluster, for a phase that puts triggers on tables or takes them away.
///
/// Such a statement is ordered by its table alone. A write of a table that this one refers to locks both, and where it is carried
/// out beside the statement, each waits for the other (MariaDB 10.11: `MDL BF-BF conflict` in the log): the whole cluster stops.
pub fn cluster_gate(release: &Release, rights: &BTreeSet<Right>, schema: &Schema) -> Result<(), Refused> {
    let mut found = Vec::new();
    for right in rights {
        let Right::Trigger(table) = right else { continue };
        let live =
            schema.table(table).into_iter().flat_map(|live| &live.foreign_keys).map(|key| key.references.clone());
        let new =
            release.expand.iter().filter(|step| matches!(step.step, Step::CreateTable(_) | Step::AddForeignKey(_)));
        let new =
            new.filter(|step| step.tables.first() == Some(table)).flat_map(|step| step.tables.iter().skip(1).cloned());
        let parents: BTreeSet<String> = live.chain(new).filter(|parent| parent != table).collect();
        found.extend(
            parents.into_iter().map(|parent| format!("`{parent}` is written while `{table}`, which refers to it,")),
        );
    }
    if found.is_empty() {
        return Ok(());
    }
    let reason = format!("a Galera cluster can hang when {} gets or loses a trigger", found.join(", and when "));
    let remedy = "hold those writes, on every node, and say --force cluster; rows may be written again when it is done";
    Err(refused(Gate::Cluster, reason, remedy))
}

/// The names of the releases before one in the train: their nodes are old ones when it contracts.
pub fn releases_before<'p>(project: &'p Project, release: &Release) -> Vec<&'p str> {
    let before = project.releases.iter().take_while(|other| other.name != release.name);
    before.map(|other| other.name.as_str()).collect()
}

/// The first few names, and how many more there are.
fn some_of(names: &[&str]) -> String {
    const SHOWN: usize = 5;
    let shown = names[..names.len().min(SHOWN)].join(", ");
    if names.len() > SHOWN { format!("{shown} and {} more", names.len() - SHOWN) } else { shown }
}

/// The release that a phase command is about; `None` where there is nothing left to do.
pub fn target<'p>(
    standing: &Standing<'p>,
    phase: Phase,
    named: Option<&str>,
) -> Result<Option<(usize, &'p Release)>, Refused> {
    if let Some(name) = named {
        let found = standing.releases.iter().enumerate().find(|(_, (release, _))| release.name == name);
        return match found {
            Some((index, (release, _))) => Ok(Some((index, *release))),
            None => {
                let train: Vec<_> = standing.releases.iter().map(|(release, _)| release.name.as_str()).collect();
                Err(refused(
                    Gate::Order,
                    format!("there is no release `{name}` in the train"),
                    format!("the train is {}", train.join(", ")),
                ))
            }
        };
    }
    if let Some((index, release, _)) = standing.open() {
        return Ok(Some((index, release)));
    }
    match (phase, standing.next_pending()) {
        (Phase::Expand, next) => Ok(next),
        // Migrate and contract never roll into the next release: once the last one is closed, nothing is left to do.
        (_, next) => {
            // A second contract is the first one's again; a migrate that finds no release open was to come behind an expand.
            let closed = standing.releases.iter().any(|(_, state)| *state == ReleaseState::Contracted);
            match next {
                None => Ok(None),
                Some(_) if closed && phase == Phase::Contract => Ok(None),
                Some((_, next)) => Err(refused(
                    Gate::Order,
                    format!("no release is open: {} is not expanded", next.name),
                    "run concertina expand first",
                )),
            }
        }
    }
}

/// Whether a phase of a release may run; `false` where it is done already.
pub fn admit(standing: &Standing<'_>, index: usize, phase: Phase) -> Result<bool, Refused> {
    let (release, state) = standing.releases[index];
    let name = &release.name;
    let before = standing.releases[..index]
        .iter()
        .find(|(_, state)| !matches!(state, ReleaseState::Unchanged | ReleaseState::Contracted));
    if let Some((blocking, blocking_state)) = before {
        let remedy = match blocking_state {
            ReleaseState::Pending | ReleaseState::Expanding => "run concertina expand first",
            ReleaseState::Expanded | ReleaseState::Migrating => {
                "run concertina migrate, then concertina contract first"
            }
            _ => "run concertina contract first",
        };
        return Err(refused(
            Gate::Order,
            format!("{} comes before {name}, and is {}", blocking.name, blocking_state.words()),
            remedy,
        ));
    }
    let not_yet = |needed: &str| {
        Err(refused(
            Gate::Order,
            format!("{phase} of {name} needs it {needed}, and it is {}", state.words()),
            match state {
                ReleaseState::Pending | ReleaseState::Expanding => "run concertina expand first",
                _ => "run concertina migrate first",
            },
        ))
    };
    match (phase, state) {
        (_, ReleaseState::Unchanged) => Ok(false),
        (Phase::Expand, ReleaseState::Pending | ReleaseState::Expanding) => Ok(true),
        (Phase::Expand, _) => Ok(false),
        (Phase::Migrate, ReleaseState::Pending | ReleaseState::Expanding) => not_yet("expanded"),
        // Rows may have come to match `where` since: whether there is anything to do, the data says.
        (Phase::Migrate, ReleaseState::Migrated) => Ok(!release.backfills.is_empty()),
        (Phase::Migrate, ReleaseState::Expanded | ReleaseState::Migrating) => Ok(true),
        (Phase::Migrate, _) => Ok(false),
        (Phase::Contract, ReleaseState::Contracted) => Ok(false),
        (Phase::Contract, ReleaseState::Migrated | ReleaseState::Contracting) => Ok(true),
        (Phase::Contract, ReleaseState::Pending | ReleaseState::Expanding) => not_yet("expanded"),
        (Phase::Contract, ReleaseState::Expanded | ReleaseState::Migrating) => not_yet("migrated"),
    }
}
