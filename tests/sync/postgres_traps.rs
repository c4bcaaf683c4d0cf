//! What PostgreSQL alone has: partitions, triggers in the order of their names, generated columns, types of its own, COPY
//! and MERGE.

use super::{expand, expect_refused, on_one_database};
use crate::support::{Session, TestDatabase, Train};

const CASE: &str = "
  - add_column: { table: items, column: { name: n, type: string(40) } }
  - drop_not_null: { table: items, column: o }
  - sync: { name: items_case, table: items, forward: { n: upper(o) }, backward: { o: lower(n) } }";

async fn partitioned(db: TestDatabase) {
    for (by, low, high) in [
        ("RANGE", "FROM (MINVALUE) TO (10)", "FROM (10) TO (MAXVALUE)"),
        ("LIST", "IN (1, 2, 3)", "IN (11, 12, 13)"),
        ("HASH", "WITH (MODULUS 2, REMAINDER 0)", "WITH (MODULUS 2, REMAINDER 1)"),
    ] {
        let db = TestDatabase::create(db.kind(), "partitions").await;
        let mut owner = db.owner().await;
        owner
            .run(format!(
                "CREATE TABLE items (id integer, part integer, o varchar(40) NOT NULL, PRIMARY KEY (id, part)) PARTITION BY {by} (part);
                 CREATE TABLE low PARTITION OF items FOR VALUES {low}; CREATE TABLE high PARTITION OF items FOR VALUES {high};
                 INSERT INTO items VALUES (1, 1, 'One'), (2, 2, 'Two'), (3, 11, 'Three')"
            ))
            .await;
        expand(&db, CASE);
        db.grant_application(&["items", "low", "high"]).await;
        let mut session = db.application().await;
        session.run("INSERT INTO items (id, part, o) VALUES (10, 1, 'Old'), (11, 11, 'Old')").await;
        session.run("INSERT INTO items (id, part, n) VALUES (12, 1, 'New'), (13, 11, 'New')").await;
        // Straight into the partition that the row belongs to.
        let partition = session.value("SELECT tableoid::regclass FROM items WHERE part = 2").await.unwrap();
        session.run(format!("INSERT INTO {partition} (id, part, o) VALUES (14, 2, 'Direct')")).await;
        session.run(format!("UPDATE {partition} SET n = 'Straight' WHERE id = 14")).await;
        // To the other partition, without a word of the sync's columns, and with one.
        session.run("UPDATE items SET part = CASE part WHEN 1 THEN 13 ELSE 1 END WHERE id IN (10, 11, 12, 13)").await;
        let found = session.lines("SELECT id, part, o, n FROM items WHERE id > 9 ORDER BY id").await;
        let expected = ["10|13|Old|OLD", "11|1|Old|OLD", "12|13|new|New", "13|1|new|New", "14|2|straight|Straight"];
        assert_eq!(found, expected, "by {by}");
        session
            .run("UPDATE items SET part = CASE part WHEN 1 THEN 13 ELSE 1 END, o = 'Moved' WHERE id IN (10, 12)")
            .await;
        session
            .run("UPDATE items SET part = CASE part WHEN 1 THEN 13 ELSE 1 END, n = 'Moved' WHERE id IN (11, 13)")
            .await;
        let both = session.execute("UPDATE items SET part = 12, o = 'a', n = 'B' WHERE id = 14").await;
        expect_refused(both, "concertina sync items_case");
        let found = session.lines("SELECT id, part, o, n FROM items WHERE id > 9 ORDER BY id").await;
        let expected = [
            "10|1|Moved|MOVED",
            "11|13|moved|Moved",
            "12|1|Moved|MOVED",
            "13|13|moved|Moved",
            "14|2|straight|Straight",
        ];
        assert_eq!(found, expected, "by {by}");
        // One that nobody has migrated is in step wherever it is.
        session.run("UPDATE items SET part = 3 WHERE id = 1").await;
        session.run("UPDATE items SET part = 12 WHERE id = 2").await;
        let out = "SELECT id, o, n FROM items WHERE n IS NOT NULL AND NOT (n = upper(o) OR o = lower(n))";
        assert_eq!(session.lines(out).await, [""; 0]);
        assert_eq!(
            session.value("SELECT string_agg(o, ' ' ORDER BY id) FROM items WHERE id < 9").await.as_deref(),
            Some("One Two Three")
        );
    }
}

