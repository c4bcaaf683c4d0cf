//! MySQL and MariaDB: what the server must allow is asked before anything is changed.

use crate::support::{Kind, PrivateServer, Session, TestDatabase, Train, alone};

const STEPS: &str = "
steps:
  - add_column: { table: items, column: { name: n, type: string(40) } }
  - sync: { name: items_case, table: items, forward: { n: upper(o) }, backward: { o: lower(n) } }
";

const ITEMS: &str = "CREATE TABLE items (id INTEGER NOT NULL PRIMARY KEY, o VARCHAR(40)) ENGINE=InnoDB";

async fn expect_untouched(session: &mut Session) {
    let columns =
        "SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = 'items'";
    let triggers = "SELECT COUNT(*) FROM information_schema.triggers WHERE trigger_schema = DATABASE()";
    assert_eq!(session.value(columns).await.as_deref(), Some("2"));
    assert_eq!(session.value(triggers).await.as_deref(), Some("0"));
}

/// This is what stops OpenStack's operators: the server's own error comes in the middle of the migration.
#[test]
fn a_binary_log_is_noticed_before_anything_changes() {
    alone(async || {
        let server = PrivateServer::start(Kind::MySql, &["--log-bin"]).await;
        let mut admin = server.admin().await;
        let db = TestDatabase::create_on(Kind::MySql, &server.admin_url(), "binary_log").await;
        let mut owner = db.owner().await;
        owner.run(ITEMS).await;
        let mut train = Train::new(&db);
        train.add(&[("expand/01_steps.yaml", STEPS)]);
        let expand = || train.concertina().run(&["expand"]);

        admin.run("SET GLOBAL read_only = 1").await;
        expand().expect_code(6).expect_stderr("expand of r1 cannot run: the server is read-only, as a replica is");
        admin.run("SET GLOBAL read_only = 0").await;
        expect_untouched(&mut owner).await;
        expand().expect_code(6).expect_stderr("SET GLOBAL log_bin_trust_function_creators = 1");
        expect_untouched(&mut owner).await;
        admin.run("SET GLOBAL log_bin_trust_function_creators = 1").await;
        admin.run("SET GLOBAL binlog_format = 'STATEMENT'").await;
        expand().expect_code(6).expect_stderr("SET GLOBAL binlog_format = 'MIXED'");
        expect_untouched(&mut owner).await;
        admin.run("SET GLOBAL binlog_format = 'MIXED'").await;
        expand().expect_code(0);

        // What the syncs write is logged by row, so a replica does not fire its own triggers for it.
        let mut owner = db.owner().await;
        owner.run("INSERT INTO items (id, o) VALUES (1, 'a')").await;
        assert_eq!(owner.lines("SELECT o, n FROM items").await, ["a|A"]);
        let log = admin.value("SHOW MASTER STATUS").await.expect("the log's name");
        let events = admin.rows(format!("SHOW BINLOG EVENTS IN '{log}'")).await;
        let last_write = events.iter().rev().find_map(|event| {
            let kind = event[2].clone().unwrap_or_default();
            (kind.contains("rows") || event[5].as_deref().is_some_and(|info| info.contains("INSERT INTO items")))
                .then_some(kind)
        });
        assert!(last_write.as_deref().is_some_and(|kind| kind.to_lowercase().contains("rows")), "{last_write:?}");
    });
}
