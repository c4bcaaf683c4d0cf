//! A fresh database for one test, with the two roles of a real deployment.
//!
//! The owner runs migrations: it owns the database, and is no superuser. The application has rights on the
//! application's own tables and on nothing else, so that a trigger which needs more is found out.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;
use url::Url;

use super::{Kind, Session};

/// Both roles' password; `Concertina` fails a test in whose output it appears.
pub(crate) const PASSWORD: &str = "0pen-5esame";

/// Where a MySQL user may come from; with the wildcard alone an anonymous local user would be matched first.
const MYSQL_HOSTS: [&str; 2] = ["%", "localhost"];

/// A database that goes when the test does.
pub(crate) struct TestDatabase {
    kind: Kind,
    owner_url: String,
    application_url: String,
    place: Place,
}

enum Place {
    Server { admin_url: Url, database: String, owner: String, application: String },
    File { _directory: TempDir },
}

impl TestDatabase {
    /// Creates an empty database.
    pub(crate) async fn create(kind: Kind, test: &str) -> Self {
        if kind == Kind::Sqlite {
            let directory = tempfile::tempdir().expect("a temporary directory");
            let url = format!("sqlite://{}", directory.path().join("test.db").display());
            return Self {
                kind,
                owner_url: url.clone(),
                application_url: url,
                place: Place::File { _directory: directory },
            };
        }
        Self::create_on(kind, &kind.admin_url(), test).await
    }

    /// Creates an empty database on a server of the test's own.
    pub(crate) async fn create_on(kind: Kind, admin_url: &str, test: &str) -> Self {
        static COUNTER: AtomicU32 = AtomicU32::new(0);

        let unique = format!("ct{}x{}", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed));
        // The prefix must not hold the tool's name, which the tests search for, nor be MySQL's `test`, where everybody
        // has rights. PostgreSQL cuts names at 63 bytes, and MySQL's users at 32.
        let database = format!("{unique}_{}", &test[..test.len().min(40)]);
        let owner = format!("{unique}_owner");
        let application = format!("{unique}_app");
        let admin_url = Url::parse(admin_url).expect("the server's URL is a URL");

        let mut admin = Session::open(kind, admin_url.as_str()).await;
        for statement in creation(kind, &database, &owner, &application) {
            admin
                .execute(&statement)
                .await
                .unwrap_or_else(|failure| panic!("failed to run `{statement}`: {failure:?}"));
        }
        Self {
            kind,
            owner_url: url_of(&admin_url, &database, Some(&owner)),
            application_url: url_of(&admin_url, &database, Some(&application)),
            place: Place::Server { admin_url, database, owner, application },
        }
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// The URL that migrations run with.
    pub(crate) fn owner_url(&self) -> &str {
        &self.owner_url
    }

    /// The URL that the application's nodes run with; on SQLite the owner's.
    pub(crate) fn application_url(&self) -> &str {
        &self.application_url
    }

    /// The file of a SQLite database.
    pub(crate) fn file(&self) -> Option<&Path> {
        self.owner_url.strip_prefix("sqlite://").map(Path::new)
    }

    /// Lets the owner make the database in which `baseline` tries the files out; PostgreSQL's owner may do so anyway.
    pub(crate) async fn grant_scratch(&self) {
        let Place::Server { admin_url, owner, .. } = &self.place else {
            return;
        };
        if self.kind == Kind::MySql {
            let mut admin = Session::open(self.kind, admin_url.as_str()).await;
            for host in MYSQL_HOSTS {
                let grant = format!("GRANT ALL PRIVILEGES ON `concertina\\_scratch\\_%`.* TO `{owner}`@`{host}`");
                admin.execute(&grant).await.unwrap_or_else(|failure| panic!("failed to run `{grant}`: {failure:?}"));
            }
        }
    }

    /// The URL of this database for the server's administrator.
    pub(crate) fn admin_url(&self) -> String {
        match &self.place {
            Place::Server { admin_url, database, .. } => url_of(admin_url, database, None),
            Place::File { .. } => self.owner_url.clone(),
        }
    }

    /// Drops the account that migrations run with, as an administrator does when its owner leaves (MySQL).
    pub(crate) async fn drop_owner(&self) {
        let Place::Server { owner, .. } = &self.place else { return };
        for host in MYSQL_HOSTS {
            self.admin().await.run(format!("DROP USER `{owner}`@`{host}`")).await;
        }
    }

