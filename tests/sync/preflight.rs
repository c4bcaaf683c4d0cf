//! MySQL and MariaDB: what the server must allow is asked before anything is changed.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::support::{Kind, Session, TestDatabase, Train, run};

const STEPS: &str = "
steps:
  - add_column: { table: items, column: { name: n, type: string(40) } }
  - sync: { name: items_case, table: items, forward: { n: upper(o) }, backward: { o: lower(n) } }
";

const ITEMS: &str = "CREATE TABLE items (id INTEGER NOT NULL PRIMARY KEY, o VARCHAR(40)) ENGINE=InnoDB";

async fn expect_untouched(session: &mut Session) {
    let columns =
        "SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = 'items'";
    let triggers = "SELECT COUNT(*) FROM information_schema.triggers WHERE trigger_schema = DATABASE()";
    assert_eq!(session.value(columns).await.as_deref(), Some("2"));
    assert_eq!(session.value(triggers).await.as_deref(), Some("0"));
}

#[test]
fn an_account_without_the_right_to_create_triggers_is_told_before_anything_changes() {
    run(Kind::MySql, "no_trigger_privilege", async |db: TestDatabase| {
        let mut admin = Session::open(db.kind(), &db.admin_url()).await;
        admin.run(ITEMS).await;
        db.revoke_trigger().await;
        let mut train = Train::new(&db);
        train.add(&[("expand/01_steps.yaml", STEPS)]);
        let refused = train.concertina().run(&["expand"]);
        refused.expect_code(6).expect_stderr("the syncs of r1 cannot be installed").expect_stderr("GRANT TRIGGER");
        expect_untouched(&mut admin).await;
        train.concertina().database(&db.admin_url()).run(&["expand"]).expect_code(0);
        admin.run("INSERT INTO items (id, o) VALUES (1, 'a')").await;
        assert_eq!(admin.lines("SELECT o, n FROM items").await, ["a|A"]);
    });
}

/// A MariaDB server of the test's own, with a binary log, which the shared one has not.
struct LoggingServer {
    process: Child,
    directory: TempDir,
    port: u16,
}

impl LoggingServer {
    fn start() -> Self {
        let directory =
            tempfile::Builder::new().prefix("ctlog").tempdir_in("/tmp").expect("a directory for the server");
        let data = directory.path().join("data");
        // Nobody listens on a port that was free a moment ago.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        drop(listener);
        let is_root = std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
        let options = |command: &mut Command, data: &Path| {
            command
                .args(["--no-defaults", "--innodb-log-file-size=8M", "--debug-no-sync"])
                // It refuses to run as root unless it is told to.
                .args(is_root.then_some("--user=root"))
                .arg(format!("--datadir={}", data.display()))
                .arg(format!("--tmpdir={}", directory.path().display()))
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null());
        };
        let mut install = Command::new("mariadb-install-db");
        options(&mut install, &data);
        install.args(["--auth-root-authentication-method=normal", "--skip-test-db"]);
        assert!(install.status().expect("mariadb-install-db is installed").success(), "mariadb-install-db failed");
        let mut server = Command::new("mariadbd");
        options(&mut server, &data);
        server
            .args(["--log-bin", "--skip-name-resolve", "--bind-address=127.0.0.1"])
            .arg(format!("--socket={}", directory.path().join("socket").display()))
            .arg(format!("--port={port}"));
        let process = server.spawn().expect("mariadbd is installed");
        Self { process, directory, port }
    }

    fn url(&self, user: &str, database: &str) -> String {
        format!("mysql://{user}:word@127.0.0.1:{}/{database}", self.port)
    }

    /// Makes an administrator that may come in over TCP, and waits until the server answers.
    async fn administrator(&self) -> Session {
        let socket = self.directory.path().join("socket");
        let deadline = Instant::now() + Duration::from_mins(1);
        let grant =
            "CREATE USER boss@'%' IDENTIFIED BY 'word'; GRANT ALL PRIVILEGES ON *.* TO boss@'%' WITH GRANT OPTION";
        loop {
            let mut client = Command::new("mariadb");
            client
                .args(["--no-defaults", "--user=root", "--execute", grant])
                .arg(format!("--socket={}", socket.display()));
            client.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            if client.status().expect("mariadb is installed").success() {
                return Session::open(Kind::MySql, &self.url("boss", "mysql")).await;
            }
            assert!(Instant::now() < deadline, "the server does not answer");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for LoggingServer {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// This is what stops OpenStack's operators: the server's own error comes in the middle of the migration.
#[test]
fn a_binary_log_is_noticed_before_anything_changes() {
    // Its own database is not used; it tells where this test's project keeps its URL.
    run(Kind::Sqlite, "binary_log", async |db: TestDatabase| {
        let server = LoggingServer::start();
        let mut admin = server.administrator().await;
        admin.run("CREATE DATABASE app; CREATE USER app@'%' IDENTIFIED BY 'word'; GRANT ALL PRIVILEGES ON app.* TO app@'%'").await;
        let mut owner = Session::open(Kind::MySql, &server.url("app", "app")).await;
        owner.run(ITEMS).await;
        let mut train = Train::new(&db);
        train.add(&[("expand/01_steps.yaml", STEPS)]);
        let expand = || train.concertina().database(&server.url("app", "app")).run(&["expand"]);

        expand().expect_code(6).expect_stderr("SET GLOBAL log_bin_trust_function_creators = 1");
        expect_untouched(&mut owner).await;
        admin.run("SET GLOBAL log_bin_trust_function_creators = 1").await;
        admin.run("SET GLOBAL binlog_format = 'STATEMENT'").await;
        expand().expect_code(6).expect_stderr("SET GLOBAL binlog_format = 'MIXED'");
        expect_untouched(&mut owner).await;
        admin.run("SET GLOBAL binlog_format = 'MIXED'").await;
        expand().expect_code(0);

        // What the syncs write is logged by row, so a replica does not fire its own triggers for it.
        let mut owner = Session::open(Kind::MySql, &server.url("app", "app")).await;
        owner.run("INSERT INTO items (id, o) VALUES (1, 'a')").await;
        assert_eq!(owner.lines("SELECT o, n FROM items").await, ["a|A"]);
        let log = admin.value("SHOW MASTER STATUS").await.expect("the log's name");
        let events = admin.rows(format!("SHOW BINLOG EVENTS IN '{log}'")).await;
        let last_write = events.iter().rev().find_map(|event| {
            let kind = event[2].clone().unwrap_or_default();
            (kind.contains("rows") || event[5].as_deref().is_some_and(|info| info.contains("INSERT INTO items")))
                .then_some(kind)
        });
        assert!(last_write.as_deref().is_some_and(|kind| kind.to_lowercase().contains("rows")), "{last_write:?}");
    });
}
