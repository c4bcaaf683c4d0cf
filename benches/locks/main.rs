//! How long others wait while a schema step waits for its lock, and how soon it is done once it can have it.
//!
//! `tests/run --servers cargo bench --bench locks [-- postgres|mysql]`
//!
//! A table of 100,000 rows; four sessions each make 50 single-row updates a second, timed in milliseconds from when each was
//! due, so that a stall counts for all that it holds up. A transaction has written a row of the table and stays open for 8 s; one
//! second after it began the step is started, as a user starts it: the binary with its start, its state and its end. For each step:
//! the longest wait of a write, and the seconds from the transaction's commit to the step's end. `plain` is the statement itself,
//! sent as most tools send it, and waiting.

#![expect(clippy::print_stdout, reason = "the table is what it is for")]
#![expect(clippy::panic, reason = "a measurement that went wrong says why, and ends")]

#[path = "../shared/session.rs"]
#[allow(dead_code, reason = "each benchmark uses its part")]
mod session;

use std::fs;
use std::process::{Command, Stdio};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use session::{Kind, Session};
use tempfile::TempDir;
use url::Url;

const ROWS: u32 = 100_000;
const WRITERS: u32 = 4;
const EVERY: Duration = Duration::from_millis(20);
/// How long the transaction is open, and how long after its start the step begins.
const HELD: Duration = Duration::from_secs(8);
const BEFORE: Duration = Duration::from_secs(1);

/// The steps, in their order: each is a release of its own, and what it was before is contracted.
const STEPS: &[(&str, &str)] = &[
    ("add_column", "add_column: { table: images, column: { name: visibility, type: string(20) } }"),
    ("create_index", "create_index: { table: images, name: images_payload, columns: [payload] }"),
    ("drop_not_null", "drop_not_null: { table: images, column: is_public }"),
    (
        "sync",
        "sync: { name: images_visibility, table: images, forward: { visibility: \"CASE WHEN is_public = 1 THEN 'public' ELSE \
         'private' END\" }, backward: { is_public: \"CASE WHEN visibility = 'public' THEN 1 ELSE 0 END\" } }",
    ),
];

/// What one step did to the others.
struct Seen {
    longest: f64,
    after: f64,
}

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        for kind in [Kind::Postgres, Kind::MySql] {
            if wanted.is_empty() || wanted.iter().any(|word| word == kind.word()) {
                measure(kind).await;
            }
        }
    });
}

async fn measure(kind: Kind) {
    let url = make(kind).await;
    println!("{}, behind a transaction of {} s", kind.word(), HELD.as_secs());
    println!("{:<24}{:>24}{:>28}", "", "longest wait of a write", "done after it was free");
    let plain = "ALTER TABLE images ADD COLUMN plain INTEGER";
    show("plain ALTER TABLE", &beside(kind, &url, || run_plain(kind, &url, plain)));
    let directory = tempfile::tempdir().expect("a directory");
    for (position, (word, step)) in STEPS.iter().enumerate() {
        let releases: Vec<String> = (0..=position).map(|number| format!("r{number}")).collect();
        write(&directory, "concertina.yaml", &format!("releases: [{}]\n", releases.join(", ")));
        write(&directory, &format!("expand/r{position}/01_step.yaml"), &format!("steps:\n  - {step}\n"));
        if *word == "sync" {
            let backfill = "backfill: { table: images, set: { visibility: \"CASE WHEN is_public = 1 THEN 'public' ELSE 'private' END\" }, where: visibility IS NULL }\n";
            write(&directory, &format!("data/r{position}/01_visibility.yaml"), backfill);
        }
        show(word, &beside(kind, &url, || concertina(&directory, &url, &["expand"])));
        concertina(&directory, &url, &["migrate", "--pace", "full"]);
        concertina(&directory, &url, &["contract", "--quiet-period", "0s"]);
    }
    println!();
}

fn show(what: &str, seen: &Seen) {
    println!("{what:<24}{:>21.0} ms{:>26.2} s", seen.longest, seen.after);
}

fn write(directory: &TempDir, path: &str, text: &str) {
    let path = directory.path().join(path);
    fs::create_dir_all(path.parent().expect("a folder")).expect("the folder");
    fs::write(path, text).expect("the file");
}

