//! Runners on several hosts: one of another host is never taken for dead by its process number.

use std::process::Command;

use crate::support::{Concertina, Session, TestDatabase, Train, on_every_server};

/// Whether this machine lets a process have a name and processes of its own; root of a plain machine may.
fn may_be_another_host() -> bool {
    let tried = Command::new("unshare").args(["--uts", "--pid", "--fork", "--mount-proc", "hostname", "node"]).output();
    tried.is_ok_and(|tried| tried.status.success())
}

/// An expand on `node1` that waits for its lock, which `session` keeps it from.
async fn waiting(session: &mut Session, db: &TestDatabase, concertina: &Concertina) -> crate::support::Running {
    session.run("BEGIN").await;
    session.run("SELECT * FROM items").await;
    let running = concertina.spawn(&["expand"]);
    let mut looking = db.owner().await;
    while looking.try_lines("SELECT 1 FROM concertina_lease WHERE holder <> ''").await.is_ok_and(|rows| rows.is_empty())
    {
    }
    running.wait_for_stderr("waiting to add column");
    running
}

on_every_server! {
    async fn a_runner_of_another_host_is_waited_for(db: TestDatabase) {
        let mut session = db.owner().await;
        session.run("CREATE TABLE items (id INTEGER NOT NULL PRIMARY KEY)").await;
        session.run("INSERT INTO items VALUES (1)").await;
        let mut train = Train::new(&db);
        train.add(&[(
            "expand/01_word.yaml",
            "steps:\n  - add_column: { table: items, column: { name: word, type: text, nullable: true } }\n",
        )]);
        // Long enough for what follows, and short enough to be waited for.
        let here = train.concertina().env("CONCERTINA_LEASE_MS", "6000");
        let there = if may_be_another_host() { here.clone().on_host("node1") } else { here.clone() };
        let first = waiting(&mut session, &db, &there).await;
        let mut looking = db.owner().await;
        if !may_be_another_host() {
            looking
                .run("UPDATE concertina_lease SET holder = 'ops@node1 pid 7 (1.0.0)', process = 'another-boot/pid:[7]/7/77'")
                .await;
        }
        let second = here.run(&["expand"]);
        second.expect_code(7).expect_stderr("@node1 pid ").expect_stderr("runs `expand` since ");
        first.kill();
        // Nobody here can know that it is dead; its lease runs out by itself.
        here.run(&["expand"]).expect_code(7).expect_stderr("@node1 pid ");
        session.run("ROLLBACK").await;
        let expired = "SELECT 1 FROM concertina_lease WHERE expires_at = 0";
        assert_eq!(looking.value(expired).await, None, "nobody gave the lease back");
        let taken = loop {
            let taken = here.run(&["expand"]);
            if taken.code != Some(7) {
                break taken;
            }
        };
        taken.expect_code(0);
        assert_eq!(looking.lines("SELECT count(*) FROM concertina_step WHERE finished_at IS NOT NULL").await, ["1"]);
    }
}
