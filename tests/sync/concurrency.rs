//! Old and new nodes and a backfill on the same rows at once: at the end every row is in step, and holds what the last
//! committed write put there.
//!
//! What is committed is told by the rows themselves: every write counts its row's `version`, which orders the writes of a
//! row, and the writer's own `count`, which would show a write that another one swallowed.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::options;
use crate::support::{DbFailure, Kind, Session, TestDatabase, Train, run};

/// How many rows there are before the writers come; each batch of the backfill takes a few.
const ROWS: u32 = 40;
/// The writers' rows are few and spread over the whole table, so that they meet each other and the backfill.
const HOT: u32 = 10;
/// Even ones are old nodes, odd ones new.
const WRITERS: u32 = 6;
/// What a writer commits at least; it goes on until the backfill is through.
const WRITES: u32 = 24;

/// What a committed write left in its row.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Wrote {
    Neither,
    Old(String),
    New(String),
}

impl Wrote {
    fn set(&self) -> String {
        match self {
            Self::Neither => String::new(),
            Self::Old(value) => format!("o = '{value}', "),
            Self::New(value) => format!("n = '{value}', "),
        }
    }

    /// The two columns as this write leaves them: what its node wrote, and the mapping of it.
    fn columns(&self) -> Option<(String, String)> {
        match self {
            Self::Neither => None,
            Self::Old(value) => Some((value.clone(), value.to_uppercase())),
            Self::New(value) => Some((value.to_lowercase(), value.clone())),
        }
    }
}

/// One committed write: the row, the version that it made of it, and what it wrote.
type Commit = (u32, u32, Wrote);

/// A generator of numbers that are the same in each run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        u32::try_from(self.0 % u64::from(bound)).expect("it is below a u32")
    }
}

/// Whether the database asks to try the whole transaction again.
fn is_retryable(failure: &DbFailure) -> bool {
    // Serialization and deadlock; deadlock, lock wait and a changed row; SQLite's busy in its three forms.
    ["40001", "40P01", "1213", "1205", "1020", "5", "261", "517"].contains(&failure.code.as_str())
}

fn begin(kind: Kind) -> &'static str {
    if kind == Kind::Sqlite { "BEGIN IMMEDIATE" } else { "BEGIN" }
}

/// Runs one transaction of these writes to its end, as often as the database asks for it. Gives what it committed.
async fn transaction(kind: Kind, session: &mut Session, writer: u32, writes: &[(u32, Wrote)]) -> Vec<Commit> {
    loop {
        match attempt(kind, session, writer, writes).await {
            Ok(commits) => return commits,
            Err(failure) if is_retryable(&failure) => {
                // MySQL has rolled back already, or has not, which depends on the error.
                session.execute("ROLLBACK").await.ok();
            }
            Err(failure) => panic!("writer {writer}, {writes:?}: {failure:?}"),
        }
    }
}

async fn attempt(
    kind: Kind,
    session: &mut Session,
    writer: u32,
    writes: &[(u32, Wrote)],
) -> Result<Vec<Commit>, DbFailure> {
    session.execute(begin(kind)).await?;
    let mut commits = Vec::new();
    for (id, wrote) in writes {
        let count = format!("count{writer}");
        let changed = session
            .execute(format!(
                "UPDATE items SET {}version = version + 1, {count} = {count} + 1 WHERE id = {id}",
                wrote.set()
            ))
            .await?;
        if changed == 0 {
            let (column, value) = match wrote {
                Wrote::Old(value) => ("o", value),
                Wrote::New(value) => ("n", value),
                Wrote::Neither => panic!("row {id} should be there"),
            };
            session
                .execute(format!("INSERT INTO items (id, {column}, version, {count}) VALUES ({id}, '{value}', 1, 1)"))
                .await?;
        }
        let found = session.try_lines(&format!("SELECT o, n, version FROM items WHERE id = {id}")).await?;
        let (row, version) = found[0].rsplit_once('|').expect("three columns");
        // The writer sees its own write in step at once, before anybody else does.
        if let Some((o, n)) = wrote.columns() {
            assert_eq!(row, format!("{o}|{n}"), "row {id} behind writer {writer}'s own {wrote:?}");
        }
        commits.push((*id, version.parse().expect("a number"), wrote.clone()));
    }
    session.execute("COMMIT").await?;
    Ok(commits)
}

