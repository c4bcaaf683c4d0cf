//! What is ours in a SQLite database.

use super::Sqlite;
use crate::dialect::{Dialect, Own, OwnKind, OwnObject, PREFIX};

impl Own for Sqlite {
    fn own_objects(&self) -> String {
        format!(
            "SELECT type, name, CASE WHEN type = 'trigger' THEN tbl_name END FROM sqlite_schema \
             WHERE type IN ('trigger', 'table') AND substr(name, 1, {}) = {} ORDER BY type DESC, name",
            PREFIX.len(),
            self.literal(PREFIX)
        )
    }

    fn drop_own(&self, object: &OwnObject) -> String {
        let keyword = if object.kind == OwnKind::Trigger { "TRIGGER" } else { "TABLE" };
        format!("DROP {keyword} IF EXISTS {}", self.quote(&object.name))
    }
}
