//! When a rollback refuses, says why, and changes nothing.

use crate::conformance::glance::{Node, at_newton};
use crate::support::{Dump, TestDatabase, Train, on_every_database};

on_every_database! {
    async fn what_new_nodes_wrote_is_not_lost_unasked(db: TestDatabase) {
        let concertina = at_newton(&db).await;
        concertina.run(&["expand"]).expect_code(0);
        Node::start(&db).await.create_new("new", "community").await.expect("a new write");
        let before = Dump::of(&db).await;
        concertina.run(&["rollback"]).expect_code(6)
            .expect_stderr("error: new nodes of ocata wrote, and what they wrote would be lost: the sync `images_visibility` saw a new-style write")
            .expect_stderr("--yes, which is --force new_writes");
        concertina.run(&["plan", "rollback"]).expect_code(0).expect_stdout("-- would be lost: the sync `images_visibility`");
        before.expect_same(&Dump::of(&db).await);
        concertina.run(&["rollback", "--yes"]).expect_code(0).expect_stdout("done: ocata/rollback");
        let forced = "SELECT subject FROM concertina_history WHERE outcome = 'forced'";
        assert_eq!(db.owner().await.lines(forced).await, ["gate new_writes"]);
    }

    /// On MySQL a session says at most once a minute that it wrote, and remembers that across a rollback.
    async fn an_old_node_that_wrote_before_a_rollback_is_not_forgotten(db: TestDatabase) {
        let concertina = at_newton(&db).await;
        concertina.run(&["expand"]).expect_code(0);
        let mut node = Node::start(&db).await;
        node.create_old("one", true).await.expect("an old write");
        concertina.run(&["rollback"]).expect_code(0);
        concertina.run(&["expand"]).expect_code(0);
        node.create_old("two", true).await.expect("an old write");
        concertina.run(&["migrate"]).expect_code(0);
        concertina.run(&["contract"]).expect_code(6).expect_stderr("and the quiet period is 300 s");
    }

    async fn rows_of_a_new_table_are_not_lost_unasked(db: TestDatabase) {
        if db.file().is_some() {
            drop(db.owner().await);
        }
        let mut train = Train::new(&db);
        train.add(&[("expand/01_a.yaml", "steps:\n  - create_table: { name: fresh, columns: [{ name: id, type: integer }], primary_key: [id] }\n")]);
        train.concertina().run(&["expand"]).expect_code(0);
        db.owner().await.run("INSERT INTO fresh (id) VALUES (1)").await;
        let before = Dump::of(&db).await;
        train.concertina().run(&["rollback"]).expect_code(6).expect_stderr("there are rows in the new table `fresh`");
        before.expect_same(&Dump::of(&db).await);
        train.concertina().run(&["rollback", "--force", "new_writes"]).expect_code(0);
        assert!(db.owner().await.try_lines("SELECT id FROM fresh").await.is_err(), "the table is gone");
    }

    async fn values_of_a_new_column_are_not_lost_unasked(db: TestDatabase) {
        let mut train = Train::new(&db);
        db.owner().await.run("CREATE TABLE t (id INTEGER PRIMARY KEY)").await;
        train.add(&[("expand/01_a.yaml", "steps:\n  - add_column: { table: t, column: { name: extra, type: integer } }\n")]);
        train.concertina().run(&["expand"]).expect_code(0);
        db.owner().await.run("INSERT INTO t (id, extra) VALUES (1, 2)").await;
        train.concertina().run(&["rollback"]).expect_code(6)
            .expect_stderr("there are values in the new column `extra` of `t`");
        db.owner().await.run("UPDATE t SET extra = NULL").await;
        train.concertina().run(&["rollback"]).expect_code(0);
    }

    async fn a_rollback_refuses_once_contract_has_begun(db: TestDatabase) {
        let concertina = at_newton(&db).await;
        concertina.run(&["expand"]).expect_code(0);
        concertina.run(&["migrate"]).expect_code(0);
        let contract = &["contract", "--quiet-period", "0s"];
        let died = concertina.clone().env("CONCERTINA_FAILPOINT", "step.statement.before:1").run(contract);
        assert_eq!(died.code, None, "{died}");
        concertina.run(&["rollback"]).expect_code(6).expect_stderr("the contract of ocata has begun");
        concertina.run(contract).expect_code(0);
        let before = Dump::of(&db).await;
        concertina.run(&["rollback"]).expect_code(0).expect_stdout("nothing to do");
        concertina.run(&["rollback", "--release", "ocata"]).expect_code(6).expect_stderr("the contract of ocata is done");
        before.expect_same(&Dump::of(&db).await);
    }

    async fn rows_that_are_null_now_are_named_before_anything_is_gone(db: TestDatabase) {
        let mut train = Train::new(&db);
        db.owner().await.run("CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER NOT NULL)").await;
        train.add(&[(
            "expand/01_a.yaml",
            "steps:\n  - drop_not_null: { table: t, column: a }\n  - add_column: { table: t, column: { name: b, type: integer } }\n",
        )]);
        train.concertina().run(&["expand"]).expect_code(0);
        db.owner().await.run("INSERT INTO t (id, a) VALUES (7, NULL)").await;
        let before = Dump::of(&db).await;
        train.concertina().run(&["rollback"]).expect_code(6)
            .expect_stderr("make a of t NOT NULL cannot be done: rows of `t` have NULL in `a`: 7");
        before.expect_same(&Dump::of(&db).await);
        db.owner().await.run("UPDATE t SET a = 1").await;
        train.concertina().run(&["rollback"]).expect_code(0);
        assert!(db.owner().await.execute("INSERT INTO t (id) VALUES (8)").await.is_err(), "it is NOT NULL again");
    }

    async fn raw_sql_without_an_undo_part_is_refused_by_name(db: TestDatabase) {
        let mut train = Train::new(&db);
        db.owner().await.run("CREATE TABLE t (id INTEGER PRIMARY KEY)").await;
        train.add(&[("expand/01_a.yaml", "steps:\n  - sql: { run: ALTER TABLE t ADD COLUMN b INTEGER }\n")]);
        train.concertina().run(&["expand", "--force", "lint"]).expect_code(0);
        let before = Dump::of(&db).await;
        train.concertina().run(&["rollback"]).expect_code(6)
            .expect_stderr("r1 cannot be rolled back: r1/expand/01_a/1: the SQL of this step has no undo part");
        train.concertina().run(&["plan", "rollback"]).expect_code(6).expect_stdout("CANNOT BE UNDONE");
        before.expect_same(&Dump::of(&db).await);
    }
}
