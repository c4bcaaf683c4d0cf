//! A sync switches itself off while it writes, and no other: what the user's own triggers write along with it is synced.

use super::{on, options};
use crate::support::{TestDatabase, Train, on_every_database};

/// Two tables with a sync each, and a third whose rows change the first. A trigger of the user's tells `things` whenever
/// `items.n` changes, as an old node would.
async fn telling(db: &TestDatabase) -> Train {
    let kind = db.kind();
    let mut owner = db.owner().await;
    for table in ["items", "things"] {
        owner
            .run(format!(
                "CREATE TABLE {table} (id INTEGER NOT NULL PRIMARY KEY, o VARCHAR(40) NOT NULL) {}",
                options(kind)
            ))
            .await;
        owner.run(format!("INSERT INTO {table} (id, o) VALUES (1, 'One'), (2, 'Two'), (3, 'Three')")).await;
    }
    owner
        .run(format!(
            "CREATE TABLE members (id INTEGER NOT NULL PRIMARY KEY, item_id INTEGER NOT NULL) {}",
            options(kind)
        ))
        .await;
    let sync = |table: &str, related: &str| {
        format!(
            "
  - add_column: {{ table: {table}, column: {{ name: n, type: string(40) }} }}
  - drop_not_null: {{ table: {table}, column: o }}
  - sync:
      name: {table}_case
      table: {table}
      forward: {{ n: upper(o) }}
      backward: {{ o: lower(n) }}{related}"
        )
    };
    let related = "\n      related: [{ table: members, key: { item_id: id }, when: n IS NULL }]";
    let steps = format!("steps:{}{}\n", sync("items", related), sync("things", ""));
    let mut train = Train::new(db);
    train.add(&[
        ("expand/01_steps.yaml", &steps),
        ("data/01_items.yaml", "backfill: { table: items, set: { n: upper(o) }, where: n IS NULL }\n"),
    ]);
    train.concertina().run(&["expand"]).expect_code(0);
    owner
        .run(on(
            kind,
            "CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 UPDATE things SET o = 'Seen ' || NEW.n WHERE id = NEW.id; RETURN NULL; END $$;
             CREATE TRIGGER tell AFTER UPDATE ON items FOR EACH ROW WHEN (NEW.n IS DISTINCT FROM OLD.n)
                 EXECUTE FUNCTION tell()",
            "CREATE TRIGGER tell AFTER UPDATE ON items FOR EACH ROW
             UPDATE things SET o = CONCAT('Seen ', NEW.n) WHERE id = NEW.id AND NOT NEW.n <=> OLD.n",
            "CREATE TRIGGER tell AFTER UPDATE ON items WHEN NEW.n IS NOT OLD.n BEGIN
                 UPDATE things SET o = 'Seen ' || NEW.n WHERE id = NEW.id; END",
        ))
        .await;
    db.grant_application(&["items", "things", "members"]).await;
    train
}

const ALL: &str = "SELECT i.id, i.o, i.n, t.o, t.n FROM items i JOIN things t ON t.id = i.id ORDER BY i.id";

on_every_database! {
    async fn what_a_users_trigger_writes_along_with_a_sync_is_synced(db: TestDatabase) {
        let train = telling(&db).await;
        let mut session = db.application().await;
        // The user's trigger fires for the application's own write, or on SQLite for the sync's.
        session.run("UPDATE items SET o = 'Uno' WHERE id = 1").await;
        // It fires for what a related table's trigger writes.
        session.run("INSERT INTO members VALUES (1, 2)").await;
        assert_eq!(
            session.lines(ALL).await,
            ["1|Uno|UNO|Seen UNO|SEEN UNO", "2|Two|TWO|Seen TWO|SEEN TWO", "3|Three|-|Three|-"]
        );
        // The session goes on as if nothing had been.
        session.run("UPDATE items SET n = 'New' WHERE id = 2").await;
        session.run("UPDATE things SET n = 'New' WHERE id = 1").await;
        assert_eq!(
            session.lines(ALL).await,
            ["1|Uno|UNO|new|New", "2|new|New|Seen New|SEEN NEW", "3|Three|-|Three|-"]
        );
        // It fires for a backfill's write, which itself fires no sync: `o` keeps its case.
        train.concertina().run(&["migrate"]).expect_code(0);
        assert_eq!(
            session.lines(ALL).await,
            ["1|Uno|UNO|new|New", "2|new|New|Seen New|SEEN NEW", "3|Three|THREE|Seen THREE|SEEN THREE"]
        );
    }
}
