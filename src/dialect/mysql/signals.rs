//! MySQL's and MariaDB's signals: status counters, and what a replica says of itself.

use super::MySql;
use crate::dialect::signals::{ReplicaStatus, subquery};
use crate::dialect::{Dialect, ReplicaLag, Signals};

impl Signals for MySql {
    fn clock(&self) -> String {
        format!("SELECT {}", self.now())
    }

    fn query_limit(&self, seconds: u32) -> Option<String> {
        Some(if self.server.is_mariadb() {
            format!("SET SESSION max_statement_time = {seconds}")
        } else {
            format!("SET SESSION max_execution_time = {}", seconds * 1_000)
        })
    }

    fn running_sessions(&self) -> Option<String> {
        // The session that asks is one of them. Everybody may see the counter.
        let place = if self.server.is_mariadb() {
            "information_schema.GLOBAL_STATUS"
        } else {
            "performance_schema.global_status"
        };
        Some(format!(
            "SELECT CAST(VARIABLE_VALUE AS SIGNED) - 1, 0 FROM {place} WHERE VARIABLE_NAME = 'Threads_running'"
        ))
    }

    fn replica_lag(&self) -> Option<ReplicaLag> {
        Some(ReplicaLag::Replica(ReplicaStatus {
            // Named sources too, and MySQL 8.4 no longer knows the old words.
            sql: if self.server.is_mariadb() {
                "SHOW ALL SLAVES STATUS"
            } else if self.older_than(8, 0, 22) {
                "SHOW SLAVE STATUS"
            } else {
                "SHOW REPLICA STATUS"
            },
            behind: &["Seconds_Behind_Source", "Seconds_Behind_Master"],
            errors: &["Last_SQL_Error", "Last_IO_Error"],
        }))
    }

    fn signal_rights(&self) -> &'static str {
        if self.server.is_mariadb() {
            "GRANT REPLICA MONITOR ON *.* TO the replica's account (before MariaDB 10.5: REPLICATION CLIENT)"
        } else {
            "GRANT REPLICATION CLIENT ON *.* TO the replica's account"
        }
    }

    fn throttle_number(&self, sql: &str) -> String {
        format!("SELECT CAST({} AS CHAR)", subquery(sql))
    }
}

impl MySql {
    fn older_than(&self, major: u32, minor: u32, patch: u32) -> bool {
        let mut numbers = self.server.version.split(['.', '-']).map(|part| part.parse().unwrap_or(0_u32));
        let mut next = || numbers.next().unwrap_or(0);
        (next(), next(), next()) < (major, minor, patch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::Server;

    fn asked(version: &str) -> &'static str {
        match (MySql { server: Server { version: version.to_owned() } }).replica_lag() {
            Some(ReplicaLag::Replica(status)) => status.sql,
            _ => "",
        }
    }

    #[test]
    fn each_version_is_asked_in_its_own_words() {
        assert_eq!(asked("8.0.21"), "SHOW SLAVE STATUS");
        assert_eq!(asked("8.0.36-0ubuntu0.22.04.1"), "SHOW REPLICA STATUS");
        assert_eq!(asked("9.1.0"), "SHOW REPLICA STATUS");
        assert_eq!(asked("10.11.14-MariaDB-0+deb12u2"), "SHOW ALL SLAVES STATUS");
    }
}
