//! What operators do while a backfill runs: hold it, let it go on, change its pace, stop it at once.

use std::time::Duration;

use super::{COUNT, ROWS, expect_each_once, make_items};
use crate::support::{Kind, Session, TestDatabase, Train, on_every_database, run};

/// A backfill of one row a batch, expanded.
async fn slow(db: &TestDatabase) -> (Session, Train) {
    let session = make_items(db, "id BIGINT NOT NULL PRIMARY KEY", "", |number| format!("{number}")).await;
    let mut train = Train::with_settings(db, "batch: { rows: 1, max_rows: 1 }");
    train.add(&[("data/01_count.yaml", COUNT)]);
    train.concertina().run(&["expand"]).expect_code(0);
    (session, train)
}

async fn done(session: &mut Session) -> usize {
    let done = session.value("SELECT COUNT(*) FROM items WHERE done = 1").await;
    done.expect("a count").parse().expect("a number")
}

on_every_database! {
    async fn pause_holds_it_within_a_batch_and_resume_lets_it_go_on(db: TestDatabase) {
        let (mut session, train) = slow(&db).await;
        let concertina = train.concertina();
        concertina.run(&["pause"]).expect_code(0).expect_stdout("paused");
        concertina.run(&["pause"]).expect_code(0).expect_stdout("nothing to do");
        let running = concertina.spawn(&["migrate", "--log-format", "json"]);
        running.wait_for_stderr("paused by");
        let status = concertina.run(&["status", "--output", "json"]).json();
        assert!(status["paused"].as_str().is_some_and(|who| who.contains("pid")), "{status:#}");
        let before = done(&mut session).await;
        concertina.run(&["resume"]).expect_code(0).expect_stdout("resumed");
        while done(&mut session).await == before {}

        concertina.run(&["pause"]).expect_code(0);
        // The worker's row says that it waits: from then on nothing changes.
        let waits = "SELECT 1 FROM concertina_worker WHERE waiting LIKE 'paused%'";
        while session.value(waits).await.is_none() {}
        concertina.run(&["status"]).expect_stdout("waits: paused by").expect_stdout("concertina resume");
        let held = done(&mut session).await;
        assert!(held < ROWS, "it was over before it was held");
        concertina.run(&["tune", "--batch-max-rows", "1000", "--pace", "full"]).expect_code(0).expect_stdout("pace full");
        assert_eq!(done(&mut session).await, held);
        concertina.run(&["resume"]).expect_code(0);
        running.finish().expect_code(0);
        expect_each_once(&mut session, ROWS).await;
        concertina.run(&["status"]).expect_stdout("tuned     pace full");
        concertina.run(&["tune", "--reset"]).expect_code(0).expect_stdout("nothing");
    }

    async fn a_limit_of_time_stops_it_and_the_next_run_goes_on(db: TestDatabase) {
        let (mut session, train) = slow(&db).await;
        train.concertina().run(&["migrate", "--max-time", "300ms"]).expect_code(4).expect_stdout("stopped at the limit");
        let first = done(&mut session).await;
        assert!(first < ROWS);
        train.concertina().run(&["tune", "--batch-max-rows", "1000"]).expect_code(0);
        train.concertina().run(&["migrate"]).expect_code(0);
        expect_each_once(&mut session, ROWS).await;
    }

    async fn nothing_is_paused_where_nothing_was_expanded(db: TestDatabase) {
        drop(db.owner().await);
        let mut train = Train::new(&db);
        train.add(&[("data/01_count.yaml", COUNT)]);
        for arguments in [&["pause"][..], &["tune", "--duty", "10"]] {
            train.concertina().run(arguments).expect_code(6).expect_stderr("not here");
        }
        train.concertina().run(&["tune"]).expect_code(2);
    }
}

/// A batch that would take minutes is ended at the server when it is asked to stop twice.
async fn asked_twice(db: TestDatabase) {
    let mut session = make_items(&db, "id BIGINT NOT NULL PRIMARY KEY", "", |number| format!("{number}")).await;
    let mut train = Train::new(&db);
    let sleep = "backfill:\n  table: items\n  set: { counter: counter + 1, done: { postgres: (SELECT 1 FROM pg_sleep(100 + counter)), mysql: SLEEP(100) + 1, sqlite: '1' } }\n  where: done = 0\n";
    train.add(&[("data/01_sleep.yaml", sleep)]);
    train.concertina().run(&["expand"]).expect_code(0);
    let running = train.concertina().spawn(&["migrate"]);
    let works = match db.kind() {
        Kind::Postgres => {
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'UPDATE%pg_sleep%'"
        }
        _ => "SELECT 1 FROM information_schema.processlist WHERE db = DATABASE() AND info LIKE 'UPDATE%SLEEP%'",
    };
    while session.value(works).await.is_none() {}
    running.signal("INT");
    running.wait_for_stderr("stopping at the next safe place");
    running.signal("INT");
    running.finish().expect_code(130).expect_stderr("ended there");
    let since = std::time::Instant::now();
    while session.value(works).await.is_some() {
        assert!(since.elapsed() < Duration::from_secs(20), "the statement goes on at the server");
    }
    assert_eq!(session.value("SELECT COUNT(*) FROM items WHERE counter > 0").await.as_deref(), Some("0"));
}

#[test]
fn a_batch_is_ended_at_the_server_when_asked_twice_on_postgres() {
    run(Kind::Postgres, "asked_twice", asked_twice);
}

#[test]
fn a_batch_is_ended_at_the_server_when_asked_twice_on_mysql() {
    run(Kind::MySql, "asked_twice", asked_twice);
}
