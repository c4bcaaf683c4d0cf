//! A browser without a screen, for one page at a time.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// How the reader has their screen.
#[derive(Clone, Copy)]
pub(super) enum Scheme {
    Light,
    Dark,
}

/// A Chromium with a profile of its own, which is gone with it.
pub(super) struct Chromium {
    profile: TempDir,
}

impl Chromium {
    pub(super) fn new() -> Self {
        Self { profile: tempfile::tempdir().expect("a temporary directory") }
    }

    /// The document as it is once its script has run.
    pub(super) fn dom(&self, page: &Path) -> String {
        self.run(&["--window-size=1280,1400", "--dump-dom"], page)
    }

    /// What a reader sees, as a PNG.
    pub(super) fn screenshot(&self, page: &Path, scheme: Scheme, [width, height]: [u32; 2]) -> Vec<u8> {
        let picture: PathBuf = self.profile.path().join("screenshot.png");
        // Blink's number of a scheme.
        let scheme = match scheme {
            Scheme::Dark => 0,
            Scheme::Light => 1,
        };
        let arguments = [
            format!("--blink-settings=preferredColorScheme={scheme}"),
            format!("--window-size={width},{height}"),
            format!("--screenshot={}", picture.display()),
        ];
        self.run(&arguments.each_ref().map(String::as_str), page);
        std::fs::read(&picture).expect("Chromium has made a screenshot")
    }

    fn run(&self, arguments: &[&str], page: &Path) -> String {
        // A browser that hangs would hang the test.
        let mut command = Command::new("timeout");
        command.args(["--kill-after=5", "60", "chromium", "--headless", "--disable-gpu", "--hide-scrollbars"]);
        // Neither as root nor in a container is there what its sandbox needs; it sees nothing here but our page.
        command.args(["--no-sandbox", "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking"]);
        command.arg(format!("--user-data-dir={}", self.profile.path().display()));
        // Its clock goes on at once whenever nothing is to be done.
        command.args(["--virtual-time-budget=5000", "--run-all-compositor-stages-before-draw"]);
        let output =
            command.args(arguments).arg(format!("file://{}", page.display())).output().expect("timeout starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "chromium should end well ({}); tests/run installs it:\n{said}",
            output.status
        );
        String::from_utf8(output.stdout).expect("a document is text")
    }
}