/// Writes until the backfill is through, and `WRITES` transactions at least.
async fn write(kind: Kind, mut session: Session, writer: u32, migrated: Arc<AtomicBool>) -> (Vec<Commit>, u32) {
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15 ^ (u64::from(writer) + 1));
    let mut commits = Vec::new();
    let (mut number, mut beside) = (0, 0);
    while number < WRITES || !migrated.load(Ordering::Relaxed) {
        number += 1;
        let value = format!("Writer{writer}-{number}");
        let wrote = if writer.is_multiple_of(2) { Wrote::Old(value) } else { Wrote::New(value) };
        let mut hot = || ROWS / HOT * (numbers.below(HOT) + 1);
        let writes = match number % 8 {
            1 => vec![(10_000 * (writer + 1) + number, wrote)],
            3 => vec![(hot(), Wrote::Neither)],
            5 => {
                // In the order of the keys, as the backfill locks them: fewer deadlocks, which take a second each.
                let mut ids = [hot(), hot()];
                ids.sort_unstable();
                ids.map(|id| (id, wrote.clone())).into()
            }
            _ => vec![(hot(), wrote)],
        };
        commits.extend(transaction(kind, &mut session, writer, &writes).await);
        if kind == Kind::Sqlite {
            // Who waits for SQLite's one lock only looks now and then whether it is free: a node that thinks of nothing
            // between two transactions has it again by then.
            tokio::time::sleep(Duration::from_millis(u64::from(numbers.below(20)))).await;
        }
        beside += u32::from(!migrated.load(Ordering::Relaxed));
    }
    (commits, beside)
}

async fn items(db: &TestDatabase) -> Train {
    let mut owner = db.owner().await;
    let counts: String = (0..WRITERS).map(|writer| format!("count{writer} INTEGER NOT NULL DEFAULT 0, ")).collect();
    owner
        .run(format!(
            "CREATE TABLE items ({counts}id INTEGER NOT NULL PRIMARY KEY, o VARCHAR(40) NOT NULL, \
             version INTEGER NOT NULL DEFAULT 0) {}",
            options(db.kind())
        ))
        .await;
    let rows: Vec<_> = (1..=ROWS).map(|id| format!("({id}, 'Row{id}')")).collect();
    owner.run(format!("INSERT INTO items (id, o) VALUES {}", rows.join(", "))).await;
    if db.kind() == Kind::Sqlite {
        owner.run("PRAGMA journal_mode = WAL").await;
    }
    let mut train = Train::with_settings(
        db,
        if db.kind() == Kind::Sqlite { "batch: { rows: 4 }" } else { "batch: { rows: 3, target: 1ms }" },
    );
    train.add(&[
        (
            "expand/01_items.yaml",
            "steps:
  - add_column: { table: items, column: { name: n, type: string(40) } }
  - drop_not_null: { table: items, column: o }
  - sync: { name: items_case, table: items, forward: { n: upper(o) }, backward: { o: lower(n) } }
",
        ),
        ("data/01_items.yaml", "backfill: { table: items, set: { n: upper(o) }, where: n IS NULL }\n"),
    ]);
    train.concertina().run(&["expand"]).expect_code(0);
    db.grant_application(&["items"]).await;
    train
}

