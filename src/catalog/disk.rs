//! Files and folders of a project: which may be read, and their texts.

use std::fs;
use std::sync::Arc;

use super::diagnostic::{Diagnostic, Origin, Source};
use super::{Loader, bounds};

/// To a parser of YAML the text ends there, and no database takes it.
pub(super) const NUL: &str = "there is a NUL character in it";

impl Loader {
    pub(super) fn read(&mut self, path: &str) -> Option<Arc<Source>> {
        match self.bytes(path) {
            Ok(bytes) => match String::from_utf8(bytes) {
                Ok(mut text) => {
                    // A byte order mark is no part of the text, and every other line end is as good as this one.
                    if text.starts_with('\u{feff}') {
                        text.drain(..'\u{feff}'.len_utf8());
                    }
                    if text.contains('\r') {
                        text = text.replace("\r\n", "\n");
                    }
                    let nul = text.find('\0');
                    let source = Arc::new(Source { path: path.to_owned(), text });
                    if let Some(at) = nul {
                        let origin = Origin { source, span: at..at + 1 };
                        self.errors.push(origin.diagnostic(NUL));
                        return None;
                    }
                    Some(source)
                }
                Err(error) => {
                    let line = error.as_bytes()[..error.utf8_error().valid_up_to()]
                        .iter()
                        .filter(|byte| **byte == b'\n')
                        .count()
                        + 1;
                    self.errors.push(Diagnostic::of_path(path, format!("line {line} is not UTF-8 text")));
                    None
                }
            },
            Err(error) => {
                self.errors.push(error);
                None
            }
        }
    }

    /// The bytes of a file of the project. A pipe would keep us for ever, and what is no SQL has no reason to be large.
    pub(super) fn bytes(&self, path: &str) -> Result<Vec<u8>, Diagnostic> {
        let failed = |error: std::io::Error| Diagnostic::of_path(path, format!("failed to read the file: {error}"));
        let file = self.root.join(path);
        let found = fs::metadata(&file).map_err(failed)?;
        if !found.is_file() && !found.is_dir() {
            return Err(Diagnostic::of_path(path, "it is neither a file nor a folder"));
        }
        if found.len() > bounds::LARGEST && file.extension().is_none_or(|ending| ending != "sql") {
            return Err(Diagnostic::of_path(path, format!("it is larger than {} MiB", bounds::LARGEST >> 20)));
        }
        fs::read(&file).map_err(failed)
    }

    /// Whether a link leads to a place inside the project; where it does not, that is said. What is applied is what was reviewed
    /// with the project, and no file beside it is to be shown in an error.
    pub(super) fn stays_inside(&mut self, path: &str) -> bool {
        let target = self.root.join(path).canonicalize();
        let target = match target {
            Ok(target) => target,
            Err(error) => {
                self.errors.push(Diagnostic::of_path(path, format!("failed to follow the link: {error}")));
                return false;
            }
        };
        let root = &self.root;
        let real = self.real.get_or_insert_with(|| root.canonicalize().unwrap_or_else(|_| root.clone()));
        let inside = target.starts_with(real);
        if !inside {
            self.errors.push(
                Diagnostic::of_path(path, format!("the link leads out of the project, to {}", target.display()))
                    .help("put the file itself into the project; a link inside it is followed"),
            );
        }
        inside
    }

    pub(super) fn is_link(&self, path: &str) -> bool {
        fs::symlink_metadata(self.root.join(path)).is_ok_and(|found| found.is_symlink())
    }

    /// The entries of a folder by name, hidden ones left out; empty where the folder is not there.
    pub(super) fn entries(&mut self, path: &str) -> Vec<(String, bool)> {
        let folder = self.root.join(path);
        if self.is_link(path) && !self.stays_inside(path) {
            return Vec::new();
        }
        let listed = match fs::read_dir(&folder) {
            Ok(listed) => listed,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Vec::new(),
            Err(error) => {
                self.errors.push(Diagnostic::of_path(path, format!("failed to list the folder: {error}")));
                return Vec::new();
            }
        };
        let mut names: Vec<(String, bool)> = Vec::new();
        for entry in listed {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    self.errors.push(Diagnostic::of_path(path, format!("failed to list the folder: {error}")));
                    break;
                }
            };
            let Ok(name) = entry.file_name().into_string() else {
                let shown = entry.file_name().to_string_lossy().into_owned();
                self.errors.push(Diagnostic::of_path(format!("{path}/{shown}"), "the name is not UTF-8 text"));
                continue;
            };
            if name.starts_with('.') {
                continue;
            }
            // The listing tells files from folders; only a link has to be followed for it.
            let is_folder = match entry.file_type() {
                Ok(kind) if !kind.is_symlink() => kind.is_dir(),
                _ if !self.stays_inside(&format!("{path}/{name}")) => continue,
                _ => entry.path().is_dir(),
            };
            names.push((name, is_folder));
        }
        names.sort();
        names
    }
}
