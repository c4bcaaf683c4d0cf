//! The only room that names sqlx: one enum over the three drivers, values in and out, transactions, failpoints.
//!
//! Three traps of the drivers shape it. On PostgreSQL and SQLite no statement is cached, because a cached `SELECT` breaks
//! after DDL (on SQLite silently). DDL goes unprepared. And an open transaction is always rolled back by a statement: dropping a future stops
//! nothing at the server, and a dropped transaction holds its locks until the connection is used again.

mod error;
pub mod failpoint;
mod open;
mod options;
mod parameters;
mod pooled;
mod target;
mod value;

use std::sync::Arc;
use std::time::Duration;

use futures_util::TryStreamExt as _;
use sqlx::mysql::MySqlConnection;
use sqlx::postgres::PgConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection as _, Executor};

pub use error::{Class, DbError};
use failpoint::Place;
pub use open::end_open_sessions;
use pooled::Pooled;
pub use target::{Target, without_passwords};
pub use value::{NamedRow, Row, Value};

use crate::dialect::{self, Dialect, Inspection, InspectionRows, Kind, Patience, Schema, Server, TableRow};

/// How long a server may take to let us in.
const PATIENCE: Duration = Duration::from_secs(10);

/// One session with a database.
#[derive(Debug)]
pub struct Connection {
    driver: Driver,
    dialect: Arc<dyn Dialect>,
    target: Target,
    /// What this session, and every one that is opened beside it, has run at its start.
    setting: Option<&'static str>,
    /// Whether writes go to a cluster whose other nodes take writes too.
    in_cluster: bool,
    /// The server's number for this session.
    id: i64,
    /// What its statements belong to.
    place: Place,
    /// What there is of a session where a pooler shares the server's; PostgreSQL alone.
    pooled: Option<Pooled>,
    _open: open::Entry,
}

#[derive(Debug)]
enum Driver {
    Postgres(Box<PgConnection>),
    MySql(Box<MySqlConnection>),
    Sqlite(Box<SqliteConnection>),
}

/// Runs the same expression on whichever driver it is.
macro_rules! on_driver {
    ($driver:expr, $connection:ident => $work:expr) => {
        match $driver {
            Driver::Postgres($connection) => $work,
            Driver::MySql($connection) => $work,
            Driver::Sqlite($connection) => $work,
        }
    };
}

/// Takes a driver's answer apart: rows, and what is said at the end of each statement.
macro_rules! exchanged {
    ($query:expr, $connection:expr, $text:ty, $answer:ident, $done:ident => $inserted:expr) => {{
        let parts = $query.fetch_many($connection.as_mut()).try_collect::<Vec<_>>().await;
        parts.and_then(|parts| {
            for part in parts {
                match part {
                    sqlx::Either::Left($done) => {
                        $answer.affected += $done.rows_affected();
                        $answer.inserted = $inserted;
                    }
                    sqlx::Either::Right(row) => $answer.rows.push(value::named::<_, $text>(&row)?),
                }
            }
            Ok(())
        })
    }};
}

/// Binds values to a query of one driver, each in the form that the driver knows.
macro_rules! bound {
    ($sql:expr, $values:expr, cached = $cached:literal) => {{
        let mut query = sqlx::query(AssertSqlSafe($sql.to_owned())).persistent($cached);
        for value in $values {
            query = match value {
                Value::Null => query.bind(None::<String>),
                Value::Integer(number) => query.bind(*number),
                Value::Real(number) => query.bind(*number),
                Value::Text(text) => query.bind(text.clone()),
                Value::Bytes(bytes) => query.bind(bytes.clone()),
            };
        }
        query
    }};
}

/// What a server answered to a statement.
#[derive(Debug, Clone, Default)]
pub struct Exchange {
    /// The rows, each value as text.
    pub rows: Vec<NamedRow>,
    /// How many rows it wrote; of a query how many it found, or 0.
    pub affected: u64,
    /// The number that the database gave to the row that was inserted last; `None` where it tells none.
    pub inserted: Option<i64>,
}

