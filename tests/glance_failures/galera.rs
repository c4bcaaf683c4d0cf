//! Failure 12: a cluster of two nodes, of which one is migrated while the other is written to.

use super::writers::{Release, Writers};
use super::{CONTRACT, MIGRATED, seed};
use crate::conformance::glance::{Node, at_newton};
use crate::conformance::leftovers;
use crate::support::{Cluster, Concertina, Kind, Session, TestDatabase, alone};

/// What an application tries again: a DDL, or another node's write of the same row, has ended its transaction.
const RETRIED: &[&str] = &["1213"];

/// Lets accounts without SUPER create triggers. The setting is each node's own.
async fn trust(cluster: &Cluster) {
    for node in 0..2 {
        cluster.admin(node).await.run("SET GLOBAL log_bin_trust_function_creators = 1").await;
    }
}

/// Opens the database on a node, for reading what all nodes have written by now.
async fn reader(cluster: &Cluster, db: &TestDatabase, node: usize) -> Session {
    let mut session = Session::open(Kind::MySql, &cluster.at(node, db.owner_url())).await;
    session.run("SET SESSION wsrep_sync_wait = 7").await;
    session
}

async fn triggers(session: &mut Session) -> Vec<String> {
    session.lines("SELECT TRIGGER_NAME FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE()").await
}

#[test]
fn failure_12_one_node_is_migrated_while_nodes_write_to_the_other() {
    alone(async || {
        let cluster = Cluster::start().await;
        let db = TestDatabase::create_on(Kind::MySql, &cluster.admin_url(0), "galera").await;
        refused_without_rights(&cluster, &db).await;
        trust(&cluster).await;
        refused_by_a_node_that_would_stand_alone(&cluster, &db).await;
        the_whole_train(&cluster, &db).await;
        what_is_written_on_one_node_is_read_on_the_other(&cluster).await;
    });
}

/// Whatever the account lacks is found out before a statement is sent: no node has carried out what another refused.
async fn refused_without_rights(cluster: &Cluster, db: &TestDatabase) {
    let concertina = at_newton(db).await;
    db.revoke_trigger().await;
    concertina.run(&["expand", "--force", "cluster"]).expect_code(6).expect_stderr("GRANT TRIGGER ON");
    db.grant_trigger().await;
    // The privilege alone is not enough, though no node keeps a binary log.
    let refused = concertina.run(&["expand", "--force", "cluster"]);
    refused.expect_code(6).expect_stderr("SET GLOBAL log_bin_trust_function_creators = 1 on every node");
    for node in 0..2 {
        let mut session = reader(cluster, db, node).await;
        assert_eq!(triggers(&mut session).await, [""; 0], "node {node}");
        assert_eq!(session.lines("SHOW COLUMNS FROM images LIKE 'visibility'").await, [""; 0], "node {node}");
    }
    cluster.expect_whole().await;
}

async fn refused_by_a_node_that_would_stand_alone(cluster: &Cluster, db: &TestDatabase) {
    let concertina = Concertina::command(db);
    let mut admin = cluster.admin(0).await;
    admin.run("SET GLOBAL wsrep_OSU_method = 'RSU'").await;
    concertina.run(&["expand"]).expect_code(6).expect_stderr("SET GLOBAL wsrep_OSU_method = 'TOI'");
    admin.run("SET GLOBAL wsrep_OSU_method = 'TOI'").await;
    admin.run("SET GLOBAL wsrep_desync = ON").await;
    concertina.run(&["expand"]).expect_code(6).expect_stderr("the node is not in step with its cluster");
    admin.run("SET GLOBAL wsrep_desync = OFF").await;
    let synced = "SHOW STATUS WHERE Variable_name = 'wsrep_local_state_comment' AND Value = 'Synced'";
    while admin.lines(synced).await.is_empty() {}
    cluster.expect_whole().await;
}

