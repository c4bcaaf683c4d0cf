//! What is ours in a PostgreSQL database.

use super::{NAME, OUR_TRIGGERS, Postgres, TABLES};
use crate::dialect::{Dialect, Own, OwnKind, OwnObject, PREFIX};

impl Own for Postgres {
    fn own_objects(&self) -> String {
        let named = |column: &str| format!("starts_with({column}, {})", self.literal(PREFIX));
        let beside = |name: &str| {
            format!("CASE WHEN n.nspname = current_schema() THEN {name}::text ELSE n.nspname || '.' || {name} END")
        };
        format!(
            "SELECT kind, name, on_table FROM (\
             SELECT 1 AS place, 'trigger' AS kind, t.tgname::text AS name, {NAME} AS on_table FROM {TABLES} \
             JOIN pg_trigger t ON t.tgrelid = c.oid AND NOT t.tgisinternal AND COALESCE(to_jsonb(t) ->> 'tgparentid', '0') = '0' \
             AND starts_with(t.tgname, {triggers}) \
             UNION ALL SELECT 2, 'function', {function}, NULL FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace \
             WHERE {is_function} AND p.prorettype = 'trigger'::regtype \
             UNION ALL SELECT 3, 'sequence', {NAME}, NULL FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
             WHERE c.relkind = 'S' AND {is_relation} \
             UNION ALL SELECT 4, 'constraint', k.conname::text, {NAME} FROM {TABLES} \
             JOIN pg_constraint k ON k.conrelid = c.oid AND k.contype = 'c' AND {is_constraint} AND NOT {is_relation} \
             UNION ALL SELECT 5, 'table', {NAME}, NULL FROM {TABLES} WHERE {is_relation}\
             ) AS found ORDER BY place, name, on_table",
            triggers = self.literal(OUR_TRIGGERS),
            function = beside("p.proname"),
            is_function = named("p.proname"),
            is_relation = named("c.relname"),
            is_constraint = named("k.conname"),
        )
    }

    fn drop_own(&self, object: &OwnObject) -> String {
        let name = self.table(&object.name);
        let on = object.table.as_deref().map(|table| self.table(table)).unwrap_or_default();
        match object.kind {
            OwnKind::Trigger => format!("DROP TRIGGER IF EXISTS {} ON {on}", self.quote(&object.name)),
            OwnKind::Function => format!("DROP FUNCTION IF EXISTS {name}()"),
            OwnKind::Sequence => format!("DROP SEQUENCE IF EXISTS {name}"),
            OwnKind::Constraint => {
                format!("ALTER TABLE {on} DROP CONSTRAINT IF EXISTS {}", self.quote(&object.name))
            }
            OwnKind::Table => format!("DROP TABLE IF EXISTS {name}"),
        }
    }
}
