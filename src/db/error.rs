//! What a database answered when it did not do as asked.

use std::time::Duration;

use sqlx::mysql::MySqlDatabaseError;

use super::Target;

const UNREACHABLE: &str = "check that the server runs, and the host and port in the URL";
const NO_TLS: &str = "turn TLS on at the server (PostgreSQL: ssl = on; MySQL: ssl_cert and ssl_key), or ask for none where the way \
    there is safe: sslmode=disable (ssl-mode=DISABLED)";
const NOT_TRUSTED: &str =
    "name the host as the certificate does, and give the authority that signed it: sslrootcert=FILE (ssl-ca=FILE)";
const WANTS_CERTIFICATE: &str =
    "the server asks for a client certificate: sslcert=FILE and sslkey=FILE (ssl-cert, ssl-key)";
const NO_OPTIONS: &str = "the pooler passes no `options` on: set them for the role instead (ALTER ROLE … SET search_path = …), or \
    connect to the server itself";

/// An error of a session; its message never holds a password.
#[derive(Debug, Clone, thiserror::Error)]
pub enum DbError {
    /// The URL is none.
    #[error("read the database URL: {reason}")]
    Url {
        /// What is wrong with it.
        reason: String,
    },
    /// No session.
    #[error("connect to {target}: {reason}")]
    Connect {
        /// Where, without the password.
        target: String,
        /// What happened.
        reason: String,
        /// What to do.
        hint: &'static str,
    },
    /// A statement failed.
    #[error("run `{sql}`: {message}")]
    Query {
        /// The statement's first words.
        sql: String,
        /// The database's message.
        message: String,
        /// The database's code.
        code: Option<String>,
        /// What kind of failure it is.
        class: Class,
    },
}

/// What to do about a failed statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// A lock was not to be had in the time given; try again.
    LockTimeout,
    /// A deadlock or serialization failure; the transaction is gone, try it again.
    Conflict,
    /// The server will not do this by the ALGORITHM or LOCK that was named.
    AlgorithmRefused,
    /// The session is gone.
    Disconnected,
    /// The server takes no writes: a replica, or what was the primary before a fail-over.
    ReadOnly,
    /// A privilege is missing.
    Denied,
    /// There is no room left where the data are.
    Full,
    /// Anything else: trying again will not help.
    Other,
}

impl Class {
    /// Whether another session may do what this one cannot: it is gone, or its server is no primary any more.
    pub fn wants_another_session(self) -> bool {
        matches!(self, Self::Disconnected | Self::ReadOnly)
    }
}

impl DbError {
    /// What kind of failure it is.
    pub fn class(&self) -> Class {
        match self {
            Self::Query { class, .. } => *class,
            Self::Connect { .. } => Class::Disconnected,
            Self::Url { .. } => Class::Other,
        }
    }