/// Old and new nodes, each with a session of this isolation level, and a real `migrate` between them.
async fn everybody_at_once(db: TestDatabase, isolation: Option<&str>) {
    let kind = db.kind();
    let train = items(&db).await;
    let migrated = Arc::new(AtomicBool::new(false));
    let mut writers = Vec::new();
    for writer in 0..WRITERS {
        let mut session = db.application().await;
        if let Some(isolation) = isolation {
            let scope = if kind == Kind::MySql { "TRANSACTION" } else { "CHARACTERISTICS AS TRANSACTION" };
            session.run(format!("SET SESSION {scope} ISOLATION LEVEL {isolation}")).await;
        }
        writers.push(tokio::spawn(write(kind, session, writer, Arc::clone(&migrated))));
    }
    let running = train.concertina().spawn(&["migrate"]);
    let output = tokio::task::spawn_blocking(|| running.finish()).await.expect("it does not panic");
    migrated.store(true, Ordering::Relaxed);
    let mut commits = Vec::new();
    let mut counts = Vec::new();
    let mut written_beside = [0, 0];
    for (writer, task) in writers.into_iter().enumerate() {
        let (committed, beside) = task.await.expect("a writer does not fail");
        written_beside[writer % 2] += beside;
        counts.push(committed.len().to_string());
        commits.extend(committed);
    }
    output.expect_code(0);
    assert!(!written_beside.contains(&0), "old and new nodes should write while the backfill runs: {written_beside:?}");

    let mut session = db.application().await;
    let bytes = if kind == Kind::MySql { "BINARY " } else { "" };
    let out = format!(
        "SELECT id, o, n FROM items WHERE n IS NULL OR o IS NULL OR NOT ({bytes}n = {bytes}upper(o) OR {bytes}o = {bytes}lower(n))"
    );
    assert_eq!(session.lines(out).await, [""; 0]);
    let sums: Vec<_> = (0..WRITERS).map(|writer| format!("SUM(count{writer})")).collect();
    assert_eq!(session.lines(format!("SELECT {} FROM items", sums.join(", "))).await, [counts.join("|")]);
    expect_the_last_writes(&mut session, &commits).await;
}

/// Fails unless each row's versions have no gap, and it holds what the highest one wrote.
async fn expect_the_last_writes(session: &mut Session, commits: &[Commit]) {
    let mut rows: HashMap<u32, Vec<(u32, &Wrote)>> = (1..=ROWS).map(|id| (id, Vec::new())).collect();
    for (id, version, wrote) in commits {
        rows.entry(*id).or_default().push((*version, wrote));
    }
    let mut expected = Vec::new();
    for (id, mut writes) in rows {
        writes.sort_unstable_by_key(|(version, _)| *version);
        let versions: Vec<_> = writes.iter().map(|(version, _)| *version).collect();
        let all: Vec<_> = (1..=u32::try_from(writes.len()).expect("it is not many")).collect();
        assert_eq!(versions, all, "the versions of row {id}: {writes:?}");
        let last = writes.iter().rev().find_map(|(_, wrote)| wrote.columns());
        let (o, n) = last.unwrap_or_else(|| (format!("Row{id}"), format!("ROW{id}")));
        expected.push((id, format!("{id}|{}|{o}|{n}", writes.len())));
    }
    expected.sort_unstable();
    let expected: Vec<_> = expected.into_iter().map(|(_, line)| line).collect();
    assert_eq!(session.lines("SELECT id, version, o, n FROM items ORDER BY id").await, expected);
}

/// One test for each level at which a database behaves differently.
macro_rules! at_each_level {
    ($($name:ident: $kind:ident, $isolation:expr;)+) => {$(
        #[test]
        fn $name() {
            run(Kind::$kind, stringify!($name), async |db| everybody_at_once(db, $isolation).await);
        }
    )+};
}

at_each_level! {
    no_write_is_lost_on_postgres_at_read_committed: Postgres, Some("READ COMMITTED");
    no_write_is_lost_on_postgres_at_repeatable_read: Postgres, Some("REPEATABLE READ");
    no_write_is_lost_on_postgres_at_serializable: Postgres, Some("SERIALIZABLE");
    no_write_is_lost_on_mysql_at_read_committed: MySql, Some("READ COMMITTED");
    no_write_is_lost_on_mysql_at_repeatable_read: MySql, Some("REPEATABLE READ");
    no_write_is_lost_on_sqlite: Sqlite, None;
}
