//! Purges: what refers to a row goes before it, in the same batch.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{options, train_of};
use crate::support::{Kind, Session, TestDatabase, on_every_database, run};

const PURGE: &str = "backfill:
  table: images
  delete:
    children:
      - { table: members, key: { image_id: id } }
      - table: locations
        key: { image_id: id }
        children: [{ table: notes, key: { location_id: id } }]
  where: deleted = 1
";

/// Images, half of them deleted softly, each with two members and a location, which has two notes.
async fn images(db: &TestDatabase, count: usize, on_delete: &str) -> Session {
    let mut session = db.owner().await;
    let end = options(db.kind());
    session.run(format!("CREATE TABLE images (id INTEGER NOT NULL PRIMARY KEY, deleted INTEGER NOT NULL) {end}")).await;
    for (table, column, parent) in
        [("members", "image_id", "images"), ("locations", "image_id", "images"), ("notes", "location_id", "locations")]
    {
        session
            .run(format!(
                "CREATE TABLE {table} (id INTEGER NOT NULL PRIMARY KEY, {column} INTEGER NOT NULL, \
                 CONSTRAINT {table}_{parent} FOREIGN KEY ({column}) REFERENCES {parent} (id) {on_delete}) {end}"
            ))
            .await;
        session.run(format!("CREATE INDEX {table}_{column} ON {table} ({column})")).await;
    }
    let rows = |of: &dyn Fn(usize) -> String| (1..=count).map(of).collect::<Vec<_>>().join(", ");
    session.run(format!("INSERT INTO images VALUES {}", rows(&|id| format!("({id}, {})", id % 2)))).await;
    session
        .run(format!(
            "INSERT INTO members VALUES {}",
            rows(&|id| format!("({}, {id}), ({}, {id})", id * 2, id * 2 + 1))
        ))
        .await;
    session.run(format!("INSERT INTO locations VALUES {}", rows(&|id| format!("({}, {id})", id + 10_000)))).await;
    session
        .run(format!(
            "INSERT INTO notes VALUES {}",
            rows(&|id| format!("({}, {1}), ({2}, {1})", id * 2, id + 10_000, id * 2 + 1))
        ))
        .await;
    session
}

async fn counts(session: &mut Session) -> String {
    session
        .lines(
            "SELECT (SELECT COUNT(*) FROM images), (SELECT COUNT(*) FROM members), (SELECT COUNT(*) FROM locations), \
             (SELECT COUNT(*) FROM notes)",
        )
        .await
        .concat()
}

on_every_database! {
    async fn children_and_their_children_go_before_their_parents(db: TestDatabase) {
        let mut session = images(&db, 600, "").await;
        let train = train_of(&db, 10, PURGE);
        train.concertina().run(&["migrate", "--max-rows", "50"]).expect_code(4);
        train.concertina().run(&["migrate", "--workers", "3"]).expect_code(0);
        assert_eq!(counts(&mut session).await, "300|600|300|600");
        assert_eq!(session.value("SELECT SUM(id % 2) FROM images").await.as_deref(), Some("0"));
        let changed = session.value("SELECT SUM(rows_changed) FROM concertina_range").await;
        assert_eq!(changed.as_deref(), Some("300"), "the images alone are counted");
    }

    async fn a_table_that_refers_and_is_not_named_is_refused_by_its_name(db: TestDatabase) {
        let mut session = images(&db, 20, "").await;
        for (children, forgotten) in [
            ("[]", "locations"),
            ("[{ table: locations, key: { image_id: id } }, { table: members, key: { image_id: id } }]", "notes"),
            ("[{ table: locations, key: { image_id: id }, children: [{ table: notes, key: { location_id: id } }] }]", "members"),
        ] {
            let train = train_of(&db, 10, &format!("backfill: {{ table: images, delete: {{ children: {children} }}, where: deleted = 1 }}\n"));
            let output = train.concertina().run(&["migrate"]);
            output.expect_code(1).expect_stderr(&format!("rows of `{forgotten}` refer to rows of")).expect_stderr("children");
        }
        assert_eq!(counts(&mut session).await, "20|40|20|40");
    }

    async fn what_goes_by_itself_need_not_be_named(db: TestDatabase) {
        let mut session = images(&db, 200, "ON DELETE CASCADE").await;
        let train = train_of(&db, 10, "backfill: { table: images, delete: {}, where: deleted = 1 }\n");
        train.concertina().run(&["migrate", "--workers", "2"]).expect_code(0);
        assert_eq!(counts(&mut session).await, "100|200|100|200");
    }

    async fn a_child_that_cannot_go_by_itself_below_one_that_can_is_refused(db: TestDatabase) {
        let mut session = images(&db, 20, "ON DELETE CASCADE").await;
        session
            .run(format!(
                "CREATE TABLE stays (id INTEGER NOT NULL PRIMARY KEY, note INTEGER, FOREIGN KEY (note) REFERENCES notes (id)) {}",
                options(db.kind())
            ))
            .await;
        let train = train_of(&db, 10, "backfill: { table: images, delete: {}, where: deleted = 1 }\n");
        train.concertina().run(&["migrate"]).expect_code(1).expect_stderr("rows of `stays` refer to rows of `notes`");
    }
}

/// Adds members to images that are being purged, takes deletions back, and deletes others.
async fn nodes_at_work(mut node: Session, seed: u64, until: Arc<AtomicBool>) -> usize {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut written = 0;
    while !until.load(Ordering::Relaxed) {
        let id = random.usize(1..=COUNT);
        let sql = match random.u8(0..4) {
            0 => format!("UPDATE images SET deleted = 1 - deleted WHERE id = {id}"),
            _ => format!("INSERT INTO members VALUES ({}, {id})", 1_000_000 * seed + written),
        };
        if node.execute(sql).await.is_ok() {
            written += 1;
        }
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    usize::try_from(written).unwrap()
}

const COUNT: usize = 800;

async fn beside_writers(db: TestDatabase) {
    let mut session = images(&db, COUNT, "").await;
    let train = train_of(&db, 5, PURGE);
    train.project().edit("concertina.yaml", "rows: 5", "rows: 5, target: 10ms");
    let stop = Arc::new(AtomicBool::new(false));
    let (one, two) = (db.owner().await, db.owner().await);
    let running = train.concertina().spawn(&["migrate", "--workers", "2", "--pace", "full"]);
    let ended = super::ending(running, &stop);
    let (first, second) =
        tokio::join!(nodes_at_work(one, 1, Arc::clone(&stop)), nodes_at_work(two, 2, Arc::clone(&stop)));
    let output = ended.join().expect("migrate ends");
    assert!(first + second > 20, "{first} and {second} writes");
    // Writers that delete as fast as it purges may keep it from ending; with them gone it does.
    assert!(output.code == Some(0) || output.stderr.contains("after 5 walks"), "{output}");
    train.concertina().run(&["migrate"]).expect_code(0);
    assert_eq!(session.value("SELECT COUNT(*) FROM images WHERE deleted = 1").await.as_deref(), Some("0"));
    // An image that is there has what it had: nobody else takes locations away.
    let bare = "SELECT COUNT(*) FROM images WHERE NOT EXISTS (SELECT 1 FROM locations WHERE image_id = images.id)";
    assert_eq!(session.value(bare).await.as_deref(), Some("0"));
}

#[test]
fn a_purge_beside_writers_on_postgres() {
    run(Kind::Postgres, "a_purge_beside_writers", beside_writers);
}

#[test]
fn a_purge_beside_writers_on_mysql() {
    run(Kind::MySql, "a_purge_beside_writers", beside_writers);
}
