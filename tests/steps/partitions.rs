//! Partitioned tables of PostgreSQL: what cannot be done concurrently for the table is done for each partition.

use crate::support::{Kind, Session, TestDatabase, Train, run};

fn on_postgres<F: Future<Output = ()>>(test: &str, body: impl FnOnce(TestDatabase) -> F) {
    run(Kind::Postgres, test, body);
}

/// Partitions in two levels, and one in another schema.
async fn events(db: &TestDatabase) -> Session {
    let mut session = db.owner().await;
    for sql in [
        "CREATE TABLE events (id INTEGER NOT NULL, day INTEGER NOT NULL, who INTEGER) PARTITION BY RANGE (day)",
        "CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM (0) TO (10)",
        "CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM (10) TO (20) PARTITION BY RANGE (day)",
        "CREATE TABLE events_21 PARTITION OF events_2 FOR VALUES FROM (10) TO (15)",
        "CREATE SCHEMA attic",
        "CREATE TABLE attic.events_22 PARTITION OF events_2 FOR VALUES FROM (15) TO (20)",
        "INSERT INTO events SELECT n, n % 20, n % 7 FROM generate_series(1, 1000) n",
        "CREATE TABLE people (id INTEGER PRIMARY KEY)",
        "INSERT INTO people SELECT n FROM generate_series(0, 6) n",
    ] {
        session.run(sql).await;
    }
    session
}

/// How many indexes of the partition tree there are, and how many of them are of no use.
const INDEXES: &str = "SELECT count(*), count(*) FILTER (WHERE NOT x.indisvalid), \
    count(*) FILTER (WHERE NOT EXISTS (SELECT 1 FROM pg_inherits h WHERE h.inhrelid = x.indexrelid)) \
    FROM pg_index x WHERE x.indrelid IN (SELECT relid FROM pg_partition_tree('events'))";

#[test]
fn an_index_is_built_for_each_partition_while_writers_write() {
    on_postgres("an_index_is_built_for_each_partition", async |db: TestDatabase| {
        let mut session = events(&db).await;
        let mut train = Train::new(&db);
        train.add(&[(
            "expand/01_index.yaml",
            "steps:\n  - create_index: { table: events, name: ix_who, columns: [who] }\n",
        )]);
        // A partition's build waits for this transaction, and nobody waits for the build.
        let mut slow = db.owner().await;
        slow.run("BEGIN").await;
        slow.run("UPDATE events_1 SET who = 1 WHERE id = 1").await;
        let running = train.concertina().spawn(&["expand"]);
        let waiting = "SELECT 1 FROM pg_stat_progress_create_index WHERE command = 'CREATE INDEX CONCURRENTLY'";
        for tries in 0.. {
            assert!(tries < 20_000, "a build waits");
            if session.value(waiting).await.is_some() {
                break;
            }
        }
        session.run("SET lock_timeout = '5s'").await;
        session.run("INSERT INTO events VALUES (5001, 1, 1), (5002, 11, 1), (5003, 19, 1)").await;
        slow.run("COMMIT").await;
        running.finish().expect_code(0);
        assert_eq!(session.lines(INDEXES).await, ["5|0|1"], "one for each table of the tree, all but the first a part");
        session.run("CREATE TABLE events_3 PARTITION OF events FOR VALUES FROM (20) TO (30)").await;
        assert_eq!(session.lines(INDEXES).await, ["6|0|1"], "a later partition gets its own");
        train.concertina().run(&["expand"]).expect_code(0);
        train.contract("  - drop_index: { table: events, name: ix_who }");
        assert_eq!(session.lines(INDEXES).await, ["0|0|0"]);
    });
}

