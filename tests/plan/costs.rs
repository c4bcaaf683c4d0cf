//! The locks that `plan` tells are those that the server shows, and so is what is done with the rows.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{prepare, run_phase, statements, steps_of, text};
use crate::support::{Concertina, Kind, Session, TestDatabase, Train, run};

/// PostgreSQL's locks on tables, the weakest first, each as the manual has it and as `pg_locks` does.
const LOCKS: &[(&str, &str)] = &[
    ("ACCESS SHARE", "AccessShareLock"),
    ("ROW SHARE", "RowShareLock"),
    ("ROW EXCLUSIVE", "RowExclusiveLock"),
    ("SHARE UPDATE EXCLUSIVE", "ShareUpdateExclusiveLock"),
    ("SHARE", "ShareLock"),
    ("SHARE ROW EXCLUSIVE", "ShareRowExclusiveLock"),
    ("EXCLUSIVE", "ExclusiveLock"),
    ("ACCESS EXCLUSIVE", "AccessExclusiveLock"),
];

fn rank(lock: &str) -> usize {
    LOCKS
        .iter()
        .position(|(manual, shown)| lock == *manual || lock == *shown)
        .unwrap_or_else(|| panic!("a lock: {lock}"))
}

/// Whether somebody waits for a lock who does not lock whole tables by hand.
fn keeps_waiting(lock: &str) -> bool {
    rank(lock) >= rank("ROW EXCLUSIVE")
}

/// The strongest lock of this session on each table.
async fn held(session: &mut Session) -> BTreeMap<String, &'static str> {
    let query = "SELECT c.relname, l.mode FROM pg_locks l JOIN pg_class c ON c.oid = l.relation AND c.relkind = 'r' \
                 AND c.relnamespace = 'public'::regnamespace AND c.relname !~ '^concertina_' WHERE l.pid = pg_backend_pid()";
    let mut held = BTreeMap::new();
    for row in session.rows(query).await {
        let [Some(table), Some(mode)] = row.as_slice() else { panic!("two texts: {row:?}") };
        strengthen(&mut held, table, mode);
    }
    held
}

fn strengthen(held: &mut BTreeMap<String, &'static str>, table: &str, lock: &str) {
    let rank = rank(lock);
    let known = held.entry(table.to_owned()).or_insert(LOCKS[0].0);
    if rank > self::rank(known) {
        *known = LOCKS[rank].0;
    }
}

/// The file of each table, and how many rows of it this transaction has read one after the other.
async fn rows_read(session: &mut Session) -> BTreeMap<String, (String, u64)> {
    let query = "SELECT s.relname, pg_relation_filenode(s.relid), s.seq_tup_read FROM pg_stat_xact_user_tables s";
    let rows = session.rows(query).await.into_iter();
    rows.map(|row| {
        let [Some(table), Some(file), Some(read)] = row.as_slice() else { panic!("three texts: {row:?}") };
        (table.clone(), (file.clone(), read.parse().expect("a number")))
    })
    .collect()
}

/// Runs a plan's steps statement by statement, and compares each with what was told of it; gives how many were compared.
async fn compare(session: &mut Session, steps: &[Value]) -> usize {
    let mut compared = 0;
    for step in steps {
        let transactional = step["transactional"] == true;
        if transactional {
            session.run("BEGIN").await;
        }
        let mut told = BTreeMap::new();
        for (position, statement) in statements(step).iter().enumerate() {
            let alone = statement.contains("CONCURRENTLY") || statement.contains("ADD VALUE");
            if !transactional && !alone {
                session.run("BEGIN").await;
                told.clear();
            }
            let costs: Vec<&Value> = step["costs"]
                .as_array()
                .expect("a list of costs")
                .iter()
                .filter(|cost| cost["statement"] == position)
                .collect();
            for cost in &costs {
                assert_ne!(text(cost, "stops"), "unknown", "{statement}");
                strengthen(&mut told, text(cost, "table"), text(cost, "lock"));
            }
            if alone {
                session.run(statement).await;
                continue;
            }
            let before = rows_read(session).await;
            session.run(statement).await;
            let after = rows_read(session).await;
            let mut shown = held(session).await;
            // What the statement made was there for nobody, and a table that is gone is shown by its number alone.
            shown.retain(|table, lock| before.contains_key(table) && keeps_waiting(lock));
            let mut expected = told.clone();
            expected.retain(|table, lock| after.contains_key(table) && keeps_waiting(lock));
            assert_eq!(shown, expected, "the locks of `{statement}`");
            for (table, (file, read)) in &after {
                let Some((file_before, read_before)) = before.get(table) else { continue };
                let work = costs.iter().find(|cost| cost["table"] == **table).map_or("none", |cost| text(cost, "work"));
                let anew = file != file_before;
                assert_eq!(anew, work == "rewrites", "whether `{statement}` writes {table} anew");
                let rows = read - read_before;
                match work {
                    "none" => assert_eq!(rows, 0, "`{statement}` reads rows of {table}"),
                    // What is asked of the rows, or of those that they refer to, may be answered by an index.
                    "reads" if !statement.starts_with("-- must return no row") && costs[0]["table"] == **table => {
                        assert!(rows > 0, "`{statement}` reads no row of {table}");
                    }
                    _ => {}
                }
            }
            compared += 1;
            if !transactional {
                session.run("COMMIT").await;
            }
        }
        if transactional {
            session.run("COMMIT").await;
        }
    }
    compared
}

