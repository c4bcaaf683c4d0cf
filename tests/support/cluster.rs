//! A Galera cluster of one test's own: two MariaDB nodes on this machine, each of which takes writes.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use url::Url;

use super::database::PASSWORD;
use super::server::{is_root, user};
use super::{Kind, Session};

const ADMINISTRATOR: &str = "concertina";

/// Where distributions put Galera.
const LIBRARIES: [&str; 4] = [
    "/usr/lib/galera/libgalera_smm.so",
    "/usr/lib/libgalera_smm.so",
    "/usr/lib64/galera-4/libgalera_smm.so",
    "/usr/lib64/galera/libgalera_smm.so",
];

/// The ports of one node: its clients', the group's, and those that state is received on.
#[derive(Clone, Copy, Debug)]
struct Ports {
    clients: u16,
    group: u16,
    increments: u16,
    snapshot: u16,
}

/// Two nodes that go when the test does, even where the test is killed.
pub(crate) struct Cluster {
    directory: TempDir,
    ports: [Ports; 2],
    nodes: Vec<Child>,
}

impl Cluster {
    /// Starts both nodes, and waits until they are in step.
    pub(crate) async fn start() -> Self {
        let directory = tempfile::Builder::new().prefix("ctcluster").tempdir_in("/tmp").expect("a directory");
        // All at once, so that no two are the same; nobody listens on a port that was free a moment ago.
        let free: Vec<TcpListener> = (0..8).map(|_| TcpListener::bind("127.0.0.1:0").expect("a free port")).collect();
        let port = |at: usize| free[at].local_addr().expect("it is bound").port();
        let of_node = |at: usize| Ports {
            clients: port(at),
            group: port(at + 1),
            increments: port(at + 2),
            snapshot: port(at + 3),
        };
        let ports = [of_node(0), of_node(4)];
        drop(free);
        let mut cluster = Self { directory, ports, nodes: Vec::new() };
        cluster.install();
        for node in 0..2 {
            let child = cluster.node(node).spawn().expect("mariadbd is installed");
            cluster.nodes.push(child);
            cluster.wait_for(node).await;
        }
        cluster
    }

    /// The administrator's URL of a node.
    pub(crate) fn admin_url(&self, node: usize) -> String {
        format!("mysql://{ADMINISTRATOR}:{PASSWORD}@127.0.0.1:{}/mysql", self.ports[node].clients)
    }

    /// Opens a session of the administrator on a node.
    pub(crate) async fn admin(&self, node: usize) -> Session {
        Session::open(Kind::MySql, &self.admin_url(node)).await
    }

    /// What a URL is on another node.
    pub(crate) fn at(&self, node: usize, url: &str) -> String {
        let mut url = Url::parse(url).expect("a URL");
        url.set_port(Some(self.ports[node].clients)).expect("a server's URL has a port");
        url.into()
    }

    /// Fails unless both nodes are in the cluster, and in step.
    pub(crate) async fn expect_whole(&self) {
        for node in 0..2 {
            let status = self
                .admin(node)
                .await
                .lines(
                    "SHOW STATUS WHERE Variable_name IN ('wsrep_cluster_size', 'wsrep_cluster_status', 'wsrep_local_state_comment')",
                )
                .await;
            assert_eq!(
                status,
                ["wsrep_local_state_comment|Synced", "wsrep_cluster_size|2", "wsrep_cluster_status|Primary"],
                "node {node}:\n{}",
                self.log(node)
            );
        }
    }