async fn the_whole_train(cluster: &Cluster, db: &TestDatabase) {
    seed(db).await;
    let concertina = Concertina::command(db);
    let urls = [0, 1].map(|node| cluster.at(node, db.application_url()));
    let writers = |node: usize, releases: &[Release]| Writers::on(Kind::MySql, &urls[node], releases, "", RETRIED);

    // image_members refers to images, and each node would wait for itself: MariaDB does not let writes of the one go on while
    // the other gets its triggers. So that is not begun unasked.
    let refused = |command: &[&str]| {
        let refused = concertina.run(command);
        refused.expect_code(6).expect_stderr("`images` is written while `image_members`, which refers to it,");
        refused.expect_stderr("--force cluster");
    };
    refused(&["expand"]);
    concertina.run(&["expand", "--force", "cluster"]).expect_code(0);
    let old = writers(1, &[Release::Old, Release::Old]);
    let new = writers(0, &[Release::New, Release::New]);
    new.wait_for(5);
    concertina.run(&["migrate"]).expect_code(0);
    new.wait_for(5);
    old.end();
    new.end();
    refused(CONTRACT);
    refused(&["rollback", "--yes"]);
    // Who wrote on another node was seen as well.
    concertina.run(&["contract", "--force", "cluster"]).expect_code(6).expect_stderr("saw an old-style write");
    concertina.run(&["contract", "--quiet-period", "0s", "--force", "cluster"]).expect_code(0);
    let new = [0, 1].map(|node| writers(node, &[Release::New]));
    for new in new {
        new.wait_for(5);
        new.end();
    }
    // The releases behind it, on the other node.
    Concertina::command(db).database(&cluster.at(1, db.owner_url())).run(&["upgrade"]).expect_code(0);

    leftovers::expect_none(db, None).await;
    let mut seen = Vec::new();
    for node in 0..2 {
        let mut session = reader(cluster, db, node).await;
        assert_eq!(triggers(&mut session).await, [""; 0], "node {node}");
        seen.push(session.lines("SELECT id, visibility FROM images ORDER BY id").await);
    }
    assert!(seen[0] == seen[1], "the nodes are not alike");
    let seeds: Vec<_> = seen[0].iter().filter(|image| !image.contains('-')).collect();
    assert_eq!(seeds, MIGRATED.iter().collect::<Vec<_>>());
    cluster.expect_whole().await;
}

async fn what_is_written_on_one_node_is_read_on_the_other(cluster: &Cluster) {
    let db = TestDatabase::create_on(Kind::MySql, &cluster.admin_url(0), "lagging").await;
    let here = at_newton(&db).await;
    let there = here.clone().database(&cluster.at(1, db.owner_url()));
    there.run(&["check"]).expect_code(3);
    // The other node carries nothing out for as long as this is held.
    let mut holder = cluster.admin(1).await;
    holder.run("FLUSH TABLES WITH READ LOCK").await;
    here.run(&["expand", "--force", "cluster"]).expect_code(0);
    let lagging = there.spawn(&["check"]);
    // It answers at once, or waits for what it is to read.
    let name = db.owner_url().split(['/', ':']).nth(3).expect("a user").to_owned();
    let waits = format!("SELECT ID FROM information_schema.PROCESSLIST WHERE USER = '{name}' AND TIME_MS > 200");
    let mut looks = 0;
    while holder.lines(&waits).await.is_empty() && looks < 2_000 {
        looks += 1;
    }
    holder.run("UNLOCK TABLES").await;
    lagging.finish().expect_code(4);
    there.run(&["migrate"]).expect_code(0);
    here.run(&["check"]).expect_code(5);
    let mut node = Node::start(&db).await;
    node.create_new("new", "community").await.unwrap();
    there.run(&["contract", "--quiet-period", "0s", "--force", "cluster"]).expect_code(0);
    here.run(&["check"]).expect_code(3);
    cluster.expect_whole().await;
}