    /// The database's code for it, if it has one.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Query { code, .. } => code.as_deref(),
            Self::Connect { .. } | Self::Url { .. } => None,
        }
    }

    pub(super) fn connect(target: &Target, error: &sqlx::Error) -> Self {
        let (reason, code) = describe(error);
        let hint = match (error, code.as_deref()) {
            (sqlx::Error::Tls(_), _) if reason.contains("does not support TLS") => NO_TLS,
            (sqlx::Error::Tls(_) | sqlx::Error::Io(_), _) if reason.contains("CertificateRequired") => {
                WANTS_CERTIFICATE
            }
            (sqlx::Error::Tls(_) | sqlx::Error::Io(_), _) if reason.contains("certificate") => NOT_TRUSTED,
            (_, Some("28000")) if reason.contains("client certificate") => WANTS_CERTIFICATE,
            (_, Some("28000")) if reason.contains("no encryption") => {
                "the server's pg_hba.conf lets nobody in without TLS: sslmode=require"
            }
            (_, Some("28P01" | "28000" | "1045" | "1698")) => {
                "check the user name and the password in the URL or in DATABASE_URL"
            }
            (_, Some("3159")) => "the server lets nobody in without TLS: sslmode=require (ssl-mode=REQUIRED)",
            (_, Some("08P01" | "0A000")) if reason.contains("option") => NO_OPTIONS,
            (_, Some("3D000" | "1049" | "1044")) => "create the database first, or correct its name in the URL",
            (sqlx::Error::Io(_), _) => UNREACHABLE,
            (_, Some("14")) => "check the path; `concertina upgrade` creates a SQLite database that is not there",
            _ => "check the URL given with --database, in DATABASE_URL or in concertina.yaml",
        };
        Self::Connect { target: target.to_string(), reason, hint }
    }

    /// Nobody answered in time.
    pub(super) fn silent(target: &Target, patience: Duration) -> Self {
        let reason = format!("no answer within {} s", patience.as_secs());
        Self::Connect { target: target.to_string(), reason, hint: UNREACHABLE }
    }

    /// Fails for a text with a NUL character, which no database takes: SQLite's driver would ask for the statement behind it
    /// without end, since SQLite itself sees none.
    pub(super) fn refuse_nul(sql: &str) -> Result<(), Self> {
        if !sql.contains('\0') {
            return Ok(());
        }
        let message = "there is a NUL character in it, which no database takes".to_owned();
        Err(Self::of_query(&sql.replace('\0', "␀"), message, None, Class::Other))
    }

    pub(super) fn query(sql: &str, error: &sqlx::Error) -> Self {
        let (message, code) = describe(error);
        let class = classify(error, code.as_deref(), &message);
        Self::of_query(sql, message, code, class)
    }

    fn of_query(sql: &str, message: String, code: Option<String>, class: Class) -> Self {
        let first: String = sql.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut sql: String = first.chars().take(160).collect();
        if sql.len() < first.len() {
            sql.push('…');
        }
        Self::Query { sql, message, code, class }
    }
}

fn describe(error: &sqlx::Error) -> (String, Option<String>) {
    match error {
        sqlx::Error::Database(database) => {
            let code = match database.try_downcast_ref::<MySqlDatabaseError>() {
                Some(mysql) => Some(mysql.number().to_string()),
                None => database.code().map(std::borrow::Cow::into_owned),
            };
            (database.message().to_owned(), code)
        }
        // The TLS library's words for it end in a link to its manual.
        sqlx::Error::Io(error) if error.to_string().contains("close_notify") => {
            ("the server closed the connection".to_owned(), None)
        }
        sqlx::Error::Io(error) => (error.to_string(), None),
        sqlx::Error::Tls(error) => (error.to_string(), None),
        other => (other.to_string(), None),
    }
}

fn classify(error: &sqlx::Error, code: Option<&str>, message: &str) -> Class {
    if matches!(
        error,
        sqlx::Error::Io(_) | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed | sqlx::Error::Protocol(_)
    ) {
        return Class::Disconnected;
    }
    match code {
        // PostgreSQL's SQLSTATE is five characters, MySQL's number four, SQLite's code at most three.
        Some("55P03" | "1205" | "5" | "6" | "261" | "517") => Class::LockTimeout,
        Some("40001" | "40P01" | "1213") => Class::Conflict,
        Some("1845" | "1846") => Class::AlgorithmRefused,
        Some("57P01" | "57P02" | "57P03" | "1927" | "1053") => Class::Disconnected,
        // A pooler whose server is gone says so by a class of its own, and ends the connection.
        Some(code) if code.len() == 5 && code.starts_with("08") => Class::Disconnected,
        Some("25006" | "1836") => Class::ReadOnly,
        // MySQL's number is for every option that forbids something.
        Some("1290") if message.contains("read-only") || message.contains("read_only") => Class::ReadOnly,
        Some("42501" | "1142" | "1044" | "1227" | "1419" | "1370") => Class::Denied,
        // What SQLite cannot write is a full disk too, once a file may not grow.
        Some("53100" | "1114" | "1021" | "13" | "778") => Class::Full,
        // MariaDB reports a lock that NOWAIT did not get under the number of a plain timeout, older versions in words alone.
        _ if message.contains("Lock wait timeout exceeded") => Class::LockTimeout,
        // PostgreSQL's code follows the system's reason, which a quota gives another.
        _ if message.contains("could not extend file") => Class::Full,
        _ => Class::Other,
    }
}
