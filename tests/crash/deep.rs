//! The deep tier: every single pass of the small project, on one database in turn and each on a database of its own.

use super::every_kind::{before_phase, die_everywhere, say, undisturbed};
use super::lives::{Each, place_of_death};
use super::workshop::{self, PHASES};
use crate::support::{Kind, TestDatabase, is_deep, on_every_database};

on_every_database! {
    async fn dying_at_every_single_pass_in_turn(db: TestDatabase) {
        if is_deep() {
            die_everywhere(&db, Each::Pass).await;
        }
    }

    async fn dying_at_every_single_pass_alone(db: TestDatabase) {
        if is_deep() {
            each_alone(db.kind()).await;
        }
    }
}

async fn each_alone(kind: Kind) {
    let other = TestDatabase::create(kind, "other").await;
    let expected = undisturbed(&other, Each::Pass).await;
    let mut deaths = 0;
    for (number, command) in PHASES.into_iter().enumerate() {
        for pass in 1.. {
            let db = TestDatabase::create(kind, "each_alone").await;
            let (_project, concertina, mut nodes) = before_phase(&db, number).await;
            let output = concertina.clone().env("CONCERTINA_FAILPOINT", &format!("*:{pass}")).run(command);
            if output.code == Some(0) {
                break;
            }
            let when = format!("after a death at pass {pass} of {command:?}, {:?}", place_of_death(&output));
            deaths += 1;
            nodes.write(&when).await;
            for rest in &PHASES[number..] {
                workshop::run_to_the_end(&db, &concertina, rest).await;
            }
            nodes.write("at the end").await;
            nodes.expect_kept(&when).await;
            workshop::facts(&db).await.expect(&expected.facts[2], &when);
        }
    }
    say(&format!("{deaths} deaths on {kind}, each alone"));
}
