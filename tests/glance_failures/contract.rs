//! Failures 2, 3 and 13: the order of contract's steps, what it leaves, and what dies in the middle of it.

use super::writers::{Release, Writers};
use super::{CONTRACT, MIGRATED, seed, visibilities};
use crate::conformance::glance::{Node, at_newton};
use crate::conformance::leftovers;
use crate::support::{Concertina, TestDatabase, on_every_database};

/// Runs a command that dies at each life's failpoint, until it no longer does; between its lives `meanwhile` is done. Gives how
/// often it died.
fn die_until_done(
    concertina: &Concertina,
    command: &[&str],
    failpoint: impl Fn(usize) -> String,
    meanwhile: impl Fn(),
) -> usize {
    for deaths in 0.. {
        let output = concertina.clone().env("CONCERTINA_FAILPOINT", &failpoint(deaths)).run(command);
        if output.code == Some(0) {
            return deaths;
        }
        assert_eq!(output.code, None, "{output}");
        assert!(deaths < 30, "it never comes to its end:\n{output}");
        meanwhile();
    }
    unreachable!("it counts for ever")
}

on_every_database! {
    async fn failure_02_no_new_writer_fails_while_contract_runs(db: TestDatabase) {
        let concertina = at_newton(&db).await;
        seed(&db).await;
        concertina.run(&["expand"]).expect_code(0);
        concertina.run(&["migrate"]).expect_code(0);
        let writers = Writers::start(&db, &[Release::New, Release::New, Release::New], "");
        writers.wait_for(10);
        // The gaps between its steps are held open: whatever its order is, nodes write in each of them.
        let deaths = die_until_done(&concertina, CONTRACT, |_| "step.finish.commit.after:1".to_owned(), || writers.wait_for(5));
        writers.wait_for(10);
        writers.end();
        assert!(deaths >= 5, "contract died {deaths} times: is that name still in src/?");
        leftovers::expect_none(&db, None).await;
        let lost = "SELECT id, visibility FROM images WHERE id LIKE 'new%' AND visibility NOT IN ('private', 'community')";
        assert_eq!(db.owner().await.lines(lost).await, [""; 0]);
    }

    async fn failure_03_upgrade_behind_expand_leaves_no_trigger(db: TestDatabase) {
        let concertina = at_newton(&db).await;
        seed(&db).await;
        concertina.run(&["expand"]).expect_code(0);
        assert!(leftovers::ours(&db).await.iter().any(|object| object.kind == "trigger"), "expand made none");
        concertina.run(&["upgrade", "--to", "ocata"]).expect_code(0);
        leftovers::expect_none(&db, None).await;
        assert_eq!(visibilities(&db).await, MIGRATED);
        let mut node = Node::start(&db).await;
        node.create_new("new", "community").await.unwrap();
        node.update_new("public", "private").await.unwrap();
        node.add_member("alone", "tenant-02", false).await.unwrap();
        node.mark_member("alone", "tenant-02", true).await.unwrap();
        let written = ["alone|private", "member|shared", "new|community", "public|private"];
        assert_eq!(visibilities(&db).await, written);
    }

    async fn failure_13_half_applied_steps_go_on_without_any_force(db: TestDatabase) {
        let concertina = at_newton(&db).await;
        seed(&db).await;
        // It dies behind a statement of a step, or behind the last one before the step is recorded: MySQL cannot take either back.
        // Where a step is one transaction, each pair of lives must get further than the last.
        let failpoint =
            |life: usize| format!("{}:{}", ["step.statement.after", "step.finish.before"][life % 2], 1_usize << (life / 2).min(6));
        let mut deaths = 0;
        for command in [&["expand"][..], &["migrate"], CONTRACT] {
            deaths += die_until_done(&concertina, command, failpoint, || {});
        }
        assert!(deaths >= 6, "it died {deaths} times: are these names still in src/?");
        leftovers::expect_none(&db, None).await;
        assert_eq!(visibilities(&db).await, MIGRATED);
        concertina.run(&["check"]).expect_code(3);
    }
}
