//! Failure 1: an account that may not create triggers, before the phase and in the middle of a release.

use super::{CONTRACT, MIGRATED, seed, visibilities};
use crate::conformance::glance::{Node, at_newton};
use crate::support::{Dump, Kind, TestDatabase, on_every_server};

/// Takes the right to create triggers away, and gives the grant that it takes as it is said, without its end.
async fn take_away(db: &TestDatabase) -> String {
    if db.kind() == Kind::MySql {
        db.revoke_trigger().await;
        return "GRANT TRIGGER ON ".to_owned();
    }
    // Who owns a table has every right on it, so it becomes another's.
    let mut admin = db.admin_of().await;
    admin.run("ALTER TABLE image_members OWNER TO CURRENT_USER").await;
    let owner = db.owner().await.value("SELECT current_user").await.expect("a role");
    admin.run(format!("GRANT SELECT, TRIGGER ON image_members TO \"{owner}\"")).await;
    let boss = admin.value("SELECT current_user").await.expect("a role");
    format!("GRANT {boss} TO ")
}

async fn give_back(db: &TestDatabase) {
    if db.kind() == Kind::MySql {
        db.grant_trigger().await;
    } else {
        let owner = db.owner().await.value("SELECT current_user").await.expect("a role");
        db.admin_of().await.run(format!("ALTER TABLE image_members OWNER TO \"{owner}\"")).await;
    }
}

on_every_server! {
    async fn failure_01_expand_without_rights_changes_nothing(db: TestDatabase) {
        let concertina = at_newton(&db).await;
        seed(&db).await;
        let grant = take_away(&db).await;
        let before = Dump::of(&db).await;
        for command in [&["expand"][..], &["upgrade"]] {
            for _ in 0..2 {
                let refused = concertina.run(command);
                refused.expect_code(6).expect_stderr("expand of ocata cannot run").expect_stderr(&grant);
                before.expect_same(&Dump::of(&db).await);
            }
        }
        give_back(&db).await;
        concertina.run(&["expand"]).expect_code(0);
        let mut node = Node::start(&db).await;
        node.create_old("old", true).await.unwrap();
        node.expect_access("old", true, Some("public")).await;
    }

    async fn failure_01_contract_without_rights_drops_nothing(db: TestDatabase) {
        let concertina = at_newton(&db).await;
        seed(&db).await;
        concertina.run(&["expand"]).expect_code(0);
        concertina.run(&["migrate"]).expect_code(0);
        let grant = take_away(&db).await;
        let before = Dump::of(&db).await;
        for _ in 0..2 {
            concertina.run(CONTRACT).expect_code(6).expect_stderr("of ocata cannot").expect_stderr(&grant);
        }
        let refused = concertina.run(&["rollback"]);
        refused.expect_code(6).expect_stderr("rollback of ocata cannot run").expect_stderr(&grant);
        before.expect_same(&Dump::of(&db).await);
        give_back(&db).await;
        // MariaDB asks for the rights of who made a trigger when it fires, so nobody could write until now.
        let mut node = Node::start(&db).await;
        node.create_old("old", true).await.unwrap();
        node.expect_access("old", true, Some("public")).await;
        node.update_new("alone", "community").await.unwrap();
        concertina.run(CONTRACT).expect_code(0);
        node.create_new("new", "community").await.unwrap();
        node.update_new("alone", "private").await.unwrap();
        let [alone, member, public] = MIGRATED;
        assert_eq!(visibilities(&db).await, [alone, member, "new|community", "old|public", public]);
    }
}
