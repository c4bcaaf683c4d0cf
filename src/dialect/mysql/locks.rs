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

    fn end_blocker(&self, session: i64) -> [String; 2] {
        [format!("KILL QUERY {session}"), format!("KILL {session}")]
    }

    fn have_for_an_instant(&self, table: &str) -> Vec<String> {
        vec![format!("LOCK TABLES {} WRITE", self.table(table)), "UNLOCK TABLES".to_owned()]
    }
}
