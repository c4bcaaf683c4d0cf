//! Finds what Concertina has made in a database, besides what it was asked for.

use std::collections::BTreeSet;
use std::fmt;

use crate::support::{Kind, TestDatabase};

/// An object of a database that can be left behind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Object {
    pub(crate) kind: String,
    pub(crate) name: String,
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} `{}`", self.kind, self.name)
    }
}

impl Object {
    /// Says whether this belongs to the state that Concertina keeps, which may stay.
    fn is_state(&self) -> bool {
        let may_stay = ["table", "index", "sequence", "constraint"].contains(&self.kind.as_str());
        may_stay && self.name.starts_with("concertina_")
    }
}

/// Gives every object whose name says that it is ours.
pub(crate) async fn ours(db: &TestDatabase) -> BTreeSet<Object> {
    let query = match db.kind() {
        Kind::Postgres => POSTGRES,
        Kind::MySql => MYSQL,
        Kind::Sqlite => SQLITE,
    };
    let rows = db.owner().await.rows(query).await;
    rows.into_iter()
        .map(|row| {
            let mut values = row.into_iter().map(|value| value.expect("an object has a kind and a name"));
            let (kind, name) = (values.next().expect("a kind"), values.next().expect("a name"));
            Object { kind, name }
        })
        .filter(|object| object.name.contains("concertina"))
        .collect()
}

/// Fails when a trigger, a function, or anything else that a sync or a rebuild needed is still there.
///
/// `before` is what was ours before the release was opened: state does not grow tables with a release.
pub(crate) async fn expect_none(db: &TestDatabase, before: Option<&BTreeSet<Object>>) {
    let found = ours(db).await;
    let left: Vec<String> = found
        .iter()
        .filter(|object| !object.is_state() || before.is_some_and(|before| !before.contains(object)))
        .map(ToString::to_string)
        .collect();
    assert!(left.is_empty(), "left behind after contract: {}", left.join(", "));
}

const POSTGRES: &str = "
    SELECT 'trigger', tgname FROM pg_trigger WHERE NOT tgisinternal
    UNION SELECT 'function', proname FROM pg_proc
    UNION SELECT CASE relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'table' WHEN 'i' THEN 'index'
                              WHEN 'S' THEN 'sequence' WHEN 'v' THEN 'view' ELSE 'relation ' || relkind::text END, relname
          FROM pg_class WHERE relkind <> 't'
    UNION SELECT 'constraint', conname FROM pg_constraint
    UNION SELECT 'type', typname FROM pg_type WHERE typtype IN ('e', 'd')
    UNION SELECT 'schema', nspname FROM pg_namespace
    UNION SELECT 'rule', rulename FROM pg_rewrite";

const MYSQL: &str = "
    SELECT 'trigger', trigger_name FROM information_schema.triggers WHERE trigger_schema = DATABASE()
    UNION SELECT lower(routine_type), routine_name FROM information_schema.routines WHERE routine_schema = DATABASE()
    UNION SELECT 'event', event_name FROM information_schema.events WHERE event_schema = DATABASE()
    UNION SELECT IF(table_type = 'BASE TABLE', 'table', lower(table_type)), table_name
          FROM information_schema.tables WHERE table_schema = DATABASE()
    UNION SELECT 'index', index_name FROM information_schema.statistics WHERE table_schema = DATABASE()
    UNION SELECT 'constraint', constraint_name FROM information_schema.table_constraints WHERE table_schema = DATABASE()";

/// The indexes that SQLite makes for a constraint have names of its own.
const SQLITE: &str = "SELECT type, name FROM sqlite_schema WHERE name NOT LIKE 'sqlite!_autoindex!_%' ESCAPE '!'";