async fn later_partition(db: TestDatabase) {
    let mut owner = db.owner().await;
    owner.run("CREATE TABLE items (id integer PRIMARY KEY, o varchar(40) NOT NULL) PARTITION BY RANGE (id)").await;
    owner.run("CREATE TABLE low PARTITION OF items FOR VALUES FROM (MINVALUE) TO (10)").await;
    expand(&db, CASE);
    owner.run("CREATE TABLE middle PARTITION OF items FOR VALUES FROM (10) TO (20)").await;
    owner.run("CREATE TABLE high (id integer PRIMARY KEY, o varchar(40), n varchar(40))").await;
    owner.run("ALTER TABLE items ATTACH PARTITION high FOR VALUES FROM (20) TO (MAXVALUE)").await;
    db.grant_application(&["items", "low", "middle", "high"]).await;
    let mut session = db.application().await;
    session.run("INSERT INTO items (id, o) VALUES (1, 'Old'), (11, 'Old'), (21, 'Old')").await;
    session.run("INSERT INTO items (id, n) VALUES (2, 'New'), (12, 'New')").await;
    session.run("INSERT INTO high (id, n) VALUES (22, 'New')").await;
    session.run("UPDATE items SET n = 'Newer' WHERE id % 10 = 1").await;
    session.run("UPDATE items SET o = 'Older' WHERE id % 10 = 2").await;
    assert_eq!(
        session.lines("SELECT DISTINCT id % 10, o, n FROM items ORDER BY 1").await,
        ["1|newer|Newer", "2|Older|OLDER"]
    );
}

async fn own_triggers(db: TestDatabase) {
    let mut owner = db.owner().await;
    owner
        .run(
            "CREATE TABLE items (id integer PRIMARY KEY, o varchar(40) NOT NULL, other integer, size integer);
             CREATE FUNCTION tidy() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 NEW.o := trim(NEW.o); NEW.size := length(NEW.o); RETURN NEW; END $$;
             CREATE FUNCTION seven() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.o := 'Seven'; RETURN NEW; END $$;
             CREATE FUNCTION skip() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
             CREATE TRIGGER a BEFORE INSERT ON items FOR EACH ROW EXECUTE FUNCTION tidy();
             CREATE TRIGGER zzz BEFORE UPDATE OF o ON items FOR EACH ROW EXECUTE FUNCTION tidy();
             CREATE TRIGGER \"{\" BEFORE UPDATE OF other ON items FOR EACH ROW WHEN (NEW.other = 7) EXECUTE FUNCTION seven();
             CREATE TRIGGER skip BEFORE UPDATE OF other ON items FOR EACH ROW WHEN (NEW.other = 8) EXECUTE FUNCTION skip()",
        )
        .await;
    expand(&db, CASE);
    // Made later, and yet before ours.
    owner
        .run(
            "CREATE FUNCTION nine() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.n := 'Nine'; RETURN NEW; END $$;
             CREATE TRIGGER zzzz BEFORE UPDATE OF other ON items FOR EACH ROW WHEN (NEW.other = 9) EXECUTE FUNCTION nine()",
        )
        .await;
    db.grant_application(&["items"]).await;
    let mut session = db.application().await;
    session.run("INSERT INTO items (id, o) VALUES (1, '  Old '), (2, 'Old'), (3, 'Old')").await;
    session.run("INSERT INTO items (id, n) VALUES (4, 'New')").await;
    session.run("UPDATE items SET o = ' Older ' WHERE id = 1").await;
    // A column of the sync that the statement does not name, of the old side and of the new.
    session.run("UPDATE items SET other = 7 WHERE id = 2").await;
    session.run("UPDATE items SET other = 8, n = 'Skipped' WHERE id = 3").await;
    expect_refused(session.execute("UPDATE items SET n = 'Other', other = 7 WHERE id = 3").await, "items_case");
    let found = session.lines("SELECT id, o, n FROM items ORDER BY id").await;
    assert_eq!(found, ["1|Older|OLDER", "2|Seven|SEVEN", "3|Old|OLD", "4|new|New"]);
    session.run("UPDATE items SET other = 9 WHERE id IN (1, 4)").await;
    let found = session.lines("SELECT id, o, n FROM items WHERE other = 9 ORDER BY id").await;
    assert_eq!(found, ["1|nine|Nine", "4|nine|Nine"]);
}

