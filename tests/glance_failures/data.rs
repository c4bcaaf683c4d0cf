//! Failures 4 to 7 and 14: what the data migration does to which rows, and what contract asks of them.

use super::{CONTRACT, MIGRATED, SEEDS, seed, visibilities};
use crate::conformance::glance::{Node, at_newton};
use crate::support::{Concertina, Dump, Project, TestDatabase, on_every_database};

/// Marks an image deleted, as every release of Glance does.
async fn delete(node: &mut Node, db: &TestDatabase, id: &str) {
    node.update(id, &[("deleted", db.kind().boolean(true)), ("deleted_at", "'2017-02-22 14:00:00'")]).await.unwrap();
}

on_every_database! {
    async fn failure_04_upgrade_over_releases_migrates_the_data_of_each(db: TestDatabase) {
        at_newton(&db).await;
        seed(&db).await;
        // Another release behind ocata has data to migrate too, and it reads what ocata made of the first.
        let project = Project::bundled_copy();
        project.write(
            "expand/queens/01_listed.yaml",
            "steps:\n  - add_column: { table: images, column: { name: listed, type: string(20) } }\n    allow: { select-star: a test, prepared-statements: a test }\n",
        );
        project.write(
            "data/queens/01_listed.yaml",
            "backfill: { table: images, set: { listed: visibility }, where: listed IS NULL }\n",
        );
        let output = Concertina::command(&db).project(&project).run(&["upgrade"]);
        output.expect_code(0);
        for phase in ["ocata/migrate", "ocata/contract", "pike/contract", "queens/migrate"] {
            output.expect_stdout(phase);
        }
        assert_eq!(visibilities(&db).await, MIGRATED);
        let listed = db.owner().await.lines("SELECT id, listed FROM images ORDER BY id").await;
        assert_eq!(listed, MIGRATED);
    }

    async fn failure_05_migrate_again_keeps_what_new_nodes_wrote(db: TestDatabase) {
        let concertina = at_newton(&db).await;
        seed(&db).await;
        concertina.run(&["expand"]).expect_code(0);
        let mut node = Node::start(&db).await;
        // Community images before it, in the middle of it, and behind it; a new one, one that was migrated, and one that was not.
        node.create_new("early", "community").await.unwrap();
        concertina.run(&["migrate", "--max-rows", "1"]).expect_code(4);
        for image in ["alone", "member"] {
            node.update_new(image, "community").await.unwrap();
        }
        concertina.run(&["migrate"]).expect_code(0);
        node.create_new("late", "community").await.unwrap();
        node.update_new("public", "community").await.unwrap();
        let written = visibilities(&db).await;
        let images = ["alone", "early", "late", "member", "public"];
        assert_eq!(written, images.map(|image| format!("{image}|community")));
        for _ in 0..2 {
            concertina.run(&["migrate"]).expect_code(0);
            assert_eq!(visibilities(&db).await, written);
        }
        concertina.run(CONTRACT).expect_code(0);
        assert_eq!(visibilities(&db).await, written);
    }

    async fn failure_06_an_image_shared_behind_migrate_is_shared_for_new_nodes(db: TestDatabase) {
        let concertina = at_newton(&db).await;
        seed(&db).await;
        concertina.run(&["expand"]).expect_code(0);
        concertina.run(&["migrate"]).expect_code(0);
        let mut node = Node::start(&db).await;
        node.expect_access("alone", false, Some("private")).await;
        node.add_member("alone", "tenant-02", false).await.unwrap();
        // A new node lists the images of a member by this.
        let listed = "SELECT i.id FROM images i JOIN image_members m ON m.image_id = i.id \
                      WHERE m.member = 'tenant-02' AND i.visibility = 'shared'";
        assert_eq!(node.session().lines(listed).await, ["alone"]);
        concertina.run(CONTRACT).expect_code(0);
        assert_eq!(node.session().lines(listed).await, ["alone"]);
    }

    async fn failure_07_contract_refuses_while_rows_are_pending(db: TestDatabase) {
        let concertina = at_newton(&db).await;
        seed(&db).await;
        concertina.run(&["expand"]).expect_code(0);
        concertina.run(&["check"]).expect_code(4);
        // On SQLite the real one went ahead here, over rows that had no visibility.
        let before = Dump::of(&db).await;
        concertina.run(CONTRACT).expect_code(6).expect_stderr("needs it migrated");
        before.expect_same(&Dump::of(&db).await);
        // A migrate that stopped half-way is as good as none.
        concertina.run(&["migrate", "--max-rows", "1"]).expect_code(4);
        concertina.run(&["check"]).expect_code(4);
        concertina.run(CONTRACT).expect_code(6);
        assert_eq!(visibilities(&db).await.iter().filter(|image| image.ends_with("|-")).count(), 2);
        concertina.run(&["migrate"]).expect_code(0);
        concertina.run(CONTRACT).expect_code(0);
        assert_eq!(visibilities(&db).await, MIGRATED);
    }

    async fn failure_14_soft_deleted_images_are_migrated_too(db: TestDatabase) {
        let concertina = at_newton(&db).await;
        seed(&db).await;
        let mut node = Node::start(&db).await;
        for (id, ..) in SEEDS {
            delete(&mut node, &db, id).await;
        }
        for command in [&["expand"][..], &["migrate"], CONTRACT] {
            concertina.run(command).expect_code(0);
        }
        assert_eq!(visibilities(&db).await, MIGRATED);
    }

    async fn failure_14_rows_that_a_backfill_skips_stop_contract_before_it_begins(db: TestDatabase) {
        at_newton(&db).await;
        seed(&db).await;
        let mut node = Node::start(&db).await;
        delete(&mut node, &db, "alone").await;
        // Its author thinks that what is deleted is nobody's business.
        let project = Project::bundled_copy();
        project.edit("data/ocata/01_visibility.yaml", "where: visibility IS NULL", "where: visibility IS NULL AND NOT deleted");
        let concertina = Concertina::command(&db).project(&project);
        concertina.run(&["expand"]).expect_code(0);
        concertina.run(&["migrate"]).expect_code(0);
        concertina.run(&["check", "--release", "newton"]).expect_code(0);
        let refused = concertina.run(CONTRACT);
        assert_ne!(refused.code, Some(0), "{refused}");
        // It names the row, and has not begun: nodes of newton may go on, and everything can still be taken back.
        refused.expect_stderr("alone");
        concertina.run(&["check", "--release", "newton"]).expect_code(0);
        node.create_old("old", true).await.unwrap();
        node.create_new("new", "community").await.unwrap();
        // Whatever makes the constraint hold is enough.
        node.update_new("alone", "private").await.unwrap();
        concertina.run(CONTRACT).expect_code(0);
        node.create_new("later", "community").await.unwrap();
    }
}
