//! How long it takes when nobody else is there.

use std::time::Instant;

use super::project::{Project, SET};
use super::ratio::{median, spread};
use super::session::{Kind, Session};
use super::table::{Key, Place};

/// Rows of one of the script's ranges.
const RANGE: u64 = 5_000;

/// A way to do the work.
#[derive(Clone, PartialEq, Eq)]
enum Way {
    Single,
    Script(usize),
    /// SQLite's own order, where the key's is a random one.
    Rowid,
    Migrate(usize, Vec<String>),
}

/// What each round took.
#[derive(Default)]
struct Taken {
    seconds: Vec<f64>,
    server: Vec<f64>,
    client: Vec<f64>,
    peak_mib: Vec<f64>,
}

impl Taken {
    /// This one's figures by another's, round by round.
    fn ratios(&self, other: &Self, of: impl Fn(&Self, usize) -> f64) -> Vec<f64> {
        (0..self.seconds.len()).map(|round| of(self, round) / of(other, round)).collect()
    }
}

pub(crate) async fn measure(place: &mut Place, project: &Project, rounds: usize, about: &str) {
    let mut ways = vec![Way::Single, Way::Script(1), Way::Migrate(1, project.full(1))];
    // SQLite has one writer at a time.
    if place.kind != Kind::Sqlite {
        ways.insert(2, Way::Script(2));
        if project.has_pace {
            ways.push(Way::Migrate(2, project.full(2)));
        }
    }
    if place.kind == Kind::Sqlite && place.key == Key::Uuid {
        ways.insert(2, Way::Rowid);
    }
    let mut taken: Vec<Taken> = ways.iter().map(|_| Taken::default()).collect();
    let mut random = fastrand::Rng::new();
    for _ in 0..rounds {
        let mut order: Vec<usize> = (0..ways.len()).collect();
        random.shuffle(&mut order);
        for position in order {
            run(place, project, &ways[position], &mut taken[position]).await;
        }
    }
    println!("speed: {about}");
    println!(
        "{}",
        line([
            "",
            "wall s",
            "server CPU s",
            "client s",
            "MiB",
            "speed to UPDATE",
            "CPU to UPDATE",
            "speed to script",
            "CPU to script"
        ])
    );
    let seconds = |taken: &Taken, round: usize| taken.seconds[round];
    let cpu = |taken: &Taken, round: usize| taken.server[round] + taken.client[round];
    for (way, own) in ways.iter().zip(&taken) {
        let script = match way {
            Way::Migrate(workers, _) => ways.iter().position(|other| *other == Way::Script(*workers)),
            _ => None,
        };
        let script = script.map(|position| &taken[position]);
        println!(
            "{}",
            line([
                &way.words(),
                &spread(&own.seconds, 2),
                &spread(&own.server, 2),
                &format!("{:.2}", median(own.client.clone())),
                &own.peak_mib.iter().copied().reduce(f64::max).map_or("-".to_owned(), |most| format!("{most:.1}")),
                &spread(&taken[0].ratios(own, seconds), 2),
                &spread(&own.ratios(&taken[0], cpu), 2),
                &script.map_or("-".to_owned(), |script| spread(&script.ratios(own, seconds), 2)),
                &script.map_or("-".to_owned(), |script| spread(&own.ratios(script, cpu), 2)),
            ])
        );
    }
    println!();
}

async fn run(place: &mut Place, project: &Project, way: &Way, taken: &mut Taken) {
    let url = place.copy().await;
    let mut sessions = Vec::new();
    match way {
        Way::Single | Way::Rowid => sessions.push(Place::session(place.kind, &url).await),
        Way::Script(workers) => {
            for _ in 0..*workers {
                sessions.push(Place::session(place.kind, &url).await);
            }
        }
        Way::Migrate(..) => project.expand(&url),
    }
    let before = place.cpu().await;
    let start = Instant::now();
    let seconds = match way {
        Way::Single => {
            single(&mut sessions[0]).await;
            start.elapsed().as_secs_f64()
        }
        Way::Rowid => {
            script(&mut sessions[0], "rowid", "0".to_owned(), None).await;
            start.elapsed().as_secs_f64()
        }
        Way::Script(_) => {
            let halves = [(place.key.least(), Some(place.median.clone())), (place.median.clone(), None)];
            let whole = [(place.key.least(), None)];
            let parts = if sessions.len() == 2 { halves.to_vec() } else { whole.to_vec() };
            let mut workers = tokio::task::JoinSet::new();
            for (mut session, (from, to)) in sessions.drain(..).zip(parts) {
                workers.spawn(async move {
                    script(&mut session, "id", from, to).await;
                    session
                });
            }
            // The sessions are closed after the clock has stopped.
            sessions = workers.join_all().await;
            start.elapsed().as_secs_f64()
        }
        Way::Migrate(_, arguments) => {
            let ran = tokio::task::block_in_place(|| project.migrate(&url, arguments));
            taken.peak_mib.push(ran.peak_mib);
            ran.seconds
        }
    };
    let after = place.cpu().await;
    drop(sessions);
    place.check(&url).await;
    taken.seconds.push(seconds);
    taken.server.push(after.server - before.server);
    taken.client.push(after.client - before.client);
}

/// One statement for the whole table.
pub(crate) async fn single(session: &mut Session) {
    session.run(format!("UPDATE images SET visibility = {SET} WHERE visibility IS NULL")).await;
}

/// The loop that everybody writes: above `from`, up to `to`.
async fn script(session: &mut Session, key: &str, mut from: String, to: Option<String>) {
    // Every database takes a number that is quoted for one.
    let limit = to.map(|to| format!(" AND {key} <= '{to}'")).unwrap_or_default();
    loop {
        let above = format!("{key} > '{from}'");
        let last = session
            .maybe_text(&format!(
                "SELECT {key} FROM images WHERE {above}{limit} ORDER BY {key} LIMIT 1 OFFSET {}",
                RANGE - 1
            ))
            .await;
        let upto = last.as_deref().map_or_else(|| limit.clone(), |last| format!(" AND {key} <= '{last}'"));
        session.run(format!("UPDATE images SET visibility = {SET} WHERE {above}{upto} AND visibility IS NULL")).await;
        match last {
            Some(last) => from = last,
            None => return,
        }
    }
}

impl Way {
    fn words(&self) -> String {
        match self {
            Self::Single => "one UPDATE".to_owned(),
            Self::Script(workers) => format!("script, {workers} worker{}", if *workers == 1 { "" } else { "s" }),
            Self::Rowid => "script by rowid, 1 worker".to_owned(),
            Self::Migrate(_, arguments) => format!("migrate {}", arguments.join(" ")),
        }
    }
}

fn line(cells: [&str; 9]) -> String {
    let [title, seconds, server, client, memory, single, single_cpu, script, cpu] = cells;
    format!(
        "{title:<34}{seconds:>21}{server:>21}{client:>10}{memory:>7}{single:>19}{single_cpu:>19}{script:>19}{cpu:>19}"
    )
}
