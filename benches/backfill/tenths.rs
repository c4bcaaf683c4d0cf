//! Whether the end of a large table is as fast as its beginning.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::project::Project;
use super::session::{Kind, Processes};
use super::table::Place;

/// How often it is asked how far it is.
const EVERY: Duration = Duration::from_millis(200);

/// How far it was, and when.
#[derive(Clone, Copy)]
struct Sample {
    seconds: f64,
    cpu: f64,
    rows: f64,
}

pub(crate) async fn measure(place: &mut Place, project: &Project, about: &str) {
    // It is run once, and a copy would double the space.
    let url = place.pristine().await;
    project.expand(&url);
    let (kind, done) = (place.kind, AtomicBool::new(false));
    let (ran, samples) = tokio::task::block_in_place(|| {
        thread::scope(|scope| {
            let watch = scope.spawn(|| watch(kind, &url, &place.processes, &done));
            let ran = project.migrate(&url, &project.full(1));
            done.store(true, Ordering::Relaxed);
            (ran, watch.join().expect("a watch ends with what it saw"))
        })
    });
    place.check(&url).await;
    println!("tenths: {about}");
    println!("{:>6}{:>12}{:>20}", "tenth", "rows/s", "server CPU µs/row");
    // A second walk, for the rows that the first had to leave, is not of any tenth.
    let tenth = place.rows as f64 / 10.0;
    let mut figures = Vec::new();
    for number in 0..10 {
        let from = at(&samples, tenth * f64::from(number));
        let to = at(&samples, tenth * f64::from(number + 1));
        let figure = (tenth / (to.seconds - from.seconds), (to.cpu - from.cpu) * 1e6 / tenth);
        println!("{:>6}{:>12.0}{:>20.2}", number + 1, figure.0, figure.1);
        figures.push(figure);
    }
    println!(
        "the last to the first: rate {:.2}, CPU {:.2}; in all {:.1} s, of them {:.1} s after the last row; peak {:.1} MiB\n",
        figures[9].0 / figures[0].0,
        figures[9].1 / figures[0].1,
        ran.seconds,
        (ran.seconds - at(&samples, tenth * 10.0).seconds).max(0.0),
        ran.peak_mib
    );
}

/// Asks how many rows were walked until it is done.
fn watch(kind: Kind, url: &str, processes: &Processes, done: &AtomicBool) -> Vec<Sample> {
    let text = if kind == Kind::MySql { "CHAR" } else { "TEXT" };
    let walked = format!("SELECT CAST(COALESCE(SUM(rows_walked), 0) AS {text}) FROM concertina_range");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut session = runtime.block_on(Place::session(kind, url));
    let start = Instant::now();
    let mut samples = vec![Sample { seconds: 0.0, cpu: processes.seconds(), rows: 0.0 }];
    loop {
        // Once more after the end, to see its last batch.
        let last = done.load(Ordering::Relaxed);
        let rows = runtime.block_on(session.text(&walked)).parse().expect("a count");
        samples.push(Sample { seconds: start.elapsed().as_secs_f64(), cpu: processes.seconds(), rows });
        if last {
            return samples;
        }
        thread::sleep(EVERY);
    }
}

/// When so many rows were walked: between two samples, in proportion; none at all, when the first batch began.
fn at(samples: &[Sample], rows: f64) -> Sample {
    let after = samples.iter().position(|sample| sample.rows > rows);
    let after = after.or_else(|| samples.iter().position(|sample| sample.rows >= rows)).unwrap_or(samples.len() - 1);
    let (before, after) = (samples[after.saturating_sub(1)], samples[after]);
    if after.rows <= before.rows {
        return after;
    }
    let part = (rows - before.rows) / (after.rows - before.rows);
    Sample {
        seconds: before.seconds + (after.seconds - before.seconds) * part,
        cpu: before.cpu + (after.cpu - before.cpu) * part,
        rows,
    }
}
