//! `migrate` dies as by `kill -9`: at each of its failpoints, and, when asked for, at any moment at all.

use std::path::Path;
use std::time::Duration;

use super::{Counting, ROWS};
use crate::support::{Output, TestDatabase, is_deep, on_every_database};

/// Every place in `migrate` that has a name to die at, in the order in which a run comes by.
const FAILPOINTS: &[&str] = &["backfill.written", "backfill.before_commit", "backfill.batch", "phase.finish.before"];

/// Those that only a locked row, or a program, leads to: `locked.rs` dies at the first.
const ELSEWHERE: &[&str] = &["backfill.gone_round", "backfill.answered"];

/// How many deaths the deep tier has on each database.
const DEATHS: usize = 200;

/// Fails unless a run died where it was made to, or had nothing to do with it.
#[track_caller]
fn expect_death_or_peace(output: &Output) -> usize {
    // 7: another runner is at work, and this one was not needed.
    assert!(matches!(output.code, None | Some(0 | 7)), "{output}");
    usize::from(output.code.is_none())
}

on_every_database! {
    async fn dying_at_each_failpoint_loses_nothing(db: TestDatabase) {
        let mut counting = Counting::start(&db, ROWS).await;
        for failpoint in FAILPOINTS {
            let mut deaths = 0;
            for pass in [1, 3, 2] {
                // Two at once: who is left, if anyone is, finds what the other was at while it works itself.
                let name = format!("{failpoint}:{pass}");
                let dying = [(); 2].map(|()| {
                    counting.concertina().env("CONCERTINA_FAILPOINT", &name).spawn(counting.migrate())
                });
                deaths += dying.into_iter().map(|running| expect_death_or_peace(&running.finish())).sum::<usize>();
                let counted = counting.session.value("SELECT SUM(counter) FROM items").await;
                assert_eq!(counted, Some(counting.done().await.to_string()), "at {name}");
            }
            assert!(deaths > 0, "nobody came by {failpoint}");
        }
        counting.finish().await;
    }

    async fn dying_at_any_moment_loses_nothing(db: TestDatabase) {
        if is_deep() {
            die_at_random(&db).await;
        }
    }
}

/// Two runs at a time die at random moments; what is done is done again in a new round.
async fn die_at_random(db: &TestDatabase) {
    let seed = std::env::var("CONCERTINA_SEED").ok().map(|seed| seed.parse().expect("CONCERTINA_SEED is a number"));
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    say(&format!("CONCERTINA_SEED={seed} on {}", db.kind()));
    let mut random = fastrand::Rng::with_seed(seed);
    let mut counting = Counting::start(db, ROWS).await;
    let mut deaths = 0;
    while deaths < DEATHS {
        let running = [(); 2].map(|()| counting.concertina().spawn(counting.migrate()));
        for running in running {
            // The moment is the point here: nothing is waited for.
            tokio::time::sleep(Duration::from_millis(random.u64(0..400))).await;
            deaths += expect_death_or_peace(&running.kill());
        }
        let counted = counting.session.value("SELECT SUM(counter) FROM items").await;
        let done = counting.done().await;
        assert_eq!(counted, Some(done.to_string()), "after {deaths} deaths, CONCERTINA_SEED={seed}");
        if done == ROWS {
            counting.concertina().run(&["migrate"]).expect_code(0);
            counting.expect_each_once().await;
            counting.session.run("UPDATE items SET counter = 0, done = 0").await;
        }
    }
    counting.concertina().run(&["migrate"]).expect_code(0);
    counting.expect_each_once().await;
}

#[expect(clippy::print_stderr, reason = "who wants to see the same moments again needs the seed")]
fn say(text: &str) {
    eprintln!("{text}");
}

/// A failpoint that nobody dies at is not tested.
#[test]
fn every_failpoint_of_a_backfill_is_died_at() {
    let mut found = Vec::new();
    read_failpoints(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    assert!(!found.is_empty(), "there is none in src/");
    for name in found {
        let known = FAILPOINTS.iter().chain(ELSEWHERE).any(|known| *known == name);
        assert!(known, "`{name}` is in src/, and not in FAILPOINTS");
    }
}

fn read_failpoints(path: &Path, found: &mut Vec<String>) {
    if path.is_dir() {
        for entry in std::fs::read_dir(path).expect("a folder of src/") {
            read_failpoints(&entry.expect("an entry of src/").path(), found);
        }
    } else {
        let text = std::fs::read_to_string(path).expect("a file of src/");
        let names = text.split("pass(\"backfill.").skip(1).filter_map(|rest| rest.split('"').next());
        found.extend(names.map(|name| format!("backfill.{name}")));
    }
}
