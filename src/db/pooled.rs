//! PostgreSQL behind a pooler that gives each transaction another session, as `PgBouncer` does in its transaction mode.
//!
//! A statement is then one message: nothing is prepared, and what would be set for a session is set in each transaction. A
//! pooler is known by what it does: an option that a client gives at its start reaches a server that is the client's alone.

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Row as _};

use super::Value;
use crate::dialect::pooler::{self, Inlined};

/// What there is of a session where the server's are shared.
#[derive(Debug)]
pub(super) struct Pooled {
    /// The name that the server shows for whichever session works for us.
    pub(super) name: String,
    settings: Vec<String>,
    in_transaction: bool,
}

/// A connection, the server's version, its number for the session, and whether the session is shared with others.
pub(super) type Opened = (PgConnection, String, i64, Option<Pooled>);

/// Connects; `pooled` says that there is a pooler, which another connection has found out.
pub(super) async fn connect(options: PgConnectOptions, pooled: bool) -> Result<Opened, sqlx::Error> {
    let number = format!("{:016x}", fastrand::u64(..));
    // The digits are what the server has by itself since PostgreSQL 12, and poolers do not know the option.
    let options = options.statement_cache_capacity(0).extra_float_digits(None::<i8>);
    let options = options.log_statements(tracing::log::LevelFilter::Trace);
    if !pooled {
        let alone = options.clone().application_name("concertina").options([("concertina.session", &number)]);
        match alone.connect().await {
            Ok(mut connection) => {
                let (version, id, found) = look(&mut connection, &number).await?;
                if found == number {
                    return Ok((connection, version, id, None));
                }
                connection.close().await.unwrap_or_else(|error| tracing::debug!(%error, "close"));
            }
            Err(error) if is_about_options(&error) => {}
            Err(error) => return Err(error),
        }
        tracing::debug!("the sessions are a pooler's");
    }
    let name = format!("{}{number}", pooler::NAME);
    let mut connection = options.application_name(&name).connect().await?;
    let (version, id, _) = look(&mut connection, &number).await?;
    Ok((connection, version, id, Some(Pooled { name, settings: Vec::new(), in_transaction: false })))
}

async fn look(connection: &mut PgConnection, number: &str) -> Result<(String, i64, String), sqlx::Error> {
    // The catalog's own queries look so dear that PostgreSQL compiles them: 20 ms for 1 ms of work, many times a command. Before
    // PostgreSQL 11 there is no JIT, and a session that is a pooler's stays as it is.
    // Unprepared: between a preparation and its use a pooler may change the session.
    let query = format!(
        "SELECT current_setting('server_version'), pg_backend_pid()::bigint, \
         coalesce(current_setting('concertina.session', true), ''), \
         CASE WHEN current_setting('concertina.session', true) = '{number}' AND current_setting('server_version_num')::int >= 110000 \
         THEN set_config('jit', 'off', false) END"
    );
    let row = sqlx::raw_sql(AssertSqlSafe(query)).fetch_one(connection).await?;
    Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?))
}

/// Whether a pooler refused an option: each has its own words for that.
fn is_about_options(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| {
        matches!(error.code().as_deref(), Some("08P01" | "0A000")) && error.message().contains("option")
            || error.message().contains("startup parameter")
    })
}

impl Pooled {
    /// Sets something for each transaction from now on; gives the statement that sets it in the one that is open, if one is.
    pub(super) fn set(&mut self, setting: &str) -> Option<String> {
        let setting = pooler::for_one_transaction(setting);
        self.settings.retain(|known| pooler::subject(known) != pooler::subject(&setting));
        self.settings.push(setting.clone());
        self.in_transaction.then_some(setting)
    }

    /// The message that a statement is sent in.
    pub(super) fn message(&self, sql: &str, values: &[Value]) -> String {
        let values: Vec<Inlined<'_>> = values.iter().map(inlined).collect();
        let sql = if values.is_empty() { sql.to_owned() } else { pooler::with_values(sql, &values) };
        if self.in_transaction { sql } else { pooler::one_message(&self.settings, &sql).into_owned() }
    }

    /// The message of a statement that failed for being in a transaction with its settings: it goes without them.
    pub(super) fn again(&self, sql: &str, error: &sqlx::Error) -> Option<String> {
        let code = error.as_database_error()?.code()?;
        let alone = !self.in_transaction && !self.settings.is_empty() && pooler::was_for_no_transaction(&code);
        alone.then(|| sql.to_owned())
    }

    /// Notes what a statement did to the transaction.
    pub(super) fn ran(&mut self, sql: &str, done: bool) {
        match sql {
            "BEGIN" => self.in_transaction = done,
            "COMMIT" | "ROLLBACK" => self.in_transaction = false,
            _ => {}
        }
    }
}

fn inlined(value: &Value) -> Inlined<'_> {
    match value {
        Value::Null => Inlined::Null,
        Value::Integer(number) => Inlined::Integer(*number),
        Value::Real(number) => Inlined::Real(*number),
        Value::Text(text) => Inlined::Text(text),
        Value::Bytes(bytes) => Inlined::Bytes(bytes),
    }
}
