//! What a sync costs those who write: the same tables without and with it, in interleaved slices of one run.
//!
//! `tests/run --servers cargo bench --bench sync_cost [-- postgres|mysql|sqlite]`
//!
//! Only ratios mean anything on a machine that does other things meanwhile, so each round measures every variant for
//! some milliseconds, and medians are taken over the rounds. "CPU" is that of all the server's processes; on SQLite,
//! which has no server, of this one. "loop" is a procedure at the server that writes the rows one by one, each in its
//! own transaction: the CPU time a row without the sync, and what the sync adds. On SQLite it is one statement that
//! writes them all.
//!
//! `CONCERTINA_BENCH_ROUNDS` changes the number of rounds (24). `CONCERTINA_BENCH_TRIGGERS` names a file of SQL that is run
//! after `concertina expand`, to try out another text of the triggers.

#![expect(clippy::print_stdout, reason = "the tables are what it is for")]
#![expect(clippy::panic, reason = "a measurement that went wrong says why, and ends")]
#![expect(clippy::cast_precision_loss, reason = "counts are small")]

mod contention;
#[path = "../shared/ratio.rs"]
#[allow(dead_code, reason = "each benchmark uses its part")]
mod ratio;
mod report;
#[path = "../shared/session.rs"]
#[allow(dead_code, reason = "each benchmark uses its part")]
mod session;
mod tables;

use std::time::Instant;

use report::{HEAD, Measured, Slice};
use session::{Kind, Processes, Session};
use tables::{PAIRS, Prepared, ROWS, Variant, Write};
use url::Url;

/// Writes of one slice, shared by the connections.
const WRITES: usize = 300;
/// Rows of one slice of the server's own loop.
const LOOP: usize = 250;

fn main() {
    let chosen: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    for kind in Kind::ALL {
        if chosen.is_empty() || chosen.iter().any(|word| word == kind.word()) {
            runtime.block_on(measure(kind));
        }
    }
}

