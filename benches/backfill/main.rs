//! What a backfill costs: `concertina migrate` against one single UPDATE, and against a plain script of key ranges.
//!
//! `tests/run --servers cargo bench --bench backfill [-- postgres|mysql|sqlite] [OPTION…]`
//!
//! | option | meaning | default |
//! | --- | --- | --- |
//! | `--only speed\|latency\|tenths` | one part | speed and latency |
//! | `--rows N` | rows of the table | 1,000,000; `tenths`: 10,000,000 |
//! | `--rounds N` | rounds; each measures everything once, in a new order | 3 |
//! | `--key uuid\|bigint` | one kind of key | both; latency and tenths: uuid |
//! | `--durable` | commits wait for the disk, which `tests/run` turns off | off |
//!
//! It runs the release binary as a user does, in a project of its own, timed from outside: what `migrate` does before
//! its first batch and after its last one counts. Every run has a new, identical copy of one table, read once, with
//! nothing left to flush or purge: PostgreSQL a database from a template, MariaDB an imported tablespace, SQLite a file.
//! The table: `id` (a uuid in text, in random order, or a bigint), an indexed `name`, `is_public`, 100 bytes of
//! `payload`, and `visibility`, which is NULL. The work:
//! `SET visibility = CASE WHEN is_public THEN 'public' ELSE 'private' END WHERE visibility IS NULL`. It is checked.
//!
//! **speed**: seconds by the clock; CPU seconds of the server's processes, from `/proc/PID/stat` (SQLite, which has no
//! server: of the process that works); CPU seconds of the client; its peak memory (`VmHWM`, MiB). The script asks for the
//! 5,000th key from here, updates up to it, and commits; two of them share the table at its median key. Ratios are of one
//! round's figures: "speed to UPDATE" and "to script" are the other's seconds by ours (more is better; the script with as
//! many workers), "CPU to UPDATE" and "to script" our CPU seconds, server and client, by the other's (less is better).
//!
//! **latency**: four sessions each make 50 single-row updates a second, timed in milliseconds from when each was due,
//! so that a stall counts for all that it holds up.
//!
//! **tenths**: one `migrate` at full pace; rows a second of every tenth of the table, and the server's CPU time a row.
//! `rows_walked` of Concertina's own state says how far it is.
//!
//! On a machine that does other things too only ratios mean anything. The method is that of the measurements of other
//! tools, in `shared/peers/{postgres,mysql}.md`; their PostgreSQL had 1 GB of shared buffers, which `tests/run` gives with
//! `CONCERTINA_POSTGRES_OPTIONS='-c shared_buffers=1GB'`, and `--durable` is not whole on MariaDB without
//! `CONCERTINA_MYSQL_OPTIONS=--debug-no-sync=0`. The rest (1 GB for `InnoDB`, its log, checkpoints, no autovacuum) is set
//! here, on the running servers, which therefore must be throwaway ones. MySQL itself is not supported: the table is made
//! with MariaDB's sequences, and its files are copied, so the server must be on this machine.

#![expect(clippy::print_stdout, reason = "the tables are what it is for")]
#![expect(clippy::panic, reason = "a measurement that went wrong says why, and ends")]
#![expect(clippy::cast_precision_loss, reason = "counts are small")]

mod latency;
mod project;
#[path = "../shared/ratio.rs"]
#[allow(dead_code, reason = "each benchmark uses its part")]
mod ratio;
#[path = "../shared/session.rs"]
#[allow(dead_code, reason = "each benchmark uses its part")]
mod session;
mod speed;
mod table;
mod tenths;

use std::time::Instant;

use project::Project;
use session::Kind;
use table::{Key, Place};

/// What is to be measured.
struct Options {
    kinds: Vec<Kind>,
    keys: Vec<Key>,
    part: Option<Part>,
    rows: u64,
    rounds: usize,
    durable: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Speed,
    Latency,
    Tenths,
}

fn main() {
    let options = Options::parse().unwrap_or_else(|message| panic!("{message}; main.rs says what there is"));
    // The two scripts, and the work beside a script, must not wait for one another here.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let project = Project::new();
        if !project.has_pace {
            println!(
                "this build's `migrate` has no --pace and --workers: a plain `migrate` stands in for all of them\n"
            );
        }
        for &kind in &options.kinds {
            let started = Instant::now();
            for &key in &options.keys {
                measure(kind, key, &options, &project).await;
            }
            println!("{} took {:.0} s\n", kind.word(), started.elapsed().as_secs_f64());
        }
    });
}

async fn measure(kind: Kind, key: Key, options: &Options, project: &Project) {
    let first = key == options.keys[0];
    // The tenths are of a larger table, so they are not for every run.
    let wanted = |part| options.part.map_or(part != Part::Tenths, |only| only == part);
    if !wanted(Part::Speed) && !first {
        return;
    }
    let mut place = Place::make(kind, key, options.rows, options.durable).await;
    let durable = if options.durable { ", durable" } else { "" };
    let table = format!("{}, {} key, {} rows{durable}", kind.word(), key.word(), options.rows);
    let about = format!("{table}, {} rounds: median (least–greatest)", options.rounds);
    if wanted(Part::Speed) {
        speed::measure(&mut place, project, options.rounds, &about).await;
    }
    if wanted(Part::Latency) && first {
        latency::measure(&mut place, project, options.rounds, &about).await;
    }
    if wanted(Part::Tenths) {
        tenths::measure(&mut place, project, &table).await;
    }
    place.remove().await;
}

impl Options {
    fn parse() -> Result<Self, String> {
        let mut options = Self {
            kinds: Vec::new(),
            keys: vec![Key::Uuid, Key::Bigint],
            part: None,
            rows: 0,
            rounds: 3,
            durable: false,
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("`{argument}` wants a value"));
            match argument.as_str() {
                // What cargo passes.
                "--bench" => {}
                "--rows" => options.rows = number(&value()?)?,
                "--rounds" => options.rounds = usize::try_from(number(&value()?)?).unwrap_or(usize::MAX),
                "--durable" => options.durable = true,
                "--key" => {
                    let word = value()?;
                    options.keys.retain(|key| key.word() == word);
                    if options.keys.is_empty() {
                        return Err(format!("`{word}` is not a key"));
                    }
                }
                "--only" => {
                    options.part = Some(match value()?.as_str() {
                        "speed" => Part::Speed,
                        "latency" => Part::Latency,
                        "tenths" => Part::Tenths,
                        other => return Err(format!("`{other}` is not a part")),
                    });
                }
                word => match Kind::ALL.into_iter().find(|kind| kind.word() == word) {
                    Some(kind) => options.kinds.push(kind),
                    None => return Err(format!("`{word}` is not known")),
                },
            }
        }
        if options.kinds.is_empty() {
            options.kinds = Kind::ALL.to_vec();
        }
        if options.rows == 0 {
            options.rows = if options.part == Some(Part::Tenths) { 10_000_000 } else { 1_000_000 };
        }
        Ok(options)
    }
}

fn number(text: &str) -> Result<u64, String> {
    let number = text.replace(['_', ','], "").parse().ok().filter(|number| *number > 0);
    number.ok_or(format!("`{text}` is not a number above 0"))
}
