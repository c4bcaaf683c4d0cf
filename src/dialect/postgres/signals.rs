//! PostgreSQL's signals, from its statistics views.

use super::Postgres;
use super::pooler::OTHERS;
use crate::dialect::signals::subquery;
use crate::dialect::{Dialect, ReplicaLag, Signals};

impl Signals for Postgres {
    fn clock(&self) -> String {
        format!("SELECT {}", self.now())
    }

    fn query_limit(&self, seconds: u32) -> Option<String> {
        Some(format!("SET statement_timeout = '{seconds}s'"))
    }

    fn running_sessions(&self) -> Option<String> {
        // Who may not see a session is shown its row all the same, with this text. Sessions of the server's own have no role or
        // no database.
        let hidden = "query = '<insufficient privilege>'";
        Some(format!(
            "SELECT count(*) FILTER (WHERE state IN ('active', 'fastpath function call')), count(*) FILTER (WHERE {hidden}) \
             FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datid IS NOT NULL AND usesysid IS NOT NULL \
             AND {OTHERS} AND (backend_type = 'client backend' OR {hidden})"
        ))
    }

    fn replica_lag(&self) -> Option<ReplicaLag> {
        // A base backup is no replica. Of one that is starting or catching up there may be no lag yet, but there are bytes.
        Some(ReplicaLag::Primary(
            "SELECT coalesce(nullif(application_name, 'walreceiver') || ' ', '') || coalesce(host(client_addr), 'local'), \
             (extract(epoch FROM replay_lag) * 1000)::bigint, \
             coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn), 0)::bigint, \
             CASE WHEN state IS NULL THEN 1 ELSE 0 END \
             FROM pg_stat_replication WHERE state IS NULL OR state IN ('startup', 'catchup', 'streaming') ORDER BY 2 DESC NULLS LAST"
                .to_owned(),
        ))
    }

    fn signal_rights(&self) -> &'static str {
        "GRANT pg_monitor TO the role of migrations"
    }

    fn throttle_number(&self, sql: &str) -> String {
        format!("SELECT {}::text", subquery(sql))
    }
}
