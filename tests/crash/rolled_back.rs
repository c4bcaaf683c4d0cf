//! A rollback dies in the undo of every kind of step; the next one ends where an undisturbed one does.

use super::every_kind::{expect_all_died_at, live_through, start};
use super::facts::Facts;
use super::lives::{Each, Lives, passed};
use super::workshop::{self, BASELINE, EXPAND, Nodes};
use crate::support::{Concertina, TestDatabase, on_every_database};

const ROLLBACK: &[&str] = &["rollback"];

/// A row tells what the old columns say; the new ones are gone.
async fn facts(db: &TestDatabase) -> Facts {
    Facts::of(db, "SELECT id, is_public, note, code, tag FROM goods WHERE id < 100 ORDER BY id").await
}

async fn begin(db: &TestDatabase, concertina: &Concertina) {
    concertina.run(BASELINE).expect_code(0);
    workshop::seed(db).await;
    workshop::run_to_the_end(db, concertina, EXPAND).await;
}

on_every_database! {
    async fn a_rollback_that_dies_at_every_failpoint_is_gone_on_with(db: TestDatabase) {
        let other = TestDatabase::create(db.kind(), "undisturbed").await;
        let (project, concertina) = start(&other);
        begin(&other, &concertina).await;
        let trace = project.path().join("trace");
        let traced = concertina.clone().env("CONCERTINA_FAILPOINT_TRACE", &trace.display().to_string());
        traced.run(ROLLBACK).expect_code(0);
        let once = facts(&other).await;
        concertina.run(EXPAND).expect_code(0);
        concertina.run(ROLLBACK).expect_code(0);
        let twice = facts(&other).await;

        let (_project, concertina) = start(&db);
        begin(&db, &concertina).await;
        let (mut lives, mut nodes) = (Lives::new(Each::Sort), Nodes::start(&db).await);
        // The second time for those that a death keeps from being come by, where a statement and its record are not one.
        for expected in [once, twice] {
            let mut between = async |when: &str| nodes.write_as(true, false, when).await;
            live_through(&mut lives, &db, &concertina, ROLLBACK, &mut between).await;
            facts(&db).await.expect(&expected, "rolled back");
            workshop::run_to_the_end(&db, &concertina, EXPAND).await;
        }
        // Behind a rollback's end there is one death each time; the chain of the three phases has those of the lease.
        let passed = passed(&trace, Each::Sort).into_iter().filter(|sort| !sort.starts_with("lease."));
        expect_all_died_at(&passed.collect(), &lives, db.kind());
        workshop::run_to_the_end(&db, &concertina, workshop::UPGRADE).await;
        nodes.expect_kept("at the end").await;
    }
}
