//! How long others wait meanwhile.

use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use super::project::Project;
use super::ratio::{bounds, median, spread};
use super::session::Kind;
use super::speed::single;
use super::table::Place;

/// Sessions that write, and how often each does.
const WRITERS: u32 = 4;
const EVERY: Duration = Duration::from_millis(20);
/// How long the quiet is watched.
const QUIET: Duration = Duration::from_secs(15);
/// A write that takes longer, in milliseconds, is one that people notice.
const SLOW: f64 = 200.0;

/// What goes on meanwhile.
#[derive(Clone)]
enum Meanwhile {
    Nothing,
    Single,
    Migrate(Vec<String>),
}

/// The figures of each round, in milliseconds.
#[derive(Default)]
struct Seen {
    seconds: Vec<f64>,
    middle: Vec<f64>,
    p99: Vec<f64>,
    greatest: Vec<f64>,
    slow: usize,
    failed: usize,
    writes: usize,
}

pub(crate) async fn measure(place: &mut Place, project: &Project, rounds: usize, about: &str) {
    let mut cases = vec![Meanwhile::Nothing, Meanwhile::Single, Meanwhile::Migrate(Vec::new())];
    if project.has_pace {
        cases.push(Meanwhile::Migrate(vec!["--pace".to_owned(), "full".to_owned()]));
    }
    let mut seen: Vec<Seen> = cases.iter().map(|_| Seen::default()).collect();
    let mut random = fastrand::Rng::new();
    for _ in 0..rounds {
        let mut order: Vec<usize> = (0..cases.len()).collect();
        random.shuffle(&mut order);
        for position in order {
            run(place, project, &cases[position], &mut seen[position]).await;
        }
    }
    println!("latency of single-row updates, ms: {about}");
    println!(
        "{:<24}{:>19}{:>22}{:>27}{:>21}{:>22}{:>24}",
        "meanwhile", "took s", "p50", "p99", "max", "p99 to quiet", "over 200 ms / failed"
    );
    for (case, own) in cases.iter().zip(&seen) {
        let to_quiet: Vec<f64> = own.p99.iter().zip(&seen[0].p99).map(|(own, quiet)| own / quiet).collect();
        println!(
            "{:<24}{:>19}{:>22}{:>27}{:>21}{:>22}{:>24}",
            case.words(),
            spread(&own.seconds, 1),
            spread(&own.middle, 2),
            spread(&own.p99, 1),
            spread(&own.greatest, 0),
            spread(&to_quiet, 1),
            format!("{} / {} of {}", own.slow, own.failed, own.writes)
        );
    }
    println!();
}

async fn run(place: &mut Place, project: &Project, case: &Meanwhile, seen: &mut Seen) {
    let url = place.copy().await;
    let mut session = Place::session(place.kind, &url).await;
    // About one row in 256, or in 16 of a small table.
    let some = if place.rows < 200_000 { "%7" } else { "%77" };
    let keys = session.texts(&format!("SELECT id FROM images WHERE name LIKE '{some}'")).await;
    let keys: Arc<[String]> = keys.into();
    if let Meanwhile::Migrate(_) = case {
        project.expand(&url);
    }
    let stop = Arc::new(OnceLock::new());
    let kind = place.kind;
    let start = Instant::now() + Duration::from_millis(500);
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let (keys, stop, url) = (Arc::clone(&keys), Arc::clone(&stop), url.clone());
            thread::spawn(move || write(kind, &url, &keys, start + EVERY / WRITERS * writer, &stop))
        })
        .collect();
    // The first writes prepare their statements.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let begun = Instant::now();
    match case {
        Meanwhile::Nothing => tokio::time::sleep(QUIET).await,
        Meanwhile::Single => single(&mut session).await,
        Meanwhile::Migrate(arguments) => {
            tokio::task::block_in_place(|| project.migrate(&url, arguments));
        }
    }
    let ended = Instant::now();
    stop.set(ended).expect("it is set once");
    let mut waits = Vec::new();
    for writer in writers {
        let writes = tokio::task::block_in_place(|| writer.join().expect("a writer's errors are counted"));
        for (due, milliseconds) in writes {
            // What was due before it began tells nothing.
            if due < begun {
                continue;
            }
            seen.writes += 1;
            match milliseconds {
                Some(milliseconds) => waits.push(milliseconds),
                None => seen.failed += 1,
            }
        }
    }
    // Writers turn nothing back, so the work is checked here as well.
    if !matches!(case, Meanwhile::Nothing) {
        place.check(&url).await;
    }
    waits.sort_by(f64::total_cmp);
    seen.seconds.push((ended - begun).as_secs_f64());
    seen.slow += waits.iter().filter(|wait| **wait > SLOW).count();
    seen.p99.push(waits.get(waits.len() * 99 / 100).copied().unwrap_or(f64::NAN));
    seen.greatest.push(bounds(&waits).1);
    seen.middle.push(median(waits));
}

/// Writes when it is due, late or not, until `stop`; gives when each write was due and how long after that it was done,
/// in milliseconds, or nothing when it failed.
///
/// In a thread of its own: the runtime's timers are only good to a millisecond.
fn write(
    kind: Kind,
    url: &str,
    keys: &[String],
    start: Instant,
    stop: &OnceLock<Instant>,
) -> Vec<(Instant, Option<f64>)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let sql: Arc<str> = match kind {
        Kind::Postgres => "UPDATE images SET payload = $1 WHERE id = $2".into(),
        _ => "UPDATE images SET payload = ? WHERE id = ?".into(),
    };
    let mut session = runtime.block_on(Place::session(kind, url));
    let mut random = fastrand::Rng::new();
    let mut writes = Vec::new();
    let mut due = start;
    loop {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        if stop.get().is_some_and(|stop| due > *stop) {
            return writes;
        }
        let payload = format!("{:0100x}", random.u128(..));
        let key = &keys[random.usize(..keys.len())];
        let result = runtime.block_on(session.execute(&sql, &[&payload, key]));
        writes.push((due, result.is_ok().then(|| due.elapsed().as_secs_f64() * 1000.0)));
        due += EVERY;
    }
}

impl Meanwhile {
    fn words(&self) -> String {
        match self {
            Self::Nothing => "nothing".to_owned(),
            Self::Single => "one UPDATE".to_owned(),
            Self::Migrate(arguments) => format!("migrate {}", arguments.join(" ")),
        }
    }
}
