//! Each kind of step that expand has, taken back.

use super::Before;
use crate::support::{Kind, TestDatabase, Train, on_every_database};

/// Tables as an older release made them.
async fn tables(db: &TestDatabase) {
    let mut owner = db.owner().await;
    owner.run("CREATE TABLE parents (id INTEGER PRIMARY KEY)").await;
    owner
        .run(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, parent INTEGER, a VARCHAR(10) DEFAULT 'it''s' NOT NULL, b INTEGER NOT NULL, \
             c INTEGER, CONSTRAINT c_positive CHECK (c > 0))",
        )
        .await;
    owner.run("INSERT INTO t (id, b, c) VALUES (1, 2, 3)").await;
}

const STEPS: &str = "
steps:
  - create_table:
      name: fresh
      columns: [{ name: id, type: integer }, { name: mood, type: { enum: [good, bad], name: mood } }]
      primary_key: [id]
  - add_column: { table: t, column: { name: state, type: { enum: [on, off], name: on_off } } }
  - create_index: { table: t, name: t_state, columns: [state] }
  - add_foreign_key: { table: t, name: t_parent, columns: [parent], references: { table: parents, columns: [id] } }
  - drop_not_null: { table: t, column: b }
  - drop_default: { table: t, column: a }
";

on_every_database! {
    async fn what_expand_made_and_loosened_is_taken_back(db: TestDatabase) {
        tables(&db).await;
        let mut train = Train::new(&db);
        train.add(&[("expand/01_a.yaml", STEPS)]);
        train.concertina().run(&["status"]).expect_code(0);
        let before = crate::conformance::introspect::schema(&db).await;
        for _ in 0..2 {
            train.concertina().run(&["expand", "--force", "lint"]).expect_code(0);
            train.concertina().run(&["rollback"]).expect_code(0).expect_stdout("done: r1/rollback");
            let after = crate::conformance::introspect::schema(&db).await;
            assert_eq!(crate::conformance::schema::Schema::differences(&before, &after), []);
        }
        let mut owner = db.owner().await;
        owner.run("INSERT INTO t (id, b) VALUES (2, 3)").await;
        assert_eq!(owner.lines("SELECT a FROM t WHERE id = 2").await, ["it's"]);
        owner.execute("INSERT INTO t (id) VALUES (3)").await.expect_err("b is NOT NULL again");
    }

    async fn a_check_that_was_dropped_is_there_again(db: TestDatabase) {
        // MariaDB copies the table for a check, and is not told that it may.
        if db.kind() == Kind::MySql {
            return;
        }
        tables(&db).await;
        let mut train = Train::new(&db);
        train.add(&[("expand/01_a.yaml", "steps:\n  - drop_constraint: { table: t, name: c_positive }\n")]);
        train.concertina().run(&["status"]).expect_code(0);
        let before = crate::conformance::introspect::schema(&db).await;
        train.concertina().run(&["expand", "--force", "lint"]).expect_code(0);
        db.owner().await.run("INSERT INTO t (id, b, c) VALUES (9, 2, -3)").await;
        train.concertina().run(&["rollback"]).expect_code(if db.kind() == Kind::Sqlite { 1 } else { 6 });
        db.owner().await.run("DELETE FROM t WHERE id = 9").await;
        train.concertina().run(&["rollback"]).expect_code(0);
        let after = crate::conformance::introspect::schema(&db).await;
        assert_eq!(crate::conformance::schema::Schema::differences(&before, &after), []);
    }

    /// What was there before the release is not made anew: that is told, of the column that was written over and not of the new one.
    async fn what_a_backfill_wrote_over_is_told_to_stay(db: TestDatabase) {
        let mut train = Train::new(&db);
        db.owner().await.run("CREATE TABLE t (id INTEGER PRIMARY KEY, meta VARCHAR(40))").await;
        db.owner().await.run("INSERT INTO t (id, meta) VALUES (1, 'old')").await;
        train.add(&[
            ("expand/01_a.yaml", "steps:\n  - add_column: { table: t, column: { name: extra, type: integer } }\n"),
            ("data/01_a.yaml", "backfill: { table: t, set: { extra: id }, where: extra IS NULL }\n"),
            ("data/02_b.yaml", "backfill: { table: t, set: { meta: \"'new'\" }, where: meta <> 'new' }\n"),
        ]);
        train.concertina().run(&["expand"]).expect_code(0);
        train.concertina().run(&["migrate"]).expect_code(0);
        let output = train.concertina().run(&["rollback", "--yes"]);
        output.expect_code(0).expect_stdout("note: r1/migrate/02_b wrote meta of `t`: what it did stays");
        assert!(!output.stdout.contains("01_a"), "{output}");
        assert_eq!(db.owner().await.lines("SELECT meta FROM t").await, ["new"]);
    }

    async fn sql_is_taken_back_by_its_undo_part(db: TestDatabase) {
        tables(&db).await;
        let mut train = Train::new(&db);
        let sql = "ALTER TABLE t ADD COLUMN more INTEGER;\n-- concertina: undo\nALTER TABLE t DROP COLUMN more;\n";
        train.add(&[("expand/01_a.sql", sql)]);
        train.concertina().run(&["expand", "--force", "lint"]).expect_code(0);
        let died = train.concertina().env("CONCERTINA_FAILPOINT", "step.finish.before:1").run(&["rollback"]);
        assert_eq!(died.code, None, "{died}");
        if db.kind() == Kind::MySql {
            // Whether the undo had run, only a person can know.
            train.concertina().run(&["rollback"]).expect_code(9);
            train.concertina().run(&["resolve", "r1/expand/01_a/1", "--not-applied"]).expect_code(0);
        }
        train.concertina().run(&["rollback"]).expect_code(0);
        db.owner().await.try_lines("SELECT more FROM t").await.expect_err("the column is gone");
        train.concertina().run(&["expand", "--force", "lint"]).expect_code(0);
        train.concertina().run(&["rollback"]).expect_code(0);
        Before::of(&db).await.expect(&db, "r1", "at the end").await;
    }

    async fn a_wider_type_stays_and_expand_finds_it(db: TestDatabase) {
        tables(&db).await;
        let mut train = Train::new(&db);
        train.add(&[("expand/01_a.yaml", "steps:\n  - widen_column: { table: t, column: a, type: string(20) }\n")]);
        train.concertina().run(&["expand", "--force", "lint"]).expect_code(0);
        train.concertina().run(&["plan", "rollback"]).expect_code(0).expect_stdout("(stays: `a` of `t` stays as wide as it is");
        train.concertina().run(&["rollback"]).expect_code(0).expect_stdout("note: `a` of `t` stays as wide as it is");
        train.concertina().run(&["status"]).expect_code(0).expect_stdout("r1  pending");
        train.concertina().run(&["expand", "--force", "lint"]).expect_code(0);
        train.concertina().run(&["status"]).expect_code(0).expect_stdout("done     widen a of t");
    }

    async fn constraints_that_came_go_and_those_that_went_come_again(db: TestDatabase) {
        tables(&db).await;
        let mut owner = db.owner().await;
        owner
            .run(
                "CREATE TABLE u (id INTEGER PRIMARY KEY, a INTEGER, parent INTEGER, CONSTRAINT u_a UNIQUE (a), \
                 CONSTRAINT u_parent FOREIGN KEY (parent) REFERENCES parents (id) ON DELETE CASCADE)",
            )
            .await;
        owner.run("INSERT INTO parents (id) VALUES (1)").await;
        owner.run("INSERT INTO u (id, a, parent) VALUES (1, 1, 1)").await;
        let mut train = Train::new(&db);
        let mut steps = "steps:\n  - add_check: { table: t, name: b_small, check: b < 10, allow_rewrite: true }\n  \
                         - drop_constraint: { table: u, name: u_parent }\n".to_owned();
        // Of SQLite's unique constraints none has a name that is kept.
        if db.kind() != Kind::Sqlite {
            steps.push_str("  - drop_constraint: { table: u, name: u_a }\n");
        }
        train.add(&[("expand/01_a.yaml", &steps)]);
        train.concertina().run(&["status"]).expect_code(0);
        let before = crate::conformance::introspect::schema(&db).await;
        train.concertina().run(&["expand", "--force", "lint"]).expect_code(0);
        owner.execute("INSERT INTO t (id, b) VALUES (2, 11)").await.expect_err("the new check");
        owner.run("INSERT INTO u (id, a, parent) VALUES (2, 2, 9)").await;
        train.concertina().run(&["rollback"]).expect_code(6)
            .expect_stderr("rows of `u` refer to rows of `parents` that do not exist: 2");
        owner.run("DELETE FROM u WHERE id = 2").await;
        train.concertina().run(&["rollback"]).expect_code(0);
        let after = crate::conformance::introspect::schema(&db).await;
        assert_eq!(crate::conformance::schema::Schema::differences(&before, &after), []);
        owner.run("INSERT INTO t (id, b) VALUES (2, 11)").await;
    }

    async fn a_new_label_stays_and_expand_finds_it(db: TestDatabase) {
        let mut train = Train::new(&db);
        train.expand(
            "  - create_table:\n      name: moods\n      columns: [{ name: id, type: integer }, \
             { name: mood, type: { enum: [good], name: mood } }]\n      primary_key: [id]\n",
        );
        train.add(&[("expand/01_a.yaml", "steps:\n  - add_enum_value: { table: moods, column: mood, value: bad }\n")]);
        train.concertina().run(&["expand", "--force", "lint"]).expect_code(0);
        train.concertina().run(&["rollback"]).expect_code(0);
        db.owner().await.run("INSERT INTO moods (id, mood) VALUES (1, 'bad')").await;
        train.concertina().run(&["expand", "--force", "lint"]).expect_code(0);
        train.concertina().run(&["status"]).expect_code(0).expect_stdout("r2  migrated");
    }

    async fn a_state_of_the_version_before_is_brought_up_to_date(db: TestDatabase) {
        tables(&db).await;
        let mut train = Train::new(&db);
        train.add(&[
            ("expand/01_a.yaml", "steps:\n  - drop_default: { table: t, column: a }\n"),
            ("contract/01_a.yaml", "steps:\n  - set_default: { table: t, column: a, value: x }\n"),
        ]);
        train.concertina().run(&["expand", "--force", "lint"]).expect_code(0);
        let mut owner = db.owner().await;
        owner.run("DROP TABLE concertina_undo").await;
        owner.run("DELETE FROM concertina_schema_history WHERE version = 5").await;
        train.concertina().run(&["plan", "rollback"]).expect_code(6);
        // What the older program did not remember, nobody knows.
        train.concertina().run(&["rollback"]).expect_code(6).expect_stderr("`a`");
        train.concertina().run(&["migrate"]).expect_code(0);
        train.concertina().run(&["contract", "--force", "lint"]).expect_code(0);
        assert_eq!(owner.lines("SELECT MAX(version) FROM concertina_schema_history").await, ["5"]);
    }
}
