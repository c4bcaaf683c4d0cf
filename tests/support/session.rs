//! A connection for looking at a database and for playing the application.
//!
//! Every statement goes unprepared, as plain text: a cached statement breaks when the schema changes under it, and the
//! text protocols of PostgreSQL and MySQL give every value as text, whatever its type.

use std::str::FromStr;

use sqlx::mysql::{MySqlConnectOptions, MySqlDatabaseError, MySqlRow};
use sqlx::postgres::{PgConnectOptions, PgRow};
use sqlx::sqlite::{SqliteConnectOptions, SqliteRow};
use sqlx::{
    AssertSqlSafe, ConnectOptions, MySqlConnection, PgConnection, Row, SqliteConnection, TypeInfo, ValueRef, raw_sql,
};

use super::Kind;

/// What a database said when it refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DbFailure {
    pub(crate) message: String,
    /// SQLSTATE on PostgreSQL, the error number on MySQL, the extended result code on SQLite; empty when the failure
    /// did not come from the database.
    pub(crate) code: String,
}

impl From<sqlx::Error> for DbFailure {
    fn from(error: sqlx::Error) -> Self {
        let Some(database) = error.as_database_error() else {
            return Self { message: error.to_string(), code: String::new() };
        };
        let code = match database.try_downcast_ref::<MySqlDatabaseError>() {
            // Nearly everything that MySQL refuses shares the SQLSTATE HY000.
            Some(mysql) => mysql.number().to_string(),
            None => database.code().unwrap_or_default().into_owned(),
        };
        Self { message: database.message().to_owned(), code }
    }
}

/// One connection, to whichever database.
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
    /// Opens a session, or gives what the database said instead.
    pub(crate) async fn try_open(kind: Kind, url: &str) -> Result<Self, DbFailure> {
        Ok(match kind {
            Kind::Postgres => {
                Self::Postgres(PgConnectOptions::from_str(url)?.statement_cache_capacity(0).connect().await?)
            }
            Kind::MySql => {
                Self::MySql(MySqlConnectOptions::from_str(url)?.statement_cache_capacity(0).connect().await?)
            }
            Kind::Sqlite => Self::Sqlite(
                SqliteConnectOptions::from_str(url)?
                    .create_if_missing(true)
                    .statement_cache_capacity(0)
                    .connect()
                    .await?,
            ),
        })
    }

    /// Opens a session.
    pub(crate) async fn open(kind: Kind, url: &str) -> Self {
        match Self::try_open(kind, url).await {
            Ok(session) => session,
            Err(failure) => panic!("failed to open a session on {kind}: {failure:?}"),
        }
    }

    /// Runs statements and gives the number of rows they wrote.
    pub(crate) async fn execute(&mut self, sql: impl Into<String>) -> Result<u64, DbFailure> {
        let statement = raw_sql(AssertSqlSafe(sql.into()));
        Ok(with_connection!(self, connection => statement.execute(connection).await?.rows_affected()))
    }

    /// Runs PostgreSQL's COPY … FROM STDIN with these rows.
    pub(crate) async fn copy_in(&mut self, sql: &str, rows: &str) -> Result<u64, DbFailure> {
        let Self::Postgres(connection) = self else { panic!("only PostgreSQL has COPY") };
        let mut copy = connection.copy_in_raw(sql).await?;
        copy.send(rows.as_bytes()).await?;
        Ok(copy.finish().await?)
    }

    /// Runs statements that must succeed.
    pub(crate) async fn run(&mut self, sql: impl Into<String>) {
        let sql = sql.into();
        if let Err(failure) = self.execute(&sql).await {
            panic!("failed to run `{sql}`: {failure:?}");
        }
    }

    /// Gives the rows of a query, one text each: values between `|`, NULL as `-`.
    pub(crate) async fn lines(&mut self, sql: impl Into<String>) -> Vec<String> {
        self.rows(sql).await.into_iter().map(line).collect()
    }

    /// Gives the same, or what the database said instead.
    pub(crate) async fn try_lines(&mut self, sql: &str) -> Result<Vec<String>, DbFailure> {
        Ok(self.try_rows(sql).await?.into_iter().map(line).collect())
    }

    /// Gives every row of a query, each value as the database's own text.
    ///
    /// A boolean is `t` or `f` on PostgreSQL and `1` or `0` elsewhere; a blob is hexadecimal on SQLite.
    pub(crate) async fn rows(&mut self, sql: impl Into<String>) -> Vec<Vec<Option<String>>> {
        let sql = sql.into();
        match self.try_rows(&sql).await {
            Ok(rows) => rows,
            Err(failure) => panic!("failed to run `{sql}`: {failure:?}"),
        }
    }

    /// Gives the first value of the first row; `None` for NULL and for no row at all.
    pub(crate) async fn value(&mut self, sql: impl Into<String>) -> Option<String> {
        self.rows(sql).await.into_iter().next()?.into_iter().next()?
    }

    async fn try_rows(&mut self, sql: &str) -> Result<Vec<Vec<Option<String>>>, DbFailure> {
        let query = raw_sql(AssertSqlSafe(sql.to_owned()));
        let rows: Result<Vec<Vec<Option<String>>>, sqlx::Error> = match self {
            Self::Postgres(connection) => query.fetch_all(connection).await?.iter().map(postgres_texts).collect(),
            Self::MySql(connection) => query.fetch_all(connection).await?.iter().map(mysql_texts).collect(),
            Self::Sqlite(connection) => query.fetch_all(connection).await?.iter().map(sqlite_texts).collect(),
        };
        Ok(rows?)
    }
}

fn line(row: Vec<Option<String>>) -> String {
    let text = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
    row.into_iter().map(text).collect::<Vec<_>>().join("|")
}

fn postgres_texts(row: &PgRow) -> Result<Vec<Option<String>>, sqlx::Error> {
    (0..row.len()).map(|index| row.try_get_unchecked(index)).collect()
}

fn mysql_texts(row: &MySqlRow) -> Result<Vec<Option<String>>, sqlx::Error> {
    (0..row.len()).map(|index| row.try_get_unchecked(index)).collect()
}

/// SQLite has no text protocol, and a column's declared type says nothing about the value that is in it.
fn sqlite_texts(row: &SqliteRow) -> Result<Vec<Option<String>>, sqlx::Error> {
    (0..row.len())
        .map(|index| {
            let value = row.try_get_raw(index)?;
            if value.is_null() {
                return Ok(None);
            }
            let storage = value.type_info().name().to_owned();
            drop(value);
            Ok(Some(match storage.as_str() {
                "INTEGER" => row.try_get_unchecked::<i64, _>(index)?.to_string(),
                "REAL" => row.try_get_unchecked::<f64, _>(index)?.to_string(),
                "BLOB" => {
                    row.try_get_unchecked::<Vec<u8>, _>(index)?.iter().map(|byte| format!("{byte:02x}")).collect()
                }
                _ => row.try_get_unchecked::<String, _>(index)?,
            }))
        })
        .collect()
}
