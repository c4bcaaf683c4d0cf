//! PostgreSQL's privileges: who changes a table owns it.

use super::Postgres;
use crate::dialect::statement::Preflight;
use crate::dialect::{Dialect, Kind, Right, Rights};

impl Rights for Postgres {
    fn too_old(&self) -> Option<String> {
        self.server().older_than(Kind::Postgres, [12, 0])
    }

    fn server_preflight(&self) -> Vec<Preflight> {
        vec![
            Preflight::Empty {
                query: "SELECT 1 WHERE pg_is_in_recovery()".to_owned(),
                reason: "the server is a replica, which takes no writes".to_owned(),
                remedy: "name the primary in the URL".to_owned(),
            },
            Preflight::Empty {
                query: "SELECT 1 WHERE current_setting('transaction_read_only')::boolean".to_owned(),
                reason: "sessions are read-only here (default_transaction_read_only)".to_owned(),
                remedy: "ask an administrator why, and for ALTER ROLE or ALTER DATABASE … SET default_transaction_read_only = \
                         off; then run the same command again"
                    .to_owned(),
            },
        ]
    }

    fn missing_right(&self, right: &Right) -> Option<String> {
        let privilege = |name: &str, privilege: &str| {
            format!(
                "SELECT format('GRANT {privilege} ON %s TO %I', t.name::regclass, current_user) FROM (VALUES ({})) AS t(name) \
                 WHERE to_regclass(t.name) IS NOT NULL AND NOT has_table_privilege(t.name, '{privilege}')",
                self.literal(&self.table(name))
            )
        };
        Some(match right {
            // A trigger can be put there with a privilege of that name, and taken away again by the owner alone.
            Right::Alter(name) | Right::Drop(name) | Right::Trigger(name) => format!(
                "SELECT format('GRANT %I TO %I', pg_get_userbyid(c.relowner), current_user) FROM pg_class c \
                 WHERE c.oid = to_regclass({}) AND NOT pg_has_role(c.relowner, 'USAGE')",
                self.literal(&self.table(name))
            ),
            Right::Refer(name) => privilege(name, "REFERENCES"),
            Right::Read(name) => privilege(name, "SELECT"),
            Right::Insert(name) => privilege(name, "INSERT"),
            Right::Update(name) => privilege(name, "UPDATE"),
            Right::Delete(name) => privilege(name, "DELETE"),
            Right::Create => "SELECT format('GRANT CREATE ON SCHEMA %I TO %I', current_schema(), current_user) \
                 WHERE NOT has_schema_privilege(current_schema(), 'CREATE')"
                .to_owned(),
            // Who made it owns it.
            Right::DropOwn => return None,
        })
    }
}
