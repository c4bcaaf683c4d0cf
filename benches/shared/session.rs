//! One connection to the database under measurement, and the CPU time that its server has used.

use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use sqlx::mysql::MySqlConnectOptions;
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Error, MySqlConnection, PgConnection, Row, SqliteConnection, raw_sql};

/// The databases that can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Postgres,
    MySql,
    Sqlite,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Postgres, Self::MySql, Self::Sqlite];

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::MySql => "mysql",
            Self::Sqlite => "sqlite",
        }
    }
}

/// A connection that keeps its statements prepared.
pub(crate) enum Session {
    Postgres(PgConnection),
    MySql(MySqlConnection),
    Sqlite(SqliteConnection),
}

/// Runs `$body` with `$connection` bound to the driver's own connection.
macro_rules! with_connection {
    ($session:expr, $connection:ident => $body:expr) => {
        match $session {
            Session::Postgres($connection) => $body,
            Session::MySql($connection) => $body,
            Session::Sqlite($connection) => $body,
        }
    };
}

impl Session {
    /// Opens a session that does not wait for the disk: what a commit costs there would hide the trigger.
    pub(crate) async fn open(kind: Kind, url: &str) -> Self {
        let opened = async {
            Ok::<_, Error>(match kind {
                Kind::Postgres => {
                    let options = PgConnectOptions::from_str(url)?.options([("synchronous_commit", "off")]);
                    Self::Postgres(options.connect().await?)
                }
                Kind::MySql => Self::MySql(MySqlConnectOptions::from_str(url)?.connect().await?),
                Kind::Sqlite => {
                    let options = SqliteConnectOptions::from_str(url)?
                        .create_if_missing(true)
                        .pragma("journal_mode", "WAL")
                        .pragma("synchronous", "OFF");
                    Self::Sqlite(options.connect().await?)
                }
            })
        };
        opened.await.unwrap_or_else(|error| panic!("failed to connect to {}: {error}", kind.word()))
    }

    /// Runs statements as plain text.
    pub(crate) async fn run(&mut self, sql: impl Into<String>) {
        let sql = sql.into();
        let statement = raw_sql(AssertSqlSafe(sql.clone()));
        let result = with_connection!(self, connection => statement.execute(connection).await.map(|_| ()));
        result.unwrap_or_else(|error| panic!("failed to run `{sql}`: {error}"));
    }

    /// Runs a statement that is prepared once a session.
    pub(crate) async fn execute(&mut self, sql: &Arc<str>, values: &[&str]) -> Result<(), Error> {
        with_connection!(self, connection => {
            let mut query = sqlx::query(AssertSqlSafe(Arc::clone(sql)));
            for value in values {
                query = query.bind((*value).to_owned());
            }
            query.execute(connection).await.map(|_| ())
        })
    }

    /// Gives the first value of a query, which has to be a text.
    pub(crate) async fn text(&mut self, sql: &str) -> String {
        self.maybe_text(sql).await.unwrap_or_else(|| panic!("failed to run `{sql}`: no row"))
    }

    /// Gives the first value of a query, a text, if there is a row.
    pub(crate) async fn maybe_text(&mut self, sql: &str) -> Option<String> {
        self.texts(sql).await.into_iter().next()
    }

    /// Gives the first value of each row of a query; they have to be texts.
    pub(crate) async fn texts(&mut self, sql: &str) -> Vec<String> {
        let query = raw_sql(AssertSqlSafe(sql.to_owned()));
        let values = with_connection!(self, connection => {
            let rows = query.fetch_all(connection).await;
            rows.and_then(|rows| rows.iter().map(|row| row.try_get_unchecked::<String, _>(0)).collect())
        });
        values.unwrap_or_else(|error| panic!("failed to run `{sql}`: {error}"))
    }
}

/// The processes of a server, to ask what CPU time they have used so far.
pub(crate) struct Processes {
    kind: Kind,
    server: PathBuf,
}

impl Processes {
    /// Finds the server of a session; SQLite's is this process.
    pub(crate) async fn of(kind: Kind, session: &mut Session) -> Self {
        let id = match kind {
            Kind::Postgres => {
                let backend = session.text("SELECT pg_backend_pid()::text").await;
                parent(&Path::new("/proc").join(backend)).expect("PostgreSQL's backend is a process of this machine")
            }
            Kind::MySql => {
                let file =
                    session.text("SELECT IF(@@pid_file LIKE '/%', @@pid_file, CONCAT(@@datadir, @@pid_file))").await;
                fs::read_to_string(&file).unwrap_or_else(|error| panic!("failed to read `{file}`: {error}"))
            }
            Kind::Sqlite => std::process::id().to_string(),
        };
        Self { kind, server: Path::new("/proc").join(id.trim()) }
    }

    /// CPU time, user and system, in microseconds.
    ///
    /// From `schedstat`, which counts nanoseconds: the clock ticks of `stat` are as long as a whole slice.
    pub(crate) fn microseconds(&self) -> f64 {
        if self.kind != Kind::Postgres {
            return used(&self.server);
        }
        let processes = fs::read_dir("/proc").expect("/proc can be read").flatten().map(|entry| entry.path());
        let backends = processes.filter(|process| parent(process).is_some_and(|id| self.server.ends_with(id)));
        used(&self.server) + backends.map(|process| used(&process)).sum::<f64>()
    }

    /// CPU time, user and system, in seconds, of sessions that are over as well: for what takes seconds.
    ///
    /// From `stat`, in ticks of 10 ms, where a process keeps the time of those it has waited for.
    pub(crate) fn seconds(&self) -> f64 {
        let processes = fs::read_dir("/proc").expect("/proc can be read").flatten().map(|entry| entry.path());
        let children = processes.filter(|process| parent(process).is_some_and(|id| self.server.ends_with(id)));
        children.map(|process| ticked(&process)).sum::<f64>() + ticked(&self.server)
    }
}

/// CPU seconds of a process and of its children that have ended.
pub(crate) fn ticked(process: &Path) -> f64 {
    let stat = fs::read_to_string(process.join("stat")).unwrap_or_default();
    // After the name come the state and the parent; utime, stime, cutime and cstime are the 12th to the 15th.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields).split_whitespace();
    fields.skip(11).take(4).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// The id of a process's parent.
fn parent(process: &Path) -> Option<String> {
    let stat = fs::read_to_string(process.join("stat")).ok()?;
    // The name, in parentheses, may hold spaces; the state and the parent follow.
    Some(stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.to_owned())
}

fn used(process: &Path) -> f64 {
    let threads = fs::read_dir(process.join("task")).into_iter().flatten().flatten();
    let nanoseconds = threads.filter_map(|thread| {
        let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<f64>().ok()
    });
    nanoseconds.sum::<f64>() / 1000.0
}