impl Connection {
    /// Connects, within 10 s; `create` makes a SQLite file that is not there.
    pub async fn open(target: &Target, create: bool) -> Result<Self, DbError> {
        Self::within_patience(target, create, false).await
    }

    async fn within_patience(target: &Target, create: bool, pooled: bool) -> Result<Self, DbError> {
        // A firewall that drops packets would keep us for minutes. The drivers have no such limit for one connection.
        match tokio::time::timeout(PATIENCE, Self::connect(target, create, pooled)).await {
            Ok(opened) => opened,
            Err(_) => Err(DbError::silent(target, PATIENCE)),
        }
    }

    async fn connect(target: &Target, create: bool, behind_pooler: bool) -> Result<Self, DbError> {
        let failed = |error: sqlx::Error| DbError::connect(target, &error);
        let mut pooled = None;
        let (driver, version, id) = match target.kind() {
            Kind::Postgres => {
                let opened = pooled::connect(options::postgres(target)?, behind_pooler).await.map_err(failed)?;
                let (connection, version, id, shared) = opened;
                pooled = shared;
                (Driver::Postgres(Box::new(connection)), version, id)
            }
            Kind::MySql => {
                let mut connection = options::mysql(target)?
                    // MySQL and MariaDB see DDL through a cached statement. Without the cache each statement ends with a
                    // packet that has no answer, and the next one waits 40 ms for its acknowledgement (Nagle).
                    .statement_cache_capacity(100)
                    .log_statements(tracing::log::LevelFilter::Trace)
                    .connect()
                    .await
                    .map_err(failed)?;
                let (version, id): (String, i64) = sqlx::query_as("SELECT VERSION(), CAST(CONNECTION_ID() AS SIGNED)")
                    .fetch_one(&mut connection)
                    .await
                    .map_err(failed)?;
                // What triggers do is fixed by the mode of the session that made them: strict, whatever the server's default.
                connection
                    .execute(
                        "SET SESSION sql_mode = 'PIPES_AS_CONCAT,STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION', \
                         innodb_lock_wait_timeout = 5",
                    )
                    .await
                    .map_err(failed)?;
                if !version.to_lowercase().contains("mariadb") {
                    // MySQL shows a table's counter as it was a day ago, unless it is told not to.
                    connection.execute("SET SESSION information_schema_stats_expiry = 0").await.map_err(failed)?;
                }
                (Driver::MySql(Box::new(connection)), version, id)
            }
            Kind::Sqlite => {
                let options: SqliteConnectOptions = target.url().parse().map_err(failed)?;
                let mut connection = options
                    .statement_cache_capacity(0)
                    .create_if_missing(create)
                    .foreign_keys(true)
                    .busy_timeout(Duration::from_secs(5))
                    .log_statements(tracing::log::LevelFilter::Trace)
                    .connect()
                    .await
                    .map_err(failed)?;
                let version: String =
                    sqlx::query_scalar("SELECT sqlite_version()").fetch_one(&mut connection).await.map_err(failed)?;
                (Driver::Sqlite(Box::new(connection)), version, 0)
            }
        };
        let dialect = dialect::of(target.kind(), Server { version });
        let end = match &pooled {
            Some(pooled) => dialect.end_marked(&pooled.name, id),
            None => dialect.end_session(id),
        };
        let entry = open::Entry::new(target, end);
        let mut opened = Self {
            driver,
            dialect,
            target: target.clone(),
            setting: None,
            in_cluster: false,
            id,
            place: Place::new("session"),
            pooled,
            _open: entry,
        };
        // What another node has committed, a command before this one say, is to be seen here, and a pooler chooses the node.
        if let Some([of_cluster, setting]) = opened.dialect.causal_reads()
            && !opened.named(of_cluster).await?.is_empty()
        {
            opened.set(setting).await?;
            opened.in_cluster = true;
        }
        Ok(opened)
    }

