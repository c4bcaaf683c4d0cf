//! Writes that may insert or update, and writes of many rows.

use super::{item, items};
use crate::support::{Kind, Session, TestDatabase, on_every_database};

/// The upsert of `id` and these columns, as each database says it.
fn upsert(kind: Kind, columns: &str, rows: &str, set: &[&str]) -> String {
    let insert = format!("INSERT INTO items (id, {columns}) VALUES {rows}");
    if kind == Kind::MySql {
        let set: Vec<_> = set.iter().map(|column| format!("{column} = VALUES({column})")).collect();
        format!("{insert} ON DUPLICATE KEY UPDATE {}", set.join(", "))
    } else {
        let set: Vec<_> = set.iter().map(|column| format!("{column} = excluded.{column}")).collect();
        format!("{insert} ON CONFLICT (id) DO UPDATE SET {}", set.join(", "))
    }
}

/// Fails unless every row that has a new side is in step, by bytes.
async fn expect_in_step(kind: Kind, session: &mut Session) {
    let binary = if kind == Kind::MySql { "BINARY " } else { "" };
    let out = format!(
        "SELECT id, o, n FROM items WHERE n IS NOT NULL \
         AND NOT ({binary}n = {binary}upper(o) OR {binary}o = {binary}lower(n))"
    );
    assert_eq!(session.lines(out).await, [""; 0]);
    assert_eq!(session.value("SELECT COUNT(*) FROM items WHERE o IS NULL").await.as_deref(), Some("0"));
}

