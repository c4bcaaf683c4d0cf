//! `migrate` under throttles: it holds, says why, goes on when it may, and gives up on a signal that is gone for good.

use super::{COUNT, ROWS, expect_each_once, make_items};
use crate::support::{Kind, Session, TestDatabase, Train, on_every_database};

async fn items(db: &TestDatabase) -> Session {
    let mut session =
        make_items(db, "id BIGINT NOT NULL PRIMARY KEY", "", |number| format!("{}", number * 3 + 1)).await;
    session.run("CREATE TABLE jobs (waiting INTEGER)").await;
    session.run("INSERT INTO jobs VALUES (0)").await;
    session
}

async fn done(session: &mut Session) -> usize {
    let done = session.value("SELECT COUNT(*) FROM items WHERE done = 1").await;
    done.expect("a count").parse().expect("a number")
}

/// A train whose backfill has these throttles, expanded.
fn throttled(db: &TestDatabase, batch: &str, throttle: &str) -> Train {
    let mut train = Train::with_settings(db, &format!("batch: {{ {batch} }}\nthrottle: {{ {throttle} }}"));
    train.add(&[("data/01_count.yaml", COUNT)]);
    train.concertina().run(&["expand"]).expect_code(0);
    train
}

const JOBS: &str = "query: { sql: SELECT waiting FROM jobs, max: 10 }";

/// One row a batch, and most of the time a pause: it is surely not done before something else happens.
const SLOW: &str = "rows: 1, max_rows: 1";

on_every_database! {
    async fn a_throttle_holds_the_first_batch_and_says_why(db: TestDatabase) {
        let mut session = items(&db).await;
        session.run("UPDATE jobs SET waiting = 17").await;
        let train = throttled(&db, "rows: 100", JOBS);
        let running = train.concertina().spawn(&["migrate"]);
        running.wait_for_stderr("throttle query says 17, more than 10");
        train.concertina().run(&["status"]).expect_code(0).expect_stdout("throttle query says 17, more than 10");
        assert_eq!(done(&mut session).await, 0);
        session.run("UPDATE jobs SET waiting = 10").await;
        running.finish().expect_code(0);
        expect_each_once(&mut session, ROWS).await;
        let status = train.concertina().run(&["status"]);
        assert!(!status.stdout.contains("throttle query"), "{status}");
    }

    async fn a_signal_that_is_gone_holds_until_patience_ends(db: TestDatabase) {
        let mut session = items(&db).await;
        let train = throttled(&db, SLOW, &format!("{JOBS}, duty: 2, patience: 1s"));
        let running = train.concertina().spawn(&["migrate"]);
        while done(&mut session).await == 0 {}
        session.run("DROP TABLE jobs").await;
        let output = running.finish();
        output.expect_code(1).expect_stderr("throttle query fails since").expect_stderr("jobs");
        let before = done(&mut session).await;
        assert!(before < ROWS, "it was held");
        // It is refused at once now, before a batch.
        train.concertina().run(&["migrate"]).expect_code(1).expect_stderr("throttle query");
        assert_eq!(done(&mut session).await, before);
        train.concertina().run(&["migrate", "--throttle-query", "off", "--pace", "full", "--batch-max-rows", "1000"]).expect_code(0);
        expect_each_once(&mut session, ROWS).await;
    }

    async fn a_signal_that_is_not_to_be_had_is_refused_before_the_first_batch(db: TestDatabase) {
        let mut session = items(&db).await;
        let (throttle, said) = match db.kind() {
            Kind::Postgres => ("replica_lag: 5s", "no replica is connected"),
            Kind::MySql => ("replicas: ['mysql://me:0pen@127.0.0.1:1/d']", "replica lag of 127.0.0.1:1: connect to"),
            Kind::Sqlite => ("replica_lag: 5s", "SQLite has no replicas"),
        };
        let train = throttled(&db, "rows: 100", throttle);
        let output = train.concertina().run(&["migrate"]);
        output.expect_code(1).expect_stderr(said).expect_stderr("hint: ");
        assert!(!output.stderr.contains("0pen"), "{output}");
        assert_eq!(done(&mut session).await, 0);
        train.concertina().run(&["migrate", "--max-replica-lag", "off"]).expect_code(0);
        expect_each_once(&mut session, ROWS).await;
    }

    async fn what_is_tuned_counts_while_it_runs(db: TestDatabase) {
        let mut session = items(&db).await;
        session.run("UPDATE jobs SET waiting = 17").await;
        let train = throttled(&db, "rows: 100", JOBS);
        let running = train.concertina().spawn(&["migrate"]);
        running.wait_for_stderr("throttle query says 17");
        train.concertina().run(&["tune"]).expect_code(2);
        train.concertina().run(&["tune", "--throttle-query", "off"]).expect_code(0);
        running.finish().expect_code(0);
        expect_each_once(&mut session, ROWS).await;
    }
}
