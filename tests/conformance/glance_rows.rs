//! Rows keep their meaning: those that were there before Ocata, and those that old and new nodes write side by side.

use std::collections::{BTreeMap, HashMap};

use super::glance::{Node, at_newton};
use super::{facts, leftovers};
use crate::support::{DbFailure, Session, TestDatabase, on_every_database};

/// So many rows go into one INSERT.
const CHUNK: usize = 200;

/// Writes recorded rows as the application does, columns that are no columns left out.
async fn load(session: &mut Session, table: &str, rows: &[HashMap<String, Option<String>>], columns: &[&str]) {
    for chunk in rows.chunks(CHUNK) {
        let values: Vec<String> = chunk
            .iter()
            .map(|row| {
                // Quoted, every value takes the type of its column: '1' is a boolean, a number, or a text.
                let values: Vec<String> = columns
                    .iter()
                    .map(|column| row[*column].as_ref().map_or_else(|| "NULL".to_owned(), |text| format!("'{text}'")))
                    .collect();
                format!("({})", values.join(", "))
            })
            .collect();
        session
            .execute(format!("INSERT INTO {table} ({}) VALUES {}", columns.join(", "), values.join(", ")))
            .await
            .unwrap_or_else(|failure| panic!("failed to load `{table}`: {failure:?}"));
    }
}

const IMAGE_COLUMNS: [&str; 17] = [
    "id",
    "name",
    "size",
    "status",
    "is_public",
    "created_at",
    "updated_at",
    "deleted_at",
    "deleted",
    "disk_format",
    "container_format",
    "checksum",
    "owner",
    "min_disk",
    "min_ram",
    "protected",
    "virtual_size",
];

const MEMBER_COLUMNS: [&str; 9] =
    ["id", "image_id", "member", "can_share", "created_at", "updated_at", "deleted_at", "deleted", "status"];

/// The visibility of every image, by id.
async fn visibilities(session: &mut Session) -> BTreeMap<String, Option<String>> {
    session
        .rows("SELECT id, visibility FROM images")
        .await
        .into_iter()
        .map(|mut row| (row.remove(0).expect("an image has an id"), row.remove(0)))
        .collect()
}

/// Fails with the images whose visibility is not what the real data migration gave them, by their category.
async fn expect_recorded_visibilities(session: &mut Session) {
    let found = visibilities(session).await;
    let expected = facts::rows("ocata/expected.csv");
    assert_eq!(found.len(), expected.len(), "images were lost or made");
    let mut wrong: BTreeMap<String, usize> = BTreeMap::new();
    for row in &expected {
        let id = row["id"].as_ref().expect("an image has an id");
        let (is, should) = (&found[id], &row["expected_visibility_after_migrate"]);
        if is != should {
            *wrong.entry(format!("{:?} is {is:?}, and should be {should:?}", row["category"])).or_default() += 1;
        }
    }
    assert!(wrong.is_empty(), "the wrong visibility, and how many images have it: {wrong:#?}");
}

/// Fails unless the database refused, and said which sync did.
#[track_caller]
fn expect_conflict(result: Result<u64, DbFailure>) {
    let failure = result.expect_err("both columns are given and disagree: this should be refused");
    assert!(failure.message.contains("images_visibility"), "the refusal should name the sync: {failure:?}");
}

/// Every way that one node writes and the other reads, on images whose ids begin with `stage`.
async fn expect_both_directions(node: &mut Node, stage: &str) {
    let id = |name: &str| format!("{stage}-{name}");

    for (is_public, visibility) in [(true, "public"), (false, "shared")] {
        let image = id(&format!("old-{is_public}"));
        node.create_old(&image, is_public).await.unwrap();
        node.expect_access(&image, is_public, Some(visibility)).await;
    }
    for (visibility, is_public) in [("private", false), ("public", true), ("shared", false), ("community", false)] {
        let image = id(&format!("new-{visibility}"));
        node.create_new(&image, visibility).await.unwrap();
        node.expect_access(&image, is_public, Some(visibility)).await;
    }

    let old = id("old-true");
    node.update_old(&old, false).await.unwrap();
    node.expect_access(&old, false, Some("shared")).await;
    node.update_old(&old, true).await.unwrap();
    node.expect_access(&old, true, Some("public")).await;
    node.update_new(&old, "community").await.unwrap();
    node.expect_access(&old, false, Some("community")).await;

    let new = id("new-private");
    node.update_new(&new, "public").await.unwrap();
    node.expect_access(&new, true, Some("public")).await;
    node.update_old(&new, false).await.unwrap();
    node.expect_access(&new, false, Some("shared")).await;
    node.update_new(&new, "private").await.unwrap();
    node.expect_access(&new, false, Some("private")).await;

    // An old node that saves what it has read knows nothing of community, and must not take it away.
    let community = id("new-community");
    node.update_old(&community, false).await.unwrap();
    node.expect_access(&community, false, Some("community")).await;
}

