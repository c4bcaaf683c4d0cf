//! Projects for the tests: the bundled one, and throwaway ones.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A project directory.
pub(crate) struct Project {
    root: PathBuf,
    /// Gone with the project; the bundled one has none.
    directory: Option<TempDir>,
}

impl Project {
    /// Writes a throwaway project of these files.
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let project = Self { root: directory.path().to_owned(), directory: Some(directory) };
        for (path, text) in files {
            project.write(path, text);
        }
        project
    }

    /// The project in this repository: Glance, release by release.
    pub(crate) fn bundled() -> Self {
        Self { root: PathBuf::from(env!("CARGO_MANIFEST_DIR")), directory: None }
    }

    /// The project in a folder that a test only reads.
    pub(crate) fn at(folder: &Path) -> Self {
        Self { root: folder.to_owned(), directory: None }
    }

    /// Copies the bundled project, for a test that changes it.
    pub(crate) fn bundled_copy() -> Self {
        let (bundled, copy) = (Self::bundled(), Self::new(&[]));
        for part in ["concertina.yaml", "migrations", "expand", "data", "contract"] {
            copy_into(&bundled.root.join(part), &copy.root.join(part));
        }
        copy
    }

    pub(crate) fn path(&self) -> &Path {
        &self.root
    }

    /// Writes or overwrites a file, with the folders it needs.
    pub(crate) fn write(&self, path: &str, text: &str) {
        assert!(self.directory.is_some(), "the bundled project is the repository: a test must not write to it");
        let file = self.root.join(path);
        std::fs::create_dir_all(file.parent().expect("a file has a folder")).expect("the file's folder");
        std::fs::write(&file, text).unwrap_or_else(|error| panic!("failed to write `{path}`: {error}"));
    }

    /// Writes or overwrites a file with bytes that need not be text.
    pub(crate) fn write_bytes(&self, path: &str, bytes: &[u8]) {
        self.write(path, "");
        std::fs::write(self.root.join(path), bytes).unwrap_or_else(|error| panic!("failed to write `{path}`: {error}"));
    }

    /// Replaces a text that a file has in one place.
    #[track_caller]
    pub(crate) fn edit(&self, path: &str, from: &str, to: &str) {
        let text = self.read(path);
        assert_eq!(text.matches(from).count(), 1, "`{from}` should be in `{path}` once:\n{text}");
        self.write(path, &text.replacen(from, to, 1));
    }

    /// Removes a file.
    pub(crate) fn remove(&self, path: &str) {
        assert!(self.directory.is_some(), "the bundled project is the repository: a test must not write to it");
        std::fs::remove_file(self.root.join(path)).unwrap_or_else(|error| panic!("failed to remove `{path}`: {error}"));
    }

    /// Reads a file.
    pub(crate) fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.root.join(path)).unwrap_or_else(|error| panic!("failed to read `{path}`: {error}"))
    }
}

fn copy_into(from: &Path, to: &Path) {
    if from.is_dir() {
        std::fs::create_dir_all(to).expect("a folder of the copy");
        for entry in std::fs::read_dir(from).expect("a folder of the bundled project") {
            let entry = entry.expect("an entry of the bundled project");
            copy_into(&entry.path(), &to.join(entry.file_name()));
        }
    } else {
        std::fs::copy(from, to).unwrap_or_else(|error| panic!("failed to copy `{}`: {error}", from.display()));
    }
}