#[test]
fn an_index_that_was_interrupted_anywhere_is_finished() {
    on_postgres("an_index_that_was_interrupted_anywhere", async |db: TestDatabase| {
        let mut session = events(&db).await;
        let mut train = Train::new(&db);
        train.add(&[
            ("expand/01_index.yaml", "steps:\n  - create_index: { table: events, name: ix_who, columns: [who] }\n"),
            (
                "contract/01_unique.yaml",
                "steps:\n  - add_unique: { table: events, name: uq_events, columns: [id, day] }\n",
            ),
        ]);
        for (phase, indexes) in [("expand", "5|0|1"), ("contract", "10|0|2")] {
            let mut deaths = 0;
            loop {
                let statement = train.concertina().env("CONCERTINA_FAILPOINT", "step.statement.after").run(&[phase]);
                if statement.code == Some(0) {
                    break;
                }
                assert_eq!(statement.code, None, "{statement}");
                deaths += 1;
                assert!(deaths < 40, "it gets further each time");
                session
                    .run(format!(
                        "INSERT INTO events VALUES ({}, 3, 1)",
                        7000 + deaths + i32::from(phase == "contract") * 100
                    ))
                    .await;
            }
            if phase == "expand" {
                train.concertina().run(&["migrate"]);
            }
            assert!(deaths > 2, "{deaths} deaths in {phase}");
            assert_eq!(session.lines(INDEXES).await, [indexes], "{phase}");
        }
        assert!(session.execute("INSERT INTO events VALUES (1, 1, 1)").await.is_err());
    });
}

#[test]
fn a_unique_constraint_is_built_for_each_partition() {
    on_postgres("a_unique_constraint_is_built_for_each_partition", async |db: TestDatabase| {
        let mut session = events(&db).await;
        let mut train = Train::new(&db);
        train
            .try_steps("contract", "  - add_unique: { table: events, name: uq_id, columns: [id] }")
            .expect_code(1)
            .expect_stderr("`events` is partitioned by `day`");
        let mut train = Train::new(&db);
        train.contract("  - add_unique: { table: events, name: uq_events, columns: [id, day] }");
        assert_eq!(session.lines(INDEXES).await, ["5|0|1"]);
        let constraints =
            "SELECT count(*) FROM pg_constraint WHERE contype = 'u' AND conrelid::regclass::text LIKE '%events%'";
        assert_eq!(session.lines(constraints).await, ["5"]);
        assert!(session.execute("INSERT INTO events VALUES (1, 1, 1)").await.is_err());
        train.contract("  - drop_constraint: { table: events, name: uq_events }");
        assert_eq!(session.lines(INDEXES).await, ["0|0|0"]);
    });
}

#[test]
fn constraints_of_a_partitioned_table_are_added_and_validated() {
    on_postgres("constraints_of_a_partitioned_table", async |db: TestDatabase| {
        let mut session = events(&db).await;
        session.run("UPDATE events SET who = 99 WHERE id IN (4, 14)").await;
        let mut train = Train::new(&db);
        let key = "  - add_foreign_key: { table: events, name: fk_who, columns: [who], references: { table: people, columns: [id] } }";
        train.try_steps("expand", key).expect_code(1).expect_stderr("refer to rows of `people` that do not exist");
        let added = "SELECT count(*) FROM pg_constraint WHERE conname = 'fk_who' AND convalidated";
        assert_eq!(session.lines(added).await, ["0"], "nothing was changed");
        session.run("UPDATE events SET who = 6 WHERE who = 99").await;
        train.concertina().run(&["upgrade"]).expect_code(0);
        assert!(session.execute("INSERT INTO events VALUES (9999, 12, 99)").await.is_err());
        assert_eq!(session.lines(added).await, ["5"]);
        let roots = "SELECT conrelid::regclass FROM pg_constraint WHERE conname = 'fk_who' AND conparentid = 0";
        assert_eq!(session.lines(roots).await, ["events"], "the partitions' own are the table's");
        train.expand("  - add_check: { table: events, name: ck_id, check: id > 0 }");
        train.contract(
            "  - validate: { table: events, name: ck_id }\n  - validate: { table: events, name: fk_who }\n  \
            - set_not_null: { table: events, column: who }",
        );
        assert_eq!(
            session.lines("SELECT count(*) FROM pg_constraint WHERE contype = 'c' AND NOT convalidated").await,
            ["0"]
        );
        assert!(session.execute("INSERT INTO events VALUES (9999, 12, NULL)").await.is_err());
    });
}
