//! MySQL's and MariaDB's privileges, as `information_schema` shows an account its own.

use super::MySql;
use crate::dialect::{Dialect, Right, Rights};

impl Rights for MySql {
    fn missing_right(&self, right: &Right) -> Option<String> {
        let (privilege, table) = match right {
            Right::Alter(table) => ("ALTER", Some(table)),
            Right::Drop(table) => ("DROP", Some(table)),
            Right::Refer(table) => ("REFERENCES", Some(table)),
            Right::Trigger(table) => ("TRIGGER", Some(table)),
            Right::Create => ("CREATE", None),
        };
        let on = match table {
            Some(table) => self.literal(&format!(".{}", self.table(table))),
            None => "'.*'".to_owned(),
        };
        let own_table = table.map_or_else(String::new, |table| {
            format!(
                " AND NOT EXISTS (SELECT 1 FROM information_schema.TABLE_PRIVILEGES p WHERE p.GRANTEE IN (me.account, 'PUBLIC', \
                 '''PUBLIC''@''''') AND p.PRIVILEGE_TYPE = '{privilege}' AND p.TABLE_SCHEMA = DATABASE() AND p.TABLE_NAME = {})",
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
