//! A backfill that is stopped, whichever way, goes on where it was: nothing is lost, and nothing is done twice.

use super::{COUNT, ROWS, counting, expect_each_once, make_items, train_of};
use crate::support::{Kind, Session, TestDatabase, on_every_database};

async fn items(db: &TestDatabase) -> Session {
    make_items(db, "id BIGINT NOT NULL PRIMARY KEY", "", |number| format!("{}", number * 3 + 1)).await
}

async fn done(session: &mut Session) -> usize {
    let done = session.value("SELECT COUNT(*) FROM items WHERE done = 1").await;
    done.expect("a count").parse().expect("a number")
}

on_every_database! {
    async fn a_limit_stops_it_and_the_next_run_goes_on(db: TestDatabase) {
        let mut session = items(&db).await;
        let train = counting(&db, 100);
        let concertina = train.concertina();
        let mut before = 0;
        for limit in [1_usize, 250, 999] {
            let output = concertina.run(&["migrate", "--max-rows", &limit.to_string()]);
            output.expect_code(4).expect_stdout("stopped at the limit");
            let now = done(&mut session).await;
            assert!(now > before && now - before <= limit, "{} rows at a limit of {limit}", now - before);
            concertina.run(&["check"]).expect_code(4);
            concertina.run(&["contract", "--quiet-period", "0s"]).expect_code(6);
            before = now;
        }
        concertina.run(&["migrate"]).expect_code(0);
        expect_each_once(&mut session, ROWS).await;
        concertina.run(&["check"]).expect_code(5);
        concertina.run(&["migrate"]).expect_code(0);
        expect_each_once(&mut session, ROWS).await;
    }

    async fn dying_before_a_commit_loses_that_batch_alone(db: TestDatabase) {
        let mut session = items(&db).await;
        let train = counting(&db, 50);
        for failpoint in ["backfill.before_commit:3", "backfill.before_commit:1", "backfill.batch:3", "backfill.batch:1"] {
            let before = done(&mut session).await;
            let output = train.concertina().env("CONCERTINA_FAILPOINT", failpoint).run(&["migrate"]);
            assert_eq!(output.code, None, "{output}");
            let (now, counted) = (done(&mut session).await, session.value("SELECT SUM(counter) FROM items").await);
            assert_eq!(counted, Some(now.to_string()), "at {failpoint}");
            assert_eq!(now > before, failpoint != "backfill.before_commit:1", "at {failpoint}: {before}, {now}");
            let recorded = session.value("SELECT rows_changed FROM concertina_range").await;
            assert_eq!(recorded, Some(now.to_string()), "the cursor commits with its batch");
            train.concertina().run(&["check"]).expect_code(4);
        }
        train.concertina().run(&["migrate"]).expect_code(0);
        expect_each_once(&mut session, ROWS).await;
    }

    async fn killed_at_any_moment_it_goes_on(db: TestDatabase) {
        let mut session = items(&db).await;
        let train = counting(&db, 7);
        for life in 0_usize..6 {
            let target = (life + 1) * 150;
            let running = train.concertina().spawn(&["migrate"]);
            // A moment that differs from run to run: when so many rows are done, or the process is.
            for _ in 0..20_000 {
                if done(&mut session).await >= target {
                    break;
                }
            }
            let output = running.kill();
            assert!(matches!(output.code, None | Some(0)), "{output}");
        }
        train.concertina().run(&["migrate"]).expect_code(0);
        expect_each_once(&mut session, ROWS).await;
        let recorded = session.value("SELECT rows_changed FROM concertina_range").await;
        assert_eq!(recorded, Some(ROWS.to_string()));
    }

    async fn asked_to_stop_it_says_so_and_goes_on_later(db: TestDatabase) {
        let mut session = items(&db).await;
        // Each batch is one row: it is surely not done before the signal comes.
        let mut train = crate::support::Train::with_settings(&db, "batch: { rows: 1, target: 1ms }");
        train.add(&[("data/01_count.yaml", COUNT)]);
        train.concertina().run(&["expand"]).expect_code(0);
        for (signal, code) in [("TERM", 143), ("INT", 130)] {
            let before = done(&mut session).await;
            let running = train.concertina().spawn(&["migrate"]);
            while done(&mut session).await == before {}
            running.signal(signal);
            let output = running.finish();
            output.expect_code(code).expect_stderr("state is saved");
            assert!(done(&mut session).await < ROWS, "it was stopped in time");
            train.concertina().run(&["check"]).expect_code(4);
        }
        train.project().write("concertina.yaml", "releases: [r1]\n");
        train.concertina().run(&["migrate"]).expect_code(0);
        expect_each_once(&mut session, ROWS).await;
    }

    async fn a_condition_that_never_becomes_false_ends_with_an_error_that_says_so(db: TestDatabase) {
        let mut session = items(&db).await;
        let endless = "backfill: { table: items, set: { counter: counter + 1 }, where: done = 0 }\n\
                       allow: { backfill-never-done: it is what this test is about }\n";
        let train = train_of(&db, 1_000, endless);
        let output = train.concertina().run(&["migrate"]);
        output.expect_code(1).expect_stderr("where").expect_stderr("still match");
        train.concertina().run(&["check"]).expect_code(4);
        assert_eq!(done(&mut session).await, 0);
    }

    async fn a_table_without_a_key_is_walked_by_its_rows_places_or_refused_before_anything_runs(db: TestDatabase) {
        let mut session = items(&db).await;
        session.run("CREATE TABLE keyless (a INTEGER, done INTEGER, counter INTEGER)").await;
        let rows: Vec<String> = (0..3_000).map(|row| format!("({row}, 0, 0)")).collect();
        session.run(format!("INSERT INTO keyless VALUES {}", rows.join(", "))).await;
        let mut train = crate::support::Train::with_settings(&db, "batch: { rows: 2 }");
        train.add(&[
            ("data/01_count.yaml", COUNT),
            ("data/02_keyless.yaml", "backfill: { table: keyless, set: { done: 1, counter: counter + 1 }, where: done = 0 }\n"),
        ]);
        train.concertina().run(&["expand"]);
        let output = train.concertina().run(&["migrate"]);
        if db.kind() == Kind::MySql {
            output.expect_code(1).expect_stderr("keyless").expect_stderr("key").expect_stderr("data/r1/02_keyless.yaml");
            assert_eq!(done(&mut session).await, 0, "the backfill above it has not begun");
            return;
        }
        output.expect_code(0);
        assert_eq!(session.lines("SELECT done, counter, COUNT(*) FROM keyless GROUP BY done, counter").await, ["1|1|3000"]);
    }

    async fn a_nullable_unique_column_is_no_key(db: TestDatabase) {
        let mut session = db.owner().await;
        session.run("CREATE TABLE items (id INTEGER, done INTEGER, counter INTEGER, CONSTRAINT u UNIQUE (id))").await;
        session.run("INSERT INTO items VALUES (NULL, 0, 0), (1, 0, 0), (NULL, 0, 0)").await;
        let mut train = crate::support::Train::new(&db);
        train.add(&[("data/01_count.yaml", COUNT)]);
        train.concertina().run(&["expand"]);
        let output = train.concertina().run(&["migrate"]);
        if db.kind() == Kind::MySql {
            output.expect_code(1).expect_stderr("unique key without NULLs");
            assert_eq!(done(&mut session).await, 0);
        } else {
            output.expect_code(0);
            expect_each_once(&mut session, 3).await;
        }
    }
}
