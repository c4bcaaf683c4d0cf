//! What the engine cannot do yet: go round a row that is locked, and grow again from a batch of one row.

use super::{Counting, key_of, number};
use crate::backfill::COUNT;
use crate::support::{Session, TestDatabase, on_every_database, on_every_server};

const SETTINGS: &str = "batch: { rows: 200 }\nlocks: { retry_for: 20s }";

/// Locks one row each, and keeps it until the sessions are told to commit.
async fn hold(db: &TestDatabase, numbers: &[usize]) -> Vec<Session> {
    let mut holders = Vec::new();
    for number in numbers {
        let mut holder = db.owner().await;
        holder.run("BEGIN").await;
        holder.run(format!("UPDATE items SET hits = 1 WHERE id = {}", key_of(*number))).await;
        holders.push(holder);
    }
    holders
}

on_every_server! {
    #[ignore = "the engine still waits for a locked row, and does nothing else meanwhile"]
    async fn rows_that_are_locked_all_along_stop_nothing_else(db: TestDatabase) {
        let mut counting = Counting::of(&db, 3_000, SETTINGS, COUNT).await;
        let holders = hold(&db, &[0, 1_234, 2_999]).await;
        let running = counting.concertina().spawn(counting.migrate());
        counting.wait_for(counting.rows - holders.len()).await;
        for mut holder in holders {
            holder.run("COMMIT").await;
        }
        running.finish().expect_code(0);
        counting.finish().await;
        assert_eq!(counting.session.value("SELECT SUM(hits) FROM items").await.as_deref(), Some("3"));
    }

    #[ignore = "the engine still waits for a locked row, and does nothing else meanwhile"]
    async fn a_row_that_is_never_let_go_is_named_when_all_else_is_done(db: TestDatabase) {
        let settings = "batch: { rows: 200 }\nlocks: { retry_for: 2s }";
        let mut counting = Counting::of(&db, 3_000, settings, COUNT).await;
        let holders = hold(&db, &[1_234]).await;
        for _ in 0..2 {
            let output = counting.concertina().run(counting.migrate());
            output.expect_code(1).expect_stderr(&key_of(1_234).to_string()).expect_stderr("again");
            assert_eq!(counting.done().await, counting.rows - 1);
        }
        drop(holders);
        counting.finish().await;
    }
}

on_every_database! {
    #[ignore = "next_size(1, …) is 1 whatever the target: half as much again of one row is one row"]
    async fn a_batch_that_shrank_to_one_row_grows_again(db: TestDatabase) {
        let mut counting = Counting::of(&db, 1_000, "batch: { rows: 1 }", COUNT).await;
        counting.finish().await;
        let batches = counting.session.value("SELECT SUM(batches) FROM concertina_range").await;
        let batches = number(batches);
        assert!(batches < 250, "{batches} batches for {} rows", counting.rows);
    }
}
