//! What a sync on PostgreSQL would get wrong, and so is refused before anything is changed; and what nearly was wrong.

use super::{expand, on_one_database};
use crate::support::{TestDatabase, Train};

const CASE: &str = "  - add_column: { table: items, column: { name: n, type: string(40) } }
  - sync: { name: items_case, table: items, forward: { n: upper(o) }, backward: { o: lower(n) } }";

/// Fails unless expand refuses the steps, in these words, before it has changed a thing.
async fn expect_nothing_done(db: &TestDatabase, steps: &str, words: &str) {
    let mut owner = db.owner().await;
    let look = "SELECT attrelid::regclass::text, attname FROM pg_attribute JOIN pg_class c ON c.oid = attrelid \
                WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace AND relname NOT LIKE 'concertina%' \
                AND attnum > 0 UNION ALL SELECT tgname, '' FROM pg_trigger UNION ALL SELECT proname, '' FROM pg_proc ORDER BY 1, 2";
    let before = owner.lines(look).await;
    let mut train = Train::new(db);
    train.try_steps("expand", steps).expect_code(1).expect_stderr(words);
    assert_eq!(owner.lines(look).await, before);
}

async fn partition_default(db: TestDatabase) {
    let mut owner = db.owner().await;
    owner
        .run(
            "CREATE TABLE items (id integer, part integer, o varchar(40) DEFAULT 'Wide', PRIMARY KEY (id, part))
                 PARTITION BY LIST (part);
             CREATE TABLE first PARTITION OF items FOR VALUES IN (1); CREATE TABLE second PARTITION OF items FOR VALUES IN (2)",
        )
        .await;
    expand(&db, &format!("\n{CASE}"));
    db.grant_application(&["items"]).await;
    let mut session = db.application().await;
    session.run("INSERT INTO items (id, part, o) VALUES (1, 1, 'Wide'), (2, 1, 'Other')").await;
    session.run("INSERT INTO items (id, part, n) VALUES (3, 1, 'New')").await;
    // There it is inserted, with every column given: what equals its default was not left out.
    session.run("UPDATE items SET part = 2").await;
    let all = "SELECT id, part, o, n FROM items ORDER BY id";
    assert_eq!(session.lines(all).await, ["1|2|Wide|WIDE", "2|2|Other|OTHER", "3|2|new|New"]);
    // Beside that an insert that gives the new side alone is a new writer's, also where the old one has a default.
    session.run("INSERT INTO items (id, part, n) VALUES (4, 2, 'Newer')").await;
    session.run("UPDATE items SET part = 1, n = 'Newest' WHERE id = 2").await;
    assert_eq!(session.lines(all).await, ["1|2|Wide|WIDE", "2|1|newest|Newest", "3|2|new|New", "4|2|newer|Newer"]);
}

async fn partitioned_by_a_side(db: TestDatabase) {
    for (columns, by) in [("id integer, o varchar(40)", "o"), ("id integer, p integer, o varchar(40)", "p, o")] {
        let db = TestDatabase::create(db.kind(), "partitioned").await;
        db.owner().await.run(format!("CREATE TABLE items ({columns}) PARTITION BY RANGE ({by})")).await;
        expect_nothing_done(&db, CASE, "`items` is partitioned by `o`").await;
    }
}

async fn later_trigger(db: TestDatabase) {
    for (timing, refused) in [
        ("BEFORE UPDATE", true),
        ("BEFORE INSERT", true),
        ("BEFORE UPDATE OF other", true),
        ("BEFORE INSERT OR UPDATE", true),
        ("BEFORE DELETE OR UPDATE", true),
        ("BEFORE DELETE", false),
        ("AFTER INSERT OR UPDATE", false),
    ] {
        let db = TestDatabase::create(db.kind(), "later_trigger").await;
        let mut owner = db.owner().await;
        owner
            .run(format!(
                "CREATE TABLE items (id integer PRIMARY KEY, o varchar(40), other integer);
                 CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN COALESCE(NEW, OLD); END $$;
                 CREATE TRIGGER \"été\" {timing} ON items FOR EACH ROW EXECUTE FUNCTION touch()"
            ))
            .await;
        if refused {
            expect_nothing_done(&db, CASE, "the trigger `été` of `items` fires after the sync's").await;
        } else {
            expand(&db, &format!("\n{CASE}"));
        }
    }
}

async fn short_domain(db: TestDatabase) {
    let mut owner = db.owner().await;
    owner.run("CREATE DOMAIN short AS varchar(5)").await;
    owner.run("CREATE TABLE items (id integer PRIMARY KEY, o short, c varchar(5))").await;
    expand(
        &db,
        &format!(
            "
{CASE}
  - add_column: {{ table: items, column: {{ name: d, type: text }} }}
  - add_column: {{ table: items, column: {{ name: e, type: text }} }}
  - sync: {{ name: items_two, table: items, forward: {{ d: c, e: c }}, backward: {{ c: d || e }} }}"
        ),
    );
    db.grant_application(&["items"]).await;
    let mut session = db.application().await;
    session.run("INSERT INTO items (id, n, d, e) VALUES (1, 'Fits', 'ab', 'cde')").await;
    for write in [
        "UPDATE items SET n = 'Seven c'",
        "INSERT INTO items (id, n) VALUES (2, 'Seven c')",
        "UPDATE items SET d = 'abc'",
    ] {
        let failure = session.execute(write).await.expect_err("it does not fit");
        assert_eq!(failure.code, "22001", "{write}: {failure:?}");
    }
    assert_eq!(session.lines("SELECT id, o, n, c, d, e FROM items").await, ["1|fits|Fits|abcde|ab|cde"]);
}

on_one_database! {
    Postgres:
    a_default_is_kept_in_a_row_that_moves_to_another_partition: partition_default;
    a_table_that_is_partitioned_by_a_side_is_refused: partitioned_by_a_side;
    a_trigger_that_fires_after_ours_is_refused: later_trigger;
    what_does_not_fit_into_a_domain_is_refused_and_never_cut: short_domain;
}