async fn generated(db: TestDatabase) {
    let mut owner = db.owner().await;
    owner
        .run(
            "CREATE TABLE items (id integer PRIMARY KEY, o varchar(40) NOT NULL, m varchar(40),
             twice varchar(80) GENERATED ALWAYS AS (o || o) STORED)",
        )
        .await;
    for (forward, backward) in [("{ twice: upper(o) }", "{ o: lower(m) }"), ("{ m: 'id::text' }", "{ twice: m }")] {
        let mut train = Train::new(&db);
        let sync = format!("  - sync: {{ name: generated, table: items, forward: {forward}, backward: {backward} }}");
        train.try_steps("expand", &sync).expect_code(1).expect_stderr("is generated, so no sync can write it");
    }
    expand(&db, CASE);
    db.grant_application(&["items"]).await;
    let mut session = db.application().await;
    session.run("INSERT INTO items (id, o) VALUES (1, 'Old'), (2, 'Old')").await;
    session.run("INSERT INTO items (id, n) VALUES (3, 'New')").await;
    session.run("UPDATE items SET n = 'Newer' WHERE id = 2").await;
    let found = session.lines("SELECT id, o, n, twice FROM items ORDER BY id").await;
    assert_eq!(found, ["1|Old|OLD|OldOld", "2|newer|Newer|newernewer", "3|new|New|newnew"]);
}

async fn generated_key(db: TestDatabase) {
    let mut owner = db.owner().await;
    owner
        .run(
            "CREATE TABLE items (id integer, o varchar(40) NOT NULL, n varchar(40),
             key varchar(40) GENERATED ALWAYS AS ('k' || id) STORED PRIMARY KEY)",
        )
        .await;
    // It may be read, as a key, but a BEFORE trigger does not see it.
    let mut train = Train::new(&db);
    let sync =
        "  - sync: { name: items_case, table: items, forward: { n: key || upper(o) }, backward: { o: lower(n) } }";
    train
        .try_steps("expand", sync)
        .expect_code(1)
        .expect_stderr("the expression of `n` reads `key`, which the server generates only after the trigger")
        .expect_stderr("--> expand/r1/01_steps.yaml:2:59");
    assert_eq!(owner.lines("SELECT tgname FROM pg_trigger WHERE NOT tgisinternal").await, [""; 0]);
}

