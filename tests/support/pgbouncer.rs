//! A PgBouncer of one test's own, in its transaction mode, in front of the tests' PostgreSQL.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use url::Url;

use super::TestDatabase;
use super::server::{self, give};

/// A pooler that goes when the test does.
pub(crate) struct PgBouncer {
    directory: TempDir,
    port: u16,
    process: Child,
    url: String,
}

impl PgBouncer {
    /// Starts one before a database. It gives sessions out by turns, so that hardly two transactions are in the same.
    pub(crate) fn before(db: &TestDatabase) -> Self {
        Self::with_settings(db, "")
    }

    /// The same with these lines more in its configuration.
    pub(crate) fn with_settings(db: &TestDatabase, settings: &str) -> Self {
        let directory = tempfile::Builder::new().prefix("ctpool").tempdir_in("/tmp").expect("a directory");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        drop(listener);
        let mut url = Url::parse(db.owner_url()).expect("a URL");
        let path = |name: &str| directory.path().join(name);
        let configuration = format!(
            "[databases]\n* = host=127.0.0.1 port={server}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = scram-sha-256\nauth_file = {users}\npool_mode = transaction\n\
             default_pool_size = 6\nmin_pool_size = 3\nserver_round_robin = 1\nlogfile = {log}\n{settings}\n",
            server = url.port().expect("the tests' servers have a port"),
            users = path("users").display(),
            log = path("log").display(),
        );
        std::fs::write(path("pgbouncer.ini"), configuration).expect("its configuration");
        let user = format!("\"{}\" \"{}\"\n", url.username(), url.password().expect("a password"));
        std::fs::write(path("users"), user).expect("its users");
        for file in [directory.path().to_owned(), path("pgbouncer.ini"), path("users")] {
            give(&file);
        }
        // It refuses to run as root.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]);
        if server::is_root() {
            let (user, group) = server::user("postgres");
            command.arg(format!("--reuid={user}")).arg(format!("--regid={group}")).arg("--init-groups");
        }
        let program =
            if std::path::Path::new("/usr/sbin/pgbouncer").exists() { "/usr/sbin/pgbouncer" } else { "pgbouncer" };
        command.args([program, "--quiet"]).arg(path("pgbouncer.ini")).current_dir(directory.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().expect("pgbouncer is installed");
        url.set_port(Some(port)).expect("a port");
        let mut pooler = Self { directory, port, process, url: url.into() };
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(("127.0.0.1", pooler.port)).is_err() {
            let ended = pooler.process.try_wait().ok().flatten();
            assert!(ended.is_none() && Instant::now() < deadline, "pgbouncer does not answer:\n{}", pooler.log());
            std::thread::sleep(Duration::from_millis(10));
        }
        pooler
    }

    /// The URL of the database's owner, by way of the pooler.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// What it has logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}
