//! Failures 8 and 9: how the data migration goes through many rows.

use super::CONTRACT;
use super::writers::{Release, Writers};
use crate::conformance::glance::{Node, at_newton};
use crate::support::{Concertina, Kind, Project, TestDatabase, on_every_database, on_every_server};

/// The bundled project with batches of so many rows, however slow the machine is.
fn in_batches_of(rows: usize) -> Project {
    let project = Project::bundled_copy();
    let manifest = project.read("concertina.yaml");
    let batch = format!("batch: {{ rows: {rows}, max_rows: {rows}, target: 10s }}");
    project.write("concertina.yaml", &format!("{manifest}\n{batch}\n"));
    project
}

/// Makes so many images as Newton does: every third one is public, and every second one has a member.
async fn make_images(db: &TestDatabase, count: usize) {
    let (yes, no) = (db.kind().boolean(true), db.kind().boolean(false));
    let mut session = db.application().await;
    let images: Vec<String> = (0..count)
        .map(|number| {
            let is_public = if number % 3 == 0 { yes } else { no };
            format!("('image{number:05}', '2017-02-22 12:00:00', {no}, 'active', {is_public}, 0, 0, {no})")
        })
        .collect();
    let members: Vec<String> = (0..count)
        .step_by(2)
        .map(|number| format!("('image{number:05}', 'tenant-01', {no}, '2017-02-22 12:00:00', {no}, 'pending')"))
        .collect();
    for images in images.chunks(500) {
        let names = "id, created_at, deleted, status, is_public, min_disk, min_ram, protected";
        session.run(format!("INSERT INTO images ({names}) VALUES {}", images.join(", "))).await;
    }
    for members in members.chunks(500) {
        let names = "image_id, member, can_share, created_at, deleted, status";
        session.run(format!("INSERT INTO image_members ({names}) VALUES {}", members.join(", "))).await;
    }
}

async fn migrated(db: &TestDatabase) -> usize {
    let count = db.owner().await.value("SELECT COUNT(*) FROM images WHERE visibility IS NOT NULL").await;
    count.expect("a count").parse().expect("a number")
}

/// What `status` tells of the backfill: its state, and how many rows it has changed and walked.
fn progress(concertina: &Concertina) -> (String, u64, u64) {
    let status = concertina.run(&["status", "--output", "json"]).json();
    let ocata = status["releases"].as_array().and_then(|all| all.iter().find(|release| release["name"] == "ocata"));
    let backfill = &ocata.expect("ocata is a release")["backfills"][0];
    let number = |name: &str| backfill[name].as_u64().unwrap_or(0);
    (backfill["state"].as_str().unwrap_or_default().to_owned(), number("rows_changed"), number("rows_walked"))
}

on_every_database! {
    async fn failure_08_rows_are_counted_once_however_often_migrate_dies(db: TestDatabase) {
        const ROWS: u64 = 300;
        at_newton(&db).await;
        make_images(&db, 300).await;
        let project = in_batches_of(20);
        let concertina = Concertina::command(&db).project(&project);
        concertina.run(&["expand"]).expect_code(0);
        let mut before = 0;
        // Behind a batch, and in the middle of one, which is lost and done again.
        for failpoint in ["backfill.batch:3", "backfill.before_commit:2", "backfill.batch:4", "backfill.before_commit:1"] {
            let output = concertina.clone().env("CONCERTINA_FAILPOINT", failpoint).run(&["migrate"]);
            assert_eq!(output.code, None, "at {failpoint}:\n{output}");
            let (state, changed, walked) = progress(&concertina);
            assert_eq!(state, "started", "at {failpoint}");
            assert_eq!((changed, walked), (migrated(&db).await as u64, changed), "at {failpoint}: what is told is what is done");
            assert!(changed >= before && changed < ROWS, "{changed} behind {before}");
            before = changed;
        }
        assert!(before >= 100, "it goes on where it died, and has {before}");
        concertina.run(&["migrate", "--max-rows", "40"]).expect_code(4);
        assert_eq!(progress(&concertina).1, before + 40);
        concertina.run(&["migrate"]).expect_code(0);
        // Three kinds of rows, and none of them is counted by two rules.
        let (state, changed, _) = progress(&concertina);
        assert_eq!((state.as_str(), changed), ("done", ROWS));
        let counts = "SELECT visibility, COUNT(*) FROM images GROUP BY visibility ORDER BY 2 DESC";
        let mut counts = db.owner().await.lines(counts).await;
        counts.sort();
        assert_eq!(counts, ["private|100", "public|100", "shared|100"]);
        concertina.run(CONTRACT).expect_code(0);
    }

    async fn failure_09_a_transaction_of_migrate_holds_one_batch(db: TestDatabase) {
        at_newton(&db).await;
        make_images(&db, 1_500).await;
        let project = in_batches_of(50);
        let concertina = Concertina::command(&db).project(&project);
        concertina.run(&["expand"]).expect_code(0);
        // What a death leaves behind is what the transactions before it held: one of them has a batch and no more.
        for transactions in 1..=2 {
            concertina.clone().env("CONCERTINA_FAILPOINT", "backfill.batch:1").run(&["migrate"]);
            assert_eq!(migrated(&db).await, transactions * 50);
        }
        // And nodes that are not ready to wait for long never have to.
        let impatient = match db.kind() {
            Kind::Postgres => "SET lock_timeout = '250ms'",
            // Seconds; 0 would not wait for another node either.
            Kind::MySql => "SET innodb_lock_wait_timeout = 1, lock_wait_timeout = 1",
            // It has one writer at a time, and no queue: five seconds, as its applications do.
            Kind::Sqlite => "",
        };
        let writers = Writers::start(&db, &[Release::Old, Release::Old], impatient);
        writers.wait_for(5);
        concertina.run(&["migrate"]).expect_code(0);
        writers.wait_for(5);
        assert!(writers.end() >= 10);
        assert_eq!(db.owner().await.lines("SELECT id FROM images WHERE visibility IS NULL").await, [""; 0]);
    }
}

on_every_server! {
    async fn failure_09_an_old_node_waits_for_no_row_but_its_own(db: TestDatabase) {
        const ROWS: usize = 600;
        const HELD: usize = 310;
        at_newton(&db).await;
        make_images(&db, ROWS).await;
        let project = in_batches_of(50);
        let concertina = Concertina::command(&db).project(&project);
        concertina.run(&["expand"]).expect_code(0);
        // A row in the middle is locked for as long as this test likes, so migrate cannot come to its end. What it held
        // meanwhile, others would wait for: for all rows before it, where all were one transaction.
        let mut holder = db.application().await;
        holder.run("BEGIN").await;
        holder.run(format!("UPDATE images SET name = 'held' WHERE id = 'image{HELD:05}'")).await;
        let running = concertina.spawn(&["migrate"]);
        while migrated(&db).await < ROWS - 1 {}
        let mut node = Node::start(&db).await;
        let impatient = match db.kind() {
            Kind::Postgres => "SET lock_timeout = '250ms'",
            _ => "SET innodb_lock_wait_timeout = 1, lock_wait_timeout = 1",
        };
        node.session().run(impatient).await;
        for number in (0..ROWS).filter(|number| *number != HELD) {
            let changed = node.update_old(&format!("image{number:05}"), number % 2 == 0).await;
            assert!(changed.is_ok(), "image {number}: {changed:?}");
        }
        holder.run("COMMIT").await;
        running.finish().expect_code(0);
        concertina.run(CONTRACT).expect_code(0);
    }
}
