//! The server goes away in the middle of a backfill, and comes back.

use super::{Counting, ROWS, got_over};
use crate::support::{Kind, PrivateServer, TestDatabase, alone};

async fn restarted(kind: Kind) {
    let mut server = PrivateServer::start(kind, &[]).await;
    let db = TestDatabase::create_on(kind, &server.admin_url(), "restarted").await;
    let mut counting = Counting::start(&db, ROWS).await;
    for crash in [true, false, true] {
        let before = counting.done().await;
        let running = counting.concertina().spawn(counting.migrate());
        counting.wait_for_more_than(before).await;
        if crash {
            server.crash();
        } else {
            server.stop();
        }
        server.start_again(&[]).await;
        counting.session = db.owner().await;
        got_over(&running.finish());
    }
    counting.finish().await;
}

#[test]
fn the_server_is_restarted_on_postgres() {
    alone(async || restarted(Kind::Postgres).await);
}

#[test]
fn the_server_is_restarted_on_mysql() {
    alone(async || restarted(Kind::MySql).await);
}
