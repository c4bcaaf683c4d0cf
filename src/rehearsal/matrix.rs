//! The cells of the upgrade matrix: which release is upgraded to which, on which database, and which files each is made of.

use std::path::{Component, Path, PathBuf};

use crate::catalog::{MANIFEST, Project, Release, WORKLOADS, Work, Workloads};
use crate::dialect::Kind;
use crate::step::Phase;

/// One upgrade to rehearse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// The release whose nodes run before.
    pub from: String,
    /// The release whose nodes run behind it.
    pub to: String,
    /// The database.
    pub database: Kind,
    /// Why it is one.
    pub pair: Pair,
}

/// The two kinds of pairs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pair {
    /// A release that changes something, and the one just before it.
    Adjacent,
    /// One that the manifest names: `skip_level`.
    SkipLevel,
}

impl Pair {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Adjacent => "adjacent",
            Self::SkipLevel => "skip-level",
        }
    }
}

impl Cell {
    /// What a job that rehearses it is called.
    pub fn name(&self) -> String {
        format!("{} to {} on {}", self.from, self.to, self.database.key())
    }
}

/// Changed files of a project, and which cells they touch.
///
/// A file that cannot be told to belong elsewhere touches every cell: a cell too many costs minutes, one too few is an upgrade
/// that nobody rehearsed.
#[derive(Debug)]
pub struct Changes<'p> {
    project: &'p Project,
    train: Vec<&'p str>,
    files: Vec<String>,
    /// Of each release, the one whose workload its nodes have: the newest at or before it that has a file. A file that was
    /// removed counts as well, since it is what they had.
    workloads: Vec<Option<usize>>,
    /// The programs of workloads by their paths in the project, each with the place of its release.
    programs: Vec<(usize, PathBuf)>,
}

impl<'p> Changes<'p> {
    /// Takes the changed files by their paths in the project.
    pub fn new(project: &'p Project, files: Vec<String>) -> Self {
        let train = project.train();
        let mut newest = None;
        let mut workload = |at: usize| {
            let path = format!("{WORKLOADS}/{}.yaml", train[at]);
            if files.contains(&path) || project.root.join(path).exists() {
                newest = Some(at);
            }
            newest
        };
        let workloads = (0..train.len()).map(&mut workload).collect();
        // Where one cannot be read, its own rehearsal says so.
        let read = Workloads::load(project).unwrap_or_default();
        let root = std::path::absolute(&project.root).unwrap_or_else(|_| project.root.clone());
        let program = |(release, path): (&str, &Path)| {
            let place = train.iter().position(|name| *name == release)?;
            Some((place, path.strip_prefix(&root).unwrap_or(path).to_owned()))
        };
        let programs = read.programs().filter_map(program).collect();
        Self { project, train, files, workloads, programs }
    }

    /// Whether one of them may change how a cell goes.
    pub fn touch(&self, cell: &Cell) -> bool {
        let place = |name: &str| self.train.iter().position(|release| *release == name);
        let (Some(from), Some(to)) = (place(&cell.from), place(&cell.to)) else { return true };
        let (run, workloads) = (&self.project.releases[from + 1..=to], &self.workloads[from..=to]);
        self.files.iter().any(|path| {
            if let Some(file) = path.strip_prefix(WORKLOADS).and_then(|file| file.strip_prefix('/')) {
                // What is no release's may be the program of a workload, or something that one reads.
                let release = file.strip_suffix(".yaml").and_then(place);
                return release.is_none_or(|release| workloads.contains(&Some(release)));
            }
            if let Some(file) = path.strip_prefix("migrations/") {
                let of = file.split_once('/').and_then(|(folder, _)| Kind::from_key(folder));
                return of.is_none_or(|kind| kind == cell.database);
            }
            let change = Phase::ALL.iter().find_map(|phase| path.strip_prefix(phase.folder())?.strip_prefix('/'));
            if let Some((release, file)) = change.and_then(|path| path.split_once('/')) {
                return run.iter().any(|run| run.name == release) && is_for(file, cell.database);
            }
            let of_node = |(place, program): &(usize, PathBuf)| {
                workloads.contains(&Some(*place)) && is_or_is_beside(program, Path::new(path))
            };
            path == MANIFEST
                || self.programs.iter().any(of_node)
                || run.iter().any(|release| runs_program(&self.project.root, release, Path::new(path)))
        })
    }
}

/// The cells of a project: for each release with files the upgrade to it from the release just before it, then the pairs that
/// skip releases; each on each database.
pub fn cells(project: &Project) -> Vec<Cell> {
    let adjacent = project
        .releases
        .windows(2)
        .filter(|pair| pair[1].has_files)
        .map(|pair| (pair[0].name.as_str(), pair[1].name.as_str(), Pair::Adjacent));
    let matrix = &project.manifest.matrix;
    let skips = matrix.skips().map(|(from, to)| (from, to, Pair::SkipLevel));
    let databases = matrix.databases().unwrap_or_else(|| project.kinds());
    adjacent
        .chain(skips)
        .flat_map(|(from, to, pair)| {
            let cell =
                move |database: &Kind| Cell { from: from.to_owned(), to: to.to_owned(), database: *database, pair };
            databases.iter().map(cell)
        })
        .collect()
}

/// Whether a change file is for a database: `01_a.postgres.sql` is for one.
fn is_for(file: &str, database: Kind) -> bool {
    let of = file.strip_suffix(".sql").and_then(|stem| stem.rsplit_once('.')).and_then(|(_, key)| Kind::from_key(key));
    of.is_none_or(|kind| kind == database)
}

/// Whether a backfill of a release runs this file, or one beside it.
fn runs_program(root: &Path, release: &Release, path: &Path) -> bool {
    let words = release.backfills.iter().flat_map(|backfill| match &backfill.work {
        Work::Command(program) => program.run.as_slice(),
        Work::Update(_) | Work::Copy(_) | Work::Delete(_) => &[],
    });
    // The program itself is by its full path, its arguments are as they were written.
    let root = std::path::absolute(root).unwrap_or_else(|_| root.to_owned());
    let mut words = words.map(|word| Path::new(word).strip_prefix(&root).unwrap_or(Path::new(word)));
    words.any(|word| is_or_is_beside(word, path))
}

/// Whether a file is a program, or stands in its folder.
fn is_or_is_beside(program: &Path, path: &Path) -> bool {
    // A program in `./tests` is none in the folder of the workloads.
    let program: PathBuf = program.components().filter(|part| !matches!(part, Component::CurDir)).collect();
    let folder = program.parent().filter(|folder| !folder.as_os_str().is_empty());
    program == path || folder.is_some_and(|folder| path.starts_with(folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_for_one_database_says_so_in_its_name() {
        for (file, kinds) in [
            ("01_a.yaml", &Kind::ALL[..]),
            ("01_a.sql", &Kind::ALL),
            ("01_a.b.sql", &Kind::ALL),
            ("01_a.postgres.sql", &[Kind::Postgres]),
            ("01_a.sqlite.sql", &[Kind::Sqlite]),
        ] {
            let found: Vec<Kind> = Kind::ALL.into_iter().filter(|kind| is_for(file, *kind)).collect();
            assert_eq!(found, kinds, "{file}");
        }
    }
}