    fn install(&self) {
        let account = format!(
            "CREATE USER IF NOT EXISTS {ADMINISTRATOR}@'%' IDENTIFIED BY '{PASSWORD}';\n\
             GRANT ALL PRIVILEGES ON *.* TO {ADMINISTRATOR}@'%' WITH GRANT OPTION;\n"
        );
        std::fs::write(self.path("init.sql"), account).expect("the account's file");
        for node in 0..2 {
            std::fs::create_dir(self.path(&format!("node{node}"))).expect("a directory for the node");
        }
        // rsync gives root's files away to nobody, so the nodes are not root's.
        if is_root() {
            let (user, group) = user("mysql");
            for path in ["", "init.sql", "node0", "node1"] {
                std::os::unix::fs::chown(self.path(path), Some(user), Some(group)).expect("root may give a file away");
            }
        }
        let mut install = self.program("mariadb-install-db", 0);
        install.args(["--auth-root-authentication-method=normal", "--skip-test-db"]);
        assert!(install.status().expect("MariaDB is installed").success(), "it was not made:\n{}", self.log(0));
    }

    fn node(&self, node: usize) -> Command {
        let library = LIBRARIES.iter().find(|library| Path::new(library).exists());
        let library = library.expect("Galera's library is there: Debian's package is galera-4");
        let Ports { clients, group, increments, snapshot } = self.ports[node];
        let mut server = self.program("mariadbd", node);
        server.args(["--skip-name-resolve", "--bind-address=127.0.0.1", "--default-storage-engine=InnoDB"]);
        server.args(["--character-set-server=utf8mb4", "--innodb-flush-log-at-trx-commit=0", "--skip-log-bin"]);
        server.args([
            "--wsrep-on=1",
            "--binlog-format=ROW",
            "--innodb-autoinc-lock-mode=2",
            "--wsrep-sst-method=rsync",
        ]);
        server.args(["--wsrep-node-address=127.0.0.1", "--wsrep-slave-threads=2"]);
        server.arg(format!("--wsrep-provider={library}")).arg(format!("--port={clients}"));
        server.arg(format!("--socket={}", self.path(&format!("socket{node}")).display()));
        server.arg(format!("--wsrep-sst-receive-address=127.0.0.1:{snapshot}"));
        server.arg(format!(
            "--wsrep-provider-options=gmcast.listen_addr=tcp://127.0.0.1:{group};ist.recv_addr=127.0.0.1:{increments};\
             gcache.size=16M"
        ));
        if node == 0 {
            server.arg("--wsrep-cluster-address=gcomm://");
            server.arg(format!("--init-file={}", self.path("init.sql").display()));
        } else {
            server.arg(format!("--wsrep-cluster-address=gcomm://127.0.0.1:{}", self.ports[0].group));
        }
        server
    }

    async fn wait_for(&mut self, node: usize) {
        let deadline = Instant::now() + Duration::from_mins(1);
        let synced = "SHOW STATUS WHERE Variable_name = 'wsrep_local_state_comment' AND Value = 'Synced'";
        loop {
            if let Ok(mut session) = Session::try_open(Kind::MySql, &self.admin_url(node)).await
                && session.try_lines(synced).await.is_ok_and(|lines| !lines.is_empty())
            {
                return;
            }
            let ended = self.nodes[node].try_wait().ok().flatten();
            assert!(ended.is_none() && Instant::now() < deadline, "node {node} does not answer:\n{}", self.log(node));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// A program of a node, as its user; the kernel ends it with the test's thread.
    fn program(&self, name: &str, node: usize) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]);
        if is_root() {
            let (user, group) = user("mysql");
            command.arg(format!("--reuid={user}")).arg(format!("--regid={group}")).arg("--init-groups");
        }
        let file = self.path(&format!("log{node}"));
        let log = || std::fs::File::options().create(true).append(true).open(&file).expect("the log");
        command.arg(name).current_dir(self.directory.path());
        command.stdin(Stdio::null()).stdout(log()).stderr(log());
        command.args(["--no-defaults", "--innodb-log-file-size=8M", "--debug-no-sync"]);
        command.arg(format!("--datadir={}", self.path(&format!("node{node}")).display()));
        command
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn log(&self, node: usize) -> String {
        std::fs::read_to_string(self.path(&format!("log{node}"))).unwrap_or_default()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for node in &mut self.nodes {
            node.kill().ok();
            node.wait().ok();
        }
    }
}
