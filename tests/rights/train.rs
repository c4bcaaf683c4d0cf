//! The whole upgrade, as roles that have what docs/rights.md grants and nothing else.

use super::documented::Roles;
use crate::conformance::glance::{Node, TABLES};
use crate::support::{BaselineFile, Kind, Project, Session, TestDatabase, Train, on_every_server, run};

const ROLES: [&str; 4] = ["glance_owner", "concertina", "concertina_data", "concertina_ask"];

on_every_server! {
    async fn the_bundled_train_needs_no_more_than_is_documented(db: TestDatabase) {
        let mut roles = Roles::new(&db, &ROLES).await;
        roles.grant("Upgrades").await;
        roles.grant("Adopting").await;
        let project = Project::bundled();
        let upgrades = roles.concertina(&project, "concertina");

        // A team that has the baseline already adopts it.
        let mut session = Session::open(db.kind(), &roles.url("concertina")).await;
        for file in BaselineFile::bundled(db.kind()) {
            file.run(&mut session).await;
        }
        drop(session);
        upgrades.run(&["baseline", "--at", "V3"]).expect_code(0);
        if db.kind() == Kind::Postgres {
            roles.run("GRANT USAGE ON SCHEMA public TO glance_app").await;
            roles.run("GRANT CONNECT ON DATABASE glance TO glance_app").await;
        }
        db.grant_application(&TABLES).await;

        upgrades.run(&["expand"]).expect_code(0);
        let mut node = Node::start(&db).await;
        node.create_old("old", true).await.expect("the application needs nothing of ours");
        node.create_new("new", "shared").await.expect("the application needs nothing of ours");
        upgrades.run(&["plan", "rollback"]).expect_code(0);
        upgrades.run(&["rollback", "--yes"]).expect_code(0);
        upgrades.run(&["expand"]).expect_code(0);

        roles.grant("Backfills").await;
        roles.grant("Questions").await;
        let (data, ask) = (roles.concertina(&project, "concertina_data"), roles.concertina(&project, "concertina_ask"));
        ask.run(&["check"]).expect_code(4);
        for command in [&["pause"][..], &["resume"], &["tune", "--duty", "80"], &["migrate"], &["verify"]] {
            data.run(command).expect_code(0);
        }
        ask.run(&["check"]).expect_code(5);
        ask.run(&["check", "--release", "ocata"]).expect_code(0);
        for command in [&["status"][..], &["history"], &["plan"], &["plan", "rollback"]] {
            ask.run(command).expect_code(0);
        }
        upgrades.run(&["contract", "--quiet-period", "0s"]).expect_code(0);
        node.create_new("newer", "community").await.expect("a new node's write");
        upgrades.run(&["upgrade"]).expect_code(0);
        ask.run(&["check"]).expect_code(0);
        upgrades.run(&["uninstall", "--yes"]).expect_code(0);
        roles.drop().await;
    }
}

/// Who blocks is ended, where the rights for that are there.
#[test]
fn blockers_are_ended_with_what_is_documented_on_postgres() {
    run(Kind::Postgres, "documented_blockers", async |db: TestDatabase| {
        let mut roles = Roles::new(&db, &ROLES).await;
        roles.grant("Upgrades").await;
        roles.run("GRANT CONNECT ON DATABASE glance TO glance_owner").await;
        roles.run("GRANT USAGE, CREATE ON SCHEMA public TO glance_owner").await;
        let mut owner = Session::open(db.kind(), &roles.url("glance_owner")).await;
        owner.run("CREATE TABLE books (id INTEGER PRIMARY KEY)").await;
        // Somebody whom our role is no member of.
        roles.run("GRANT CONNECT ON DATABASE glance TO glance_app").await;
        roles.run("GRANT USAGE ON SCHEMA public TO glance_app").await;
        db.grant_application(&["books"]).await;
        let mut blocker = db.application().await;
        blocker.run("BEGIN").await;
        blocker.lines("SELECT COUNT(*) FROM books").await;
        let mut train = Train::with_settings(&db, "locks: { retry_for: 30s }");
        let steps = "steps:\n  - add_column: { table: books, column: { name: pages, type: integer } }\n";
        train.add(&[("expand/01_pages.yaml", steps)]);
        roles.grant("Blockers").await;
        let expand = roles.concertina(train.project(), "concertina").run(&["expand", "--cancel-blockers-after", "1s"]);
        expand.expect_code(0).expect_stderr("ended session").expect_stderr("SELECT COUNT(*) FROM books");
        drop(owner);
        roles.drop().await;
    });
}
