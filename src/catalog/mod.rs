//! Files to values: the manifest, the baseline, the releases and their change files, with every position kept.
//!
//! The room reads files and nothing else. It reports everything that is wrong with a project at once, each with file,
//! line, column and what was expected; a [`Project`] that was loaded is sound as far as files alone can tell.

mod allow;
mod backfill;
mod baseline;
mod bounds;
mod change;
mod diagnostic;
mod disk;
mod document;
mod manifest;
mod sessions;
mod throttle;
mod workload;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

pub use allow::Allow;
pub use backfill::{Backfill, Child, Copy, Program, Work};
pub use baseline::BaselineFile;
pub use change::FileStep;
pub use diagnostic::{Diagnostic, Diagnostics, Origin, Source};
pub use manifest::{Batch, Gates, Locks, Manifest, StepLocks, parse_duration};
pub use sessions::{NodeName, NodeSessions};
pub use throttle::{Hours, Pace, ReplicaUrl, Throttle, ThrottleQuery, check_duty, check_latency, check_max};
pub use workload::{
    Choice, Count, Expect, Generator, Invariant, Letters, NOW, Numbers, Operation, Parameter, Piece, RowPick, Scalar,
    Stage, Statement, Template, WORKLOADS, Workload, Workloads,
};

use crate::dialect::{Kind, Sync};
use crate::step::{Phase, Step};

/// The manifest's file name.
pub const MANIFEST: &str = "concertina.yaml";

/// A project on disk, read and found sound.
#[derive(Debug)]
pub struct Project {
    /// Its folder.
    pub root: PathBuf,
    /// Its manifest.
    pub manifest: Manifest,
    /// The train, oldest first.
    pub releases: Vec<Release>,
    baseline: BTreeMap<Option<Kind>, Vec<BaselineFile>>,
}

/// A release of the train, with its files.
#[derive(Debug, Default)]
pub struct Release {
    /// Its name.
    pub name: String,
    /// The steps of its expand files, in order.
    pub expand: Vec<FileStep>,
    /// Its backfills, in order.
    pub backfills: Vec<Backfill>,
    /// The steps of its contract files, in order.
    pub contract: Vec<FileStep>,
    /// Whether it has files at all; a release without any is passed over.
    pub has_files: bool,
}

impl Release {
    /// The schema steps of a phase.
    pub fn steps(&self, phase: Phase) -> &[FileStep] {
        match phase {
            Phase::Expand => &self.expand,
            Phase::Migrate => &[],
            Phase::Contract => &self.contract,
        }
    }

    /// The release's syncs, with the step that installs each.
    pub fn syncs(&self) -> impl Iterator<Item = (&FileStep, Sync)> {
        self.expand.iter().filter_map(|step| match &step.step {
            Step::Sync(sync) => Some((step, sync.resolve())),
            _ => None,
        })
    }
}

impl Project {
    /// Reads the project in a folder.
    pub fn load(root: &Path) -> Result<Self, Diagnostics> {
        let mut loader = Loader { root: root.to_owned(), real: None, errors: Vec::new() };
        let project = loader.project();
        match project {
            Some(project) if loader.errors.is_empty() => Ok(project),
            _ => Err(Diagnostics(loader.errors)),
        }
    }

    /// The baseline's files for a database, by version.
    pub fn baseline(&self, kind: Kind) -> &[BaselineFile] {
        self.baseline.get(&Some(kind)).or_else(|| self.baseline.get(&None)).map_or(&[], Vec::as_slice)
    }

    /// The databases that the project is for: those with a baseline of their own, or all.
    pub fn kinds(&self) -> Vec<Kind> {
        let own: Vec<Kind> = self.baseline.keys().copied().flatten().collect();
        if own.is_empty() { Kind::ALL.to_vec() } else { own }
    }

    /// The release of this name, with its place in the train.
    pub fn release(&self, name: &str) -> Option<(usize, &Release)> {
        self.releases.iter().enumerate().find(|(_, release)| release.name == name)
    }

    /// The releases' names, oldest first.
    pub fn train(&self) -> Vec<&str> {
        self.releases.iter().map(|release| release.name.as_str()).collect()
    }
}

/// Collects errors while it reads.
struct Loader {
    root: PathBuf,
    /// The project's folder without links, once one was met.
    real: Option<PathBuf>,
    errors: Vec<Diagnostic>,
}

impl Loader {
    fn project(&mut self) -> Option<Project> {
        if !self.root.join(MANIFEST).exists() {
            let folder = self.root.display().to_string();
            self.errors.push(
                Diagnostic::of_path(MANIFEST, format!("there is no {MANIFEST} in {folder}"))
                    .help("run concertina in the project's folder, or name it with --project DIR"),
            );
            return None;
        }
        let manifest = self.manifest();
        let baseline = self.baseline();
        let folders = self.release_folders();
        // Where the manifest has errors of its own, the files of every release are looked at all the same.
        let train = match manifest.as_ref().and_then(|manifest| manifest.releases.as_ref()) {
            Some(train) => train.clone(),
            None => natural_order(folders.keys().cloned().collect()),
        };
        let known: HashSet<&String> = train.iter().collect();
        for (folder, phases) in &folders {
            if !known.contains(folder) {
                let near = crate::dialect::expression::nearest(folder, train.iter().take(NEAR).map(String::as_str));
                let help = near.map_or_else(
                    || format!("add it to `releases:` in {MANIFEST}, in its place, oldest first"),
                    |near| format!("add it to `releases:` in {MANIFEST}, or rename the folder to `{near}`"),
                );
                for phase in phases {
                    self.errors.push(
                        Diagnostic::of_path(
                            format!("{}/{folder}", phase.folder()),
                            format!("the release `{folder}` is not in the train ({})", in_short(&train)),
                        )
                        .help(&help),
                    );
                }
            }
        }
        let mut releases = Vec::new();
        for name in &train {
            releases.push(self.release(name));
        }
        self.syncs(&releases);
        Some(Project { root: self.root.clone(), manifest: manifest?, releases, baseline })
    }