async fn measure(kind: Kind) {
    let rounds = std::env::var("CONCERTINA_BENCH_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(24);
    let started = Instant::now();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let database = format!("cbench_{}", std::process::id());
    let (admin_url, url) = match kind {
        Kind::Sqlite => (None, format!("sqlite://{}", directory.path().join("bench.db").display())),
        _ => {
            let variable = format!("CONCERTINA_TEST_{}", kind.word().to_ascii_uppercase());
            let admin = std::env::var(&variable).unwrap_or_else(|_| {
                panic!("{variable} is not set: run it by tests/run --servers, which starts the servers")
            });
            let mut url = Url::parse(&admin).expect("the server's URL is a URL");
            url.set_path(&database);
            Session::open(kind, &admin).await.run(format!("CREATE DATABASE {database}")).await;
            (Some(admin), url.to_string())
        }
    };
    let mut session = Session::open(kind, &url).await;
    if kind == Kind::MySql {
        session.run("SET GLOBAL innodb_flush_log_at_trx_commit = 0").await;
    }
    let keys = tables::make(kind, &mut session, &url).await;
    writes(kind, session, &url, &keys, rounds).await;
    if kind != Kind::Sqlite {
        let (ratio, waits) = contention::disjoint(kind, &url, &keys, rounds.div_ceil(4)).await;
        println!("200 old writers on rows of their own: ratio {}", ratio.text());
        println!("  waits for locks: {} without the sync, {} with it", waits[0], waits[1]);
    }
    if kind == Kind::Postgres {
        let [bare, synced] = contention::serializable(&url, &keys, rounds.div_ceil(4)).await;
        println!("SERIALIZABLE, failures in 1,000 transactions: {bare:.1} without the sync, {synced:.1} with it");
    }
    if let Some(admin) = admin_url {
        Session::open(kind, &admin).await.run(format!("DROP DATABASE {database}")).await;
    }
    println!("{} took {:.0} s\n", kind.word(), started.elapsed().as_secs_f64());
}

/// Single-row writes, by prepared statements and by the server's own loop.
async fn writes(kind: Kind, mut session: Session, url: &str, keys: &[String], rounds: usize) {
    let processes = Processes::of(kind, &mut session).await;
    let mut sessions = vec![session];
    // SQLite has one writer at a time.
    if kind != Kind::Sqlite {
        sessions.push(Session::open(kind, url).await);
    }
    let mut random = fastrand::Rng::new();
    for pair in &PAIRS {
        let mut measured: Vec<Measured> = Write::ALL.iter().map(|_| Measured::default()).collect();
        // The first round fills the caches.
        for round in 0..=rounds {
            for (position, write) in Write::ALL.into_iter().enumerate() {
                let (mut client, mut server) = ([Slice::default(); 2], [Slice::default(); 2]);
                let first = random.usize(..ROWS - LOOP);
                let mut order = [0, 1];
                random.shuffle(&mut order);
                for variant in order {
                    let prepared = Prepared::new(kind, write, pair, Variant::BOTH[variant]);
                    client[variant] = slice(&processes, &mut sessions, &prepared, write, keys, &mut random).await;
                    let table = Variant::BOTH[variant].table(pair);
                    if write == Write::Insert {
                        sessions[0].run(format!("DELETE FROM {table} WHERE payload = 'inserted'")).await;
                    } else {
                        let mark = format!("Grace {:x}", random.u64(..));
                        let rows = (first, first + LOOP - 1);
                        let call = tables::call_loop(kind, write, pair, Variant::BOTH[variant], rows, &mark);
                        let before = processes.microseconds();
                        let start = Instant::now();
                        sessions[0].run(call).await;
                        let seconds = start.elapsed().as_secs_f64() / LOOP as f64;
                        server[variant] = Slice { seconds, cpu: (processes.microseconds() - before) / LOOP as f64 };
                    }
                }
                if round > 0 {
                    measured[position].client.push(client);
                    if write != Write::Insert {
                        measured[position].server.push(server);
                    }
                }
            }
            if kind == Kind::Postgres && round % 4 == 0 {
                for variant in Variant::BOTH {
                    sessions[0].run(format!("VACUUM {}", variant.table(pair))).await;
                }
            }
        }
        println!("{} {}: {rounds} rounds, {} connections", kind.word(), pair.name, sessions.len());
        println!("{HEAD}");
        for (write, measured) in Write::ALL.into_iter().zip(&measured) {
            print!("{}", measured.lines(write.words()));
        }
        println!();
    }
}

/// Some writes by every session at once: seconds and CPU microseconds a write.
async fn slice(
    processes: &Processes,
    sessions: &mut [Session],
    prepared: &Prepared,
    write: Write,
    keys: &[String],
    random: &mut fastrand::Rng,
) -> Slice {
    let each = WRITES / sessions.len();
    let count = (each * sessions.len()) as f64;
    // Made beforehand, so that it does not count.
    let mut work = Vec::new();
    for session in sessions.iter_mut() {
        let writes: Vec<(String, String)> = (0..each)
            .map(|_| {
                let key = if write == Write::Insert { tables::key(random) } else { keys[random.usize(..ROWS)].clone() };
                (format!("Ada {:090x}", random.u128(..)), key)
            })
            .collect();
        work.push((session, writes));
    }
    let before = processes.microseconds();
    let start = Instant::now();
    let writers = work.into_iter().map(async |(session, writes)| {
        for (value, key) in &writes {
            prepared.execute(session, value, key).await.unwrap_or_else(|error| panic!("failed to write: {error}"));
        }
    });
    let mut writers: Vec<_> = writers.collect();
    match writers.as_mut_slice() {
        [_] => writers.remove(0).await,
        _ => {
            let second = writers.remove(1);
            tokio::join!(writers.remove(0), second);
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    let cpu = processes.microseconds() - before;
    Slice { seconds: seconds / count, cpu: cpu / count }
}
