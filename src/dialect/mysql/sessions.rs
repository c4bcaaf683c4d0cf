//! MySQL's and MariaDB's sessions.

use super::MySql;
use crate::dialect::{Dialect, SessionName, Sessions};

impl Sessions for MySql {
    fn named_sessions(&self, by: SessionName, pattern: &str) -> Option<String> {
        let pattern = self.literal(pattern);
        let (name, join) = match by {
            SessionName::ApplicationName => return None,
            SessionName::User => ("p.USER", ""),
            SessionName::ProgramName => (
                "a.ATTR_VALUE",
                "JOIN performance_schema.session_connect_attrs a ON a.PROCESSLIST_ID = p.ID AND a.ATTR_NAME = 'program_name' ",
            ),
        };
        // How long a session is there is not recorded; TIME is how long it is in its state.
        Some(format!(
            "SELECT CAST(p.ID AS CHAR), p.USER, {name}, p.HOST, NULL FROM information_schema.PROCESSLIST p {join}\
             WHERE p.DB = DATABASE() AND p.ID <> CONNECTION_ID() AND {name} LIKE {pattern} ESCAPE '!' ORDER BY p.ID"
        ))
    }

    fn hidden_sessions(&self, by: SessionName) -> Option<String> {
        let place = if self.server.is_mariadb() {
            "information_schema.GLOBAL_STATUS"
        } else {
            "performance_schema.global_status"
        };
        // Everybody may see the counter, and who lacks the privilege sees fewer sessions than it counts.
        let hidden = format!(
            "SELECT 'this account does not see the sessions of others', CONCAT('GRANT PROCESS ON *.* TO ', CURRENT_USER()) \
             FROM (SELECT (SELECT COUNT(*) FROM information_schema.PROCESSLIST) AS seen, (SELECT CAST(VARIABLE_VALUE AS SIGNED) FROM {place} \
             WHERE VARIABLE_NAME = 'Threads_connected') AS connected) AS counted WHERE seen < connected"
        );
        Some(match by {
            SessionName::ProgramName => format!(
                "SELECT 'the server keeps no connection attributes', 'start it with performance_schema=ON, or tell old nodes by their user' \
                 FROM (SELECT 1) AS one WHERE @@performance_schema = 0 UNION ALL {hidden}"
            ),
            SessionName::ApplicationName | SessionName::User => hidden,
        })
    }
}