    fn manifest(&mut self) -> Option<Manifest> {
        if self.is_link(MANIFEST) && !self.stays_inside(MANIFEST) {
            return None;
        }
        let source = self.read(MANIFEST)?;
        let read = document::Document::parse(&source)
            .map_err(|error| vec![error])
            .and_then(|document| Manifest::read(&document));
        read.map_err(|errors| self.errors.extend(errors)).ok()
    }

    fn release_folders(&mut self) -> BTreeMap<String, Vec<Phase>> {
        let mut folders: BTreeMap<String, Vec<Phase>> = BTreeMap::new();
        for phase in Phase::ALL {
            for (name, is_folder) in self.entries(phase.folder()) {
                if is_folder {
                    folders.entry(name).or_default().push(phase);
                } else {
                    self.errors.push(Diagnostic::of_path(
                        format!("{}/{name}", phase.folder()),
                        format!("a change file belongs in a release's folder: {}/<release>/{name}", phase.folder()),
                    ));
                }
            }
        }
        folders
    }

    /// Checks what holds between the syncs of the whole train.
    fn syncs(&mut self, releases: &[Release]) {
        let mut names: HashMap<String, String> = HashMap::new();
        let mut objects: HashMap<String, String> = HashMap::new();
        for release in releases {
            let mut columns: HashMap<(String, String), String> = HashMap::new();
            for (step, sync) in release.syncs() {
                if let Some(other) = names.get(&sync.name) {
                    let message = format!("the sync `{}` is defined in {other} already", sync.name);
                    self.errors.push(step.origin.narrowed(&sync.name).diagnostic(message));
                }
                names.entry(sync.name.clone()).or_insert_with(|| step.origin.source.path.clone());
                // Two syncs of one name for a database: SQLite and MySQL do not tell capitals from small letters, and a sync's
                // name and the part of a trigger may run together as another's do.
                let parts = sync.parts().into_iter().map(|(_, part)| format!("{}_{part}", sync.name).to_lowercase());
                if let Some(other) = parts
                    .filter_map(|object| objects.insert(object, sync.name.clone()))
                    .find(|other| *other != sync.name)
                {
                    let message =
                        format!("the sync `{}` would have a trigger of the same name as `{other}`", sync.name);
                    self.errors.push(step.origin.narrowed(&sync.name).diagnostic(message));
                }
                let old = sync.backward.iter().map(|(column, _)| (sync.table.as_str(), column));
                let new = sync.forward.iter().map(|(column, _)| (sync.new_table(), column));
                for (table, column) in old.chain(new) {
                    let place = (table.to_owned(), column.clone());
                    if let Some(other) = columns.get(&place) {
                        let message = format!("column `{column}` belongs to the sync `{other}` already");
                        self.errors.push(step.origin.narrowed(column).diagnostic(message));
                    }
                    columns.entry(place).or_insert_with(|| sync.name.clone());
                }
            }
            self.written_tables(release);
        }
    }

    /// A sync's write fires no other sync: so the table that one of them makes rows in is on no other.
    fn written_tables(&mut self, release: &Release) {
        for (step, sync) in release.syncs() {
            let Some(to) = &sync.to else { continue };
            for (_, other) in release.syncs().filter(|(_, other)| other.name != sync.name) {
                let related =
                    other.related.iter().any(|related| related.table == to.table || related.table == sync.table);
                let own = other.table == to.table || other.new_table() == to.table;
                if related || own {
                    let message = format!(
                        "the sync `{}` writes `{}`, which the sync `{}` would not see; give it a release of its own",
                        sync.name, to.table, other.name
                    );
                    self.errors.push(step.origin.narrowed("to").diagnostic(message));
                }
            }
        }
    }
}

/// Among how many releases a misspelt one is looked for.
const NEAR: usize = 1_000;

/// The releases' names, or the ends of a long list of them.
fn in_short(train: &[String]) -> String {
    match train {
        [first, .., last] if train.len() > 30 => format!("{first}, … {last}, {} releases", train.len()),
        _ => train.join(", "),
    }
}

/// Sorts as people do: `v2` before `v10`.
fn natural_order(mut names: Vec<String>) -> Vec<String> {
    fn key(name: &str) -> Vec<(u8, u64, String)> {
        let mut parts = Vec::new();
        let mut rest = name;
        while let Some(first) = rest.chars().next() {
            let digits = first.is_ascii_digit();
            let end = rest.find(|character: char| character.is_ascii_digit() != digits).unwrap_or(rest.len());
            let (part, after) = rest.split_at(end);
            parts.push(match part.parse::<u64>() {
                Ok(number) if digits => (0, number, String::new()),
                _ => (1, 0, part.to_lowercase()),
            });
            rest = after;
        }
        parts
    }
    names.sort_by_cached_key(|name| (key(name), name.clone()));
    names
}

#[cfg(test)]
mod tests {
    use super::natural_order;

    #[test]
    fn natural_order_counts() {
        let names = ["v10", "v2", "2024.1", "2023.2", "v1"].map(str::to_owned).to_vec();
        assert_eq!(natural_order(names), ["2023.2", "2024.1", "v1", "v2", "v10"]);
    }
}
