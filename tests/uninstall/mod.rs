//! All that Concertina makes for itself is listed by one command, harms nobody when it is orphaned, and is removed by it.

use crate::conformance::glance::{Node, at_newton};
use crate::conformance::leftovers::ours;
use crate::support::{Dump, TestDatabase, on_every_database};

on_every_database! {
    async fn everything_of_ours_is_listed_and_removed_by_one_command(db: TestDatabase) {
        let concertina = at_newton(&db).await;
        concertina.run(&["expand"]).expect_code(0);
        let before = Dump::of(&db).await;
        let listed = concertina.run(&["uninstall"]);
        let listed = &listed.expect_code(0).expect_stdout("not now: ocata is expanded").stdout;
        for object in ours(&db).await.iter().filter(|object| ["trigger", "function", "table", "sequence"].contains(&object.kind.as_str())) {
            assert!(listed.contains(&format!("{} {}", object.kind, object.name)), "{object} is not in {listed}");
        }
        concertina.run(&["uninstall", "--yes"]).expect_code(6)
            .expect_stderr("error: ocata is expanded: without its syncs old and new nodes do not see each other's writes")
            .expect_stderr("go on to contract, or take it back with concertina rollback, first");
        before.expect_same(&Dump::of(&db).await);
        concertina.run(&["uninstall", "--yes", "--force", "open_release"]).expect_code(0)
            .expect_stdout("stays: table refinery_schema_history");
        let left = ours(&db).await;
        assert!(left.is_empty(), "{left:?}");
        Node::start(&db).await.create_new("new", "community").await.expect("a write without the sync");
        Node::start(&db).await.create_old("old", true).await.expect("a write without the sync");
        concertina.run(&["uninstall", "--yes"]).expect_code(0).expect_stdout("nothing to do");
    }

    async fn a_database_without_us_goes_on_and_may_be_adopted_again(db: TestDatabase) {
        let concertina = at_newton(&db).await;
        concertina.run(&["uninstall", "--yes"]).expect_code(0);
        concertina.run(&["check"]).expect_code(3);
        concertina.run(&["expand"]).expect_code(0);
        Node::start(&db).await.create_new("new", "community").await.expect("a new write");
    }

    async fn an_uninstall_that_died_is_gone_on_with(db: TestDatabase) {
        let concertina = at_newton(&db).await;
        concertina.run(&["expand"]).expect_code(0);
        let remove = &["uninstall", "--yes", "--force", "open_release"];
        for place in [1, 3, 2] {
            let died = concertina.clone().env("CONCERTINA_FAILPOINT", &format!("uninstall.object.after:{place}")).run(remove);
            assert_eq!(died.code, None, "{died}");
            Node::start(&db).await.create_new(&format!("new{place}"), "community").await.expect("a new write");
        }
        concertina.run(remove).expect_code(0);
        let left = ours(&db).await;
        assert!(left.is_empty(), "{left:?}");
    }

    async fn what_others_call_by_a_name_like_ours_is_not_touched(db: TestDatabase) {
        let concertina = at_newton(&db).await;
        db.owner().await.run("CREATE TABLE concertinas (id INTEGER PRIMARY KEY)").await;
        concertina.run(&["uninstall", "--yes"]).expect_code(0);
        db.owner().await.run("INSERT INTO concertinas (id) VALUES (1)").await;
    }
}