    /// Takes the owner's right to create triggers away (MySQL).
    pub(crate) async fn revoke_trigger(&self) {
        let Place::Server { owner, database, .. } = &self.place else { return };
        for host in MYSQL_HOSTS {
            let pattern = database.replace('_', "\\_");
            self.admin().await.run(format!("REVOKE TRIGGER ON `{pattern}`.* FROM `{owner}`@`{host}`")).await;
        }
    }

    /// Gives the owner the right to create triggers back (MySQL).
    pub(crate) async fn grant_trigger(&self) {
        let Place::Server { owner, database, .. } = &self.place else { return };
        for host in MYSQL_HOSTS {
            let pattern = database.replace('_', "\\_");
            self.admin().await.run(format!("GRANT TRIGGER ON `{pattern}`.* TO `{owner}`@`{host}`")).await;
        }
    }

    /// Opens a session of the server's administrator in this database.
    pub(crate) async fn admin_of(&self) -> Session {
        Session::open(self.kind, &self.admin_url()).await
    }

    /// Opens a session of the server's administrator; of nobody in particular on SQLite.
    pub(crate) async fn admin(&self) -> Session {
        match &self.place {
            Place::Server { admin_url, .. } => Session::open(self.kind, admin_url.as_str()).await,
            Place::File { .. } => self.owner().await,
        }
    }

    /// The places in concertina's own tables that hold the password, each with how often; there must be none.
    pub(crate) async fn secrets_in_state(&self) -> Vec<String> {
        match &self.place {
            Place::Server { admin_url, database, .. } => {
                let mut admin = Session::open(self.kind, &url_of(admin_url, database, None)).await;
                secrets(self.kind, &mut admin).await
            }
            Place::File { .. } => Vec::new(),
        }
    }

    /// Opens a session of the role that owns the database.
    pub(crate) async fn owner(&self) -> Session {
        Session::open(self.kind, &self.owner_url).await
    }

    /// Opens a session of the application.
    pub(crate) async fn application(&self) -> Session {
        Session::open(self.kind, &self.application_url).await
    }