on_every_database! {
    async fn the_recorded_images_get_the_visibility_that_glance_gave_them(db: TestDatabase) {
        let concertina = at_newton(&db).await;
        let mut session = db.application().await;
        load(&mut session, "images", &facts::rows("ocata/images.csv"), &IMAGE_COLUMNS).await;
        load(&mut session, "image_members", &facts::rows("ocata/image_members.csv"), &MEMBER_COLUMNS).await;
        let everything_else = format!("SELECT {} FROM images ORDER BY id", IMAGE_COLUMNS.join(", "));
        let before = session.rows(&everything_else).await;

        concertina.run(&["check"]).expect_code(3);
        concertina.run(&["expand"]).expect_code(0);
        concertina.run(&["check"]).expect_code(4);
        assert!(
            visibilities(&mut session).await.values().all(Option::is_none),
            "expand is for the schema: it must not write rows"
        );

        concertina.run(&["migrate"]).expect_code(0);
        concertina.run(&["check"]).expect_code(5);
        expect_recorded_visibilities(&mut session).await;
        // assert_eq! would print two thousand rows.
        assert!(before == session.rows(&everything_else).await, "migrate changed more than the visibility");

        concertina.run(&["contract", "--quiet-period", "0s"]).expect_code(0);
        // Pike has something to contract, and only expand opens a release.
        concertina.run(&["check"]).expect_code(3);
        expect_recorded_visibilities(&mut session).await;
    }

    async fn old_and_new_nodes_read_what_the_other_wrote_before_and_after_migrate(db: TestDatabase) {
        let concertina = at_newton(&db).await;
        concertina.run(&["expand"]).expect_code(0);
        let mut node = Node::start(&db).await;
        expect_both_directions(&mut node, "before").await;

        let written = visibilities(node.session()).await;
        concertina.run(&["migrate"]).expect_code(0);
        assert_eq!(written, visibilities(node.session()).await, "migrate touched rows that nodes had already written");
        expect_both_directions(&mut node, "after").await;

        let written = visibilities(node.session()).await;
        // What nodes wrote side by side is in step, so nothing keeps contract from going on, and nothing is lost.
        concertina.run(&["contract", "--quiet-period", "0s"]).expect_code(0);
        assert_eq!(written, visibilities(node.session()).await, "contract touched rows");
        leftovers::expect_none(&db, None).await;
        node.create_new("contracted", "community").await.unwrap();
        node.create("contracted-default", &[]).await.unwrap();
        let by_default = node.session().value("SELECT visibility FROM images WHERE id = 'contracted-default'").await;
        assert_eq!(by_default.as_deref(), Some("shared"));
    }

    async fn an_unmigrated_image_waits_for_migrate_until_a_node_writes_its_access(db: TestDatabase) {
        let concertina = at_newton(&db).await;
        let mut node = Node::start(&db).await;
        for image in ["untouched", "renamed", "repeated", "old-write", "new-write"] {
            node.create_old(image, false).await.unwrap();
        }
        concertina.run(&["expand"]).expect_code(0);

        // The backfill knows more than the sync (who the members are), so the row must stay its own.
        node.update("renamed", &[("name", "'ubuntu'")]).await.unwrap();
        node.expect_access("renamed", false, None).await;
        node.update_old("repeated", false).await.unwrap();
        node.expect_access("repeated", false, None).await;

        node.update_old("old-write", true).await.unwrap();
        node.expect_access("old-write", true, Some("public")).await;
        node.update_new("new-write", "community").await.unwrap();
        node.expect_access("new-write", false, Some("community")).await;

        concertina.run(&["migrate"]).expect_code(0);
        for image in ["untouched", "renamed", "repeated"] {
            node.expect_access(image, false, Some("private")).await;
        }
        node.expect_access("old-write", true, Some("public")).await;
        node.expect_access("new-write", false, Some("community")).await;
    }

    async fn a_write_of_both_columns_is_accepted_in_step_and_refused_otherwise(db: TestDatabase) {
        let concertina = at_newton(&db).await;
        concertina.run(&["expand"]).expect_code(0);
        let mut node = Node::start(&db).await;
        let (yes, no) = (db.kind().boolean(true), db.kind().boolean(false));

        // In step: an old writer's pair, or one whose visibility says what is_public says.
        for (is_public, value, visibility) in [
            (yes, true, "public"),
            (no, false, "shared"),
            (no, false, "private"),
            (no, false, "community"),
        ] {
            let image = format!("both-{visibility}");
            let given = [("is_public", is_public), ("visibility", &*format!("'{visibility}'"))];
            node.create(&image, &given).await.unwrap();
            node.expect_access(&image, value, Some(visibility)).await;
        }
        for (is_public, visibility) in [(yes, "private"), (yes, "shared"), (yes, "community"), (no, "public")] {
            let given = [("is_public", is_public), ("visibility", &*format!("'{visibility}'"))];
            expect_conflict(node.create("refused", &given).await);
        }

        node.update("both-public", &[("is_public", no), ("visibility", "'community'")]).await.unwrap();
        node.expect_access("both-public", false, Some("community")).await;
        expect_conflict(node.update("both-shared", &[("is_public", yes), ("visibility", "'private'")]).await);
        node.expect_access("both-shared", false, Some("shared")).await;

        // Newton's schema had no default for is_public, so a writer who gives neither column is mistaken.
        node.create("refused", &[]).await.expect_err("an image with neither column should be refused");
        node.update("both-shared", &[("is_public", "NULL")]).await.expect_err("is_public is still mandatory");
        node.update("both-shared", &[("visibility", "NULL")]).await.expect_err("there is no way back from NULL");
        node.expect_access("both-shared", false, Some("shared")).await;
        assert_eq!(node.access("refused").await, None);
    }

    async fn an_image_that_gains_a_member_is_shared(db: TestDatabase) {
        let concertina = at_newton(&db).await;
        let mut node = Node::start(&db).await;
        node.create_old("unmigrated", false).await.unwrap();
        node.create_old("migrated", false).await.unwrap();
        concertina.run(&["expand"]).expect_code(0);

        // Nothing to keep in step yet: the backfill looks for members itself.
        node.add_member("unmigrated", "tenant-01", false).await.unwrap();
        node.expect_access("unmigrated", false, None).await;

        concertina.run(&["migrate"]).expect_code(0);
        node.expect_access("unmigrated", false, Some("shared")).await;
        node.expect_access("migrated", false, Some("private")).await;

        // An old node shares an image whose row was migrated to private.
        node.add_member("migrated", "tenant-01", false).await.unwrap();
        node.expect_access("migrated", false, Some("shared")).await;

        node.create_new("private", "private").await.unwrap();
        node.add_member("private", "tenant-01", true).await.unwrap();
        node.expect_access("private", false, Some("private")).await;
        node.mark_member("private", "tenant-01", false).await.unwrap();
        node.expect_access("private", false, Some("shared")).await;
        // Losing the member takes nothing back: shared is what the image's owner now says it is.
        node.mark_member("private", "tenant-01", true).await.unwrap();
        node.expect_access("private", false, Some("shared")).await;

        for (visibility, is_public) in [("public", true), ("community", false)] {
            node.create_new(visibility, visibility).await.unwrap();
            node.add_member(visibility, "tenant-01", false).await.unwrap();
            node.expect_access(visibility, is_public, Some(visibility)).await;
        }

        // Contract would refuse if any of this had left a row that is not in step.
        concertina.run(&["contract", "--quiet-period", "0s"]).expect_code(0);
        leftovers::expect_none(&db, None).await;
        node.add_member("public", "tenant-02", false).await.unwrap();
    }
}