async fn numbered_key(db: TestDatabase) {
    let mut owner = db.owner().await;
    owner.run("CREATE TABLE items (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, o varchar(40) NOT NULL)").await;
    expand(
        &db,
        "
  - add_column: { table: items, column: { name: n, type: string(40) } }
  - drop_not_null: { table: items, column: o }
  - sync: { name: items_case, table: items, forward: { n: id || upper(o) }, backward: { o: \"lower(substr(n, 2))\" } }",
    );
    db.grant_application(&["items"]).await;
    let mut session = db.application().await;
    session.run("INSERT INTO items (o) VALUES ('Old'), ('Older')").await;
    assert_eq!(session.lines("SELECT id, o, n FROM items ORDER BY id").await, ["1|Old|1OLD", "2|Older|2OLDER"]);
}

async fn types(db: TestDatabase) {
    let mut owner = db.owner().await;
    owner
        .run(
            "CREATE TYPE mood AS ENUM ('sad', 'happy'); CREATE DOMAIN short AS varchar(5) CHECK (VALUE <> 'never');
             CREATE TABLE items (id integer PRIMARY KEY, is_public boolean NOT NULL DEFAULT false, m mood, c char(6), s short)",
        )
        .await;
    expand(
        &db,
        "
  - add_column: { table: items, column: { name: visibility, type: { enum: [private, public, Shared], name: Image Visibility } } }
  - add_column: { table: items, column: { name: cheerful, type: boolean } }
  - add_column: { table: items, column: { name: t, type: text } }
  - add_column: { table: items, column: { name: tags, type: { postgres: 'text[]', mysql: text, sqlite: text } } }
  - sync:
      name: visibilities
      table: items
      forward: { visibility: CASE WHEN is_public THEN 'public' ELSE 'Shared' END }
      backward: { is_public: visibility = 'public' }
  - sync: { name: moods, table: items, forward: { cheerful: m = 'happy' }, backward: { m: CASE WHEN cheerful THEN 'happy' ELSE 'sad' END } }
  - sync: { name: padded, table: items, forward: { t: upper(c) }, backward: { c: lower(t) } }
  - sync: { name: domains, table: items, forward: { tags: \"string_to_array(s, ' ')\" }, backward: { s: \"array_to_string(tags, ' ')\" } }",
    );
    db.grant_application(&["items"]).await;
    let mut session = db.application().await;
    let columns = "is_public, visibility, m, cheerful, c, t, s, tags";
    session.run("INSERT INTO items (id, is_public, m, c, s) VALUES (1, true, 'happy', 'Old', 'a b')").await;
    session
        .run("INSERT INTO items (id, visibility, cheerful, t, tags) VALUES (2, 'private', false, 'New', '{c,d}')")
        .await;
    session.run("INSERT INTO items (id, visibility, t) VALUES (3, 'public', 'ab')").await;
    let found = session.lines(format!("SELECT id, {columns} FROM items ORDER BY id")).await;
    assert_eq!(
        found,
        [
            "1|t|public|happy|t|Old   |OLD|a b|{a,b}",
            "2|f|private|sad|f|new   |New|c d|{c,d}",
            "3|t|public|-|-|ab    |ab|-|-"
        ]
    );
    session.run("UPDATE items SET is_public = true, m = 'happy', c = 'x', s = 'z' WHERE id = 2").await;
    session.run("UPDATE items SET visibility = 'Shared', cheerful = false, t = 'Y', tags = '{q}' WHERE id = 1").await;
    let found = session.lines(format!("SELECT id, {columns} FROM items WHERE id < 3 ORDER BY id")).await;
    assert_eq!(found, ["1|f|Shared|sad|f|y     |Y|q|{q}", "2|t|public|happy|t|x     |X|z|{z}"]);
    // A padding that the column adds by itself is no change, and what does not fit is refused, never cut.
    session.run("UPDATE items SET c = 'y  ' WHERE id = 1").await;
    assert_eq!(session.lines("SELECT c, t FROM items WHERE id = 1").await, ["y     |Y"]);
    for (set, code) in [("t = 'Seven c'", "22001"), ("tags = '{never}'", "23514")] {
        let failure = session.execute(format!("UPDATE items SET {set} WHERE id = 1")).await.expect_err(set);
        assert_eq!(failure.code, code, "{set}: {failure:?}");
    }
}

async fn copy_in(session: &mut Session, columns: &str, rows: &str) {
    let Session::Postgres(connection) = session else { unreachable!("it is PostgreSQL") };
    let mut copy = connection.copy_in_raw(&format!("COPY items ({columns}) FROM STDIN")).await.expect("it begins");
    copy.send(rows.as_bytes()).await.expect("it is taken");
    copy.finish().await.expect("it ends");
}

async fn copy_and_merge(db: TestDatabase) {
    let mut session = super::items(&db, "reject").await;
    copy_in(&mut session, "id, o", "10\tOld\n11\tOlder\n").await;
    copy_in(&mut session, "id, n, other", "12\tNew\t1\n13\tNewer\t\\N\n").await;
    copy_in(&mut session, "id, o, n", "14\tBoth\tBOTH\n").await;
    session
        .run(
            "MERGE INTO items i USING (VALUES (10, 'Merged'), (20, 'Merged')) AS v (id, t) ON v.id = i.id
             WHEN MATCHED THEN UPDATE SET n = v.t WHEN NOT MATCHED THEN INSERT (id, n) VALUES (v.id, v.t)",
        )
        .await;
    session
        .run(
            "MERGE INTO items i USING (VALUES (12, 'Merged'), (22, 'Merged')) AS v (id, t) ON v.id = i.id
             WHEN MATCHED THEN UPDATE SET o = v.t WHEN NOT MATCHED THEN INSERT (id, o) VALUES (v.id, v.t)",
        )
        .await;
    // A row that one statement writes twice over, by way of a subquery of its own.
    session
        .run("WITH first AS (UPDATE items SET o = 'First' WHERE id = 11 RETURNING id) UPDATE items SET n = 'Second' WHERE id = 13")
        .await;
    let returned = session.lines("UPDATE items SET n = 'Returned' WHERE id = 14 RETURNING o, n").await;
    assert_eq!(returned, ["returned|Returned"]);
    assert_eq!(
        session.lines("SELECT id, o, n FROM items WHERE id >= 10 ORDER BY id").await,
        [
            "10|merged|Merged",
            "11|First|FIRST",
            "12|Merged|MERGED",
            "13|second|Second",
            "14|returned|Returned",
            "20|merged|Merged",
            "22|Merged|MERGED"
        ]
    );
}

on_one_database! {
    Postgres:
    rows_of_a_partitioned_table_stay_in_step_wherever_they_move: partitioned;
    a_partition_that_comes_later_is_synced: later_partition;
    the_users_own_triggers_come_first: own_triggers;
    generated_columns_beside_are_fine_and_as_a_side_refused: generated;
    a_generated_key: generated_key;
    a_numbered_key: numbered_key;
    enums_booleans_domains_and_arrays_are_cast: types;
    copy_and_merge_are_synced: copy_and_merge;
}
