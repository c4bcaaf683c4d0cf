//! Who keeps a step from its lock is said, and ended where that was asked for.

use std::time::Duration;

use super::{account, books, reader};
use crate::rights::documented::granted_to;
use crate::support::{Kind, PrivateServer, Session, TestDatabase, Train, alone, run};

const PAGES: (&str, &str) =
    ("expand/01_pages.yaml", "steps:\n  - add_column: { table: books, column: { name: pages, type: integer } }\n");

#[test]
fn the_blocker_is_named_on_postgres() {
    run(Kind::Postgres, "the_blocker_is_named", async |db: TestDatabase| {
        let _session = books(&db).await;
        let mut train = Train::new(&db);
        train.add(&[PAGES]);
        let mut holder = reader(&db).await;
        holder.run("SET application_name = 'nightly report'").await;
        let pid = holder.value("SELECT pg_backend_pid()").await.expect("a pid");
        let running = train.concertina().spawn(&["expand"]);
        running.wait_for_stderr(&format!("waiting to add column pages to books: blocked by session {pid} ("));
        running.wait_for_stderr(", nightly report, idle in transaction for ");
        running.wait_for_stderr(" s): SELECT pg_backend_pid()");
        holder.run("COMMIT").await;
        running.finish().expect_code(0);
    });
}

#[test]
fn a_collector_has_the_blocker_in_parts() {
    run(Kind::Postgres, "the_blocker_in_parts", async |db: TestDatabase| {
        let _session = books(&db).await;
        let mut train = Train::with_settings(&db, "locks: { retry_for: 1500ms }");
        train.add(&[PAGES]);
        let _holder = reader(&db).await;
        let output = train.concertina().run(&["--log-format", "json", "expand"]);
        output.expect_code(1);
        let events = output.stderr.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        let blocked = events.filter(|event| event["event"] == "blocked").collect::<Vec<_>>();
        let blocked = blocked.first().unwrap_or_else(|| panic!("no such event:\n{}", output.stderr));
        assert_eq!(blocked["certain"], true);
        assert_eq!(blocked["blockers"][0]["state"], "idle in transaction");
        assert_eq!(blocked["blockers"][0]["query"], "SELECT COUNT(*) FROM books");
    });
}

#[test]
fn blockers_are_ended_where_that_is_asked_for_on_postgres() {
    run(Kind::Postgres, "blockers_are_ended", async |db: TestDatabase| {
        let mut session = books(&db).await;
        let mut train = Train::new(&db);
        train.add(&[PAGES]);
        let mut idle = reader(&db).await;
        // One that is at work loses its statement, and keeps its session.
        let url = db.owner_url().to_owned();
        let busy = std::thread::spawn(move || {
            alone(async || {
                let mut busy = Session::open(Kind::Postgres, &url).await;
                let cancelled = busy.try_lines("SELECT COUNT(*) FROM books, pg_sleep(60)").await;
                (cancelled.is_err(), busy.lines("SELECT 1").await)
            })
        });
        while session
            .value("SELECT 1 FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)' AND pid <> pg_backend_pid()")
            .await
            .is_none()
        {}
        let output = train.concertina().run(&["expand", "--cancel-blockers-after", "1s"]);
        output.expect_code(0).expect_stderr("ended session").expect_stderr("cancelled the statement of session");
        assert!(idle.try_lines("SELECT 1").await.is_err(), "the reader's session is there still");
        assert_eq!(busy.join().expect("the busy one"), (true, vec!["1".to_owned()]));
        let kept = session.lines("SELECT detail FROM concertina_history WHERE outcome = 'unblocked' ORDER BY 1").await;
        assert_eq!(kept.len(), 2, "{kept:?}");
        assert!(kept[0].starts_with("cancelled the statement of session"), "{kept:?}");
    });
}

/// Only an account that sees others' sessions can say who it is; the database does not say which of them has the table.
#[test]
fn those_who_may_block_are_named_on_mariadb_and_left_alone() {
    run(Kind::MySql, "those_who_may_block", async |db: TestDatabase| {
        let _session = books(&db).await;
        let mut train = Train::new(&db);
        train.add(&[PAGES]);
        let mut holder = reader(&db).await;
        let running = train.concertina().spawn(&["expand", "--cancel-blockers-after", "1s"]);
        running.wait_for_stderr("waiting to add column pages to books: run `ALTER TABLE");
        std::thread::sleep(Duration::from_millis(1_500));
        assert_eq!(holder.lines("SELECT 1").await, ["1"], "it was ended, though nobody knew that it was the one");
        holder.run("COMMIT").await;
        running.finish().expect_code(0);
    });
}

#[test]
fn blockers_are_named_and_ended_where_mariadb_knows_them() {
    alone(async || {
        let server = PrivateServer::start(Kind::MySql, &["--performance-schema=ON"]).await;
        let db = TestDatabase::create_on(Kind::MySql, &server.admin_url(), "blockers_are_ended").await;
        let mut session = books(&db).await;
        let mut admin = server.admin().await;
        let account = account(&mut session, &mut admin).await;
        admin.run("UPDATE performance_schema.setup_instruments SET ENABLED = 'YES' WHERE NAME = 'wait/lock/metadata/sql/mdl'").await;
        for grant in granted_to(Kind::MySql, "Blockers", &account) {
            admin.run(grant).await;
        }
        let mut train = Train::new(&db);
        train.add(&[PAGES]);
        // Who has another table is not in the way.
        let mut other = db.owner().await;
        other.run("BEGIN").await;
        other.lines("SELECT COUNT(*) FROM shelves").await;
        let mut holder = reader(&db).await;
        let id = holder.value("SELECT CONNECTION_ID()").await.expect("an id");
        let output = train.concertina().run(&["expand", "--cancel-blockers-after", "1s"]);
        output.expect_code(0);
        output.expect_stderr(&format!("waiting to add column pages to books: blocked by session {id} ("));
        output.expect_stderr(&format!("ended session {id} ("));
        assert!(holder.try_lines("SELECT 1").await.is_err(), "the reader's session is there still");
        assert_eq!(other.lines("SELECT 1").await, ["1"]);
    });
}