/// Makes the database and the table, and gives the URL.
async fn make(kind: Kind) -> String {
    let variable = if kind == Kind::Postgres { "CONCERTINA_TEST_POSTGRES" } else { "CONCERTINA_TEST_MYSQL" };
    let admin =
        std::env::var(variable).unwrap_or_else(|_| panic!("{variable} is not set; tests/run --servers sets it"));
    let name = format!("locks_{}", std::process::id());
    Session::open(kind, &admin).await.run(format!("CREATE DATABASE {name}")).await;
    let mut url = Url::parse(&admin).expect("a URL");
    url.set_path(&name);
    let mut session = Session::open(kind, url.as_str()).await;
    let options = if kind == Kind::MySql { " ENGINE=InnoDB" } else { "" };
    session
        .run(format!(
            "CREATE TABLE images (id INTEGER NOT NULL PRIMARY KEY, is_public INTEGER NOT NULL, payload VARCHAR(200) NOT NULL){options}"
        ))
        .await;
    let rows = match kind {
        Kind::MySql => format!("SELECT seq, seq % 2, REPEAT('x', 100) FROM seq_1_to_{ROWS}"),
        _ => format!("SELECT n, n % 2, repeat('x', 100) FROM generate_series(1, {ROWS}) AS n"),
    };
    session.run(format!("INSERT INTO images {rows}")).await;
    url.to_string()
}

fn run_plain(kind: Kind, url: &str, sql: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async { Session::open(kind, url).await.run(sql).await });
}

fn concertina(directory: &TempDir, url: &str, arguments: &[&str]) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_concertina"));
    command.args(["--quiet", "--project"]).arg(directory.path()).args(["--database", url]).args(arguments);
    let output = command.stdin(Stdio::null()).output().expect("the binary starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "`concertina {}` failed:\n{said}", arguments.join(" "));
}

/// Runs work behind the transaction, and beside the writers.
fn beside(kind: Kind, url: &str, work: impl FnOnce()) -> Seen {
    let stop = Arc::new(OnceLock::new());
    let begun = Instant::now() + Duration::from_millis(300);
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let (stop, url) = (Arc::clone(&stop), url.to_owned());
            thread::spawn(move || write_rows(kind, &url, begun + EVERY / WRITERS * writer, &stop))
        })
        .collect();
    let holder = {
        let url = url.to_owned();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let mut session = Session::open(kind, &url).await;
                session.run("BEGIN").await;
                session.run(format!("UPDATE images SET payload = 'held' WHERE id = {ROWS}")).await;
                thread::sleep(BEFORE + HELD);
                session.run("COMMIT").await;
                Instant::now()
            })
        })
    };
    thread::sleep(BEFORE);
    tokio::task::block_in_place(work);
    let done = Instant::now();
    stop.set(done).expect("it is set once");
    let freed = tokio::task::block_in_place(|| holder.join().expect("the holder"));
    let waits = writers.into_iter().map(|writer| tokio::task::block_in_place(|| writer.join().expect("a writer")));
    Seen { longest: waits.fold(0.0, f64::max), after: done.saturating_duration_since(freed).as_secs_f64() }
}

/// Writes when it is due, late or not; gives the longest wait in milliseconds.
fn write_rows(kind: Kind, url: &str, start: Instant, stop: &OnceLock<Instant>) -> f64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut session = runtime.block_on(Session::open(kind, url));
    let mut random = fastrand::Rng::new();
    let mut longest: f64 = 0.0;
    let mut due = start;
    let sql: Arc<str> = match kind {
        Kind::Postgres => "UPDATE images SET payload = $1 WHERE id = ($2)::integer".into(),
        _ => "UPDATE images SET payload = ? WHERE id = CAST(? AS SIGNED)".into(),
    };
    loop {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        if stop.get().is_some_and(|stop| due > *stop) {
            return longest;
        }
        let (payload, key) = (format!("{:0100x}", random.u128(..)), random.u32(1..ROWS).to_string());
        let result = runtime.block_on(session.execute(&sql, &[&payload, &key]));
        result.unwrap_or_else(|error| panic!("a write failed: {error}"));
        longest = longest.max(due.elapsed().as_secs_f64() * 1000.0);
        due += EVERY;
    }
}