    /// Gives the application what it needs to read and write these tables, and nothing more.
    pub(crate) async fn grant_application(&self, tables: &[&str]) {
        let Place::Server { admin_url, database, application, .. } = &self.place else {
            return;
        };
        let mut admin = Session::open(self.kind, &url_of(admin_url, database, None)).await;
        let mut grants = Vec::new();
        for table in tables {
            match self.kind {
                Kind::Postgres => {
                    grants.push(format!(r#"GRANT SELECT, INSERT, UPDATE, DELETE ON "{table}" TO "{application}""#));
                    let sequences = admin
                        .rows(format!(
                            "SELECT s.oid::regclass FROM pg_class s JOIN pg_depend d ON d.objid = s.oid \
                             WHERE s.relkind = 'S' AND d.deptype IN ('a', 'i') \
                             AND d.refobjid = '\"{table}\"'::regclass"
                        ))
                        .await;
                    grants.extend(
                        sequences
                            .into_iter()
                            .flatten()
                            .flatten()
                            .map(|sequence| format!(r#"GRANT USAGE ON SEQUENCE {sequence} TO "{application}""#)),
                    );
                }
                Kind::MySql => grants.extend(MYSQL_HOSTS.map(|host| {
                    format!(
                        "GRANT SELECT, INSERT, UPDATE, DELETE ON `{database}`.`{table}` TO `{application}`@`{host}`"
                    )
                })),
                Kind::Sqlite => unreachable!("SQLite has no roles"),
            }
        }
        for grant in grants {
            admin.execute(&grant).await.unwrap_or_else(|failure| panic!("failed to run `{grant}`: {failure:?}"));
        }
    }
}

impl Drop for TestDatabase {
    /// Drops the database and its roles, as well as that can be done: a failing test has more important things to say.
    fn drop(&mut self) {
        let Place::Server { admin_url, database, owner, application } = &self.place else {
            return;
        };
        // A runtime cannot block inside the test's own, hence the thread.
        let (kind, admin_url) = (self.kind, admin_url.clone());
        let (database, owner, application) = (database.clone(), owner.clone(), application.clone());
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let mut found = Vec::new();
            runtime.block_on(async {
                if let Ok(mut session) = Session::try_open(kind, &url_of(&admin_url, &database, None)).await {
                    found = secrets(kind, &mut session).await;
                }
                if let Ok(mut admin) = Session::try_open(kind, admin_url.as_str()).await {
                    for statement in removal(kind, &mut admin, &database, &owner, &application).await {
                        // One that fails must not keep the next from being tried.
                        admin.execute(statement).await.ok();
                    }
                }
            });
            std::io::Result::Ok(found)
        });
        if let Ok(Ok(found)) = dropping.join()
            && !std::thread::panicking()
        {
            assert_eq!(found, Vec::<String>::new(), "the password is in concertina's own tables");
        }
    }
}

/// Asks each of concertina's own tables for rows with the password in any column.
async fn secrets(kind: Kind, session: &mut Session) -> Vec<String> {
    let tables = match kind {
        Kind::Postgres => {
            "SELECT oid::regclass, 't::text' FROM pg_class AS t WHERE relkind = 'r' AND relname LIKE 'concertina\\_%'"
        }
        Kind::MySql => {
            "SELECT table_name, CONCAT('CONCAT_WS('' '', ', GROUP_CONCAT('`', column_name, '`'), ')') FROM \
             information_schema.columns WHERE table_schema = DATABASE() AND table_name LIKE 'concertina\\_%' GROUP BY table_name"
        }
        Kind::Sqlite => return Vec::new(),
    };
    let asked: Vec<String> = session
        .try_lines(tables)
        .await
        .unwrap_or_default()
        .iter()
        .filter_map(|line| line.split_once('|'))
        .map(|(table, row)| {
            format!("SELECT '{table}', count(*) FROM {table} AS t WHERE {row} LIKE '%{PASSWORD}%' HAVING count(*) > 0")
        })
        .collect();
    if asked.is_empty() {
        return Vec::new();
    }
    // A table may just be going, with a server of the test's own.
    session.try_lines(&asked.join(" UNION ALL ")).await.unwrap_or_default()
}

/// Writes the URL of `database` as `role` sees it, or as the administrator does.
fn url_of(admin_url: &Url, database: &str, role: Option<&str>) -> String {
    let mut url = admin_url.clone();
    url.set_path(database);
    if let Some(role) = role {
        url.set_username(role).expect("a server's URL has a user");
        url.set_password(Some(PASSWORD)).expect("a server's URL has a password");
    }
    url.into()
}

fn creation(kind: Kind, database: &str, owner: &str, application: &str) -> Vec<String> {
    match kind {
        Kind::Postgres => vec![
            format!(r#"CREATE ROLE "{owner}" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD '{PASSWORD}'"#),
            format!(r#"CREATE ROLE "{application}" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD '{PASSWORD}'"#),
            // Not the default template: a session of anybody's on template1 would make this fail.
            format!(r#"CREATE DATABASE "{database}" OWNER "{owner}" TEMPLATE template0"#),
        ],
        Kind::MySql => {
            let mut statements = vec![format!("CREATE DATABASE `{database}`")];
            for host in MYSQL_HOSTS {
                for role in [owner, application] {
                    statements.push(format!("CREATE USER `{role}`@`{host}` IDENTIFIED BY '{PASSWORD}'"));
                }
                // In this place an underscore would stand for any character.
                let pattern = database.replace('_', "\\_");
                statements.push(format!("GRANT ALL PRIVILEGES ON `{pattern}`.* TO `{owner}`@`{host}`"));
            }
            statements
        }
        Kind::Sqlite => unreachable!("SQLite has no server"),
    }
}

async fn removal(kind: Kind, admin: &mut Session, database: &str, owner: &str, application: &str) -> Vec<String> {
    match kind {
        Kind::Postgres => vec![
            format!(r#"DROP DATABASE IF EXISTS "{database}" WITH (FORCE)"#),
            format!(r#"DROP ROLE IF EXISTS "{owner}""#),
            format!(r#"DROP ROLE IF EXISTS "{application}""#),
        ],
        Kind::MySql => {
            // A session that is still in a transaction would make DROP DATABASE wait for it.
            let sessions =
                admin.rows(format!("SELECT id FROM information_schema.processlist WHERE db = '{database}'")).await;
            let mut statements: Vec<String> =
                sessions.into_iter().flatten().flatten().map(|id| format!("KILL {id}")).collect();
            statements.push(format!("DROP DATABASE IF EXISTS `{database}`"));
            for host in MYSQL_HOSTS {
                for role in [owner, application] {
                    statements.push(format!("DROP USER IF EXISTS `{role}`@`{host}`"));
                }
            }
            statements
        }
        Kind::Sqlite => Vec::new(),
    }
}
