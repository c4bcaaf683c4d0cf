//! PostgreSQL's privileges: who changes a table owns it.

use super::Postgres;
use crate::dialect::{Dialect, Right, Rights};

impl Rights for Postgres {
    fn too_old(&self) -> Option<String> {
        Some(
            "SELECT 'PostgreSQL ' || current_setting('server_version') || ', and 12 or later is needed' \
             WHERE current_setting('server_version_num')::int < 120000"
                .to_owned(),
        )
    }

    fn missing_right(&self, right: &Right) -> Option<String> {
        let table = |name: &str| self.literal(&self.table(name));
        let privilege = |name: &str, privilege: &str| {
            format!(
                "SELECT format('GRANT {privilege} ON %s TO %I', t.name::regclass, current_user) FROM (VALUES ({})) AS t(name) \
                 WHERE to_regclass(t.name) IS NOT NULL AND NOT has_table_privilege(t.name, '{privilege}')",
                table(name)
            )
        };
        Some(match right {
            Right::Alter(name) | Right::Drop(name) => format!(
                "SELECT format('GRANT %I TO %I', pg_get_userbyid(c.relowner), current_user) FROM pg_class c \
                 WHERE c.oid = to_regclass({}) AND NOT pg_has_role(c.relowner, 'USAGE')",
                table(name)
            ),
            Right::Refer(name) => privilege(name, "REFERENCES"),
            Right::Trigger(name) => privilege(name, "TRIGGER"),
            Right::Create => "SELECT format('GRANT CREATE ON SCHEMA %I TO %I', current_schema(), current_user) \
                 WHERE NOT has_schema_privilege(current_schema(), 'CREATE')"
                .to_owned(),
        })
    }
}