on_every_database! {
    async fn upserts(db: TestDatabase) {
        let (kind, mut session) = (db.kind(), items(&db, "reject").await);
        // Row 1 is not migrated, row 10 is new.
        session.run(upsert(kind, "o", "(1, 'Uno'), (10, 'Ten')", &["o"])).await;
        assert_eq!(item(&mut session, 1).await, "Uno|UNO|1");
        assert_eq!(item(&mut session, 10).await, "Ten|TEN|-");
        session.run(upsert(kind, "n", "(2, 'Dos'), (10, 'Diez'), (11, 'Once')", &["n"])).await;
        assert_eq!(item(&mut session, 2).await, "dos|Dos|2");
        assert_eq!(item(&mut session, 10).await, "diez|Diez|-");
        assert_eq!(item(&mut session, 11).await, "once|Once|-");
        // An old node comes again, also with what is there already.
        session.run(upsert(kind, "o, other", "(10, 'diez', 3), (11, 'Elf', 4), (12, 'Zwölf', 5)", &["o", "other"])).await;
        assert_eq!(item(&mut session, 10).await, "diez|Diez|3");
        assert_eq!(item(&mut session, 11).await, "Elf|ELF|4");
        session.run(upsert(kind, "n, other", "(11, 'ELF', 6), (13, 'Thirteen', 7)", &["n", "other"])).await;
        assert_eq!(item(&mut session, 11).await, "Elf|ELF|6");
        assert_eq!(item(&mut session, 13).await, "thirteen|Thirteen|7");
        // One that sets another column than it inserts.
        session.run(upsert(kind, "o, other", "(10, 'ignored', 8)", &["other"])).await;
        session.run(upsert(kind, "n, other", "(11, 'Ignored', 9)", &["other"])).await;
        assert_eq!(item(&mut session, 10).await, "diez|Diez|8");
        assert_eq!(item(&mut session, 11).await, "Elf|ELF|9");
        // A row twice in one statement, where the database lets it: PostgreSQL does not.
        if kind != Kind::Postgres {
            session.run(upsert(kind, "n", "(20, 'First'), (20, 'Second')", &["n"])).await;
            assert_eq!(item(&mut session, 20).await, "second|Second|-");
            session.run(upsert(kind, "o", "(21, 'first'), (21, 'second')", &["o"])).await;
            assert_eq!(item(&mut session, 21).await, "second|SECOND|-");
        }
        expect_in_step(kind, &mut session).await;
    }

    async fn replace(db: TestDatabase) {
        let (kind, mut session) = (db.kind(), items(&db, "reject").await);
        if kind == Kind::Postgres {
            return; // it has no REPLACE
        }
        session.run("REPLACE INTO items (id, o) VALUES (1, 'Uno'), (10, 'Ten')").await;
        assert_eq!(item(&mut session, 1).await, "Uno|UNO|-");
        assert_eq!(item(&mut session, 10).await, "Ten|TEN|-");
        session.run("REPLACE INTO items (id, n) VALUES (1, 'Eins'), (2, 'Zwei'), (11, 'Elf')").await;
        assert_eq!(item(&mut session, 1).await, "eins|Eins|-");
        assert_eq!(item(&mut session, 2).await, "zwei|Zwei|-");
        assert_eq!(item(&mut session, 11).await, "elf|Elf|-");
        // The row of before counts for nothing: an old node that repeats its value still writes a row of its own.
        session.run("REPLACE INTO items (id, o) VALUES (1, 'eins')").await;
        assert_eq!(item(&mut session, 1).await, "eins|EINS|-");
        session.run("REPLACE INTO items (id, o, n, other) VALUES (1, 'uno', 'Uno', 4)").await;
        assert_eq!(item(&mut session, 1).await, "uno|Uno|4");
        session.execute("REPLACE INTO items (id, o, n) VALUES (1, 'uno', 'Dos')").await.expect_err("a conflict");
        assert_eq!(item(&mut session, 1).await, "uno|Uno|4");
        session.run("REPLACE INTO items (id, o) SELECT id + 20, o FROM items").await;
        expect_in_step(kind, &mut session).await;
        assert_eq!(session.value("SELECT COUNT(*) FROM items WHERE n IS NULL").await.as_deref(), Some("0"));
    }

    async fn many_rows(db: TestDatabase) {
        let (kind, mut session) = (db.kind(), items(&db, "reject").await);
        let rows = |from: u32| (from..from + 200).map(|id| format!("({id}, 'Row {id}')")).collect::<Vec<_>>().join(", ");
        session.run(format!("INSERT INTO items (id, o) VALUES {}", rows(1000))).await;
        session.run(format!("INSERT INTO items (id, n) VALUES {}", rows(2000))).await;
        session.run("INSERT INTO items (id, o) SELECT id + 2000, o FROM items WHERE id >= 1000").await;
        session.run("INSERT INTO items (id, n) SELECT id + 4000, n FROM items WHERE id >= 1000").await;
        session.run("INSERT INTO items (id, o, n) SELECT id + 8000, o, n FROM items WHERE id >= 1000").await;
        assert_eq!(item(&mut session, 1150).await, "Row 1150|ROW 1150|-");
        assert_eq!(item(&mut session, 2150).await, "row 2150|Row 2150|-");
        assert_eq!(item(&mut session, 3150).await, "Row 1150|ROW 1150|-");
        assert_eq!(item(&mut session, 4150).await, "row 2150|ROW 2150|-");
        assert_eq!(item(&mut session, 6150).await, "row 2150|Row 2150|-");
        assert_eq!(item(&mut session, 7150).await, "row 1150|ROW 1150|-");
        expect_in_step(kind, &mut session).await;
        // One after the other in one transaction, over all rows.
        session.run("BEGIN").await;
        session.run("UPDATE items SET o = 'Old', other = id").await;
        session.run("UPDATE items SET n = 'New' WHERE other > 5000").await;
        session.run("COMMIT").await;
        expect_in_step(kind, &mut session).await;
        let found = session.lines("SELECT DISTINCT o, n FROM items ORDER BY 1").await;
        assert_eq!(found.len(), 2, "{found:?}");
        assert_eq!(session.value("SELECT COUNT(*) FROM items WHERE n IS NULL").await.as_deref(), Some("0"));
    }
}
