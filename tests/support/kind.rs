//! The databases under test, and the macro that runs one test on each of them.
//!
//! To add a database: a variant here with its server variable, its rows in `database.rs` and `session.rs`, and one
//! line in `on_every_database!`.

use std::fmt;

use super::TestDatabase;

/// A database that every behaviour is tested on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Postgres,
    MySql,
    Sqlite,
}

impl Kind {
    /// The name of the folder that holds this database's facts.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::MySql => "mysql",
            Self::Sqlite => "sqlite",
        }
    }

    /// A boolean as this database writes it in SQL.
    pub(crate) fn boolean(self, value: bool) -> &'static str {
        match (self, value) {
            (Self::Postgres, true) => "true",
            (Self::Postgres, false) => "false",
            (Self::MySql | Self::Sqlite, true) => "1",
            (Self::MySql | Self::Sqlite, false) => "0",
        }
    }

    /// The administrator's URL of the server that `tests/run` started.
    pub(super) fn admin_url(self) -> String {
        let variable = match self {
            Self::Postgres => "CONCERTINA_TEST_POSTGRES",
            Self::MySql => "CONCERTINA_TEST_MYSQL",
            Self::Sqlite => unreachable!("SQLite has no server"),
        };
        std::env::var(variable)
            .unwrap_or_else(|_| panic!("{variable} is not set: run tests/run, which starts the servers"))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Runs `body` on a fresh database of one kind, on a runtime of its own.
///
/// One thread is enough, and running the binary may block it: none of the drivers needs the runtime while no query
/// is under way.
pub(crate) fn run<F, B>(kind: Kind, test: &str, body: B)
where
    B: FnOnce(TestDatabase) -> F,
    F: Future<Output = ()>,
{
    alone(async || body(TestDatabase::create(kind, test).await).await);
}

/// Whether the slow tests run as well: `tests/run --deep`.
pub(crate) fn is_deep() -> bool {
    std::env::var("CONCERTINA_DEEP").as_deref() == Ok("1")
}

/// Runs `body` on a runtime of its own, without a database: for a test that starts its own server.
pub(crate) fn alone<T>(body: impl AsyncFnOnce() -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime for the test").block_on(body())
}

/// Makes of each function a module with one test per database, each on a database of its own.
macro_rules! on_every_database {
    ($($(#[$attribute:meta])* async fn $name:ident($db:ident: $database:ty) $body:block)+) => {$(
        mod $name {
            #[allow(unused_imports, reason = "what the body needs differs from test to test")]
            use super::*;

            async fn behaviour($db: $database) $body

            #[test]
            $(#[$attribute])*
            fn postgres() {
                $crate::support::run($crate::support::Kind::Postgres, stringify!($name), behaviour);
            }

            #[test]
            $(#[$attribute])*
            fn mysql() {
                $crate::support::run($crate::support::Kind::MySql, stringify!($name), behaviour);
            }

            #[test]
            $(#[$attribute])*
            fn sqlite() {
                $crate::support::run($crate::support::Kind::Sqlite, stringify!($name), behaviour);
            }
        }
    )+};
}
pub(crate) use on_every_database;

/// The same for what only a server can do, or have done to it.
macro_rules! on_every_server {
    ($($(#[$attribute:meta])* async fn $name:ident($db:ident: $database:ty) $body:block)+) => {$(
        mod $name {
            #[allow(unused_imports, reason = "what the body needs differs from test to test")]
            use super::*;

            async fn behaviour($db: $database) $body

            #[test]
            $(#[$attribute])*
            fn postgres() {
                $crate::support::run($crate::support::Kind::Postgres, stringify!($name), behaviour);
            }

            #[test]
            $(#[$attribute])*
            fn mysql() {
                $crate::support::run($crate::support::Kind::MySql, stringify!($name), behaviour);
            }
        }
    )+};
}
pub(crate) use on_every_server;
