//! The connection breaks: in the middle of a batch, of a commit, again and again, and beside the work.

use super::{Counting, ROWS, got_over};
use crate::support::{Moment, Proxy, Reach, TestDatabase, on_every_server};

/// Which passes of a statement are cut: some one after the other, so that the same batch is hit again.
const PASSES: &[usize] = &[2, 3, 7, 8, 9, 15];

/// Runs `migrate` through a proxy that cuts at these statements, until a run is done.
async fn cut_at(db: TestDatabase, is_it: fn(&str) -> bool, moment: Moment, reach: Reach) {
    let mut counting = Counting::start(&db, ROWS).await;
    let proxy = Proxy::before(db.kind(), db.owner_url());
    proxy.cut_at(is_it, moment, reach, PASSES);
    let through = counting.concertina().database(proxy.url());
    for life in 0.. {
        assert!(life <= PASSES.len(), "it never comes to its end, cut {} times", proxy.cuts());
        let output = through.run(counting.migrate());
        if got_over(&output) {
            break;
        }
        output.expect_stderr("again");
    }
    assert!(proxy.cuts() >= 3, "it was cut {} times: are these statements still sent?", proxy.cuts());
    counting.finish().await;
}

fn is_batch(statement: &str) -> bool {
    statement.contains("UPDATE") && statement.contains("items")
}

fn is_commit(statement: &str) -> bool {
    statement.contains("COMMIT")
}

fn is_state(statement: &str) -> bool {
    statement.contains("UPDATE") && statement.contains("concertina_")
}

on_every_server! {
    async fn cut_before_a_batch_is_written(db: TestDatabase) {
        cut_at(db, is_batch, Moment::Before, Reach::One).await;
    }

    async fn cut_while_a_batch_is_written(db: TestDatabase) {
        cut_at(db, is_batch, Moment::After, Reach::All).await;
    }

    async fn cut_before_a_commit(db: TestDatabase) {
        cut_at(db, is_commit, Moment::Before, Reach::All).await;
    }

    async fn cut_behind_a_commit_that_nobody_hears_of(db: TestDatabase) {
        cut_at(db, is_commit, Moment::After, Reach::One).await;
    }

    async fn cut_behind_a_commit_with_everything_else(db: TestDatabase) {
        cut_at(db, is_commit, Moment::After, Reach::All).await;
    }

    async fn cut_while_its_own_state_is_written(db: TestDatabase) {
        cut_at(db, is_state, Moment::After, Reach::One).await;
    }

    async fn cut_beside_the_work_it_goes_on(db: TestDatabase) {
        let mut counting = Counting::start(&db, ROWS).await;
        let proxy = Proxy::before(db.kind(), db.owner_url());
        let running = counting.concertina().database(proxy.url()).spawn(counting.migrate());
        counting.wait_for_more_than(0).await;
        let cut = proxy.cut_those(|said| !said.iter().any(|statement| is_batch(statement)));
        assert!(cut > 0 || counting.done().await == ROWS, "nothing stands beside the work: who keeps its lease?");
        got_over(&running.finish());
        counting.finish().await;
    }
}
