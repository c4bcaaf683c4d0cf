//! What is ours in a MySQL or MariaDB database.

use super::MySql;
use crate::dialect::{Dialect, Own, OwnKind, OwnObject, PREFIX};

impl Own for MySql {
    fn own_objects(&self) -> String {
        // Names of tables may come in capitals, where the server's file system knows no difference.
        let named = |column: &str| format!("LEFT(LOWER({column}), {}) = {}", PREFIX.len(), self.literal(PREFIX));
        format!(
            "SELECT kind, name, on_table FROM (\
             SELECT 1 AS place, 'trigger' AS kind, TRIGGER_NAME AS name, EVENT_OBJECT_TABLE AS on_table \
             FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE() AND {} \
             UNION ALL SELECT 2, 'table', TABLE_NAME, NULL FROM information_schema.TABLES \
             WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE = 'BASE TABLE' AND {}\
             ) AS found ORDER BY place, name, on_table",
            named("TRIGGER_NAME"),
            named("TABLE_NAME")
        )
    }

    fn drop_own(&self, object: &OwnObject) -> String {
        let keyword = if object.kind == OwnKind::Trigger { "TRIGGER" } else { "TABLE" };
        format!("DROP {keyword} IF EXISTS {}", self.quote(&object.name))
    }
}
