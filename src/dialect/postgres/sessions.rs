//! PostgreSQL's sessions.

use super::Postgres;
use super::pooler::OTHERS;
use crate::dialect::{Dialect, SessionName, Sessions};

impl Sessions for Postgres {
    fn named_sessions(&self, by: SessionName, pattern: &str) -> Option<String> {
        // Every role may see these two of every session; where it comes from and since when, not every role.
        let name = match by {
            SessionName::ApplicationName => "application_name",
            SessionName::User => "usename",
            SessionName::ProgramName => return None,
        };
        Some(format!(
            "SELECT pid::text, COALESCE(usename::text, ''), {name}::text, COALESCE(client_addr::text, 'here'), \
             extract(epoch FROM clock_timestamp() - backend_start)::bigint FROM pg_stat_activity \
             WHERE datname = current_database() AND pid <> pg_backend_pid() AND {OTHERS} \
             AND {name} LIKE {} ESCAPE '!' ORDER BY backend_start, pid",
            self.literal(pattern)
        ))
    }
}
