//! Two nodes that write at the same time: one statement at a time, each waiting for the other as the test wants it.

use tokio::task::JoinHandle;

use crate::support::{DbFailure, Kind, Session, TestDatabase};

/// Failures after which an application tries its transaction again: serialization, deadlock, and MariaDB's stale snapshot.
pub(super) const RETRIED: [&str; 4] = ["40001", "40P01", "1213", "1020"];

/// Two sessions of the application at one isolation level, and one that looks at what they wait for.
pub(super) struct Nodes {
    kind: Kind,
    pub(super) one: Session,
    pub(super) two: Session,
    /// Who is waiting is for an administrator to see.
    observer: Session,
    /// The id of the second session at the server.
    second: String,
}

/// Opens a session of the application at an isolation level.
pub(super) async fn node(db: &TestDatabase, isolation: &str) -> Session {
    let mut session = db.application().await;
    let scope = if db.kind() == Kind::MySql { "TRANSACTION" } else { "CHARACTERISTICS AS TRANSACTION" };
    session.run(format!("SET SESSION {scope} ISOLATION LEVEL {isolation}")).await;
    session
}

impl Nodes {
    /// Opens the three sessions.
    pub(super) async fn open(db: &TestDatabase, isolation: &str) -> Self {
        let kind = db.kind();
        let (one, mut two) = (node(db, isolation).await, node(db, isolation).await);
        let own_id = if kind == Kind::MySql { "SELECT CONNECTION_ID()" } else { "SELECT pg_backend_pid()" };
        let second = two.value(own_id).await.expect("a session has an id");
        Self { kind, one, two, observer: db.admin().await, second }
    }

    /// Runs the first node's statements and holds its transaction open; then begins the second one's transaction with
    /// `before`, and sends it off with a statement that has to wait. Gives what came of the second once the first has
    /// committed; it is committed too, or rolled back when it failed.
    pub(super) async fn second_waits(
        &mut self,
        first: &[&str],
        before: &[&str],
        second: &[&str],
    ) -> Result<(), DbFailure> {
        self.one.run("BEGIN").await;
        for statement in first {
            self.one.run(*statement).await;
        }
        self.two.run("BEGIN").await;
        for statement in before {
            self.two.run(*statement).await;
        }
        let mut two = std::mem::replace(&mut self.two, Session::open(Kind::Sqlite, "sqlite::memory:").await);
        let statements: Vec<String> = second.iter().map(|statement| (*statement).to_owned()).collect();
        let waiting = tokio::spawn(async move {
            let mut result = Ok(());
            for statement in statements {
                result = two.execute(statement).await.map(drop);
                if result.is_err() {
                    break;
                }
            }
            (two, result)
        });
        self.wait_until_blocked(&waiting).await;
        self.one.run("COMMIT").await;
        let (two, result) = waiting.await.expect("it does not panic");
        self.two = two;
        self.two.run(if result.is_ok() { "COMMIT" } else { "ROLLBACK" }).await;
        result
    }

    /// The same; where the database asks for it, the second node tries its transaction again.
    pub(super) async fn second_waits_and_retries(&mut self, first: &[&str], before: &[&str], second: &[&str]) {
        let Err(failure) = self.second_waits(first, before, second).await else { return };
        assert!(RETRIED.contains(&failure.code.as_str()), "not a failure to retry: {failure:?}");
        self.two.run("BEGIN").await;
        for statement in before.iter().chain(second) {
            self.two.run(*statement).await;
        }
        self.two.run("COMMIT").await;
    }

    /// Runs the first node's statements, sends the second off with its own, and once that waits or is done, goes on with the
    /// first; each commits when it is through, or rolls back. Gives what came of both.
    pub(super) async fn meet(&mut self, first: &[&str], second: &[&str], then: &[&str]) -> [Result<(), DbFailure>; 2] {
        self.one.run("BEGIN").await;
        let mut begun = transact(&mut self.one, first).await;
        let mut two = std::mem::replace(&mut self.two, Session::open(Kind::Sqlite, "sqlite::memory:").await);
        let statements: Vec<String> = second.iter().map(|statement| (*statement).to_owned()).collect();
        let task = tokio::spawn(async move {
            two.run("BEGIN").await;
            let statements: Vec<&str> = statements.iter().map(String::as_str).collect();
            let result = transact(&mut two, &statements).await;
            let result = end(&mut two, result).await;
            (two, result)
        });
        while !task.is_finished() && !self.is_blocked().await {}
        if begun.is_ok() {
            begun = transact(&mut self.one, then).await;
        }
        let one = end(&mut self.one, begun).await;
        let (two, result) = task.await.expect("it does not panic");
        self.two = two;
        [one, result]
    }

    async fn wait_until_blocked<T>(&mut self, task: &JoinHandle<T>) {
        while !self.is_blocked().await {
            assert!(!task.is_finished(), "the second node should have waited for the first");
        }
    }

    async fn is_blocked(&mut self) -> bool {
        if self.kind == Kind::Postgres {
            let blockers = format!("SELECT cardinality(pg_blocking_pids({}))", self.second);
            return self.observer.value(blockers).await.is_some_and(|count| count != "0");
        }
        // information_schema.innodb_trx tells what it told before, to whoever asks often.
        let status = self.observer.lines("SHOW ENGINE INNODB STATUS").await.concat();
        let thread = format!(" thread id {},", self.second);
        // What comes before the first is the latest deadlock, whoever met in it.
        status.split("---TRANSACTION ").skip(1).any(|transaction| {
            let (head, _) = transaction.split_once("TRX HAS BEEN WAITING").unwrap_or((transaction, ""));
            head.contains("LOCK WAIT ") && head.contains(&thread)
        })
    }
}

async fn transact(session: &mut Session, statements: &[&str]) -> Result<(), DbFailure> {
    for statement in statements {
        session.execute(*statement).await?;
    }
    Ok(())
}

async fn end(session: &mut Session, result: Result<(), DbFailure>) -> Result<(), DbFailure> {
    session.run(if result.is_ok() { "COMMIT" } else { "ROLLBACK" }).await;
    result
}
