//! The small project: a database dies at failpoint after failpoint, in every kind of step, until it comes to the end.

use std::collections::BTreeSet;
use std::path::Path;

use super::facts::Facts;
use super::lives::{Each, End, Lives, passed};
use super::workshop::{self, BASELINE, Nodes, PHASES, UPGRADE};
use crate::support::{Concertina, Kind, Project, TestDatabase, on_every_database, run};

/// Where a run without a death comes to behind each phase, and the failpoints that it passes.
pub(super) struct Undisturbed {
    pub(super) facts: Vec<Facts>,
    pub(super) passed: BTreeSet<String>,
}

/// A project, and the command on a database.
pub(super) fn start(db: &TestDatabase) -> (Project, Concertina) {
    let project = workshop::project(db.kind());
    let concertina = Concertina::command(db).project(&project);
    (project, concertina)
}

/// A project whose rows and phases are as they are before one of the phases, and nodes at work.
pub(super) async fn before_phase(db: &TestDatabase, number: usize) -> (Project, Concertina, Nodes<'_>) {
    let (project, concertina) = start(db);
    concertina.run(BASELINE).expect_code(0);
    workshop::seed(db).await;
    workshop::correct(db).await;
    for earlier in &PHASES[..number] {
        concertina.run(earlier).expect_code(0);
    }
    (project, concertina, Nodes::start(db).await)
}

pub(super) async fn undisturbed(db: &TestDatabase, each: Each) -> Undisturbed {
    let other = TestDatabase::create(db.kind(), "undisturbed").await;
    let (project, concertina) = start(&other);
    let trace = project.path().join("trace");
    let concertina = concertina.env("CONCERTINA_FAILPOINT_TRACE", &trace.display().to_string());
    concertina.run(BASELINE).expect_code(0);
    workshop::seed(&other).await;
    let mut facts = Vec::new();
    for command in PHASES {
        workshop::run_to_the_end(&other, &concertina, command).await;
        facts.push(workshop::facts(&other).await);
    }
    Undisturbed { facts, passed: passed(&trace, each).into_iter().collect() }
}

/// Runs a command, life after life, until one comes to its end; whatever may be done between two is done.
pub(super) async fn live_through(
    lives: &mut Lives,
    db: &TestDatabase,
    concertina: &Concertina,
    command: &[&str],
    between: &mut impl AsyncFnMut(&str),
) {
    let own = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let mut next = own(command);
    loop {
        let words: Vec<&str> = next.iter().map(String::as_str).collect();
        match lives.live(concertina, &words) {
            End::Died(place) => between(&format!("after a death at {place}")).await,
            End::Ended(output) if output.code == Some(0) && words == command => return,
            End::Ended(output) if output.code == Some(0) => next = own(command),
            End::Ended(output) => next = workshop::attend(db, &output).await.unwrap_or_else(|| own(command)),
        }
    }
}

/// Goes through a release, dying everywhere, phase by phase and then on another database in one go: where a statement cannot
/// share a transaction with its record, a death between the two keeps that step's record from ever being written as others are.
pub(super) async fn die_everywhere(db: &TestDatabase, each: Each) {
    let expected = undisturbed(db, each).await;
    let mut lives = Lives::new(each);
    let second = TestDatabase::create(db.kind(), "in_one_go").await;
    for (db, commands) in [(db, &PHASES[..]), (&second, &[UPGRADE])] {
        let (_project, concertina) = start(db);
        live_through(&mut lives, db, &concertina, BASELINE, &mut async |_| {}).await;
        workshop::seed(db).await;
        let mut nodes = Nodes::start(db).await;
        for (number, command) in commands.iter().enumerate() {
            live_through(&mut lives, db, &concertina, command, &mut async |when| nodes.write(when).await).await;
            let behind = expected.facts.len() - commands.len() + number;
            workshop::facts(db).await.expect(&expected.facts[behind], &format!("behind {command:?}"));
        }
        nodes.write("at the end").await;
        nodes.expect_kept("at the end").await;
    }
    if each == Each::Sort {
        expect_all_died_at(&expected.passed, &lives, db.kind());
    } else {
        say(&format!("{} deaths in turn on {}", lives.died_at().len(), db.kind()));
    }
}

/// Fails where a run without a death passes a place that nobody died at.
#[track_caller]
pub(super) fn expect_all_died_at(passed: &BTreeSet<String>, lives: &Lives, kind: Kind) {
    let missed: Vec<_> = passed.difference(lives.died_at()).collect();
    assert!(missed.is_empty(), "nobody died at {missed:#?}");
    let (deaths, passes) = (lives.died_at().len(), passed.len());
    say(&format!("{deaths} deaths on {kind}, at all of the {passes} places that a run without one passes"));
}

on_every_database! {
    async fn dying_at_every_failpoint_of_every_kind_of_step_loses_nothing(db: TestDatabase) {
        die_everywhere(&db, Each::Sort).await;
    }
}

#[test]
fn a_baseline_file_that_ran_in_a_run_that_died_is_a_persons_to_judge() {
    run(Kind::MySql, "a_baseline_file_that_ran", async |db: TestDatabase| {
        let (_project, concertina) = start(&db);
        let died = concertina.clone().env("CONCERTINA_FAILPOINT", "baseline.file.after").run(BASELINE);
        assert_eq!(died.code, None, "{died}");
        concertina
            .run(BASELINE)
            .expect_code(9)
            .expect_stderr("concertina baseline --at V1__goods compares and records it");
        db.owner().await.run("DROP TABLE makers").await;
        db.grant_scratch().await;
        concertina.run(&["baseline", "--at", "V1__goods"]).expect_code(6);
        db.owner().await.run("DROP TABLE goods").await;
        concertina.run(BASELINE).expect_code(0);
    });
}

/// A kind of step that the project lacks is not tested.
#[test]
fn the_project_has_every_kind_of_step_in_every_phase() {
    let source = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/step/mod.rs")).expect("src/");
    let (_, kinds) = source.split_once("\nstep_kinds! {").expect("the list of kinds");
    let (kinds, _) = kinds.split_once("\n}").expect("its end");
    let mut known = BTreeSet::new();
    for line in kinds.lines().filter(|line| !line.trim().is_empty()) {
        let word = line.split('"').nth(1).expect("a kind's word");
        let phases = line.split(['[', ']']).nth(1).expect("its phases");
        known.extend(phases.split(", ").map(|phase| (phase.to_lowercase(), word.to_owned())));
    }
    assert!(known.len() > 15, "{known:?}");
    let found = workshop::kinds();
    let missing: Vec<_> = known.difference(&found).collect();
    assert!(missing.is_empty(), "the project has no {missing:?}");
}

#[expect(clippy::print_stderr, reason = "how many there were is worth knowing")]
pub(super) fn say(text: &str) {
    eprintln!("{text}");
}
