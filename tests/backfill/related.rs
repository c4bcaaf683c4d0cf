//! A backfill that looks at another table, while nodes write there: Glance's visibility, and images that gain a member just then.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::options;
use crate::support::{Kind, Session, TestDatabase, Train, run};

const EXPAND: &str = "steps:
  - add_column: { table: images, column: { name: visibility, type: string(20) } }
  - drop_not_null: { table: images, column: is_public }
  - sync:
      name: images_visibility
      table: images
      forward: { visibility: \"CASE WHEN is_public THEN 'public' ELSE 'shared' END\" }
      backward: { is_public: visibility = 'public' }
      related: [{ table: members, key: { image_id: id }, when: visibility = 'private' AND NOT related.deleted }]
";
const DATA: &str = "backfill:
  table: images
  set:
    visibility: >-
      CASE WHEN is_public THEN 'public'
           WHEN EXISTS (SELECT 1 FROM members m WHERE m.image_id = images.id AND NOT m.deleted) THEN 'shared'
           ELSE 'private' END
  where: visibility IS NULL
";

const IMAGES: usize = 6_000;

/// Shares images that are not migrated yet, from the end of the walk and from anywhere.
async fn shares(mut node: Session, kind: Kind, seed: u64, until: Arc<AtomicBool>) -> usize {
    let mut random = fastrand::Rng::with_seed(seed);
    let (mut written, mut next) = (0, 1_000_000 * usize::try_from(seed).unwrap());
    while !until.load(Ordering::Relaxed) {
        // Just ahead of the walk, where the race is.
        let first = node.value("SELECT MIN(id) FROM images WHERE visibility IS NULL").await;
        let Some(first) = first.and_then(|id| id.parse::<usize>().ok()) else { break };
        for _ in 0..20 {
            let image = (first + random.usize(0..150)).min(IMAGES);
            next += 1;
            let sql = format!(
                "INSERT INTO members (id, image_id, deleted) VALUES ({next}, {image}, {})",
                kind.boolean(false)
            );
            if node.execute(sql).await.is_ok() {
                written += 1;
            }
        }
        tokio::task::yield_now().await;
    }
    written
}

async fn no_image_with_a_member_is_private(db: TestDatabase) {
    let kind = db.kind();
    let (end, no) = (options(kind), kind.boolean(false));
    let mut session = db.owner().await;
    session
        .run(format!("CREATE TABLE images (id INTEGER NOT NULL PRIMARY KEY, is_public BOOLEAN NOT NULL) {end}"))
        .await;
    session
        .run(format!(
            "CREATE TABLE members (id INTEGER NOT NULL PRIMARY KEY, image_id INTEGER NOT NULL, deleted BOOLEAN NOT NULL DEFAULT {no}, \
             CONSTRAINT members_images FOREIGN KEY (image_id) REFERENCES images (id)) {end}"
        ))
        .await;
    session.run("CREATE INDEX members_image ON members (image_id)").await;
    let rows: Vec<String> = (1..=IMAGES).map(|id| format!("({id}, {no})")).collect();
    session.run(format!("INSERT INTO images VALUES {}", rows.join(", "))).await;
    let mut train = Train::with_settings(&db, "batch: { rows: 40, target: 60ms }");
    train.add(&[("expand/01_visibility.yaml", EXPAND), ("data/01_visibility.yaml", DATA)]);
    train.concertina().run(&["expand"]).expect_code(0);
    db.grant_application(&["images", "members"]).await;
    let stop = Arc::new(AtomicBool::new(false));
    let mut nodes = Vec::new();
    for seed in 1..=4 {
        nodes.push(shares(db.application().await, kind, seed, Arc::clone(&stop)));
    }
    let running = train.concertina().spawn(&["migrate", "--workers", "2"]);
    let ended = super::ending(running, &stop);
    let mut nodes = nodes.into_iter();
    let mut node = || nodes.next().expect("four nodes");
    let written = tokio::join!(node(), node(), node(), node());
    ended.join().expect("migrate ends").expect_code(0);
    assert!(written.0 + written.1 > 50, "{written:?} members were added meanwhile");
    let wrong = "SELECT COUNT(*) FROM images WHERE visibility = 'private' \
                 AND EXISTS (SELECT 1 FROM members WHERE image_id = images.id AND NOT deleted)";
    assert_eq!(session.value(wrong).await.as_deref(), Some("0"), "of {written:?} members");
    assert_eq!(session.value("SELECT COUNT(*) FROM images WHERE visibility IS NULL").await.as_deref(), Some("0"));
}

#[test]
fn an_image_that_gains_a_member_while_it_is_migrated_is_shared_on_postgres() {
    run(Kind::Postgres, "an_image_that_gains_a_member", no_image_with_a_member_is_private);
}

#[test]
fn an_image_that_gains_a_member_while_it_is_migrated_is_shared_on_mysql() {
    run(Kind::MySql, "an_image_that_gains_a_member", no_image_with_a_member_is_private);
}
