//! A server of one test's own, for what must not be done to the shared ones: crashes, full disks, other settings.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::database::PASSWORD;
use super::{Kind, Session};

/// The administrator, as `tests/run` names it too.
const ADMINISTRATOR: &str = "concertina";

/// A server that goes when the test does, even where the test is killed.
pub(crate) struct PrivateServer {
    kind: Kind,
    directory: TempDir,
    port: u16,
    process: Option<Child>,
}

impl PrivateServer {
    /// Installs a server, and starts it with these options besides its own.
    pub(crate) async fn start(kind: Kind, options: &[&str]) -> Self {
        // Not in TMPDIR: the server's user must be able to get there, and a socket's path has to be short.
        let directory =
            tempfile::Builder::new().prefix("ctserver").tempdir_in("/tmp").expect("a directory for the server");
        // Nobody listens on a port that was free a moment ago.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        drop(listener);
        let mut server = Self { kind, directory, port, process: None };
        server.install(options);
        server.start_again(options).await;
        server
    }

    /// The administrator's URL of a database.
    pub(crate) fn admin_url(&self) -> String {
        let database = if self.kind == Kind::Postgres { "postgres" } else { "mysql" };
        format!("{}://{ADMINISTRATOR}:{PASSWORD}@127.0.0.1:{}/{database}", self.kind, self.port)
    }

    /// The parameters of a URL by which its Unix socket is reached.
    pub(crate) fn socket(&self) -> String {
        match self.kind {
            Kind::Postgres => format!("host={}&port={}", self.directory.path().display(), self.port),
            _ => format!("socket={}", self.path("socket").display()),
        }
    }

    /// Puts a line in front of those that say who may come in (PostgreSQL).
    pub(crate) async fn let_in(&self, line: &str) {
        let file = self.path("data").join("pg_hba.conf");
        let text = std::fs::read_to_string(&file).expect("the server's own");
        std::fs::write(&file, format!("{line}\n{text}")).expect("the server's own");
        self.admin().await.run("SELECT pg_reload_conf()").await;
    }

    /// Opens a session of the administrator.
    pub(crate) async fn admin(&self) -> Session {
        Session::open(self.kind, &self.admin_url()).await
    }

    /// Ends it at once, as a crash does. What it had told anybody to be committed is in its files.
    pub(crate) fn crash(&mut self) {
        let Some(mut process) = self.process.take() else { return };
        if self.kind == Kind::Postgres {
            // Its sessions outlive a first process that is killed, and keep the next one from starting. Shut down
            // immediately it ends them with SIGQUIT, and leaves recovery to the next start as well.
            signal(&process, "QUIT");
        } else {
            process.kill().ok();
        }
        process.wait().ok();
    }

