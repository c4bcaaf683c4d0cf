//! `verify` proves the data, lists what is wrong, changes nothing, and believes no row that is just being written.

use std::time::Duration;

use super::{COUNT, ROWS, counting, make_items};
use crate::support::{Dump, Session, TestDatabase, Train, on_every_database};

/// Two columns that say the same.
const SYNC: &str = "steps:
  - add_column: { table: items, column: { name: flag, type: integer } }
  - drop_not_null: { table: items, column: done }
  - sync: { name: flags, table: items, forward: { flag: done + 10 }, backward: { done: flag - 10 }, conflict: reject }
";
const FILL: &str = "backfill: { table: items, set: { flag: done + 10 }, where: flag IS NULL }\n";

async fn synced(db: &TestDatabase) -> (Session, Train) {
    let session = make_items(db, "id BIGINT NOT NULL PRIMARY KEY", "", |number| format!("{number}")).await;
    let mut train = Train::new(db);
    train.add(&[("expand/01_flag.yaml", SYNC), ("data/01_flag.yaml", FILL)]);
    train.concertina().run(&["expand"]).expect_code(0);
    (session, train)
}

on_every_database! {
    async fn rows_that_are_left_are_listed_and_the_answer_is_no(db: TestDatabase) {
        let mut session = make_items(&db, "id BIGINT NOT NULL PRIMARY KEY", "", |number| format!("{number}")).await;
        let train = counting(&db, 100);
        let concertina = train.concertina();
        concertina.run(&["migrate"]).expect_code(0);
        concertina.run(&["verify"]).expect_code(0).expect_stdout(&format!("({ROWS} rows)")).expect_stdout("yes");
        session.run("UPDATE items SET done = 0 WHERE id IN (7, 1234)").await;
        let before = Dump::of(&db).await;
        let output = concertina.run(&["verify", "--output", "json"]);
        output.expect_code(6);
        let found = output.json();
        assert_eq!((found["release"].as_str(), found["holds"].as_bool()), (Some("r1"), Some(false)));
        assert_eq!(found["proofs"][0]["keys"], serde_json::json!(["7", "1234"]), "{found:#}");
        concertina.run(&["verify"]).expect_code(6).expect_stdout("not migrated: 7; 1234");
        before.expect_same(&Dump::of(&db).await);
        concertina.run(&["migrate"]).expect_code(0);
        concertina.run(&["verify"]).expect_code(0);
    }

    async fn a_sync_that_is_out_of_step_is_found(db: TestDatabase) {
        let (mut session, train) = synced(&db).await;
        train.concertina().run(&["migrate"]).expect_code(0);
        train.concertina().run(&["verify"]).expect_code(0).expect_stdout("holds: flags");
        // Behind the triggers' back, as a backfill writes.
        let bypass = match db.kind() {
            crate::support::Kind::Postgres => "SELECT set_config('concertina.bypass', ',flags,', false)",
            crate::support::Kind::MySql => "SET @concertina_bypass_flags = -1",
            crate::support::Kind::Sqlite => "INSERT INTO concertina_bypass (sync_name, since) VALUES ('flags', -1)",
        };
        session.lines(bypass).await;
        session.run("UPDATE items SET flag = 99 WHERE id = 42").await;
        assert_eq!(session.lines("SELECT done, flag FROM items WHERE id = 42").await, ["0|99"], "the sync was not bypassed");
        train.concertina().run(&["verify"]).expect_code(6).expect_stdout("BROKEN: flags").expect_stdout("42");
    }

    async fn a_row_that_is_just_written_is_not_called_wrong(db: TestDatabase) {
        let mut session = make_items(&db, "id BIGINT NOT NULL PRIMARY KEY", "", |number| format!("{number}")).await;
        let train = counting(&db, 100);
        train.concertina().run(&["migrate"]).expect_code(0);
        // A node that inserts, and completes its row a moment later.
        let (kind, url) = (db.kind(), db.owner_url().to_owned());
        let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let stopped = std::sync::Arc::clone(&stop);
        let writer = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let mut node = Session::open(kind, &url).await;
                let mut id = 100_000;
                while !stopped.load(std::sync::atomic::Ordering::Relaxed) {
                    id += 1;
                    node.run(format!("INSERT INTO items (id, payload) VALUES ({id}, 'new')")).await;
                    tokio::time::sleep(Duration::from_millis(5)).await;
                    node.run(format!("UPDATE items SET done = 1, counter = 1 WHERE id = {id}")).await;
                }
                id - 100_000
            })
        });
        while session.value("SELECT 1 FROM items WHERE id > 100020").await.is_none() {}
        for _ in 0..5 {
            train.concertina().run(&["verify"]).expect_code(0);
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(writer.join().expect("a writer without an error") > 20);
    }

    async fn nothing_is_proved_before_expand_or_without_an_open_release(db: TestDatabase) {
        make_items(&db, "id BIGINT NOT NULL PRIMARY KEY", "", |number| format!("{number}")).await;
        let mut train = Train::new(&db);
        train.add(&[("data/01_count.yaml", COUNT)]);
        train.concertina().run(&["verify"]).expect_code(0).expect_stdout("nothing to prove");
        train.concertina().run(&["verify", "--release", "r1"]).expect_code(6).expect_stderr("not expanded");
        train.concertina().run(&["verify", "--release", "r9"]).expect_code(2);
    }
}
