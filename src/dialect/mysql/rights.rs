//! MySQL's and MariaDB's privileges, as `information_schema` shows an account its own; and what a server, or a cluster's node,
//! must be.

use super::MySql;
use crate::dialect::statement::Preflight;
use crate::dialect::{Dialect, Kind, Right, Rights};

impl Rights for MySql {
    fn too_old(&self) -> Option<String> {
        self.server().older_than(Kind::MySql, if self.server.is_mariadb() { [10, 5] } else { [8, 0] })
    }

    fn server_preflight(&self) -> Vec<Preflight> {
        vec![
            Preflight::Empty {
                query:
                    "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('read_only', 'super_read_only', 'innodb_read_only') \
                        AND Value NOT IN ('OFF', '0')"
                        .to_owned(),
                reason: "the server is read-only, as a replica is".to_owned(),
                remedy:
                    "name the primary in the URL; or, if this is it, ask an administrator for SET GLOBAL read_only = 0"
                        .to_owned(),
            },
            // A statement that changes the schema runs on every node at once, or the nodes are not alike any more and one must go.
            self.of_node(
                ["status", "wsrep_ready", "ON"],
                "the node takes no statements",
                "name another node in the URL",
            ),
            self.of_node(
                ["status", "wsrep_cluster_status", "Primary"],
                "the node is cut off from the majority of its cluster",
                "name a node of the majority in the URL",
            ),
            self.of_node(
                ["status", "wsrep_local_state_comment", "Synced"],
                "the node is not in step with its cluster",
                "wait until it is, or name another node in the URL",
            ),
            self.of_node(
                ["variables", "wsrep_OSU_method", "TOI"],
                "the node would change the schema for itself alone, and the other nodes not",
                "ask an administrator for SET GLOBAL wsrep_OSU_method = 'TOI'; then run the same command again",
            ),
        ]
    }

    fn causal_reads(&self) -> Option<[&'static str; 2]> {
        Some([
            "SHOW SESSION VARIABLES WHERE Variable_name = 'wsrep_on' AND Value = 'ON'",
            // Reads (1), UPDATE and DELETE (2), INSERT (4).
            "SET SESSION wsrep_sync_wait = 7",
        ])
    }

    fn missing_right(&self, right: &Right) -> Option<String> {
        let privilege = match right {
            Right::Alter(_) => "ALTER",
            Right::Drop(_) | Right::DropOwn => "DROP",
            Right::Refer(_) => "REFERENCES",
            Right::Trigger(_) => "TRIGGER",
            Right::Create => "CREATE",
            Right::Read(_) => "SELECT",
            Right::Insert(_) => "INSERT",
            Right::Update(_) => "UPDATE",
            Right::Delete(_) => "DELETE",
        };
        let table = right.table();
        let on = match table {
            Some(table) => self.literal(&format!(".{}", self.table(table))),
            None => "'.*'".to_owned(),
        };
        // One that is for columns may be for those that are needed.
        let own_table = table.map_or_else(String::new, |table| {
            format!(
                " AND NOT EXISTS (SELECT 1 FROM information_schema.COLUMN_PRIVILEGES p WHERE p.PRIVILEGE_TYPE = '{privilege}' \
                 AND p.TABLE_SCHEMA = DATABASE() AND p.TABLE_NAME = {0}) \
                 AND NOT EXISTS (SELECT 1 FROM information_schema.TABLE_PRIVILEGES p WHERE p.GRANTEE IN (me.account, 'PUBLIC', \
                 '''PUBLIC''@''''') AND p.PRIVILEGE_TYPE = '{privilege}' AND p.TABLE_SCHEMA = DATABASE() AND p.TABLE_NAME = {0})",
                self.literal(table)
            )
        });
        // What an active role adds is not looked at, so then nothing is said. The name of a schema there is a pattern.
        Some(format!(
            "SELECT CONCAT('GRANT {privilege} ON `', DATABASE(), '`', {on}, ' TO ', me.account) FROM \
             (SELECT CONCAT('''', SUBSTRING_INDEX(CURRENT_USER(), '@', 1), '''@''', SUBSTRING_INDEX(CURRENT_USER(), '@', -1), '''') \
             AS account) AS me WHERE COALESCE(CURRENT_ROLE(), 'NONE') = 'NONE' \
             AND NOT EXISTS (SELECT 1 FROM information_schema.USER_PRIVILEGES p WHERE p.GRANTEE IN (me.account, 'PUBLIC', \
             '''PUBLIC''@''''') AND p.PRIVILEGE_TYPE = '{privilege}') \
             AND NOT EXISTS (SELECT 1 FROM information_schema.SCHEMA_PRIVILEGES p WHERE p.GRANTEE IN (me.account, 'PUBLIC', \
             '''PUBLIC''@''''') AND p.PRIVILEGE_TYPE = '{privilege}' AND DATABASE() LIKE p.TABLE_SCHEMA){own_table}"
        ))
    }
}

impl MySql {
    /// What Galera says of this node by one value, where it is a cluster's: a row where that is not what it should be.
    fn of_node(&self, [place, name, wanted]: [&str; 3], reason: &str, remedy: &str) -> Preflight {
        Preflight::Empty {
            query: format!(
                "SELECT 1 FROM {} WHERE UPPER(VARIABLE_NAME) = UPPER('{name}') AND VARIABLE_VALUE <> '{wanted}' AND {}",
                self.server_values(place),
                self.in_cluster()
            ),
            reason: format!("{reason} ({name} is not {wanted})"),
            remedy: remedy.to_owned(),
        }
    }

    /// The condition that holds where this session's writes go to a cluster.
    pub(super) fn in_cluster(&self) -> String {
        format!(
            "EXISTS (SELECT 1 FROM {} w WHERE UPPER(w.VARIABLE_NAME) = 'WSREP_ON' AND w.VARIABLE_VALUE = 'ON')",
            self.server_values("variables")
        )
    }

    /// Where the server's status, and this session's variables, are to be read.
    fn server_values(&self, place: &str) -> &'static str {
        match (self.server.is_mariadb(), place) {
            (true, "status") => "information_schema.GLOBAL_STATUS",
            (true, _) => "information_schema.SESSION_VARIABLES",
            (false, "status") => "performance_schema.global_status",
            (false, _) => "performance_schema.session_variables",
        }
    }
}
