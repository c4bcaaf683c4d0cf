//! refinery over our connections: one bridge for the three databases.
//!
//! refinery calls `execute` once for each migration, with its SQL and the history row: so the transaction is ours to open,
//! and the lease is asked inside it. refinery has no lock of its own; the lease is one.

use refinery_core::traits::r#async::{AsyncMigrate, AsyncQuery, AsyncTransaction};
use refinery_core::{Migration, Runner, Target};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{StoreError, lease};
use crate::db::{Class, Connection};

struct Bridge<'c> {
    connection: &'c mut Connection,
    token: i64,
    /// What its statements belong to.
    place: &'static str,
    /// Run at the end of each transaction.
    afterwards: &'c [String],
}

impl AsyncTransaction for Bridge<'_> {
    type Error = StoreError;

    async fn execute<'a, T: Iterator<Item = &'a str> + Send + 'a>(
        &'a mut self,
        queries: T,
    ) -> Result<usize, StoreError> {
        let queries: Vec<&str> = queries.collect();
        self.connection.at("lease.fence");
        self.connection.begin().await?;
        let mut done = lease::fence(self.connection, self.token).await;
        // A file comes with its record; refinery's own table comes alone.
        self.connection.at(if queries.len() > 1 { self.place } else { "refinery.table" });
        for query in queries.iter().copied().chain(self.afterwards.iter().map(String::as_str)) {
            if done.is_ok() {
                done = self.connection.run(query).await.map_err(StoreError::from);
            }
        }
        if done.is_ok() {
            done = self.connection.commit().await.map_err(StoreError::from);
        }
        if done.is_err() {
            self.connection.rollback().await;
        }
        done.map(|()| queries.len())
    }
}

impl AsyncQuery<Vec<Migration>> for Bridge<'_> {
    async fn query<'a>(&'a mut self, query: &'a str) -> Result<Vec<Migration>, StoreError> {
        let rows = self.connection.query(query, &[]).await?;
        let bad = |what: &str, error: &dyn std::error::Error| {
            StoreError::Refinery(format!("refinery's history has a row with an unreadable {what}: {error}"))
        };
        rows.iter()
            .map(|row| {
                let applied = OffsetDateTime::parse(&row.text(2).unwrap_or_default(), &Rfc3339)
                    .map_err(|error| bad("date", &error))?;
                let checksum = row
                    .text(3)
                    .unwrap_or_default()
                    .parse()
                    .map_err(|error: std::num::ParseIntError| bad("checksum", &error))?;
                Ok(Migration::applied(row.integer(0).unwrap_or(0), row.text(1).unwrap_or_default(), applied, checksum))
            })
            .collect()
    }
}

impl AsyncMigrate for Bridge<'_> {}

/// Runs files that were not run yet, under the lease's token, at a place, `afterwards` at the end of each transaction; what was run is not compared here, because [`super::baseline`] knows two forms of checksum.
pub(super) async fn run(
    connection: &mut Connection,
    (token, place): (i64, &'static str),
    files: &[(String, String)],
    history: &str,
    target: Target,
    afterwards: &[String],
) -> Result<Vec<String>, StoreError> {
    let migrations = files
        .iter()
        .map(|(label, sql)| Migration::unapplied(label, sql).map_err(|error| StoreError::Refinery(error.to_string())))
        .collect::<Result<Vec<_>, _>>()?;
    let mut runner = Runner::new(&migrations).set_target(target).set_abort_divergent(false).set_abort_missing(false);
    runner.set_migration_table_name(history);
    let report = runner
        .run_async(&mut Bridge { connection, token, place, afterwards })
        .await
        .map_err(|error| innermost(&error))?;
    Ok(report.applied_migrations().iter().map(ToString::to_string).collect())
}

/// refinery prints a source's message inside its own, and keeps it as the source as well: say it once.
fn innermost(error: &refinery_core::Error) -> StoreError {
    use std::error::Error as _;
    let inner = error.source().and_then(|source| source.downcast_ref::<StoreError>());
    if let Some(StoreError::Db(lost)) = inner
        && lost.class() == Class::Disconnected
    {
        // What to do about it has nothing to do with the file.
        return StoreError::Db(lost.clone());
    }
    let inner = inner.map(ToString::to_string);
    StoreError::Refinery(inner.unwrap_or_else(|| error.to_string()))
}
