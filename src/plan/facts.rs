//! What is recorded, as far as a plan depends on it.

use std::collections::{BTreeMap, BTreeSet};

use crate::dialect::Objects;
use crate::step::{Memory, Phase};

/// Everything recorded.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// The baseline's files that were run, by version.
    pub baseline: Vec<BaselineFact>,
    /// Phases that began.
    pub phases: BTreeMap<(String, Phase), PhaseFact>,
    /// Steps that began.
    pub steps: BTreeMap<String, StepFact>,
    /// What was there before a step, for its undo.
    pub memories: BTreeMap<String, Memory>,
    /// Steps that failed in good order: nothing of them is in force.
    pub failed: BTreeSet<String>,
    /// Steps that were rolled back, but for what stays.
    pub left: BTreeSet<String>,
    /// Backfills that began.
    pub backfills: BTreeMap<String, BackfillFact>,
    /// What tables looked like when a phase was last done.
    pub tables: BTreeMap<String, Objects>,
    /// What triggers looked like when they were installed: fingerprints, by table and name.
    pub triggers: BTreeMap<(String, String), String>,
}

impl Facts {
    /// Whether a phase is done.
    pub fn is_finished(&self, release: &str, phase: Phase) -> bool {
        self.phases.get(&(release.to_owned(), phase)).is_some_and(|fact| fact.finished)
    }
    /// Whether a phase began.
    pub fn is_started(&self, release: &str, phase: Phase) -> bool {
        self.phases.contains_key(&(release.to_owned(), phase))
    }
    /// Whether a step was rolled back, but for what stays.
    pub fn left_behind(&self, id: &str) -> bool {
        self.left.contains(id)
    }
    /// Whether a step is done.
    pub fn step_finished(&self, id: &str) -> bool {
        self.steps.get(id).is_some_and(|fact| fact.finished)
    }
}

/// A file of the baseline that was run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaselineFact {
    /// Its version.
    pub version: i64,
    /// The words behind the version.
    pub name: String,
    /// Whether the project's file is the one that was run; `None`: the project has no such file.
    pub unchanged: Option<bool>,
}

/// A phase that began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PhaseFact {
    /// Whether it is done.
    pub finished: bool,
}

/// A step that began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepFact {
    /// The checksum of its text.
    pub checksum: String,
    /// Its text.
    pub body: String,
    /// Whether it is done.
    pub finished: bool,
}

/// A backfill that began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackfillFact {
    /// The checksum of its text.
    pub checksum: String,
    /// Its text.
    pub body: String,
    /// Whether it is done.
    pub finished: bool,
}
