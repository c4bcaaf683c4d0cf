//! What MySQL and MariaDB do differently from one session to the next: the mode of the session, its clock, its character
//! set, and the user's own triggers and columns.

use super::{expand, expect_refused, item, items, on_one_database};
use crate::support::{Session, TestDatabase, Train};

/// The bytes of both columns of rows that are out of step.
async fn expect_in_step(session: &mut Session) {
    let out = "SELECT id, HEX(o), HEX(n) FROM items WHERE n IS NOT NULL \
               AND NOT (CAST(n AS BINARY) <=> CAST(UPPER(o) AS BINARY) OR CAST(o AS BINARY) <=> CAST(LOWER(n) AS BINARY))";
    assert_eq!(session.lines(out).await, [""; 0]);
}

/// A table `items` of these columns, synced.
async fn table(db: &TestDatabase, columns: &str, table_options: &str, steps: &str) -> Session {
    let mut owner = db.owner().await;
    owner
        .run(format!("CREATE TABLE items (id INTEGER NOT NULL PRIMARY KEY, {columns}) ENGINE=InnoDB {table_options}"))
        .await;
    expand(db, steps);
    db.grant_application(&["items"]).await;
    db.application().await
}

const CASE: &str = "
  - add_column: { table: items, column: { name: n, type: string(40) } }
  - drop_not_null: { table: items, column: o }
  - sync: { name: items_case, table: items, forward: { n: upper(o) }, backward: { o: lower(n) } }";

/// Modes in which the text of a trigger would mean something else.
const MODES: [&str; 7] = [
    "",
    "ANSI_QUOTES",
    "PIPES_AS_CONCAT",
    "NO_BACKSLASH_ESCAPES",
    "ANSI_QUOTES,PIPES_AS_CONCAT,NO_BACKSLASH_ESCAPES,IGNORE_SPACE,HIGH_NOT_PRECEDENCE",
    "STRICT_ALL_TABLES,NO_ZERO_DATE,PAD_CHAR_TO_FULL_LENGTH",
    "ANSI",
];

