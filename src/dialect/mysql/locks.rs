//! MySQL's and MariaDB's metadata locks.

use std::time::Duration;

use super::MySql;
use crate::dialect::{BlockersQuery, Dialect, Locks, Patience};

impl Locks for MySql {
    fn lock_wait(&self, patience: Patience, instant: Option<Duration>) -> String {
        // Whole seconds. 0 asks once on MariaDB; MySQL's least is 1.
        let least = u64::from(!self.server.is_mariadb());
        match patience {
            Patience::Instant => {
                let seconds = instant.map_or(least, |instant| instant.as_secs().max(least));
                format!("SET SESSION lock_wait_timeout = {seconds}")
            }
            Patience::Moment => "SET SESSION lock_wait_timeout = 1".to_owned(),
            Patience::Seconds | Patience::Minutes => {
                "SET SESSION lock_wait_timeout = 5, innodb_lock_wait_timeout = 5".to_owned()
            }
        }
    }

    fn blockers(&self, session: i64) -> Vec<BlockersQuery> {
        let others = format!("p.ID NOT IN ({session}, CONNECTION_ID())");
        let select = |since: &str, table: &str| {
            format!(
                "SELECT DISTINCT CAST(p.ID AS SIGNED), p.USER, p.HOST, \
                 CASE WHEN p.STATE LIKE 'Waiting for table%' THEN 'waiting for a lock' \
                 WHEN p.COMMAND = 'Sleep' THEN 'idle in transaction' ELSE LOWER(p.COMMAND) END, \
                 CAST({since} AS SIGNED), LEFT(COALESCE(p.INFO, ''), 120), {table} FROM information_schema.PROCESSLIST p"
            )
        };
        let trx = "LEFT JOIN information_schema.INNODB_TRX t ON t.trx_mysql_thread_id = p.ID";
        let since = "COALESCE(TIMESTAMPDIFF(SECOND, t.trx_started, NOW()), p.TIME) * 1000";
        let schema = format!(
            "{} JOIN performance_schema.threads h ON h.PROCESSLIST_ID = p.ID \
             JOIN performance_schema.metadata_locks l ON l.OWNER_THREAD_ID = h.THREAD_ID {trx} \
             WHERE {others} AND l.OBJECT_TYPE = 'TABLE' AND l.LOCK_STATUS = 'GRANTED' AND l.OBJECT_SCHEMA = DATABASE() ORDER BY 5 DESC",
            select(since, "l.OBJECT_NAME")
        );
        let plugin = format!(
            "{} JOIN information_schema.METADATA_LOCK_INFO l ON l.THREAD_ID = p.ID {trx} \
             WHERE {others} AND l.TABLE_SCHEMA = DATABASE() AND l.TABLE_NAME <> '' ORDER BY 5 DESC",
            select(since, "l.TABLE_NAME")
        );
        // Without either, who has a transaction open is all that can be said.
        let open = format!(
            "{} JOIN information_schema.INNODB_TRX t ON t.trx_mysql_thread_id = p.ID WHERE {others} ORDER BY t.trx_started",
            select(since, "NULL")
        );
        [(schema, true), (plugin, true), (open, false)]
            .map(|(sql, certain)| BlockersQuery { sql, certain })
            .into_iter()
            .collect()
    }

    fn waits(&self) -> Vec<String> {
        let what = "LEFT(COALESCE(a.INFO, ''), 160)";
        let who = "CONCAT('session ', a.ID, ' of ', a.USER)";
        let rows = if self.server.is_mariadb() {
            format!(
                "SELECT CAST(r.trx_mysql_thread_id AS SIGNED), CAST(b.trx_mysql_thread_id AS SIGNED), {who}, {what} \
                 FROM information_schema.INNODB_LOCK_WAITS w \
                 JOIN information_schema.INNODB_TRX r ON r.trx_id = w.requesting_trx_id \
                 JOIN information_schema.INNODB_TRX b ON b.trx_id = w.blocking_trx_id \
                 LEFT JOIN information_schema.PROCESSLIST a ON a.ID = b.trx_mysql_thread_id"
            )
        } else {
            format!(
                "SELECT CAST(r.PROCESSLIST_ID AS SIGNED), CAST(b.PROCESSLIST_ID AS SIGNED), {who}, {what} \
                 FROM performance_schema.data_lock_waits w \
                 JOIN performance_schema.threads r ON r.THREAD_ID = w.REQUESTING_THREAD_ID \
                 JOIN performance_schema.threads b ON b.THREAD_ID = w.BLOCKING_THREAD_ID \
                 LEFT JOIN information_schema.PROCESSLIST a ON a.ID = b.PROCESSLIST_ID"
            )
        };
        // Of a table's own lock the server tells who waits; who has it, or stands first in line, is whoever changes the table.
        let tables = format!(
            "SELECT CAST(w.ID AS SIGNED), CAST(a.ID AS SIGNED), {who}, {what} FROM information_schema.PROCESSLIST w \
             JOIN information_schema.PROCESSLIST a ON a.DB = w.DB AND a.ID <> w.ID \
             AND a.INFO REGEXP '^(ALTER|CREATE|DROP|LOCK|RENAME|TRUNCATE)' \
             WHERE w.DB = DATABASE() AND w.STATE LIKE 'Waiting for table%'"
        );
        vec![rows, tables]
    }

    fn end_blocker(&self, session: i64) -> [String; 2] {
        [format!("KILL QUERY {session}"), format!("KILL {session}")]
    }

    fn have_for_an_instant(&self, table: &str) -> Vec<String> {
        vec![format!("LOCK TABLES {} WRITE", self.table(table)), "UNLOCK TABLES".to_owned()]
    }
}