    /// Shuts it down as an administrator does who does not wait for sessions.
    pub(crate) fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            signal(&process, if self.kind == Kind::Postgres { "INT" } else { "TERM" });
            process.wait().ok();
        }
    }

    /// Makes each later session's writes fail behind this many bytes of any file, as on a full disk; `None` lifts it.
    ///
    /// PostgreSQL's sessions are processes, which have such a limit from the first process; those that are there keep theirs.
    pub(crate) fn limit_files(&self, bytes: Option<u64>) {
        let process = self.process.as_ref().expect("it runs").id().to_string();
        let limit = bytes.map_or_else(|| "unlimited".to_owned(), |bytes| bytes.to_string());
        let mut set = self.program("prlimit");
        set.args(["--pid", &process, &format!("--fsize={limit}:")]);
        let status = set.status().expect("`prlimit` is installed");
        assert!(status.success(), "failed to limit the server's files:\n{}", self.log());
    }

    /// Starts it once more where it was, and waits until it answers.
    pub(crate) async fn start_again(&mut self, options: &[&str]) {
        let mut server = self.program(if self.kind == Kind::Postgres { "postgres" } else { "mariadbd" });
        self.common(&mut server);
        if self.kind == Kind::Postgres {
            server.arg("-k").arg(self.directory.path()).args(["-p", &self.port.to_string()]);
            // Only the machine's crash would need the disk; and nobody waits for a login that is slow.
            server.args(["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "full_page_writes=off"]);
        } else {
            server
                .args(["--skip-name-resolve", "--bind-address=127.0.0.1"])
                .arg(format!("--port={}", self.port))
                .arg(format!("--socket={}", self.path("socket").display()))
                .arg(format!("--init-file={}", self.path("init.sql").display()));
        }
        server.args(options);
        self.process = Some(server.spawn().expect("the server is installed"));
        let deadline = Instant::now() + Duration::from_mins(1);
        while Session::try_open(self.kind, &self.admin_url()).await.is_err() {
            let ended = self.process.as_mut().and_then(|process| process.try_wait().ok().flatten());
            assert!(ended.is_none() && Instant::now() < deadline, "the server does not answer:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn install(&self, options: &[&str]) {
        let mut install;
        if self.kind == Kind::Postgres {
            std::fs::write(self.path("password"), PASSWORD).expect("the password's file");
            self.give_away();
            install = self.program("initdb");
            self.common(&mut install);
            // Small segments, so that a limit on the size of files can be small as well.
            install.args(["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync", "--wal-segsize=1"]);
            install.arg(format!("--username={ADMINISTRATOR}")).arg("--pwfile").arg(self.path("password"));
        } else {
            let account = format!(
                "CREATE USER IF NOT EXISTS {ADMINISTRATOR}@'%' IDENTIFIED BY '{PASSWORD}';\n\
                 GRANT ALL PRIVILEGES ON *.* TO {ADMINISTRATOR}@'%' WITH GRANT OPTION;\n"
            );
            std::fs::write(self.path("init.sql"), account).expect("the account's file");
            install = self.program("mariadb-install-db");
            self.common(&mut install);
            install.args(["--auth-root-authentication-method=normal", "--skip-test-db"]);
            // Those of InnoDB's files are for it too: how they are laid out is settled now.
            install.args(options.iter().filter(|option| option.starts_with("--innodb")));
        }
        assert!(install.status().expect("the server is installed").success(), "it was not made:\n{}", self.log());
    }

    /// A program of the server, as its user; the kernel ends it with the test's thread.
    fn program(&self, name: &str) -> Command {
        let mut command = Command::new("setpriv");
        let signal = if self.kind == Kind::Postgres { "QUIT" } else { "KILL" };
        command.args(["--pdeathsig", signal]);
        // PostgreSQL refuses to run as root, and its package has made a user for it.
        if self.kind == Kind::Postgres && is_root() {
            let (user, group) = user("postgres");
            command.arg(format!("--reuid={user}")).arg(format!("--regid={group}")).arg("--init-groups");
        }
        let log = || std::fs::File::options().create(true).append(true).open(self.path("log")).expect("the log");
        command.arg(name).current_dir(self.directory.path());
        command.stdin(Stdio::null()).stdout(log()).stderr(log());
        command
    }

    /// What the installation and the server take alike.
    fn common(&self, command: &mut Command) {
        let data = self.path("data");
        if self.kind == Kind::Postgres {
            command.arg("-D").arg(data);
            return;
        }
        command.args(["--no-defaults", "--innodb-log-file-size=8M", "--debug-no-sync"]);
        // It refuses to run as root unless it is told to.
        command.args(is_root().then_some("--user=root"));
        command.arg(format!("--datadir={}", data.display()));
        command.arg(format!("--tmpdir={}", self.directory.path().display()));
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// Lets PostgreSQL's own user write here, where the test runs as root.
    fn give_away(&self) {
        for path in [self.directory.path().to_owned(), self.path("password")] {
            give(&path);
        }
        let mine = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(self.path("password"), mine).expect("its permissions");
    }
}

impl Drop for PrivateServer {
    fn drop(&mut self) {
        self.crash();
    }
}

fn signal(process: &Child, name: &str) {
    let sent = Command::new("kill").args(["-s", name, &process.id().to_string()]).status();
    sent.expect("`kill` is installed");
}

/// Gives a file to PostgreSQL's own user, where the test runs as root.
pub(super) fn give(path: &std::path::Path) {
    if is_root() {
        let (user, group) = user("postgres");
        std::os::unix::fs::chown(path, Some(user), Some(group)).expect("root may give a file away");
    }
}

pub(super) fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

/// The ids of the user that a server's package has made, and of its group.
pub(super) fn user(name: &str) -> (u32, u32) {
    let id = |option: &str| {
        let output = Command::new("id").args([option, name]).output().expect("`id` is installed");
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        text.parse().unwrap_or_else(|_| panic!("the server's package makes a user `{name}`"))
    };
    (id("-u"), id("-g"))
}
