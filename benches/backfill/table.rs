//! The table: made once, and copied for every run.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use url::Url;

use super::project::SET;
use super::session::{Kind, Processes, Session, ticked};

/// How the rows are found.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    Uuid,
    Bigint,
}

impl Key {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Uuid => "uuid",
            Self::Bigint => "bigint",
        }
    }

    /// Comes before every key.
    pub(crate) fn least(self) -> String {
        match self {
            Self::Uuid => String::new(),
            Self::Bigint => "0".to_owned(),
        }
    }
}

/// Where the table is, and its copy.
pub(crate) struct Place {
    pub(crate) kind: Kind,
    pub(crate) key: Key,
    pub(crate) rows: u64,
    /// Divides the rows in halves.
    pub(crate) median: String,
    durable: bool,
    directory: TempDir,
    admin: Session,
    pristine: String,
    copy: String,
    /// The server.
    pub(crate) processes: Processes,
}

/// CPU seconds so far.
#[derive(Clone, Copy)]
pub(crate) struct Cpu {
    pub(crate) server: f64,
    /// This process and its children; nothing on SQLite, where they are the server.
    pub(crate) client: f64,
}

impl Place {
    /// Makes the table.
    pub(crate) async fn make(kind: Kind, key: Key, rows: u64, durable: bool) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let admin_url = match kind {
            Kind::Sqlite => format!("sqlite://{}", directory.path().join("other.db").display()),
            _ => {
                let variable = format!("CONCERTINA_TEST_{}", kind.word().to_ascii_uppercase());
                std::env::var(&variable).unwrap_or_else(|_| {
                    panic!("{variable} is not set: run it by tests/run --servers, which starts the servers")
                })
            }
        };
        let mut admin = Session::open(kind, &admin_url).await;
        let processes = Processes::of(kind, &mut admin).await;
        let [pristine, copy] = ["pristine", "copy"].map(|word| match kind {
            Kind::Sqlite => format!("sqlite://{}", directory.path().join(word).with_extension("db").display()),
            _ => {
                let mut url = Url::parse(&admin_url).expect("the server's URL is a URL");
                url.set_path(&database(word));
                url.to_string()
            }
        });
        let median = String::new();
        let mut place = Self { kind, key, rows, median, durable, directory, admin, pristine, copy, processes };
        place.set_server_up().await;
        place.fill().await;
        place
    }

    /// Opens a session with the durability asked for.
    pub(crate) async fn session(kind: Kind, url: &str) -> Session {
        let mut session = Session::open(kind, url).await;
        match kind {
            Kind::Postgres => {
                let server = session.text("SELECT reset_val FROM pg_settings WHERE name = 'fsync'").await;
                session.run(format!("SET synchronous_commit = {server}")).await;
            }
            Kind::MySql => {}
            // As SQLite does when nobody says anything, and so as Concertina's own sessions do.
            Kind::Sqlite => session.run("PRAGMA synchronous = FULL; PRAGMA busy_timeout = 120000").await,
        }
        session
    }

    async fn set_server_up(&mut self) {
        let settings: &[&str] = match (self.kind, self.durable) {
            (Kind::Postgres, false) => &["fsync = off", "synchronous_commit = off", "full_page_writes = off"],
            (Kind::Postgres, true) => &["fsync = on", "synchronous_commit = on", "full_page_writes = on"],
            (Kind::MySql, false) => &["innodb_flush_log_at_trx_commit = 0"],
            (Kind::MySql, true) => &["innodb_flush_log_at_trx_commit = 1"],
            (Kind::Sqlite, _) => &[],
        };
        let memory: &[&str] = match self.kind {
            Kind::Postgres => &["autovacuum = off", "max_wal_size = '8GB'", "checkpoint_timeout = '30min'"],
            Kind::MySql => &["innodb_buffer_pool_size = 1073741824", "innodb_log_file_size = 2147483648"],
            Kind::Sqlite => &[],
        };
        let verb = if self.kind == Kind::Postgres { "ALTER SYSTEM SET" } else { "SET GLOBAL" };
        for setting in settings.iter().chain(memory) {
            self.admin.run(format!("{verb} {setting}")).await;
        }
        if self.kind == Kind::Postgres {
            self.admin.run("SELECT pg_reload_conf()").await;
            // The backends read it when they next wait for a statement.
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    }

    async fn fill(&mut self) {
        for word in ["pristine", "copy"] {
            self.drop_database(word).await;
        }
        if self.kind != Kind::Sqlite {
            self.admin.run(format!("CREATE DATABASE {}", database("pristine"))).await;
        }
        let mut session = Self::session(self.kind, &self.pristine).await;
        let id = if self.key == Key::Uuid { "VARCHAR(36)" } else { "BIGINT" };
        let engine = if self.kind == Kind::MySql { " ENGINE=InnoDB" } else { "" };
        session
            .run(format!(
                "CREATE TABLE images (id {id} NOT NULL PRIMARY KEY, name VARCHAR(255) NOT NULL, \
                 is_public BOOLEAN NOT NULL, payload VARCHAR(200) NOT NULL, visibility VARCHAR(20)){engine}"
            ))
            .await;
        // Not afterwards: indexes that have grown are what an application has.
        session.run("CREATE INDEX images_name ON images (name)").await;
        let rows = self.rows;
        let source = match self.kind {
            Kind::Postgres => format!("SELECT n, md5(n::text) AS m FROM generate_series(1, {rows}) AS n"),
            Kind::MySql => format!("SELECT seq AS n, MD5(seq) AS m FROM seq_1_to_{rows}"),
            Kind::Sqlite => format!(
                "WITH RECURSIVE series (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM series WHERE n < {rows}) \
                 SELECT n, lower(hex(randomblob(16))) AS m FROM series"
            ),
        };
        let uuid =
            [(1, 8), (9, 4), (13, 4), (17, 4), (21, 12)].map(|(at, length)| format!("substr(m, {at}, {length})"));
        let (id, name, payload) = match (self.kind, self.key) {
            (_, Key::Bigint) => ("n".to_owned(), "substr(m, 1, 8)", "m"),
            (Kind::MySql, Key::Uuid) => (format!("CONCAT_WS('-', {})", uuid.join(", ")), "substr(m, 1, 8)", "m"),
            (_, Key::Uuid) => (uuid.join(" || '-' || "), "substr(m, 1, 8)", "m"),
        };
        let payload = if self.kind == Kind::MySql {
            format!("CONCAT({payload}, {payload}, {payload}, 'four')")
        } else {
            format!("{payload} || {payload} || {payload} || 'four'")
        };
        session
            .run(format!(
                "INSERT INTO images (id, name, is_public, payload) \
                 SELECT {id}, {name}, n % 3 = 0, {payload} FROM ({source}) AS source"
            ))
            .await;
        match self.kind {
            Kind::Postgres => session.run("VACUUM (ANALYZE, FREEZE) images").await,
            Kind::MySql => session.run("ANALYZE TABLE images").await,
            Kind::Sqlite => session.run("ANALYZE; PRAGMA wal_checkpoint(TRUNCATE)").await,
        }
        self.median = session.text(&format!("SELECT id FROM images ORDER BY id LIMIT 1 OFFSET {}", rows / 2)).await;
    }

    /// Gives the pristine table itself, for those who run once.
    pub(crate) async fn pristine(&mut self) -> String {
        self.settle(&self.pristine.clone()).await;
        self.pristine.clone()
    }

    /// Makes a new copy, and reads it once; gives its URL.
    pub(crate) async fn copy(&mut self) -> String {
        self.drop_database("copy").await;
        let (from, to) = (database("pristine"), database("copy"));
        match self.kind {
            Kind::Postgres => {
                self.admin.run(format!("CREATE DATABASE {to} TEMPLATE {from} STRATEGY FILE_COPY")).await;
            }
            Kind::MySql => {
                self.admin.run(format!("CREATE DATABASE {to}")).await;
                self.admin.run(format!("CREATE TABLE {to}.images LIKE {from}.images")).await;
                self.admin.run(format!("ALTER TABLE {to}.images DISCARD TABLESPACE")).await;
                self.admin.run(format!("FLUSH TABLES {from}.images FOR EXPORT")).await;
                let data = PathBuf::from(self.admin.text("SELECT @@datadir").await);
                for file in ["images.ibd", "images.cfg"] {
                    copy_file(&data.join(&from).join(file), &data.join(&to).join(file));
                }
                self.admin.run("UNLOCK TABLES").await;
                self.admin.run(format!("ALTER TABLE {to}.images IMPORT TABLESPACE")).await;
            }
            Kind::Sqlite => {
                copy_file(&self.directory.path().join("pristine.db"), &self.directory.path().join("copy.db"));
            }
        }
        let url = self.copy.clone();
        self.settle(&url).await;
        url
    }

    /// Reads the table, and waits until the server has nothing left to do.
    async fn settle(&mut self, url: &str) {
        let mut session = Self::session(self.kind, url).await;
        if self.kind == Kind::MySql {
            session.run("ANALYZE TABLE images").await;
        }
        session.run("SELECT COUNT(*), MAX(payload), MAX(visibility) FROM images").await;
        match self.kind {
            Kind::Postgres => {
                // A server without it reads what it needs from the system's cache.
                if session
                    .maybe_text("SELECT name::text FROM pg_available_extensions WHERE name = 'pg_prewarm'")
                    .await
                    .is_some()
                {
                    session.run("CREATE EXTENSION IF NOT EXISTS pg_prewarm").await;
                    for relation in ["images_name", "images", "images_pkey"] {
                        session.run(format!("SELECT pg_prewarm('{relation}')")).await;
                    }
                }
                session.run("CHECKPOINT").await;
            }
            Kind::MySql => {
                session.run("SELECT COUNT(*), MAX(name) FROM images FORCE INDEX (images_name)").await;
                let hurry = "innodb_io_capacity_max = 40000, GLOBAL innodb_io_capacity = 20000";
                session.run(format!("SET GLOBAL {hurry}, GLOBAL innodb_max_dirty_pages_pct = 0")).await;
                let waiting = "SELECT CAST(SUM(CAST(VARIABLE_VALUE AS UNSIGNED)) AS CHAR) \
                               FROM information_schema.GLOBAL_STATUS \
                               WHERE VARIABLE_NAME IN ('INNODB_BUFFER_POOL_PAGES_DIRTY', 'INNODB_HISTORY_LIST_LENGTH')";
                for _ in 0..600 {
                    if session.text(waiting).await.parse::<f64>().is_ok_and(|pages| pages < 200.0) {
                        break;
                    }
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                let normal = "innodb_io_capacity = 200, GLOBAL innodb_io_capacity_max = 2000";
                session.run(format!("SET GLOBAL {normal}, GLOBAL innodb_max_dirty_pages_pct = 90")).await;
            }
            Kind::Sqlite => {}
        }
    }

    /// CPU time until now.
    pub(crate) async fn cpu(&self) -> Cpu {
        // Sessions that have just ended may not be gone.
        tokio::time::sleep(Duration::from_millis(50)).await;
        let client = if self.kind == Kind::Sqlite { 0.0 } else { ticked(Path::new("/proc/self")) };
        Cpu { server: self.processes.seconds(), client }
    }

    /// Panics unless every row has what it must have.
    pub(crate) async fn check(&self, url: &str) {
        let text = if self.kind == Kind::MySql { "CHAR" } else { "TEXT" };
        let right = Self::session(self.kind, url)
            .await
            .text(&format!("SELECT CAST(COUNT(*) AS {text}) FROM images WHERE visibility = {SET}"))
            .await;
        assert_eq!(right, self.rows.to_string(), "rows that were changed as they should be");
    }

    /// Removes what the server has of it.
    pub(crate) async fn remove(mut self) {
        for word in ["copy", "pristine"] {
            self.drop_database(word).await;
        }
    }

    async fn drop_database(&mut self, word: &str) {
        match self.kind {
            Kind::Postgres => {
                self.admin.run(format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", database(word))).await;
            }
            Kind::MySql => self.admin.run(format!("DROP DATABASE IF EXISTS {}", database(word))).await,
            Kind::Sqlite => {
                for end in ["db", "db-wal", "db-shm"] {
                    // It may not be there.
                    drop(fs::remove_file(self.directory.path().join(word).with_extension(end)));
                }
            }
        }
    }
}

fn database(word: &str) -> String {
    format!("cbench_{word}_{}", std::process::id())
}

/// Copies a file, owner included, and leaves nothing for the system to write later.
fn copy_file(from: &Path, to: &Path) {
    let copied = fs::copy(from, to).and_then(|_| {
        let owner = fs::metadata(from)?;
        if fs::metadata(to)?.uid() != owner.uid() {
            chown(to, Some(owner.uid()), Some(owner.gid()))?;
        }
        File::open(to)?.sync_all()
    });
    copied.unwrap_or_else(|error| panic!("failed to copy `{}`: {error}", from.display()));
}
