//! Runs the real `concertina`, and fails with everything it said.

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::database::PASSWORD;
use super::{Project, TestDatabase, schema};

/// After this long a run is killed, and its test fails.
const LIMIT: Duration = Duration::from_mins(1);

/// A `concertina` about to be run: the project, the database, and the environment.
#[derive(Clone)]
pub(crate) struct Concertina {
    project: PathBuf,
    database: Option<String>,
    environment: Vec<(String, String)>,
    /// The program that runs it, with its arguments; empty where nothing is between.
    wrapper: Vec<String>,
    /// After this long it is killed, and its test fails.
    limit: Duration,
}

impl Concertina {
    /// The command on the bundled project, as the owner of `db`.
    pub(crate) fn command(db: &TestDatabase) -> Self {
        Self::in_project(Project::bundled().path()).database(db.owner_url())
    }

    /// The command on a project directory, with the database that its manifest names.
    pub(crate) fn in_project(directory: &Path) -> Self {
        Self {
            project: directory.to_owned(),
            database: None,
            environment: Vec::new(),
            wrapper: Vec::new(),
            limit: LIMIT,
        }
    }

    /// Lets it take longer than others: five minutes.
    pub(crate) fn patient(mut self) -> Self {
        self.limit = 5 * LIMIT;
        self
    }

    /// Runs on another project.
    pub(crate) fn project(mut self, project: &Project) -> Self {
        project.path().clone_into(&mut self.project);
        self
    }

    /// Runs on another database.
    pub(crate) fn database(mut self, url: &str) -> Self {
        self.database = Some(url.to_owned());
        self
    }

    /// Sets an environment variable, `CONCERTINA_FAILPOINT` say.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Makes every write behind this many bytes of any file fail, as on a full disk.
    pub(crate) fn limit_files(mut self, bytes: u64) -> Self {
        // The signal that comes with the error would end it.
        let script = "trap '' XFSZ; limit=$1; shift; exec prlimit --fsize=\"$limit\" -- \"$@\"";
        self.wrapper = ["sh", "-c", script, "sh", &bytes.to_string()].map(ToOwned::to_owned).to_vec();
        self
    }

    /// Gives the command so many bytes of addresses, and no more.
    pub(crate) fn limit_memory(mut self, bytes: u64) -> Self {
        self.wrapper = ["prlimit", &format!("--as={bytes}"), "--"].map(ToOwned::to_owned).to_vec();
        self
    }

    /// Gives the command so many seconds of the processor, however long they take on a machine that is busy, and no more.
    pub(crate) fn limit_work(mut self, seconds: u64) -> Self {
        self.wrapper = ["prlimit", &format!("--cpu={seconds}"), "--"].map(ToOwned::to_owned).to_vec();
        self
    }

    /// Runs it on another host, as far as it can tell: with a name, and processes, of its own.
    pub(crate) fn on_host(mut self, name: &str) -> Self {
        let script = "hostname \"$1\"; shift; exec \"$@\"";
        let unshare =
            ["unshare", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", script, "sh", name];
        self.wrapper = unshare.map(ToOwned::to_owned).to_vec();
        self
    }

    /// Gives the command a terminal for its output, with both streams on it.
    pub(crate) fn on_a_terminal(mut self) -> Self {
        let script = "exec script --quiet --return --flush --command \"$*\" /dev/null";
        self.wrapper = ["sh", "-c", script, "sh"].map(ToOwned::to_owned).to_vec();
        self
    }

    /// Runs it to its end.
    #[track_caller]
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.spawn(arguments).finish()
    }

    /// Starts it, for a test that does something meanwhile.
    pub(crate) fn spawn(&self, arguments: &[&str]) -> Running {
        let binary = env!("CARGO_BIN_EXE_concertina");
        let mut words = self.wrapper.iter().map(String::as_str).chain([binary]);
        let mut command = Command::new(words.next().expect("the binary at least"));
        command.args(words);
        command.arg("--project").arg(&self.project);
        command.args(arguments);
        // Neither the developer's shell nor the directory the tests run in may change what is tested.
        for name in [
            "CONCERTINA_DATABASE",
            "CONCERTINA_PROJECT",
            "CONCERTINA_FAILPOINT",
            "CONCERTINA_FAILPOINT_TRACE",
            "CONCERTINA_LOG",
            "DATABASE_URL",
            "RUST_LOG",
        ] {
            command.env_remove(name);
        }
        for name in ["CONCERTINA_PASSWORD_FILE", "PGPASSWORD", "PGPASSFILE", "PGSSLMODE", "MYSQL_PWD"] {
            command.env_remove(name);
        }
        // A command line is no place for a password.
        command.envs(self.database.iter().map(|url| ("CONCERTINA_DATABASE", url)));
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.current_dir(std::env::temp_dir());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());

        let mut child = command.spawn().expect("the binary starts");
        let stdout = Stream::read(child.stdout.take().expect("stdout is piped"));
        let stderr = Stream::read(child.stderr.take().expect("stderr is piped"));
        Running { child, arguments: arguments.join(" "), stdout, stderr, limit: self.limit }
    }
}

/// A `concertina` that runs; killed when the test forgets it.
pub(crate) struct Running {
    child: Child,
    arguments: String,
    stdout: Arc<Stream>,
    stderr: Arc<Stream>,
    limit: Duration,
}