    /// A second session with the same database.
    pub async fn another(&self) -> Result<Self, DbError> {
        let mut other = Self::within_patience(&self.target, false, self.pooled.is_some()).await?;
        other.at("beside");
        if let Some(setting) = self.setting {
            other.keep_setting(setting).await?;
        }
        Ok(other)
    }

    /// Runs a statement that sets something of the session, here and in every session that is opened beside this one.
    pub async fn keep_setting(&mut self, setting: &'static str) -> Result<(), DbError> {
        self.set(setting).await?;
        self.setting = Some(setting);
        Ok(())
    }

    /// Runs a statement that sets something of the session.
    pub async fn set(&mut self, setting: &str) -> Result<(), DbError> {
        match &mut self.pooled {
            None => self.send(setting).await,
            Some(pooled) => match pooled.set(setting) {
                Some(now) => self.send(&now).await,
                None => Ok(()),
            },
        }
    }

    /// Says what the statements from here on belong to: the failpoints around each are named by it.
    pub fn at(&mut self, place: &'static str) {
        self.place.name = place;
    }

    /// Says which step the statements from here on belong to, by its kind's word and its id; both are empty behind it.
    pub fn about(&mut self, kind: &str, step: &str) {
        kind.clone_into(&mut self.place.kind);
        step.clone_into(&mut self.place.step);
    }

    /// The SQL this database speaks.
    pub fn dialect(&self) -> &dyn Dialect {
        self.dialect.as_ref()
    }

    /// The SQL this database speaks, to keep.
    pub fn shared_dialect(&self) -> Arc<dyn Dialect> {
        Arc::clone(&self.dialect)
    }

    /// Where this is, without its password.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Runs one or several statements unprepared: DDL, settings, files.
    pub async fn run(&mut self, sql: &str) -> Result<(), DbError> {
        self.place.pass("before");
        self.send(sql).await?;
        self.place.pass("after");
        Ok(())
    }

    /// Runs what changes nothing that outlives the session, so that there is nothing to die before or after.
    async fn send(&mut self, sql: &str) -> Result<(), DbError> {
        tracing::debug!(sql, "run");
        DbError::refuse_nul(sql)?;
        let message = self.pooled.as_ref().map_or_else(|| sql.to_owned(), |pooled| pooled.message(sql, &[]));
        let mut done = self.transmit(message).await;
        if let (Some(pooled), Err(error)) = (&self.pooled, &done)
            && let Some(alone) = pooled.again(sql, error)
        {
            done = self.transmit(alone).await;
        }
        if let Some(pooled) = &mut self.pooled {
            pooled.ran(sql, done.is_ok());
        }
        done.map_err(|error| DbError::query(sql, &error))
    }

    async fn transmit(&mut self, message: String) -> Result<(), sqlx::Error> {
        let query = sqlx::raw_sql(AssertSqlSafe(message));
        on_driver!(&mut self.driver, connection => query.execute(connection.as_mut()).await.map(drop))
    }

    /// Runs one statement with bound values, and returns how many rows it changed.
    pub async fn execute(&mut self, sql: &str, values: &[Value]) -> Result<u64, DbError> {
        tracing::trace!(sql, "execute");
        DbError::refuse_nul(sql)?;
        self.place.pass_with_state("before");
        let changed = match (&mut self.driver, &self.pooled) {
            (Driver::Postgres(connection), Some(pooled)) => {
                let query = sqlx::raw_sql(AssertSqlSafe(pooled.message(sql, values)));
                query.execute(connection.as_mut()).await.map(|done| done.rows_affected())
            }
            (Driver::Postgres(connection), None) => {
                let query = bound!(sql, values, cached = false);
                query.execute(connection.as_mut()).await.map(|done| done.rows_affected())
            }
            (Driver::MySql(connection), _) => {
                let query = bound!(sql, values, cached = true);
                query.execute(connection.as_mut()).await.map(|done| done.rows_affected())
            }
            (Driver::Sqlite(connection), _) => {
                let query = bound!(sql, values, cached = false);
                query.execute(connection.as_mut()).await.map(|done| done.rows_affected())
            }
        }
        .map_err(|error| DbError::query(sql, &error))?;
        self.place.pass_with_state("after");
        Ok(changed)
    }

