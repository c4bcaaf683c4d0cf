//! Everything that a database holds, as text: to prove that a command changed nothing.

use similar::TextDiff;

use super::{Kind, Session, TestDatabase};

/// A database's schema and all its rows, the tool's own included, one fact a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dump(String);

impl Dump {
    /// Reads everything.
    pub(crate) async fn of(db: &TestDatabase) -> Self {
        // To look must not make the file.
        if db.file().is_some_and(|file| !file.exists()) {
            return Self("no file\n".to_owned());
        }
        let mut session = db.owner().await;
        let mut lines = match db.kind() {
            Kind::Postgres => facts(&mut session, POSTGRES).await,
            Kind::MySql => facts(&mut session, MYSQL).await,
            Kind::Sqlite => facts(&mut session, SQLITE).await,
        };
        for table in tables(&mut session, db.kind()).await {
            if db.kind() == Kind::MySql {
                lines.extend(facts(&mut session, &format!("SHOW CREATE TABLE `{table}`")).await);
            }
            let quoted = if db.kind() == Kind::MySql { format!("`{table}`") } else { format!("\"{table}\"") };
            let rows = facts(&mut session, &format!("SELECT * FROM {quoted}")).await;
            lines.extend(rows.into_iter().map(|row| format!("row of {table} {row}")));
        }
        lines.sort();
        Self(lines.concat())
    }

    /// Says whether a text is anywhere in it.
    pub(crate) fn holds(&self, text: &str) -> bool {
        self.0.contains(text)
    }

    /// What another dump has otherwise.
    pub(crate) fn difference(&self, other: &Self) -> String {
        TextDiff::from_lines(&self.0, &other.0).unified_diff().context_radius(0).to_string()
    }

    /// Fails with the difference.
    #[track_caller]
    pub(crate) fn expect_same(&self, now: &Self) {
        assert!(self == now, "the database was changed:\n{}", self.difference(now));
    }
}

async fn facts(session: &mut Session, query: &str) -> Vec<String> {
    let rows = session.rows(query).await;
    rows.into_iter()
        .map(|row| {
            let values: Vec<String> = row.into_iter().map(|value| value.unwrap_or_else(|| "NULL".to_owned())).collect();
            values.join(" | ") + "\n"
        })
        .collect()
}

async fn tables(session: &mut Session, kind: Kind) -> Vec<String> {
    let query = match kind {
        Kind::Postgres => "SELECT tablename FROM pg_tables WHERE schemaname = 'public'",
        Kind::MySql => {
            "SELECT table_name FROM information_schema.tables \
             WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE'"
        }
        Kind::Sqlite => "SELECT name FROM sqlite_schema WHERE type = 'table'",
    };
    session.rows(query).await.into_iter().flatten().flatten().collect()
}

const POSTGRES: &str = "
    SELECT 'relation', nspname, relname, relkind::text FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace
        WHERE nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
    UNION ALL SELECT 'column', attrelid::regclass::text, attname || ' ' || format_type(atttypid, atttypmod),
                     attnum::text || CASE WHEN attnotnull THEN ' NOT NULL ' ELSE ' ' END
                     || coalesce(pg_get_expr(adbin, adrelid), '')
        FROM pg_attribute JOIN pg_class c ON c.oid = attrelid LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
        WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND attnum > 0
    UNION ALL SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace
    UNION ALL SELECT 'index', indexrelid::regclass::text, indisvalid::text, pg_get_indexdef(indexrelid) FROM pg_index
        JOIN pg_class c ON c.oid = indrelid WHERE relnamespace = 'public'::regnamespace
    UNION ALL SELECT 'trigger', tgname, tgenabled::text, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL SELECT 'function', proname, prosecdef::text, prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    UNION ALL SELECT 'enum', typname, enumsortorder::text, enumlabel FROM pg_enum JOIN pg_type t ON t.oid = enumtypid
    UNION ALL SELECT 'schema', nspname, '', '' FROM pg_namespace WHERE nspname NOT LIKE 'pg\\_%'";

const MYSQL: &str = "
    SELECT 'trigger', trigger_name, CONCAT(action_timing, ' ', event_manipulation, ' ', event_object_table), action_statement
        FROM information_schema.triggers WHERE trigger_schema = DATABASE()
    UNION ALL SELECT 'routine', routine_name, routine_type, routine_definition
        FROM information_schema.routines WHERE routine_schema = DATABASE()
    UNION ALL SELECT 'event', event_name, '', '' FROM information_schema.events WHERE event_schema = DATABASE()";

const SQLITE: &str = "SELECT type, name, tbl_name, sql FROM sqlite_schema";
