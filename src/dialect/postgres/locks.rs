//! PostgreSQL's locks.

use std::time::Duration;

use super::Postgres;
use crate::dialect::{BlockersQuery, Locks, Patience};

impl Locks for Postgres {
    fn lock_wait(&self, patience: Patience, instant: Option<Duration>) -> String {
        let milliseconds = match patience {
            // 0 would be no limit at all.
            Patience::Instant => instant.map_or(50, |instant| instant.as_millis().max(1)),
            Patience::Moment => 1_000,
            Patience::Seconds => 5_000,
            // Concurrent builds wait for old transactions while they block nobody.
            Patience::Minutes => 600_000,
        };
        format!("SET lock_timeout = '{milliseconds}ms'")
    }

    fn blockers(&self, session: i64) -> Vec<BlockersQuery> {
        // Only while it waits; those who wait in front of it are named after those who hold what they all want.
        let sql = format!(
            "SELECT b.pid::bigint, coalesce(a.usename, ''), \
             coalesce(nullif(a.application_name, ''), a.backend_type, 'a prepared transaction'), \
             CASE WHEN a.wait_event_type = 'Lock' THEN 'waiting for a lock' ELSE coalesce(a.state, '') END, \
             (extract(epoch FROM clock_timestamp() - coalesce(a.xact_start, a.query_start, a.backend_start)) * 1000)::bigint, \
             left(regexp_replace(coalesce(a.query, ''), '\\s+', ' ', 'g'), 120), NULL::text \
             FROM unnest(pg_blocking_pids({session})) AS b(pid) LEFT JOIN pg_stat_activity a ON a.pid = b.pid \
             ORDER BY a.wait_event_type = 'Lock', a.xact_start NULLS LAST"
        );
        vec![BlockersQuery { sql, certain: true }]
    }

    fn waits(&self) -> Vec<String> {
        vec![
            "SELECT w.pid::bigint, b.pid::bigint, coalesce(nullif(a.application_name, ''), a.backend_type, 'a prepared transaction'), \
             left(regexp_replace(coalesce(a.query, ''), '\\s+', ' ', 'g'), 160) \
             FROM pg_stat_activity w CROSS JOIN LATERAL unnest(pg_blocking_pids(w.pid)) AS b(pid) \
             LEFT JOIN pg_stat_activity a ON a.pid = b.pid \
             WHERE w.datname = current_database() AND w.wait_event_type = 'Lock'"
                .to_owned(),
        ]
    }

    fn knows_who_waits(&self) -> bool {
        true
    }

    fn end_blocker(&self, session: i64) -> [String; 2] {
        [format!("SELECT pg_cancel_backend({session})"), format!("SELECT pg_terminate_backend({session})")]
    }
}