#[test]
fn the_locks_and_the_rows_of_every_kind_of_step_on_postgres() {
    run(Kind::Postgres, "plan_costs", async |db: TestDatabase| {
        let other = TestDatabase::create(Kind::Postgres, "plan_costs_other").await;
        let (train, planned) = (prepare(&db).await, prepare(&other).await);
        let mut session = db.owner().await;
        let mut compared = 0;
        for phase in ["expand", "migrate", "contract"] {
            // The plan is made on one database, and carried out by hand on another that is like it.
            let steps = steps_of(&planned.concertina(), phase);
            if phase == "migrate" {
                assert_eq!(text(&steps[0]["costs"][0], "locks"), "rows");
                session.run("UPDATE goods SET color = paint").await;
            } else {
                compared += compare(&mut session, &steps).await;
            }
            run_phase(&other, &planned.concertina(), phase).await;
        }
        assert!(compared > 25, "{compared} statements");
        drop(train);
    });
}

/// SQL of the user's own, each in a step.
const RAW: &[&str] = &[
    "ALTER TABLE goods ADD COLUMN one INTEGER DEFAULT 7, ADD COLUMN two TIMESTAMP DEFAULT now()",
    "ALTER TABLE goods ADD COLUMN three DOUBLE PRECISION DEFAULT random()",
    "ALTER TABLE goods ADD COLUMN four INTEGER CHECK (four > 0)",
    "ALTER TABLE goods ADD CONSTRAINT ck_one CHECK (one > 0)",
    "ALTER TABLE goods ADD CONSTRAINT fk_raw FOREIGN KEY (maker) REFERENCES makers (id)",
    "ALTER TABLE goods ALTER COLUMN price SET NOT NULL",
    "ALTER TABLE goods ALTER COLUMN price TYPE BIGINT",
    "ALTER TABLE goods ALTER COLUMN name TYPE VARCHAR(50)",
    "CREATE INDEX ix_raw ON goods (maker)",
    "DROP INDEX ix_raw",
    "CREATE VIEW some_goods AS SELECT id FROM goods",
    "INSERT INTO makers VALUES (7)",
    "UPDATE goods SET one = 8",
    "DELETE FROM spare WHERE id = 7",
    "ALTER TABLE goods RENAME COLUMN two TO second",
    "DROP TABLE spare",
];

#[test]
fn the_locks_and_the_rows_of_sql_of_ones_own_on_postgres() {
    run(Kind::Postgres, "plan_raw", async |db: TestDatabase| {
        drop(prepare(&db).await);
        let mut session = db.owner().await;
        for (number, sql) in RAW.iter().enumerate() {
            let mut train = Train::new(&db);
            let name = format!("expand/{number:02}_raw.sql");
            train.add(&[(&name, sql)]);
            // Each by itself: what nobody ran is planned first, so the project knows no other release.
            session.run("DELETE FROM concertina_phase").await;
            session.run("DELETE FROM concertina_step").await;
            let steps = steps_of(&train.concertina(), "expand");
            assert_eq!(compare(&mut session, &steps).await, 1, "{sql}");
        }
    });
}

#[test]
fn what_is_not_understood_is_told_as_such() {
    run(Kind::Sqlite, "plan_unknown", async |db: TestDatabase| {
        drop(db.owner().await);
        let mut train = Train::new(&db);
        train.add(&[("expand/01_a.sqlite.sql", "REINDEX;\n")]);
        let plan = train.concertina().run(&["plan"]);
        plan.expect_code(0).expect_stdout("-- lock: not known, for this SQL is not understood here\n");
        let steps = steps_of(&train.concertina(), "expand");
        assert_eq!(text(&steps[0]["costs"][0], "stops"), "unknown");
    });
}

#[test]
fn a_size_is_told_where_rows_are_looked_at() {
    run(Kind::Postgres, "plan_size", async |db: TestDatabase| {
        let train = prepare(&db).await;
        let mut session = db.owner().await;
        session
            .run("INSERT INTO goods (id, paint) SELECT number, 'green' FROM generate_series(1000, 60000) AS number; ANALYZE goods")
            .await;
        let concertina: Concertina = train.concertina();
        concertina
            .run(&["plan", "expand"])
            .expect_stdout("-- lock: SHARE UPDATE EXCLUSIVE on goods, while it works; readers and writers go on\n")
            .expect_stdout("-- rows: all of goods are read (about 59004, 3 MiB: 1 s at 100 MiB/s)\n")
            .expect_stdout(
                "-- lock: ACCESS EXCLUSIVE on goods, for an instant; everybody waits\n-- rows: none is looked at\n",
            );
        concertina
            .run(&["plan", "migrate"])
            .expect_stdout("-- lock: row locks on goods, batch by batch; who writes the same rows waits for a batch\n")
            .expect_stdout(
                "-- rows: those of goods that it asks for are changed (about 59004, 3 MiB: 1 s at 20 MiB/s)\n",
            );
    });
}
