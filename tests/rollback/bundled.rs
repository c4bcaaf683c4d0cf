//! The bundled releases, expanded or migrated, and taken back.

use super::Before;
use crate::conformance::glance::{CHANGING, Node, at_newton};
use crate::support::{TestDatabase, on_every_database};

const IMAGES: &str = "SELECT id, is_public FROM images ORDER BY id";

on_every_database! {
    async fn every_bundled_release_is_taken_back(db: TestDatabase) {
        let concertina = at_newton(&db).await;
        let mut node = Node::start(&db).await;
        for number in 0..4 {
            node.create_old(&format!("seed{number}"), number % 2 == 0).await.expect("an old write");
        }
        node.add_member("seed1", "tenant", true).await.expect("a member");
        for release in CHANGING {
            let before = Before::of(&db).await;
            for phases in [&["expand"][..], &["expand", "migrate"]] {
                for phase in phases {
                    concertina.run(&[phase]).expect_code(0);
                }
                if release == "ocata" {
                    Node::start(&db).await.create_old(&format!("old{}", phases.len()), true).await.expect("an old write");
                }
                let images = match release {
                    "ocata" => db.owner().await.lines(IMAGES).await,
                    _ => Vec::new(),
                };
                let output = concertina.run(&["rollback"]);
                output.expect_code(0).expect_stdout(&format!("done: {release}/rollback\n"));
                output.expect_stdout(&format!("next: concertina expand ({release})"));
                // What train's backfill writes over where it stands is the one thing that no rollback makes undone.
                assert_eq!(output.stdout.contains("what it did stays"), release == "train" && phases.len() == 2, "{output}");
                let when = format!("{phases:?} of {release}");
                before.expect(&db, release, &when).await;
                if release == "ocata" {
                    assert_eq!(images, db.owner().await.lines(IMAGES).await, "{when}");
                }
                concertina.run(&["check"]).expect_code(3);
                concertina.run(&["check", "--release", release]).expect_code(6);
                concertina.run(&["rollback"]).expect_code(0).expect_stdout("nothing to do");
            }
            concertina.run(&["upgrade", "--to", release]).expect_code(0);
        }
    }

    async fn the_plan_of_a_rollback_is_what_runs_and_changes_nothing(db: TestDatabase) {
        let concertina = at_newton(&db).await;
        concertina.run(&["plan", "rollback"]).expect_code(0).expect_stdout("-- nothing to do");
        concertina.run(&["expand"]).expect_code(0);
        let before = crate::support::Dump::of(&db).await;
        let plan = concertina.run(&["plan", "rollback"]);
        plan.expect_code(0).expect_stdout("-- rollback ocata: 4 steps");
        before.expect_same(&crate::support::Dump::of(&db).await);
        // The sync, then what is new, the last first, then what was loosened.
        let order: Vec<&str> = plan.stdout.lines().filter_map(|line| line.strip_prefix("-- ocata/expand/")).collect();
        let order: Vec<&str> = order.iter().map(|line| line.split(':').next().unwrap()).collect();
        assert_eq!(order, ["01_visibility/4", "01_visibility/2", "01_visibility/1", "01_visibility/3"], "{plan}");
        let json = concertina.run(&["plan", "rollback", "--output", "json"]).json();
        assert_eq!(json["release"], "ocata");
        assert_eq!(json["steps"].as_array().unwrap().len(), 4);
    }
}
