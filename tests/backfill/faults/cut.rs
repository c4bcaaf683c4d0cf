//! The connection breaks: in the middle of a batch, of a commit, again and again, and beside the work.

use super::{Counting, ROWS, got_over};
use crate::support::{Kind, Moment, Proxy, Reach, Session, TestDatabase, is_deep, on_every_server};

/// Which passes of a statement are cut: some one after the other, so that the same batch is hit again.
const PASSES: &[usize] = &[1, 2, 3, 8, 15];

/// Runs `migrate` through a proxy that cuts at these statements, until a run is done.
async fn cut_at(db: TestDatabase, is_it: fn(&str) -> bool, moment: Moment, reach: Reach) {
    let mut counting = Counting::start(&db, ROWS).await;
    let proxy = Proxy::before(db.kind(), db.owner_url());
    proxy.cut_at(is_it, moment, reach, PASSES);
    let through = counting.concertina().database(proxy.url());
    for life in 0.. {
        assert!(life <= PASSES.len(), "it never comes to its end, cut {} times", proxy.cuts());
        if got_over(&through.run(counting.migrate())) {
            break;
        }
    }
    assert!(proxy.cuts() >= 3, "it was cut {} times: are these statements still sent?", proxy.cuts());
    counting.finish().await;
}

/// Ends what `migrate` has at the server by these means, a few times while it works.
async fn end_sessions(db: TestDatabase, postgres: &str, mysql: &str) {
    let mut counting = Counting::start(&db, ROWS).await;
    let mut admin = Session::open(db.kind(), &db.admin_url()).await;
    for _ in 0..3 {
        let before = counting.done().await;
        let running = counting.concertina().spawn(counting.migrate());
        counting.wait_for_more_than(before).await;
        if db.kind() == Kind::Postgres {
            let theirs = "datname = current_database() AND application_name = 'concertina'";
            admin.run(format!("SELECT {postgres}(pid) FROM pg_stat_activity WHERE {theirs}")).await;
        } else {
            let looking = counting.session.value("SELECT CONNECTION_ID()").await.expect("an id");
            let theirs = format!("db = DATABASE() AND id NOT IN (CONNECTION_ID(), {looking})");
            let ids = admin.lines(format!("SELECT id FROM information_schema.processlist WHERE {theirs}")).await;
            for id in ids {
                // It may be gone meanwhile.
                admin.execute(format!("{mysql} {id}")).await.ok();
            }
        }
        got_over(&running.finish());
    }
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

/// Cuts at each commit of a run in turn, the first and the last ones too: how many there are, only a run tells.
async fn cut_at_each_commit(kind: Kind, moment: Moment) {
    for pass in 1.. {
        let db = TestDatabase::create(kind, "each_commit").await;
        let mut counting = Counting::start(&db, 12).await;
        let proxy = Proxy::before(kind, db.owner_url());
        proxy.cut_at(is_commit, moment, Reach::All, &[pass]);
        let through = counting.concertina().database(proxy.url());
        got_over(&through.run(counting.migrate()));
        counting.finish().await;
        if proxy.cuts() == 0 {
            assert!(pass > 4, "a run has {} commits", pass - 1);
            return;
        }
    }
}

on_every_server! {
    async fn cut_at_each_commit_in_turn(db: TestDatabase) {
        if is_deep() {
            cut_at_each_commit(db.kind(), Moment::Before).await;
            cut_at_each_commit(db.kind(), Moment::After).await;
        }
    }

    /// The other tests rest on this.
    async fn a_lost_answer_is_a_commit_and_a_lost_question_is_none(db: TestDatabase) {
        let mut session = db.owner().await;
        session.run("CREATE TABLE items (id INTEGER NOT NULL PRIMARY KEY)").await;
        let proxy = Proxy::before(db.kind(), db.owner_url());
        for (id, moment) in [Moment::Before, Moment::After].into_iter().enumerate() {
            proxy.cut_at(is_commit, moment, Reach::One, &[2]);
            for add in [0, 10] {
                let mut cut = Session::open(db.kind(), proxy.url()).await;
                cut.run("BEGIN").await;
                cut.run(format!("INSERT INTO items VALUES ({})", id + add)).await;
                assert_eq!(cut.execute("COMMIT").await.is_err(), add == 10, "{moment:?}");
            }
        }
        assert_eq!(session.lines("SELECT id FROM items ORDER BY id").await, ["0", "1", "11"]);
    }

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

    async fn its_sessions_are_ended_by_an_administrator(db: TestDatabase) {
        end_sessions(db, "pg_terminate_backend", "KILL").await;
    }

    async fn its_statements_are_cancelled_by_an_administrator(db: TestDatabase) {
        end_sessions(db, "pg_cancel_backend", "KILL QUERY").await;
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