impl Running {
    /// Waits until stdout holds `text`.
    #[track_caller]
    pub(crate) fn wait_for_stdout(&self, text: &str) {
        assert!(self.stdout.wait_for(text), "`{text}` was never said on stdout:\n{}", self.stdout.text());
    }

    /// Waits until stderr holds `text`.
    #[track_caller]
    pub(crate) fn wait_for_stderr(&self, text: &str) {
        assert!(self.stderr.wait_for(text), "`{text}` was never said on stderr:\n{}", self.stderr.text());
    }

    /// Sends a signal by its name, `INT` say.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status();
        assert!(sent.expect("`kill` is installed").success(), "failed to send SIG{name}");
    }

    /// Its command line, as `ps` shows it to everybody.
    pub(crate) fn command_line(&self) -> String {
        let line = std::fs::read(format!("/proc/{}/cmdline", self.child.id())).expect("it runs");
        String::from_utf8_lossy(&line).replace('\0', " ")
    }

    /// Kills it as a crash would, and gives what it had said.
    pub(crate) fn kill(mut self) -> Output {
        self.child.kill().expect("the process can be killed");
        self.finish()
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn finish(mut self) -> Output {
        // Both streams end with the process; waiting on them instead of on the process needs no polling.
        let deadline = Instant::now() + self.limit;
        let in_time = self.stdout.wait_for_end(deadline) && self.stderr.wait_for_end(deadline);
        if !in_time {
            self.child.kill().ok();
        }
        let status = self.child.wait().expect("the process can be waited for");
        let output = Output {
            arguments: self.arguments.clone(),
            process: self.child.id(),
            code: status.code(),
            stdout: self.stdout.text(),
            stderr: self.stderr.text(),
        };
        assert!(in_time, "killed after {:?}:\n{output}", self.limit);
        assert!(
            !output.stdout.contains(PASSWORD) && !output.stderr.contains(PASSWORD),
            "a password was printed:\n{output}"
        );
        schema::expect_published(&output);
        output
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// What a run said, and how it ended.
pub(crate) struct Output {
    arguments: String,
    /// The id that the process had.
    pub(crate) process: u32,
    /// `None` when a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Output {
    /// What it was called with.
    pub(super) fn arguments(&self) -> &str {
        &self.arguments
    }

    #[track_caller]
    pub(crate) fn expect_code(&self, code: i32) -> &Self {
        assert_eq!(self.code, Some(code), "the exit code should be {code}:\n{self}");
        self
    }

    #[track_caller]
    pub(crate) fn expect_stdout(&self, text: &str) -> &Self {
        assert!(self.stdout.contains(text), "stdout should hold `{text}`:\n{self}");
        self
    }

    #[track_caller]
    pub(crate) fn expect_stderr(&self, text: &str) -> &Self {
        assert!(self.stderr.contains(text), "stderr should hold `{text}`:\n{self}");
        self
    }

    /// Reads stdout as the one JSON document that `--output json` writes.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("stdout is no JSON ({error}):\n{self}"))
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { arguments, process: _, code, stdout, stderr } = self;
        writeln!(f, "concertina {arguments}")?;
        match code {
            Some(code) => writeln!(f, "exit code {code}")?,
            None => writeln!(f, "ended by a signal")?,
        }
        write!(f, "--- stdout\n{stdout}\n--- stderr\n{stderr}\n---")
    }
}

/// What came out of a pipe so far.
struct Stream {
    said: Mutex<Said>,
    changed: Condvar,
}

#[derive(Default)]
struct Said {
    bytes: Vec<u8>,
    ended: bool,
}

impl Stream {
    /// Reads `pipe` on a thread of its own, so that a full pipe never stops the process.
    fn read(mut pipe: impl Read + Send + 'static) -> Arc<Self> {
        let stream = Arc::new(Self { said: Mutex::default(), changed: Condvar::new() });
        let writer = Arc::clone(&stream);
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            loop {
                let count = pipe.read(&mut buffer).unwrap_or(0);
                let mut said = writer.said.lock().expect("a reader does not panic");
                said.bytes.extend_from_slice(&buffer[..count]);
                said.ended = count == 0;
                writer.changed.notify_all();
                if said.ended {
                    return;
                }
            }
        });
        stream
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.said.lock().expect("a reader does not panic").bytes).into_owned()
    }

    /// Waits for `text`; false when the stream ended, or the limit passed, without it.
    fn wait_for(&self, text: &str) -> bool {
        self.wait_until(Instant::now() + LIMIT, |said| {
            said.ended || String::from_utf8_lossy(&said.bytes).contains(text)
        });
        self.text().contains(text)
    }

    /// Waits for the end of the stream; false when the deadline came first.
    fn wait_for_end(&self, deadline: Instant) -> bool {
        self.wait_until(deadline, |said| said.ended)
    }

    fn wait_until(&self, deadline: Instant, condition: impl Fn(&Said) -> bool) -> bool {
        let said = self.said.lock().expect("a reader does not panic");
        let left = deadline.saturating_duration_since(Instant::now());
        let (said, _) =
            self.changed.wait_timeout_while(said, left, |said| !condition(said)).expect("a reader does not panic");
        condition(&said)
    }
}
