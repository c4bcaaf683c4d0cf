//! How a driver is told to connect: TLS, sockets, and where the password comes from.

use std::fs;
use std::path::Path;

use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};
use sqlx::postgres::{PgConnectOptions, PgSslMode};

use super::parameters::{Parameters, Tls};
use super::{DbError, Target};
use crate::dialect::Kind;

/// PostgreSQL's options.
pub(super) fn postgres(target: &Target) -> Result<PgConnectOptions, DbError> {
    let options: PgConnectOptions = target.url().parse().map_err(|error| DbError::connect(target, &error))?;
    let tls = in_force(target)?;
    let mode = match tls.mode_in_force() {
        // It never has TLS on a Unix socket, and libpq does not ask for it there.
        _ if options.get_socket().is_some() || options.get_host().starts_with('/') => PgSslMode::Disable,
        Tls::Disable => PgSslMode::Disable,
        Tls::Prefer => PgSslMode::Prefer,
        Tls::Require => PgSslMode::Require,
        Tls::VerifyCa => PgSslMode::VerifyCa,
        Tls::VerifyFull => PgSslMode::VerifyFull,
    };
    let mut options = options.ssl_mode(mode);
    if let Some(authority) = &tls.authority {
        options = options.ssl_root_cert(authority);
    }
    if let Some(certificate) = &tls.certificate {
        options = options.ssl_client_cert(certificate);
    }
    if let Some(key) = &tls.key {
        options = options.ssl_client_key(key);
    }
    Ok(match password(target)? {
        Some(password) => options.password(&password),
        None => options,
    })
}

/// MySQL's and MariaDB's options.
pub(super) fn mysql(target: &Target) -> Result<MySqlConnectOptions, DbError> {
    let options: MySqlConnectOptions = target.url().parse().map_err(|error| DbError::connect(target, &error))?;
    let tls = in_force(target)?;
    let mode = match tls.mode_in_force() {
        Tls::Disable => MySqlSslMode::Disabled,
        Tls::Prefer => MySqlSslMode::Preferred,
        Tls::Require => MySqlSslMode::Required,
        Tls::VerifyCa => MySqlSslMode::VerifyCa,
        Tls::VerifyFull => MySqlSslMode::VerifyIdentity,
    };
    let mut options = options.ssl_mode(mode);
    if let Some(authority) = &tls.authority {
        options = options.ssl_ca(authority);
    }
    if let Some(certificate) = &tls.certificate {
        options = options.ssl_client_cert(certificate);
    }
    if let Some(key) = &tls.key {
        options = options.ssl_client_key(key);
    }
    Ok(match password(target)? {
        Some(password) => options.password(&password),
        None => options,
    })
}

/// What the URL says of TLS, and where it does not, libpq's environment; each file is there.
fn in_force(target: &Target) -> Result<Parameters, DbError> {
    let mut tls = target.parameters().clone();
    if target.kind() == Kind::Postgres {
        let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        if tls.mode.is_none()
            && let Some(word) = variable("PGSSLMODE")
        {
            let reason = format!("PGSSLMODE is `{word}`, which is no mode of TLS");
            tls.mode = Some(word.parse().map_err(|()| DbError::Url { reason })?);
        }
        for (file, name) in
            [(&mut tls.authority, "PGSSLROOTCERT"), (&mut tls.certificate, "PGSSLCERT"), (&mut tls.key, "PGSSLKEY")]
        {
            *file = file.take().or_else(|| variable(name));
        }
    }
    // The driver would say no more than "no such file".
    let files = [("sslrootcert", &tls.authority), ("sslcert", &tls.certificate), ("sslkey", &tls.key)];
    for (what, file) in files {
        if let Some(file) = file
            && let Err(error) = fs::File::open(file)
        {
            return Err(DbError::Url { reason: format!("{what} `{file}`: {error}") });
        }
    }
    Ok(tls)
}

/// The password that is not in the URL; read anew for every connection, because passwords are changed.
fn password(target: &Target) -> Result<Option<String>, DbError> {
    if let Some(file) = target.password_file() {
        return read_password(file).map(Some);
    }
    // PostgreSQL's driver reads PGPASSWORD and PGPASSFILE itself.
    if target.kind() == Kind::MySql && !target.has_password() {
        return Ok(std::env::var("MYSQL_PWD").ok());
    }
    Ok(None)
}

/// Reads a password's file; the line break that editors put at its end is no part of it.
pub(super) fn read_password(file: &Path) -> Result<String, DbError> {
    let bad = |what: &str| DbError::Url { reason: format!("the password file `{}`: {what}", file.display()) };
    let text = fs::read_to_string(file).map_err(|error| bad(&error.to_string()))?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let password = line.strip_suffix('\r').unwrap_or(line);
    match password {
        "" => Err(bad("it is empty")),
        password if password.contains('\n') => Err(bad("it has several lines; expected the password alone")),
        password => Ok(password.to_owned()),
    }
}
