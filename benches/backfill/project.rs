//! A project of one backfill, and `concertina` run in it as a user does.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// The change that all of them make.
pub(crate) const SET: &str = "CASE WHEN is_public THEN 'public' ELSE 'private' END";

/// A project on disk.
pub(crate) struct Project {
    directory: TempDir,
    /// Whether `migrate` can be told its pace and its workers.
    pub(crate) has_pace: bool,
}

/// What a `migrate` took.
pub(crate) struct Ran {
    pub(crate) seconds: f64,
    /// The most memory that its process had at any time.
    pub(crate) peak_mib: f64,
}

impl Project {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let folder = directory.path().join("data/r1");
        fs::create_dir_all(&folder).expect("the release's folder");
        let manifest = "database: sqlite://unused.db\nreleases: [r0, r1]\n";
        fs::write(directory.path().join("concertina.yaml"), manifest).expect("the manifest");
        let change =
            format!("backfill:\n  table: images\n  set:\n    visibility: {SET}\n  where: visibility IS NULL\n");
        fs::write(folder.join("01_visibility.yaml"), change).expect("the change file");
        let help = Command::new(env!("CARGO_BIN_EXE_concertina")).args(["migrate", "--help"]).output();
        let help = String::from_utf8(help.expect("the binary starts").stdout).expect("help is text");
        Self { directory, has_pace: help.contains("--pace") && help.contains("--workers") }
    }

    /// The arguments of `migrate` at full pace, as far as there are any.
    pub(crate) fn full(&self, workers: usize) -> Vec<String> {
        let workers = workers.to_string();
        let arguments = ["--pace", "full", "--workers", &workers];
        if self.has_pace { arguments.map(str::to_owned).to_vec() } else { Vec::new() }
    }

    /// Opens the release.
    pub(crate) fn expand(&self, url: &str) {
        let output = self.command(url, "expand").output().expect("the binary starts");
        assert!(output.status.success(), "`concertina expand` failed:\n{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Runs `migrate` to its end. Blocks.
    pub(crate) fn migrate(&self, url: &str, arguments: &[String]) -> Ran {
        // Not a pipe: nobody would read it.
        let log = self.directory.path().join("log");
        let mut command = self.command(url, "migrate");
        command.args(arguments).stdin(Stdio::null());
        command.stdout(File::create(self.directory.path().join("result")).expect("a file for the result"));
        command.stderr(File::create(&log).expect("a file for the log"));
        let start = Instant::now();
        let mut child = command.spawn().expect("the binary starts");
        let process = Path::new("/proc").join(child.id().to_string());
        let (mut peak, mut looks) = (0.0, 0_u32);
        let status = loop {
            if let Some(status) = child.try_wait().expect("a child can be waited for") {
                break status;
            }
            // The mark never falls, so now and then will do.
            if looks.is_multiple_of(10) {
                peak = most_memory(&process).unwrap_or(peak);
            }
            looks += 1;
            std::thread::sleep(Duration::from_millis(2));
        };
        let seconds = start.elapsed().as_secs_f64();
        let said = fs::read_to_string(&log).unwrap_or_default();
        assert!(status.success(), "`concertina migrate {}` ended with {status}:\n{said}", arguments.join(" "));
        Ran { seconds, peak_mib: peak }
    }

    fn command(&self, url: &str, phase: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_concertina"));
        command.arg("--project").arg(self.directory.path()).args(["--database", url, phase]);
        command
    }
}

/// `VmHWM`, in MiB.
fn most_memory(process: &Path) -> Option<f64> {
    let status = fs::read_to_string(process.join("status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.split_whitespace().next()?.parse::<f64>().ok()? / 1024.0)
}
