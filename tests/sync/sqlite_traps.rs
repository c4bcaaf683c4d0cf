//! What SQLite alone has: triggers that fire after the row is written, in no promised order, tables without a rowid,
//! REPLACE that deletes without a word, and a connection's own settings.

use super::{expand, expect_refused, on_one_database};
use crate::support::{Kind, Session, TestDatabase};

const CASE: &str = "
  - add_column: { table: items, column: { name: n, type: string(40) } }
  - drop_not_null: { table: items, column: o }
  - sync: { name: items_case, table: items, forward: { n: upper(o) }, backward: { o: lower(n) } }";

/// Images whose members make them shared, looked up.
const IMAGES: &str = "
  - add_column: { table: images, column: { name: visibility, type: string(20) } }
  - drop_not_null: { table: images, column: is_public }
  - sync:
      name: images_visibility
      table: images
      forward:
        visibility: >-
          CASE WHEN is_public THEN 'public'
               WHEN EXISTS (SELECT 1 FROM members m WHERE m.image_id = images.id) THEN 'shared' ELSE 'private' END
      backward: { is_public: visibility = 'public' }
      related: [{ table: members, key: { image_id: id }, when: \"visibility IN ('private', 'shared')\" }]";

async fn items(db: &TestDatabase, table: &str) -> Session {
    let mut session = db.owner().await;
    session.run(table).await;
    expand(db, CASE);
    session
}

/// The writes that every table and every setting must take.
async fn expect_synced(session: &mut Session, what: &str) {
    session.run("DELETE FROM items").await;
    session.run("INSERT INTO items (id, o) VALUES (1, 'Old'), (2, 'Old')").await;
    session.run("INSERT INTO items (id, n) VALUES (3, 'New'), (4, 'New')").await;
    session.run("UPDATE items SET n = 'Newer' WHERE id = 2").await;
    session.run("UPDATE items SET o = 'Older' WHERE id = 4").await;
    session.run("UPDATE items SET o = 'old' WHERE id = 1").await;
    session.run("REPLACE INTO items (id, o) VALUES (3, 'Again')").await;
    session.run("REPLACE INTO items (id, n) VALUES (5, 'Fifth')").await;
    session.run("INSERT INTO items (id, o) VALUES (5, 'Sixth') ON CONFLICT DO UPDATE SET id = 6, o = excluded.o").await;
    expect_refused(session.execute("UPDATE items SET o = 'a', n = 'B' WHERE id = 1").await, "items_case");
    expect_refused(session.execute("UPDATE OR REPLACE items SET o = 'a', n = 'B' WHERE id = 1").await, "items_case");
    let found = session.lines("SELECT id, o, n FROM items ORDER BY id").await;
    assert_eq!(found, ["1|old|OLD", "2|newer|Newer", "3|Again|AGAIN", "4|Older|OLDER", "6|Sixth|SIXTH"], "{what}");
    // The key moves along with a side.
    session.run("UPDATE items SET id = id + 100, o = 'Moved' WHERE id = 1").await;
    session.run("UPDATE items SET id = 102, n = 'Moved' WHERE id = 2").await;
    let found = session.lines("SELECT id, o, n FROM items WHERE CAST(id AS INTEGER) > 100 ORDER BY id").await;
    assert_eq!(found, ["101|Moved|MOVED", "102|moved|Moved"], "{what}");
}

async fn tables(db: TestDatabase) {
    for (table, what) in [
        ("CREATE TABLE items (id INTEGER PRIMARY KEY, o TEXT NOT NULL, other)", "rowid"),
        ("CREATE TABLE items (id INTEGER NOT NULL PRIMARY KEY, o TEXT NOT NULL) WITHOUT ROWID", "without rowid"),
        (
            "CREATE TABLE items (o TEXT NOT NULL, id INT, x TEXT DEFAULT 'x', PRIMARY KEY (x, id)) WITHOUT ROWID",
            "a key of two",
        ),
        ("CREATE TABLE items (id TEXT NOT NULL PRIMARY KEY COLLATE NOCASE, o TEXT NOT NULL)", "a text key"),
        ("CREATE TABLE items (id INT PRIMARY KEY, rowid TEXT, oid TEXT, o TEXT NOT NULL)", "a column named rowid"),
        (
            "CREATE TABLE items (id INT UNIQUE, o TEXT NOT NULL, twice TEXT AS (o || o) STORED, size INT AS (length(o)))",
            "generated",
        ),
    ] {
        let db = TestDatabase::create(db.kind(), "tables").await;
        let mut session = items(&db, table).await;
        for recursive in ["OFF", "ON"] {
            session.run(format!("PRAGMA recursive_triggers = {recursive}")).await;
            expect_synced(&mut session, &format!("{what}, recursive triggers {recursive}")).await;
        }
    }
}

async fn strict(db: TestDatabase) {
    let mut session = db.owner().await;
    session.run("CREATE TABLE items (id INTEGER PRIMARY KEY, o TEXT NOT NULL, p INTEGER NOT NULL) STRICT").await;
    expand(
        &db,
        "
  - add_column: { table: items, column: { name: n, type: text } }
  - add_column: { table: items, column: { name: q, type: { sqlite: REAL, postgres: real, mysql: double } } }
  - drop_not_null: { table: items, column: o }
  - drop_not_null: { table: items, column: p }
  - sync: { name: items_case, table: items, forward: { n: upper(o) }, backward: { o: lower(n) } }
  - sync: { name: halves, table: items, forward: { q: p / 2.0 }, backward: { p: q * 2 } }",
    );
    session.run("INSERT INTO items (id, o, p) VALUES (1, 'Old', 3)").await;
    session.run("INSERT INTO items (id, n, q) VALUES (2, 'New', 2.5)").await;
    session.run("UPDATE items SET n = 'Newer', p = 4 WHERE id = 1").await;
    let all = "SELECT id, o, n, p, q FROM items ORDER BY id";
    assert_eq!(session.lines(all).await, ["1|newer|Newer|4|2", "2|new|New|5|2.5"]);
    // What the column's type refuses, the write is refused for.
    expect_refused(
        session.execute("UPDATE items SET q = 1.3 WHERE id = 1").await,
        "cannot store REAL value in INTEGER column",
    );
    assert_eq!(session.lines(all).await, ["1|newer|Newer|4|2", "2|new|New|5|2.5"]);
}

async fn replace(db: TestDatabase) {
    let mut session = db.owner().await;
    session.run("CREATE TABLE items (id INTEGER PRIMARY KEY, code TEXT UNIQUE, o TEXT NOT NULL, other)").await;
    expand(&db, CASE);
    for recursive in ["OFF", "ON"] {
        session.run(format!("DELETE FROM items; PRAGMA recursive_triggers = {recursive}")).await;
        session.run("INSERT INTO items (id, code, n) VALUES (1, 'a', 'New'), (2, 'b', 'New'), (3, 'c', 'New')").await;
        // The row that goes is another one, by another key, and one statement may take several.
        session.run("REPLACE INTO items (id, code, o) VALUES (4, 'a', 'Old')").await;
        session.run("REPLACE INTO items (id, code, o) VALUES (2, 'c', 'Both')").await;
        session
            .run("INSERT OR REPLACE INTO items (id, code, n) SELECT id, code, 'Newest' FROM items WHERE id = 4")
            .await;
        let found = session.lines("SELECT id, code, o, n FROM items ORDER BY id").await;
        assert_eq!(found, ["2|c|Both|BOTH", "4|a|newest|Newest"], "recursive triggers {recursive}");
        session.run("UPDATE OR REPLACE items SET code = 'a', o = 'Last' WHERE id = 2").await;
        let found = session.lines("SELECT id, code, o, n FROM items ORDER BY id").await;
        assert_eq!(found, ["2|a|Last|LAST"], "recursive triggers {recursive}");
    }
}

async fn foreign_keys(db: TestDatabase) {
    let mut session = db.owner().await;
    session
        .run(
            "CREATE TABLE users (id INTEGER PRIMARY KEY);
             CREATE TABLE images (id INTEGER PRIMARY KEY, is_public BOOLEAN NOT NULL, user_id INTEGER REFERENCES users (id) ON DELETE CASCADE);
             CREATE TABLE members (id INTEGER PRIMARY KEY, image_id INTEGER REFERENCES images (id) ON UPDATE CASCADE ON DELETE CASCADE,
             user_id INTEGER REFERENCES users (id) ON DELETE CASCADE)",
        )
        .await;
    expand(&db, IMAGES);
    for recursive in ["OFF", "ON"] {
        session
            .run(format!("PRAGMA foreign_keys = ON; PRAGMA recursive_triggers = {recursive}; DELETE FROM users"))
            .await;
        session.run("DELETE FROM images; INSERT INTO users VALUES (1), (2), (3)").await;
        session.run("INSERT INTO images (id, visibility) VALUES (1, 'private'), (2, 'private'), (3, 'private')").await;
        session.run("INSERT INTO members VALUES (1, 1, 1), (2, 2, 1), (3, 2, 2)").await;
        let all = "SELECT id, visibility, is_public FROM images ORDER BY id";
        assert_eq!(session.lines(all).await, ["1|shared|0", "2|shared|0", "3|private|0"]);
        // The members go with their user, and their images follow.
        session.run("DELETE FROM users WHERE id = 1").await;
        assert_eq!(
            session.lines(all).await,
            ["1|private|0", "2|shared|0", "3|private|0"],
            "recursive triggers {recursive}"
        );
        // The members follow their image's key, and the image is as it was.
        session.run("UPDATE images SET id = 20 WHERE id = 2").await;
        assert_eq!(session.lines(all).await, ["1|private|0", "3|private|0", "20|shared|0"]);
        session.run("DELETE FROM users WHERE id = 2").await;
        assert_eq!(session.lines(all).await, ["1|private|0", "3|private|0", "20|private|0"]);
        session.run("INSERT INTO members VALUES (4, 3, 3)").await;
        session.run("DELETE FROM images WHERE id = 3").await;
        assert_eq!(session.lines("SELECT COUNT(*) FROM members").await, ["0"]);
    }
}

async fn attached(db: TestDatabase) {
    let mut session = items(&db, "CREATE TABLE items (id INTEGER PRIMARY KEY, o TEXT NOT NULL)").await;
    let other = TestDatabase::create(Kind::Sqlite, "other").await;
    let file = db.file().expect("a file").display().to_string();
    // Namesakes in the other database, in front and behind.
    for main in [false, true] {
        let mut writer = if main { other.owner().await } else { db.owner().await };
        writer
            .run("CREATE TEMPORARY TABLE concertina_seen (x); CREATE TEMPORARY TABLE concertina_bypass (sync_name, since)")
            .await;
        writer.run("INSERT INTO concertina_bypass VALUES ('items_case', -1)").await;
        let schema = if main {
            writer.run("CREATE TABLE items (id, o, n)").await;
            writer.run(format!("ATTACH DATABASE '{file}' AS side")).await;
            "side"
        } else {
            writer.run("ATTACH DATABASE ':memory:' AS side; CREATE TABLE side.items (id, o, n)").await;
            "main"
        };
        writer.run(format!("INSERT INTO {schema}.items (id, o) VALUES (1, 'Old'), (2, 'Old')")).await;
        writer.run(format!("INSERT INTO {schema}.items (id, n) VALUES (3, 'New')")).await;
        writer.run(format!("UPDATE {schema}.items SET n = 'Newer' WHERE id = 2")).await;
        let found = session.lines("SELECT id, o, n FROM items ORDER BY id").await;
        assert_eq!(found, ["1|Old|OLD", "2|newer|Newer", "3|new|New"], "as {schema}");
        session.run("DELETE FROM items").await;
    }
}

/// The user's own trigger, made before the expand or after it: SQLite does not promise which comes first.
async fn with_own_trigger(kind: Kind, trigger: &str, later: bool) -> (TestDatabase, Session) {
    let db = TestDatabase::create(kind, "own").await;
    let mut session = db.owner().await;
    session.run("CREATE TABLE items (id INTEGER PRIMARY KEY, o TEXT NOT NULL, other INTEGER DEFAULT 0)").await;
    if !later {
        session.run(trigger).await;
    }
    expand(&db, CASE);
    if later {
        session.run(trigger).await;
    }
    (db, session)
}

async fn touching_triggers(db: TestDatabase) {
    for later in [false, true] {
        for recursive in ["OFF", "ON"] {
            let trigger = "CREATE TRIGGER touch AFTER UPDATE OF o, n ON items BEGIN UPDATE items SET other = other + 1 WHERE id = NEW.id; END;
                           CREATE TRIGGER born AFTER INSERT ON items BEGIN UPDATE items SET other = 100 WHERE id = NEW.id; END";
            let (_own, mut session) = with_own_trigger(db.kind(), trigger, later).await;
            session.run(format!("PRAGMA recursive_triggers = {recursive}")).await;
            session.run("INSERT INTO items (id, o) VALUES (1, 'Old'), (2, 'Old')").await;
            session.run("INSERT INTO items (id, n) VALUES (3, 'New')").await;
            session.run("UPDATE items SET o = 'Older' WHERE id = 1").await;
            session.run("UPDATE items SET n = 'Newer' WHERE id = 2").await;
            let found = session.lines("SELECT id, o, n, other >= 100 FROM items ORDER BY id").await;
            assert_eq!(
                found,
                ["1|Older|OLDER|1", "2|newer|Newer|1", "3|new|New|1"],
                "later {later}, recursive {recursive}"
            );
        }
    }
}

async fn writing_triggers(db: TestDatabase) {
    // Those that were there before the expand come after ours, which is what this relies on.
    let tidy = "CREATE TRIGGER tidy AFTER UPDATE OF o ON items WHEN NEW.o <> trim(NEW.o)
                BEGIN UPDATE items SET o = trim(o) WHERE id = NEW.id; END;
                CREATE TRIGGER born AFTER INSERT ON items WHEN NEW.o <> trim(NEW.o)
                BEGIN UPDATE items SET o = trim(o) WHERE id = NEW.id; END;
                CREATE TRIGGER seven AFTER UPDATE OF other ON items WHEN NEW.other = 7
                BEGIN UPDATE items SET o = 'Seven' WHERE id = NEW.id; END";
    for recursive in ["OFF", "ON"] {
        let (_own, mut session) = with_own_trigger(db.kind(), tidy, false).await;
        session.run(format!("PRAGMA recursive_triggers = {recursive}")).await;
        session.run("INSERT INTO items (id, o) VALUES (1, ' Old '), (2, 'Old'), (3, 'Old'), (4, 'Old')").await;
        session.run("INSERT INTO items (id, n) VALUES (6, 'New')").await;
        // What it makes of the old side is not what the new side says any more: refused, not left like that.
        expect_refused(
            session.execute("INSERT INTO items (id, n) VALUES (5, ' New ')").await,
            "concertina sync items_case",
        );
        session.run("UPDATE items SET o = ' Older ' WHERE id = 2").await;
        session.run("UPDATE items SET other = 7 WHERE id IN (3, 6)").await;
        session.run("UPDATE items SET other = 7, o = 'Both' WHERE id = 4").await;
        let found = session.lines("SELECT id, o, n FROM items ORDER BY id").await;
        let expected = ["1|Old|OLD", "2|Older|OLDER", "3|Seven|SEVEN", "4|Seven|SEVEN", "6|Seven|SEVEN"];
        assert_eq!(found, expected, "recursive triggers {recursive}");
    }
}

on_one_database! {
    Sqlite:
    every_kind_of_table_is_synced_with_recursive_triggers_and_without: tables;
    strict_tables_are_synced: strict;
    replace_takes_rows_away_and_the_new_one_is_in_step: replace;
    what_a_foreign_key_does_fires_the_sync: foreign_keys;
    a_table_of_an_attached_database_is_synced: attached;
    a_trigger_that_touches_the_row_is_no_write_of_a_side: touching_triggers;
    a_trigger_that_writes_a_side_is_a_writer_of_its_own: writing_triggers;
}
