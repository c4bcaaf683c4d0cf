//! A write that gives both sides, for each way of settling it, and the writes that must change nothing.

use super::{expect_not_null, expect_refused, item, items};
use crate::support::{Session, TestDatabase, on_every_database};

/// What holds whatever `conflict` says.
async fn expect_the_rest(db: &TestDatabase, session: &mut Session) {
    // Given both in step, either way round, a write is kept as it is.
    session.run("INSERT INTO items (id, o, n) VALUES (50, 'Wide', 'WIDE')").await;
    session.run("INSERT INTO items (id, o, n) VALUES (51, 'wide', 'Wide')").await;
    assert_eq!(item(session, 50).await, "Wide|WIDE|-");
    assert_eq!(item(session, 51).await, "wide|Wide|-");
    session.run("UPDATE items SET o = 'Deep', n = 'DEEP' WHERE id = 50").await;
    session.run("UPDATE items SET o = 'deep', n = 'Deep' WHERE id = 51").await;
    assert_eq!(item(session, 50).await, "Deep|DEEP|-");
    assert_eq!(item(session, 51).await, "deep|Deep|-");
    // What is there already changes nothing.
    session.run("UPDATE items SET o = 'deep' WHERE id = 51").await;
    session.run("UPDATE items SET o = o, n = n, other = 5 WHERE id = 51").await;
    assert_eq!(item(session, 51).await, "deep|Deep|5");
    session.run("UPDATE items SET n = 'DEEP' WHERE id = 50").await;
    assert_eq!(item(session, 50).await, "Deep|DEEP|-");
    // Given both, of which one is what was there: the other one was written.
    session.run("UPDATE items SET o = 'high', n = 'Deep' WHERE id = 51").await;
    assert_eq!(item(session, 51).await, "high|HIGH|5");
    session.run("UPDATE items SET o = 'high', n = 'Low' WHERE id = 51").await;
    assert_eq!(item(session, 51).await, "low|Low|5");
    // One side alone.
    session.run("INSERT INTO items (id, o) VALUES (52, 'Old')").await;
    session.run("INSERT INTO items (id, n) VALUES (53, 'New')").await;
    assert_eq!(item(session, 52).await, "Old|OLD|-");
    assert_eq!(item(session, 53).await, "new|New|-");
    session.run("UPDATE items SET n = 'Newer', other = 7 WHERE id = 52").await;
    session.run("UPDATE items SET o = 'Older', other = 8 WHERE id = 53").await;
    assert_eq!(item(session, 52).await, "newer|Newer|7");
    assert_eq!(item(session, 53).await, "Older|OLDER|8");
    // A row that is not migrated stays for the backfill, until somebody writes either side.
    session.run("UPDATE items SET other = 9 WHERE id <= 2").await;
    session.run("UPDATE items SET o = o WHERE id = 1").await;
    session.run("UPDATE items SET o = 'one' WHERE id = 1").await;
    session.run("UPDATE items SET n = NULL WHERE id = 1").await;
    assert_eq!(item(session, 1).await, "one|-|9");
    session.run("UPDATE items SET n = 'Uno' WHERE id = 1").await;
    session.run("UPDATE items SET o = 'Dos' WHERE id = 2").await;
    assert_eq!(item(session, 1).await, "uno|Uno|9");
    assert_eq!(item(session, 2).await, "Dos|DOS|9");
    // The old schema's NOT NULL holds for both.
    let kind = db.kind();
    expect_not_null(kind, session.execute("UPDATE items SET o = NULL WHERE id = 1").await);
    expect_not_null(kind, session.execute("UPDATE items SET n = NULL WHERE id = 1").await);
    expect_not_null(kind, session.execute("UPDATE items SET o = NULL, n = NULL WHERE id = 1").await);
    expect_not_null(kind, session.execute("INSERT INTO items (id, other) VALUES (60, 1)").await);
    expect_not_null(kind, session.execute("INSERT INTO items (id, o, n) VALUES (60, NULL, NULL)").await);
    assert_eq!(item(session, 1).await, "uno|Uno|9");
    assert_eq!(item(session, 60).await, "");
    // And a refused write leaves nothing behind that would switch the sync off.
    session.run("INSERT INTO items (id, o) VALUES (61, 'after')").await;
    assert_eq!(item(session, 61).await, "after|AFTER|-");
}

on_every_database! {
    async fn reject(db: TestDatabase) {
        let mut session = items(&db, "reject").await;
        let refused = "concertina sync items_case";
        expect_refused(session.execute("INSERT INTO items (id, o, n) VALUES (10, 'a', 'B')").await, refused);
        assert_eq!(item(&mut session, 10).await, "");
        session.run("INSERT INTO items (id, o) VALUES (11, 'x')").await;
        expect_refused(session.execute("UPDATE items SET o = 'a', n = 'B' WHERE id = 11").await, refused);
        assert_eq!(item(&mut session, 11).await, "x|X|-");
        // One row of many is enough, and none is kept.
        let many = "INSERT INTO items (id, o, n) VALUES (12, 'a', 'A'), (13, 'a', 'B'), (14, 'c', 'C')";
        expect_refused(session.execute(many).await, refused);
        expect_refused(session.execute("UPDATE items SET o = 'a', n = 'B' WHERE id = 1").await, refused);
        assert_eq!(session.lines("SELECT id, o, n FROM items ORDER BY id").await, ["1|one|-", "2|two|-", "11|x|X"]);
        expect_the_rest(&db, &mut session).await;
    }

    async fn new_wins(db: TestDatabase) {
        let mut session = items(&db, "new").await;
        session.run("INSERT INTO items (id, o, n) VALUES (10, 'a', 'B')").await;
        assert_eq!(item(&mut session, 10).await, "b|B|-");
        session.run("UPDATE items SET o = 'c', n = 'D' WHERE id IN (1, 10)").await;
        assert_eq!(item(&mut session, 10).await, "d|D|-");
        assert_eq!(item(&mut session, 1).await, "d|D|1");
    }

    async fn old_wins(db: TestDatabase) {
        let mut session = items(&db, "old").await;
        session.run("INSERT INTO items (id, o, n) VALUES (10, 'a', 'B')").await;
        assert_eq!(item(&mut session, 10).await, "a|A|-");
        session.run("UPDATE items SET o = 'c', n = 'D' WHERE id IN (1, 10)").await;
        assert_eq!(item(&mut session, 10).await, "c|C|-");
        assert_eq!(item(&mut session, 1).await, "c|C|1");
        session.run("UPDATE items SET o = 'one', n = NULL WHERE id = 10").await;
        assert_eq!(item(&mut session, 10).await, "one|ONE|-");
        session.run("UPDATE items SET o = 'uno', n = 'B' WHERE id = 1").await;
        assert_eq!(item(&mut session, 1).await, "uno|UNO|1");
    }

    async fn the_rest_where_new_wins(db: TestDatabase) {
        let mut session = items(&db, "new").await;
        expect_the_rest(&db, &mut session).await;
    }

    async fn the_rest_where_old_wins(db: TestDatabase) {
        let mut session = items(&db, "old").await;
        expect_the_rest(&db, &mut session).await;
    }
}
