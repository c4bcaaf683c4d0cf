//! The connection breaks instead: before a statement reaches the server, or when it is done and nobody hears of it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use super::every_kind::{before_phase, say, start, undisturbed};
use super::lives::Each;
use super::workshop::{self, BASELINE, EXPAND, Nodes, PHASES};
use crate::support::{Kind, Moment, Proxy, Reach, TestDatabase, is_deep, on_every_server, run};

/// Whether a statement changes something, by its first word.
fn changes(statement: &str) -> bool {
    let word = statement.split_whitespace().next().unwrap_or_default().to_uppercase();
    let reads = ["SELECT", "SHOW", "WITH", "SET", "BEGIN", "START", "ROLLBACK", "VALUES", "TABLE"];
    !word.is_empty() && !reads.contains(&word.as_str())
}

/// Cuts a life at most once, where no life was before: at two places of seven, each on one side of it. There are many, and the
/// deep tier cuts at each, on both sides.
#[derive(Default)]
struct Scissors {
    ready: bool,
    seen: BTreeSet<String>,
    cuts: usize,
    /// The last statement of the step itself, which tells one commit from another.
    last: String,
}

impl Scissors {
    fn look(&mut self, statement: &str) -> Option<(Moment, Reach)> {
        if !changes(statement) {
            return None;
        }
        let place = if statement == "COMMIT" {
            format!("COMMIT behind {}", self.last)
        } else if ["UPDATE", "INSERT", "DELETE"].iter().any(|word| statement.starts_with(word)) {
            // Our own rows: some have a time written into them.
            statement.replace(|character: char| character.is_ascii_digit(), "")
        } else {
            statement.clone_into(&mut self.last);
            statement.to_owned()
        };
        if !self.ready || !self.seen.insert(place) || ![0, 3].contains(&(self.seen.len() % 7)) {
            return None;
        }
        self.ready = false;
        self.cuts += 1;
        let moment = if self.cuts.is_multiple_of(2) { Moment::Before } else { Moment::After };
        Some((moment, if self.cuts.is_multiple_of(3) { Reach::One } else { Reach::All }))
    }
}

on_every_server! {
    async fn cut_at_the_statements_and_commits_of_every_kind_of_step_loses_nothing(db: TestDatabase) {
        let expected = undisturbed(&db, Each::Sort).await;
        let (_project, concertina) = start(&db);
        concertina.run(BASELINE).expect_code(0);
        workshop::seed(&db).await;
        let proxy = Proxy::before(db.kind(), db.owner_url());
        let scissors = Arc::new(Mutex::new(Scissors::default()));
        let trap = Arc::clone(&scissors);
        proxy.cut_where(move |statement| trap.lock().expect("it does not panic").look(statement));
        let through = concertina.clone().database(proxy.url());
        let mut nodes = Nodes::start(&db).await;
        for (command, facts) in PHASES.into_iter().zip(&expected.facts) {
            loop {
                let before = proxy.cuts();
                scissors.lock().expect("it does not panic").ready = true;
                let output = through.run(command);
                let was_cut = proxy.cuts() > before;
                if was_cut {
                    nodes.write(&format!("after a cut, with {output}")).await;
                }
                match output.code {
                    // What was cut may have been beside the work, or behind it.
                    Some(0) => break,
                    Some(1) if was_cut => {}
                    _ => {
                        if let Some(answer) = workshop::attend(&db, &output).await {
                            concertina.run(&answer.iter().map(String::as_str).collect::<Vec<_>>()).expect_code(0);
                        }
                    }
                }
            }
            workshop::facts(&db).await.expect(facts, &format!("behind {command:?}"));
        }
        nodes.write("at the end").await;
        nodes.expect_kept("at the end").await;
        say(&format!("{} cuts on {}", proxy.cuts(), db.kind()));
        assert!(proxy.cuts() > 20, "it was cut {} times: are these statements still sent?", proxy.cuts());
    }

    async fn cut_at_each_statement_alone(db: TestDatabase) {
        if is_deep() {
            each_cut_alone(db.kind(), Moment::Before).await;
            each_cut_alone(db.kind(), Moment::After).await;
        }
    }
}

#[test]
fn a_connection_that_is_lost_while_the_server_is_tried_is_no_refusal() {
    run(Kind::MySql, "lost_while_the_server_is_tried", async |db: TestDatabase| {
        let (_project, concertina) = start(&db);
        concertina.run(BASELINE).expect_code(0);
        let proxy = Proxy::before(db.kind(), db.owner_url());
        let tries = |statement: &str| changes(statement) && statement.contains("concertina_preflight");
        proxy.cut_at(tries, Moment::Before, Reach::All, &[2]);
        // 6 would say that the server does not let triggers be made.
        concertina.clone().database(proxy.url()).run(EXPAND).expect_code(1);
        assert_eq!(proxy.cuts(), 1, "nothing is tried: how is it found out then?");
        workshop::run_to_the_end(&db, &concertina, EXPAND).await;
    });
}

/// Cuts at one statement or commit in the life of a database, at each in turn.
async fn each_cut_alone(kind: Kind, moment: Moment) {
    let other = TestDatabase::create(kind, "other").await;
    let expected = undisturbed(&other, Each::Sort).await;
    let mut cuts = 0;
    for (number, command) in PHASES.into_iter().enumerate() {
        for pass in 1.. {
            let db = TestDatabase::create(kind, "each_cut").await;
            let (_project, concertina, mut nodes) = before_phase(&db, number).await;
            let proxy = Proxy::before(kind, db.owner_url());
            proxy.cut_at(changes, moment, Reach::All, &[pass]);
            let output = concertina.clone().database(proxy.url()).run(command);
            if proxy.cuts() == 0 {
                output.expect_code(0);
                break;
            }
            cuts += 1;
            let when = format!("after a cut {moment:?} statement {pass} of {command:?}");
            assert!(matches!(output.code, Some(0 | 1)), "{when}: {output}");
            nodes.write(&when).await;
            for rest in &PHASES[number..] {
                workshop::run_to_the_end(&db, &concertina, rest).await;
            }
            nodes.write("at the end").await;
            nodes.expect_kept(&when).await;
            workshop::facts(&db).await.expect(&expected.facts[2], &when);
        }
    }
    say(&format!("{cuts} cuts {moment:?} on {kind}, each alone"));
}
