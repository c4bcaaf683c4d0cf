//! Concertina's own tables in the user's database: facts in, facts out.
//!
//! What happened is recorded; what that means is for the plan room to say. Every write happens under the runner's lease
//! and is fenced by its token. The tables' own schema is versioned with refinery, as the baseline is.

mod baseline;
pub mod control;
mod history;
mod lease;
mod process;
pub mod ranges;
mod records;
mod refinery_bridge;
mod undo;
pub mod worker;

pub use baseline::{
    AppliedBaseline, BaselineEntry, HISTORY as BASELINE_HISTORY, adopt_baseline, applied_baseline, run_baseline,
};
pub use history::{COMMAND, Event, EventFilter, append, append_unleased, events};
pub use lease::{Lease, LeaseHolder};
pub use ranges::RangeRecord;
pub use records::{
    BackfillRecord, PhaseRecord, Records, StepRecord, StepStart, accept_backfill, accept_step, fail_step,
    finish_backfill, finish_phase, finish_step, is_backfill_finished, load, save_tables, save_triggers, start_backfill,
    start_phase, start_step,
};
pub use undo::{LEFT, Undoing, begin_rollback, end_rollback, end_step, forget_step, leave_step, remember};

use crate::db::{Connection, DbError};
use crate::dialect::PREFIX;

/// What went wrong with our own tables.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
    /// Somebody else is at work.
    #[error("another runner holds the lease: {0}")]
    Held(LeaseHolder),
    /// The lease went to somebody else while we were at work.
    #[error("the lease was lost: another runner took over, and nothing more was written")]
    Lost,
    /// The range was taken over, or split; the batch is to be done again by what is there now.
    #[error("the range is another worker's, or was split")]
    RangeMoved,
    /// A dead runner's statement is still at the server.
    #[error("a former runner's statement is still at the server, and could not be ended")]
    StillThere,
    /// The state tables are of a newer version than this program.
    #[error("the state tables have version {found}{}, and this program, {}, knows {known}", by_program(.program.as_deref()), env!("CARGO_PKG_VERSION"))]
    NewerState {
        /// The version of the program that made them, where it says.
        program: Option<String>,
        /// The version in the database.
        found: i64,
        /// The newest version this program knows.
        known: i64,
    },
    /// refinery failed.
    #[error("{0}")]
    Refinery(String),
}

fn by_program(program: Option<&str>) -> String {
    program.map_or_else(String::new, |program| format!(", made by concertina {program}"))
}

/// The newest version of our own tables.
pub(crate) const STATE_VERSION: i64 = 5;
const STATE_SCHEMA: [(&str, &str); 5] = [
    ("V1__state", include_str!("schema/V1__state.sql")),
    ("V2__triggers", include_str!("schema/V2__triggers.sql")),
    ("V3__workers", include_str!("schema/V3__workers.sql")),
    ("V4__tables", include_str!("schema/V4__tables.sql")),
    ("V5__undo", include_str!("schema/V5__undo.sql")),
];
/// The table that says which version of our own tables is there.
pub const STATE_HISTORY: &str = "concertina_schema_history";

/// Whether our tables are there, be it in an older version; refuses those of a newer program.
pub async fn is_installed(connection: &mut Connection) -> Result<bool, StoreError> {
    Ok(installed_version(connection).await? > 0)
}

/// The version of our tables; 0 where there are none.
async fn installed_version(connection: &mut Connection) -> Result<i64, StoreError> {
    if !connection.has_table(STATE_HISTORY).await? {
        return Ok(0);
    }
    let found = connection.integer(&format!("SELECT MAX(version) FROM {STATE_HISTORY}"), &[]).await?.unwrap_or(0);
    if found > STATE_VERSION {
        return Err(StoreError::NewerState {
            program: control::program(connection).await,
            found,
            known: STATE_VERSION,
        });
    }
    Ok(found)
}

/// Whether our tables are those of this version.
pub async fn is_current(connection: &mut Connection) -> Result<bool, StoreError> {
    Ok(installed_version(connection).await? == STATE_VERSION)
}

/// Makes our tables, or brings them up to date; the lease is held.
pub async fn install(connection: &mut Connection, lease: &Lease) -> Result<(), StoreError> {
    if installed_version(connection).await? == STATE_VERSION {
        return Ok(());
    }
    connection.at("store.install");
    let dialect = connection.shared_dialect();
    for statement in dialect.support() {
        connection.run(&statement).await?;
    }
    let files = STATE_SCHEMA.map(|(label, sql)| (label.to_owned(), sql.to_owned()));
    let latest = refinery_core::Target::Latest;
    refinery_bridge::run(connection, (lease.token(), "store.install"), &files, STATE_HISTORY, latest, &[]).await?;
    control::set(connection, control::Setting::Program, Some(env!("CARGO_PKG_VERSION"))).await?;
    debug_assert!(STATE_HISTORY.starts_with(PREFIX), "our tables have our prefix");
    Ok(())
}

/// The database's clock, in milliseconds since the epoch.
pub async fn now(connection: &mut Connection) -> Result<i64, DbError> {
    let sql = format!("SELECT {}", connection.dialect().now());
    Ok(connection.integer(&sql, &[]).await?.unwrap_or(0))
}