    /// Makes the session one of an application's: what is set here for our own work is the server's default again, and it goes
    /// by this name where sessions have one.
    pub async fn become_client(&mut self, name: &str) -> Result<(), DbError> {
        for statement in self.dialect.client_session(name) {
            self.send(&statement).await?;
        }
        Ok(())
    }

    /// Sends one statement as it is, unprepared and with its values in it, as many applications' drivers do.
    pub async fn exchange(&mut self, sql: &str) -> Result<Exchange, DbError> {
        DbError::refuse_nul(sql)?;
        let query = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        let mut answer = Exchange::default();
        let done = match &mut self.driver {
            Driver::Postgres(connection) => exchanged!(query, connection, String, answer, done => None),
            Driver::MySql(connection) => {
                exchanged!(query, connection, Vec<u8>, answer, done => i64::try_from(done.last_insert_id()).ok().filter(|id| *id != 0))
            }
            Driver::Sqlite(connection) => {
                exchanged!(query, connection, String, answer, done => Some(done.last_insert_rowid()).filter(|id| *id != 0))
            }
        };
        done.map(|()| answer).map_err(|error| DbError::query(sql, &error))
    }

    /// Runs one query with bound values.
    pub async fn query(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Row>, DbError> {
        tracing::trace!(sql, "query");
        DbError::refuse_nul(sql)?;
        let rows = match (&mut self.driver, &self.pooled) {
            (Driver::Postgres(connection), Some(pooled)) => {
                let query = sqlx::raw_sql(AssertSqlSafe(pooled.message(sql, values)));
                let rows = query.fetch_all(connection.as_mut()).await;
                rows.and_then(|rows| rows.iter().map(value::from_postgres).collect::<Result<Vec<_>, _>>())
            }
            (Driver::Postgres(connection), None) => {
                let rows = bound!(sql, values, cached = false).fetch_all(connection.as_mut()).await;
                rows.and_then(|rows| rows.iter().map(value::from_postgres).collect::<Result<Vec<_>, _>>())
            }
            (Driver::MySql(connection), _) => {
                let rows = bound!(sql, values, cached = true).fetch_all(connection.as_mut()).await;
                rows.and_then(|rows| rows.iter().map(value::from_mysql).collect::<Result<Vec<_>, _>>())
            }
            (Driver::Sqlite(connection), _) => {
                let rows = bound!(sql, values, cached = false).fetch_all(connection.as_mut()).await;
                rows.and_then(|rows| rows.iter().map(value::from_sqlite).collect::<Result<Vec<_>, _>>())
            }
        };
        rows.map_err(|error| DbError::query(sql, &error))
    }

    /// Runs a statement whose columns are known by name alone, such as MySQL's SHOW; each row as names and texts.
    pub async fn named(&mut self, sql: &str) -> Result<Vec<NamedRow>, DbError> {
        tracing::trace!(sql, "named");
        DbError::refuse_nul(sql)?;
        // Unprepared, so that every value arrives as text, whatever its type.
        let query = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        let rows = match &mut self.driver {
            Driver::Postgres(connection) => {
                let rows = query.fetch_all(connection.as_mut()).await;
                rows.and_then(|rows| rows.iter().map(value::named::<_, String>).collect::<Result<Vec<_>, _>>())
            }
            Driver::MySql(connection) => {
                let rows = query.fetch_all(connection.as_mut()).await;
                rows.and_then(|rows| rows.iter().map(value::named::<_, Vec<u8>>).collect::<Result<Vec<_>, _>>())
            }
            Driver::Sqlite(connection) => {
                let rows = query.fetch_all(connection.as_mut()).await;
                rows.and_then(|rows| rows.iter().map(value::named::<_, String>).collect::<Result<Vec<_>, _>>())
            }
        };
        rows.map_err(|error| DbError::query(sql, &error))
    }

    /// Runs a query of one integer; `None` for no row or NULL.
    pub async fn integer(&mut self, sql: &str, values: &[Value]) -> Result<Option<i64>, DbError> {
        Ok(self.query(sql, values).await?.first().and_then(|row| row.integer(0)))
    }

    /// Whether a table of this name is there.
    pub async fn has_table(&mut self, name: &str) -> Result<bool, DbError> {
        let sql = self.dialect.table_exists(name);
        Ok(self.integer(&sql, &[]).await?.unwrap_or(0) > 0)
    }

    /// Opens a transaction that will write.
    pub async fn begin(&mut self) -> Result<(), DbError> {
        self.send(self.dialect.clone().begin()).await
    }
    /// Commits.
    pub async fn commit(&mut self) -> Result<(), DbError> {
        self.place.pass_with_state("commit.before");
        self.send("COMMIT").await?;
        self.place.pass("commit.after");
        Ok(())
    }
    /// Rolls back; an error is swallowed, since the work's own error matters more and a lost session has rolled back.
    pub async fn rollback(&mut self) {
        if let Err(error) = self.send("ROLLBACK").await {
            tracing::debug!(%error, "rollback");
        }
    }

    /// Runs work in a transaction: committed when it succeeds, rolled back when it does not.
    pub async fn transaction<T, E: From<DbError>>(
        &mut self,
        work: impl AsyncFnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        self.begin().await?;
        match work(self).await {
            Ok(value) => match self.commit().await {
                Ok(()) => Ok(value),
                Err(error) => {
                    self.rollback().await;
                    Err(error.into())
                }
            },
            Err(error) => {
                self.rollback().await;
                Err(error)
            }
        }
    }

    /// Whether writes go to a cluster whose other nodes take writes too.
    pub fn is_in_cluster(&self) -> bool {
        self.in_cluster
    }

    /// The server's number for this session; 0 where there is no server.
    pub fn id(&self) -> i64 {
        self.id
    }

    /// The name by which the server shows whichever session works for this one, where sessions are shared.
    pub fn shared_name(&self) -> Option<&str> {
        self.pooled.as_ref().map(|pooled| pooled.name.as_str())
    }

    /// Limits how long later statements wait for a table's lock; `instant` is how long an instant is, where it is not the
    /// database's own.
    pub async fn set_patience(&mut self, patience: Patience, instant: Option<Duration>) -> Result<(), DbError> {
        self.set(&self.dialect.lock_wait(patience, instant)).await
    }

    /// Reads the live schema.
    pub async fn inspect(&mut self) -> Result<Schema, DbError> {
        let Inspection { namespace, tables, columns, keys, foreign_keys, checks, triggers, enums, views, dependents } =
            self.dialect.inspection();
        let rows = InspectionRows {
            namespace: self.texts(Some(namespace)).await?,
            tables: self.texts(Some(tables)).await?,
            columns: self.texts(Some(columns)).await?,
            keys: self.texts(Some(keys)).await?,
            foreign_keys: self.texts(Some(foreign_keys)).await?,
            checks: self.texts(checks).await?,
            triggers: self.texts(Some(triggers)).await?,
            enums: self.texts(enums).await?,
            views: self.texts(views).await?,
            dependents: self.texts(dependents).await?,
        };
        Ok(Schema::from_rows(rows, self.dialect()))
    }

    async fn texts(&mut self, sql: Option<String>) -> Result<Vec<TableRow>, DbError> {
        let Some(sql) = sql else { return Ok(Vec::new()) };
        let rows = self.query(&sql, &[]).await?;
        Ok(rows.iter().map(|row| (0..row.len()).map(|position| row.text(position)).collect()).collect())
    }

    /// Ends the session in good order.
    pub async fn close(self) {
        let closed = on_driver!(self.driver, connection => (*connection).close().await);
        if let Err(error) = closed {
            tracing::debug!(%error, "close");
        }
    }
}
