//! Which files of a project have changed, as git knows it.

use std::path::Path;
use std::process::Command;

/// Why git does not say what has changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangesError {
    /// There is no git.
    #[error("failed to run git: {0}")]
    NoGit(#[source] std::io::Error),
    /// The project is in no working copy of git's, or in one that git does not trust.
    #[error("`{folder}` is no working copy of git: {words}")]
    NoRepository {
        /// The project's folder.
        folder: String,
        /// What git says.
        words: String,
    },
    /// The revision is not there.
    #[error("git knows no revision `{0}`")]
    UnknownRevision(String),
    /// The revision and what is checked out have no commit in common that is there.
    #[error("`{0}` and HEAD have no commit in common")]
    NoMergeBase(String),
    /// Anything else.
    #[error("`git {arguments}` failed: {words}")]
    Failed {
        /// What it was asked.
        arguments: String,
        /// What git says.
        words: String,
    },
}

impl ChangesError {
    /// What to do.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NoGit(_) => "install git, or leave --changed-since out: then every cell is listed",
            // In a container the files may belong to another user than the one who asks.
            Self::NoRepository { words, .. } if words.contains("dubious ownership") => {
                "git config --global --add safe.directory DIR, with the folder that git names"
            }
            Self::NoRepository { .. } => {
                "run it where the project was checked out, or leave --changed-since out: then every cell is listed"
            }
            Self::UnknownRevision(_) | Self::NoMergeBase(_) => {
                "fetch it with its history: git fetch --unshallow origin; in CI fetch-depth: 0 (actions/checkout) or GIT_DEPTH: 0 (GitLab)"
            }
            Self::Failed { .. } => "leave --changed-since out: then every cell is listed",
        }
    }
}

/// The files below a folder, by their paths in it, that differ from where the work on a revision began: committed since, changed
/// in the working tree, or untracked and not ignored.
pub fn changed_since(folder: &Path, revision: &str) -> Result<Vec<String>, ChangesError> {
    if let Err(words) = git(folder, &["rev-parse", "--show-toplevel"])? {
        return Err(ChangesError::NoRepository { folder: folder.display().to_string(), words });
    }
    let unknown = || ChangesError::UnknownRevision(revision.to_owned());
    if revision.is_empty() || revision.starts_with('-') {
        return Err(unknown());
    }
    let commit = git(folder, &["rev-parse", "--verify", "--quiet", &format!("{revision}^{{commit}}")])?;
    let Ok(commit) = commit else { return Err(unknown()) };
    let base = git(folder, &["merge-base", commit.trim(), "HEAD"])?;
    let Ok(base) = base else { return Err(ChangesError::NoMergeBase(revision.to_owned())) };
    let mut files: Vec<String> = Vec::new();
    for arguments in [
        // Against the working tree, so what is staged or not is there too; of what was renamed both names.
        &["diff", "--name-only", "--no-renames", "--no-ext-diff", "--relative", "-z", base.trim(), "--", "."][..],
        &["ls-files", "--others", "--exclude-standard", "-z"],
    ] {
        let listed = git(folder, arguments)?;
        let listed = listed.map_err(|words| ChangesError::Failed { arguments: arguments.join(" "), words })?;
        files.extend(listed.split_terminator('\0').map(str::to_owned));
    }
    files.sort();
    files.dedup();
    Ok(files)
}

/// What git prints, or what it says where it refuses.
fn git(folder: &Path, arguments: &[&str]) -> Result<Result<String, String>, ChangesError> {
    // An empty path would be git's own idea of where it is.
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let output = Command::new("git")
        .arg("-C")
        .arg(folder)
        .args(arguments)
        .env("LC_ALL", "C")
        .output()
        .map_err(ChangesError::NoGit)?;
    if output.status.success() {
        return Ok(Ok(String::from_utf8_lossy(&output.stdout).into_owned()));
    }
    let words = String::from_utf8_lossy(&output.stderr);
    Ok(Err(words.lines().next().unwrap_or_default().trim_start_matches("fatal: ").to_owned()))
}
