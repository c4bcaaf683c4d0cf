//! One locked row does not stop a backfill: it goes round it, comes back, and names it when it is never let go.

use super::{Counting, key_of, number};
use crate::backfill::COUNT;
use crate::support::{Kind, Session, TestDatabase, on_every_database, on_every_server, run};

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

async fn locked_all_along(db: TestDatabase) {
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

async fn never_let_go(db: TestDatabase) {
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

#[test]
fn rows_that_are_locked_all_along_stop_nothing_else_on_postgres() {
    run(Kind::Postgres, "locked_all_along", locked_all_along);
}

#[test]
fn rows_that_are_locked_all_along_stop_nothing_else_on_mysql() {
    run(Kind::MySql, "locked_all_along", locked_all_along);
}

#[test]
fn a_row_that_is_never_let_go_is_named_when_all_else_is_done_on_postgres() {
    run(Kind::Postgres, "never_let_go", never_let_go);
}

#[test]
fn a_row_that_is_never_let_go_is_named_when_all_else_is_done_on_mysql() {
    run(Kind::MySql, "never_let_go", never_let_go);
}

on_every_server! {
    async fn dying_when_it_has_gone_round_loses_nothing(db: TestDatabase) {
        let mut counting = Counting::of(&db, 1_000, SETTINGS, COUNT).await;
        let holders = hold(&db, &[300]).await;
        let output = counting.concertina().env("CONCERTINA_FAILPOINT", "backfill.gone_round").run(counting.migrate());
        assert_eq!(output.code, None, "{output}");
        for mut holder in holders {
            holder.run("ROLLBACK").await;
        }
        counting.finish().await;
    }
}

on_every_database! {
    async fn a_batch_that_shrank_to_one_row_grows_again(db: TestDatabase) {
        let mut counting = Counting::of(&db, 1_000, "batch: { rows: 1 }", COUNT).await;
        counting.finish().await;
        let batches = counting.session.value("SELECT SUM(batches) FROM concertina_range").await;
        let batches = number(batches);
        assert!(batches < 250, "{batches} batches for {} rows", counting.rows);
    }
}