async fn modes(db: TestDatabase) {
    // The message of a conflict names the columns.
    let mut session = table(
        &db,
        r"`it's\o` VARCHAR(40) NOT NULL",
        "",
        r"
  - add_column: { table: items, column: { name: n, type: string(40) } }
  - drop_not_null: { table: items, column: it's\o }
  - sync:
      name: items_case
      table: items
      forward:
        n: >-
          '\\' || `it's\o` || @-@ || (NOT `it's\o` BETWEEN 'a' AND 'b')
      backward:
        it's\o: substr(n, 2, length(n) - 3)"
            .replace('@', "\"")
            .as_str(),
    )
    .await;
    for (number, mode) in MODES.iter().enumerate() {
        session.run(format!("SET SESSION sql_mode = '{mode}'")).await;
        let id = number * 10;
        session.run(format!("INSERT INTO items (id, `it's\\o`) VALUES ({id}, 'x')")).await;
        session.run(format!("INSERT INTO items (id, n) VALUES ({id} + 1, 'AyB0')")).await;
        session.run(format!("UPDATE items SET `it's\\o` = 'z' WHERE id = {id}")).await;
        let found = session.lines(format!("SELECT `it's\\o`, n FROM items WHERE id >= {id} ORDER BY id")).await;
        assert_eq!(found, [r"z|\z-1", "y|AyB0"], "in {mode}");
        let both = session.execute(format!("UPDATE items SET `it's\\o` = 'p', n = 'q' WHERE id = {id}")).await;
        expect_refused(both, r"concertina sync items_case: it's\o and n disagree");
    }
    // What the server's default was when they were made does not matter either.
    let modes = "SELECT DISTINCT SQL_MODE FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE()";
    let found = db.owner().await.lines(modes).await;
    assert_eq!(found, ["PIPES_AS_CONCAT,STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"]);
}

async fn lenient(db: TestDatabase) {
    let mut session = table(
        &db,
        "o VARCHAR(8) NOT NULL",
        "",
        "
  - add_column: { table: items, column: { name: n, type: string(12) } }
  - drop_not_null: { table: items, column: o }
  - sync: { name: items_case, table: items, forward: { n: upper(o) }, backward: { o: lower(n) } }",
    )
    .await;
    for (number, mode) in ["''", "'STRICT_TRANS_TABLES'"].iter().enumerate() {
        session.run(format!("SET SESSION sql_mode = {mode}")).await;
        let strict = number == 1;
        let first = number * 100;
        // Cut to what the column holds before the trigger sees it, or refused.
        let long = session.execute(format!("INSERT INTO items (id, o) VALUES ({first}, 'Twelve chars')")).await;
        assert_eq!(long.is_err(), strict);
        session.run(format!("INSERT IGNORE INTO items (id, o) VALUES ({first} + 1, 'Twelve chars')")).await;
        assert_eq!(item_of(&mut session, first + 1).await, "Twelve c|TWELVE C");
        // What a new node gives does not fit into the old column: never cut by the sync, whatever the session's mode.
        for insert in ["INSERT", "INSERT IGNORE", "REPLACE"] {
            let failure = session
                .execute(format!("{insert} INTO items (id, n) VALUES ({first} + 2, 'Twelve chars')"))
                .await
                .expect_err("it does not fit");
            assert_eq!(failure.code, "1406", "{insert}: {failure:?}");
            assert_eq!(item_of(&mut session, first + 2).await, "", "{insert}");
        }
        session.run(format!("INSERT INTO items (id, n) VALUES ({first} + 3, 'Fits')")).await;
        for update in ["UPDATE", "UPDATE IGNORE"] {
            let update = format!("{update} items SET n = 'Twelve chars' WHERE id = {first} + 3");
            session.execute(update).await.expect_err("it does not fit");
        }
        assert_eq!(item_of(&mut session, first + 3).await, "fits|Fits");
        // What the old schema made of a missing value, a text without characters, the sync refuses: NULL is no such text.
        for insert in ["INSERT", "INSERT IGNORE"] {
            let failure = session.execute(format!("{insert} INTO items (id) VALUES ({first} + 4)")).await;
            assert_eq!(failure.expect_err("neither side is given").code, "1048", "{insert}");
        }
        session.execute(format!("UPDATE items SET o = NULL WHERE id = {first} + 3")).await.expect_err("o is mandatory");
        assert_eq!(item_of(&mut session, first + 3).await, "fits|Fits");
        // One row of many is refused, and none is kept.
        session
            .execute(format!("INSERT INTO items (id, n) VALUES ({first} + 5, 'fits'), ({first} + 6, 'Twelve chars')"))
            .await
            .expect_err("the second does not fit");
        assert_eq!(item_of(&mut session, first + 5).await, "");
        expect_in_step(&mut session).await;
    }
}

async fn item_of(session: &mut Session, id: usize) -> String {
    session.lines(format!("SELECT o, n FROM items WHERE id = {id}")).await.join(" and ")
}

async fn lenient_types(db: TestDatabase) {
    let mut owner = db.owner().await;
    owner
        .run(
            "CREATE TABLE items (id INTEGER NOT NULL PRIMARY KEY, o ENUM('red', 'green') NOT NULL, count TINYINT NOT NULL) \
             ENGINE=InnoDB",
        )
        .await;
    expand(
        &db,
        "
  - add_column: { table: items, column: { name: n, type: { enum: [rouge, vert] } } }
  - add_column: { table: items, column: { name: tenfold, type: { postgres: smallint, mysql: tinyint, sqlite: integer } } }
  - drop_not_null: { table: items, column: o }
  - drop_not_null: { table: items, column: count }
  - sync:
      name: colours
      table: items
      forward: { n: \"CASE o WHEN 'red' THEN 'rouge' WHEN 'green' THEN 'vert' END\" }
      backward: { o: \"CASE n WHEN 'rouge' THEN 'red' WHEN 'vert' THEN 'green' END\" }
  - sync: { name: counts, table: items, forward: { tenfold: count * 10 }, backward: { count: tenfold DIV 10 } }",
    );
    db.grant_application(&["items"]).await;
    let mut session = db.application().await;
    session.run("SET SESSION sql_mode = ''").await;
    let all = "SELECT id, o, n, count, tenfold FROM items ORDER BY id";
    session.run("INSERT INTO items (id, o, count) VALUES (1, 'green', 3), (2, 'red', 12)").await;
    session.run("INSERT INTO items (id, n, tenfold) VALUES (3, 'vert', 500)").await;
    // 500 is 127 in such a column, by the session's mode; and the sync sees that.
    assert_eq!(session.lines(all).await, ["1|green|vert|3|30", "2|red|rouge|12|120", "3|green|vert|12|127"]);
    // 130 does not fit, and that is the sync's business.
    assert_eq!(session.execute("UPDATE items SET count = 13 WHERE id = 2").await.expect_err("too much").code, "1264");
    // No such colour: the empty one, of which the sync knows no other name.
    let found = session.execute("UPDATE items SET n = 'bleu' WHERE id = 1").await;
    assert_eq!(found.expect_err("there is no old colour for it").code, "1048");
    session.run("UPDATE items SET o = 'blue' WHERE id = 2").await;
    assert_eq!(session.lines(all).await, ["1|green|vert|3|30", "2||-|12|120", "3|green|vert|12|127"]);
    session.run("UPDATE items SET n = 'rouge' WHERE id = 2").await;
    assert_eq!(session.lines(all).await[1], "2|red|rouge|12|120");
}

async fn frozen_clock(db: TestDatabase) {
    let mut owner = db.owner().await;
    owner.run("CREATE TABLE images (id INTEGER NOT NULL PRIMARY KEY, is_public BOOLEAN NOT NULL) ENGINE=InnoDB").await;
    owner.run("CREATE TABLE members (id INTEGER NOT NULL PRIMARY KEY, image_id INTEGER NOT NULL) ENGINE=InnoDB").await;
    expand(
        &db,
        "
  - add_column: { table: images, column: { name: visibility, type: string(20) } }
  - drop_not_null: { table: images, column: is_public }
  - sync:
      name: images_visibility
      table: images
      forward: { visibility: CASE WHEN is_public THEN 'public' ELSE 'shared' END }
      backward: { is_public: visibility = 'public' }
      related: [{ table: members, key: { image_id: id }, when: visibility = 'private' }]",
    );
    db.grant_application(&["images", "members"]).await;
    let mut session = db.application().await;
    for timestamp in ["1000000000", "1000000000.5", "1", "2000000000"] {
        session.run(format!("DELETE FROM members; DELETE FROM images; SET timestamp = {timestamp}")).await;
        // Each statement at the same moment as the one before, also as the one that wrote past the sync.
        session.run("INSERT INTO images (id, visibility) VALUES (1, 'private'), (2, 'private')").await;
        session.run("INSERT INTO members VALUES (1, 1)").await;
        session.run("UPDATE images SET visibility = 'public' WHERE id = 1").await;
        session.run("INSERT INTO members VALUES (2, 2)").await;
        session.run("UPDATE images SET is_public = 1 WHERE id = 2").await;
        session.execute("INSERT INTO members VALUES (2, 2)").await.expect_err("it is there");
        session.run("INSERT INTO images (id, is_public) VALUES (3, 1)").await;
        session.run("UPDATE images SET is_public = 0 WHERE id = 1").await;
        let found = session.lines("SELECT id, is_public, visibility FROM images ORDER BY id").await;
        assert_eq!(found, ["1|0|shared", "2|1|public", "3|1|public"], "at {timestamp}");
    }
}

async fn latin1(db: TestDatabase) {
    let mut session = table(
        &db,
        "o VARCHAR(40) NOT NULL",
        "DEFAULT CHARACTER SET latin1 COLLATE latin1_swedish_ci",
        "
  - add_column: { table: items, column: { name: n, type: { mysql: varchar(40) character set utf8mb4, postgres: text, sqlite: text } } }
  - drop_not_null: { table: items, column: o }
  - sync:
      name: items_case
      table: items
      forward: { n: \"CASE WHEN o = 'Größe' THEN 'GRÖSSE' ELSE upper(o) END\" }
      backward: { o: \"CASE WHEN n = 'GRÖSSE' THEN 'Größe' ELSE lower(n) END\" }",
    )
    .await;
    // The text of a statement as the session takes it: in its own character set.
    for names in ["utf8mb4", "latin1", "utf8mb4 COLLATE utf8mb4_bin"] {
        session.run(format!("DELETE FROM items; SET NAMES {names}")).await;
        let text = |text: &str| {
            let bytes: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
            format!("CONVERT(X'{bytes}' USING utf8mb4)")
        };
        let (size, accent, check) = (text("Größe"), text("Élan"), text("GRÖSSE"));
        session.run(format!("INSERT INTO items (id, o) VALUES (1, {size}), (2, {accent})")).await;
        session.run(format!("INSERT INTO items (id, n) VALUES (3, {check}), (4, {accent})")).await;
        // Case and accent alone are a change, whatever the collation says.
        session.run(format!("UPDATE items SET o = {} WHERE id = 2", text("elan"))).await;
        session.run(format!("UPDATE items SET n = {} WHERE id = 4", text("éLAN"))).await;
        // The old column has no such character: refused, and no question mark is put in its place.
        let failure = session.execute(format!("INSERT INTO items (id, n) VALUES (5, {})", text("A ✓"))).await;
        assert_eq!(failure.expect_err("the old column cannot hold it").code, "1366", "{names}");
        session.run("SET NAMES utf8mb4").await;
        let found = session.lines("SELECT id, o, n FROM items ORDER BY id").await;
        assert_eq!(found, ["1|Größe|GRÖSSE", "2|elan|ELAN", "3|Größe|GRÖSSE", "4|élan|éLAN"], "by {names}");
    }
}

async fn padded(db: TestDatabase) {
    let mut session = table(&db, "o CHAR(10) COLLATE latin1_swedish_ci NOT NULL, other INTEGER", "", CASE).await;
    for mode in ["", "PAD_CHAR_TO_FULL_LENGTH"] {
        session.run(format!("DELETE FROM items; SET SESSION sql_mode = '{mode}'")).await;
        session.run("INSERT INTO items (id, o) VALUES (1, 'Old'), (2, 'Old  ')").await;
        session.run("INSERT INTO items (id, n) VALUES (3, 'New')").await;
        // The column does not keep it, so nothing is written, and the sync must not take it for a write.
        session.run("UPDATE items SET o = 'new ', other = 1 WHERE id = 3").await;
        session.run("UPDATE items SET o = 'OLD' WHERE id = 1").await;
        session.run("UPDATE items SET o = 'oLd' WHERE id = 2").await;
        session.run("SET SESSION sql_mode = ''").await;
        assert_eq!(
            session.lines("SELECT id, o, n FROM items ORDER BY id").await,
            ["1|OLD|OLD", "2|oLd|OLD", "3|new|New"],
            "{mode}"
        );
    }
}

async fn own_triggers(db: TestDatabase) {
    let mut owner = db.owner().await;
    owner
        .run(
            "CREATE TABLE items (id INTEGER NOT NULL PRIMARY KEY, o VARCHAR(40) NOT NULL, other INTEGER) ENGINE=InnoDB",
        )
        .await;
    owner
        .run("CREATE TABLE log (id INTEGER NOT NULL PRIMARY KEY AUTO_INCREMENT, line VARCHAR(99)) ENGINE=InnoDB")
        .await;
    owner.run("CREATE TRIGGER a BEFORE INSERT ON items FOR EACH ROW SET NEW.o = TRIM(NEW.o)").await;
    owner
        .run("CREATE TRIGGER z BEFORE UPDATE ON items FOR EACH ROW SET NEW.o = IF(NEW.other = 7, 'Seven', TRIM(NEW.o))")
        .await;
    owner.run("CREATE TRIGGER l AFTER UPDATE ON items FOR EACH ROW INSERT INTO log (line) VALUES (NEW.o)").await;
    expand(&db, CASE);
    db.grant_application(&["items"]).await;
    let mut session = db.application().await;
    session.run("INSERT INTO items (id, o) VALUES (1, '  Old '), (2, 'Old')").await;
    session.run("UPDATE items SET o = ' Older ' WHERE id = 1").await;
    // Their trigger changes a column that the statement did not name.
    session.run("UPDATE items SET other = 7 WHERE id = 2").await;
    session.run("INSERT INTO items (id, n) VALUES (3, 'New')").await;
    session.run("UPDATE items SET n = 'Newer' WHERE id = 3").await;
    // Both sides are written then, one by the user's trigger.
    expect_refused(session.execute("UPDATE items SET n = 'Other', other = 7 WHERE id = 3").await, "items_case");
    let found = session.lines("SELECT id, o, n FROM items ORDER BY id").await;
    assert_eq!(found, ["1|Older|OLDER", "2|Seven|SEVEN", "3|newer|Newer"]);
    assert_eq!(owner.lines("SELECT line FROM log ORDER BY id").await, ["Older", "Seven", "newer"]);
}

async fn generated(db: TestDatabase) {
    let mut owner = db.owner().await;
    owner
        .run(
            "CREATE TABLE items (id INTEGER NOT NULL PRIMARY KEY, o VARCHAR(40) NOT NULL, \
             size INTEGER AS (LENGTH(o)) VIRTUAL, twice VARCHAR(80) AS (CONCAT(o, o)) STORED, m VARCHAR(40)) ENGINE=InnoDB",
        )
        .await;
    for (forward, backward) in [("{ twice: upper(o) }", "{ o: lower(m) }"), ("{ m: id }", "{ size: m }")] {
        let mut train = Train::new(&db);
        let sync = format!("  - sync: {{ name: generated, table: items, forward: {forward}, backward: {backward} }}");
        train.try_steps("expand", &sync).expect_code(1).expect_stderr("is generated, so no sync can write it");
    }
    expand(&db, CASE);
    db.grant_application(&["items"]).await;
    let mut session = db.application().await;
    session.run("INSERT INTO items (id, o) VALUES (1, 'Old')").await;
    session.run("INSERT INTO items (id, n) VALUES (2, 'New')").await;
    session.run("UPDATE items SET n = 'Newer' WHERE id = 1").await;
    session.run("UPDATE items SET o = 'Older' WHERE id = 2").await;
    let found = session.lines("SELECT id, o, n, size, twice FROM items ORDER BY id").await;
    assert_eq!(found, ["1|newer|Newer|5|newernewer", "2|Older|OLDER|5|OlderOlder"]);
}

async fn ignore_and_upsert(db: TestDatabase) {
    let mut session = items(&db, "reject").await;
    session.run("INSERT INTO items (id, o, n) VALUES (10, 'Kept', 'KEPT')").await;
    session.run("INSERT IGNORE INTO items (id, o) VALUES (10, 'Lost'), (11, 'Old')").await;
    session.run("INSERT IGNORE INTO items (id, n) VALUES (10, 'Lost'), (12, 'New')").await;
    assert_eq!(item(&mut session, 10).await, "Kept|KEPT|-");
    // A conflict is an error also where others are passed over.
    for statement in [
        "INSERT IGNORE INTO items (id, o, n) VALUES (13, 'a', 'B')",
        "UPDATE IGNORE items SET o = 'a', n = 'B' WHERE id = 10",
        "INSERT INTO items (id, o) VALUES (10, 'a') ON DUPLICATE KEY UPDATE o = 'b', n = 'C'",
    ] {
        expect_refused(session.execute(statement).await, "concertina sync items_case");
    }
    // What the sync made of the row that was to be inserted does not get into the one that is there.
    session.run("INSERT INTO items (id, o) VALUES (10, 'More') ON DUPLICATE KEY UPDATE o = CONCAT(o, VALUES(o))").await;
    session.run("INSERT INTO items (id, n) VALUES (12, 'More') ON DUPLICATE KEY UPDATE n = CONCAT(n, VALUES(n))").await;
    session.run("UPDATE items a JOIN items b ON b.id = 11 SET a.o = b.o, a.other = 3 WHERE a.id = 1").await;
    for (id, expected) in
        [(1, "Old|OLD|3"), (10, "KeptMore|KEPTMORE|-"), (11, "Old|OLD|-"), (12, "newmore|NewMore|-"), (13, "")]
    {
        assert_eq!(item(&mut session, id).await, expected);
    }
    expect_in_step(&mut session).await;
}

on_one_database! {
    MySql:
    a_trigger_means_the_same_in_every_sql_mode: modes;
    a_session_that_is_not_strict_gets_rows_in_step_or_is_refused: lenient;
    numbers_and_enums_of_a_session_that_is_not_strict_are_in_step: lenient_types;
    a_session_whose_clock_stands_still_is_synced: frozen_clock;
    a_latin1_table_and_session_are_synced: latin1;
    a_padded_column_that_takes_case_for_equal_is_synced: padded;
    the_users_own_triggers_come_first: own_triggers;
    generated_columns_beside_are_fine_and_as_a_side_refused: generated;
    ignore_and_upserts_leave_rows_in_step: ignore_and_upsert;
}
