//! MySQL and MariaDB: what the catalog cannot show, and the record of who wrote, which outlives what is rolled back.

use super::on_one_database;
use crate::support::{Session, TestDatabase, Train};

async fn four_bytes(db: TestDatabase) {
    let mut owner = db.owner().await;
    owner
        .run(
            "CREATE TABLE items (id INTEGER NOT NULL PRIMARY KEY, o VARCHAR(40) NOT NULL DEFAULT 'a 🎉', \
             p VARCHAR(40) NOT NULL DEFAULT 'plain') ENGINE=InnoDB",
        )
        .await;
    let version = owner.value("SELECT VERSION()").await.unwrap();
    if !version.contains("MariaDB") {
        return;
    }
    let before = owner.lines("SHOW CREATE TABLE items").await;
    let sync = |old: &str| {
        format!(
            "  - sync: {{ name: items_case, table: items, forward: {{ n: upper({old}) }}, backward: {{ {old}: lower(n) }} }}"
        )
    };
    for (steps, words) in [
        ("  - drop_not_null: { table: items, column: o }".to_owned(), "shows the default of `o` as 'a ?'"),
        (
            format!("  - add_column: {{ table: items, column: {{ name: n, type: string(40) }} }}\n{}", sync("o")),
            "the default of `o` is shown with a `?`",
        ),
    ] {
        let mut train = Train::new(&db);
        train.try_steps("expand", &steps).expect_code(1).expect_stderr(words);
        assert_eq!(owner.lines("SHOW CREATE TABLE items").await, before);
    }
    owner.run("INSERT INTO items (id) VALUES (1)").await;
    assert_eq!(owner.lines("SELECT HEX(o) FROM items").await, ["6120F09F8E89"]);
    // Another column of the same table is as good as ever, and `o` keeps its default through its steps.
    let steps = format!(
        "  - add_column: {{ table: items, column: {{ name: n, type: string(40) }} }}\n  - drop_not_null: {{ table: items, column: p }}\n{}",
        sync("p")
    );
    super::expand(&db, &format!("\n{steps}"));
    owner.run("INSERT INTO items (id, n) VALUES (2, 'New')").await;
    assert_eq!(owner.lines("SELECT HEX(o), p, n FROM items WHERE id = 2").await, ["6120F09F8E89|new|New"]);
}

/// Items in a train that can be contracted, two rows of them old.
async fn items(db: &TestDatabase) -> Train {
    let mut owner = db.owner().await;
    owner.run("CREATE TABLE items (id INTEGER NOT NULL PRIMARY KEY, o VARCHAR(40)) ENGINE=InnoDB").await;
    owner.run("INSERT INTO items VALUES (1, 'one'), (2, 'two')").await;
    let mut train = Train::new(db);
    train.add(&[
        (
            "expand/01_steps.yaml",
            "
steps:
  - add_column: { table: items, column: { name: n, type: string(40) } }
  - sync: { name: items_case, table: items, forward: { n: upper(o) }, backward: { o: lower(n) } }
",
        ),
        (
            "contract/01_steps.yaml",
            "steps:\n  - drop_column: { table: items, column: o }\n    allow: { contract-loses-data: a test }\n",
        ),
    ]);
    train.concertina().run(&["expand"]).expect_code(0);
    db.grant_application(&["items"]).await;
    train
}

/// How long ago each side wrote, in seconds.
async fn last_writes(train: &Train, session: &mut Session) -> [Option<i64>; 2] {
    let status = train.concertina().run(&["status", "--output", "json"]).json();
    let now: i64 = session.value("SELECT UNIX_TIMESTAMP(SYSDATE())").await.unwrap().parse().expect("a number");
    let sync = status["releases"][0]["syncs"][0].clone();
    ["last_old_write", "last_new_write"].map(|name| sync[name].as_i64().map(|at| now - at / 1000))
}

fn expect_just_now(ago: Option<i64>) {
    assert!(ago.is_some_and(|ago| (-1..30).contains(&ago)), "it should be just now: {ago:?}");
}

async fn rolled_back(db: TestDatabase) {
    let train = items(&db).await;
    let mut session = db.application().await;
    assert_eq!(last_writes(&train, &mut session).await, [None, None]);
    session.run("BEGIN; UPDATE items SET o = 'Lost' WHERE id = 1; ROLLBACK").await;
    session.run("UPDATE items SET o = 'Kept' WHERE id = 1").await;
    let [old, new] = last_writes(&train, &mut session).await;
    expect_just_now(old);
    assert_eq!(new, None);
    // A deadlock takes the whole transaction back, and the application tries it again.
    let (mut one, mut two) = (db.application().await, db.application().await);
    one.run("BEGIN; UPDATE items SET n = 'First' WHERE id = 1").await;
    two.run("BEGIN; UPDATE items SET n = 'Second' WHERE id = 2").await;
    let waits = tokio::spawn(async move {
        let done = one.execute("UPDATE items SET n = 'First' WHERE id = 2").await;
        (one, done)
    });
    let other = two.execute("UPDATE items SET n = 'Second' WHERE id = 1").await;
    if other.is_ok() {
        two.run("ROLLBACK").await;
    }
    let (mut one, done) = waits.await.expect("it does not panic");
    assert!(done.is_err() || other.is_err(), "one of the two is the victim of a deadlock");
    one.run("ROLLBACK").await;
    for session in [&mut one, &mut two] {
        session.run("BEGIN; UPDATE items SET n = 'Again'; COMMIT").await;
    }
    expect_just_now(last_writes(&train, &mut session).await[1]);
    assert_eq!(session.lines("SELECT o, n FROM items").await, ["again|Again", "again|Again"]);
    // The record is no row of anybody's.
    let mut owner = db.owner().await;
    for side in ["old", "new"] {
        assert_eq!(owner.lines(format!("SELECT * FROM concertina_items_case_{side}")).await, [""; 0]);
        // A table that is written anew keeps its counter.
        owner.run(format!("OPTIMIZE TABLE concertina_items_case_{side}")).await;
        owner.run(format!("ANALYZE TABLE concertina_items_case_{side}")).await;
    }
    for ago in last_writes(&train, &mut session).await {
        expect_just_now(ago);
    }
    train.concertina().run(&["contract"]).expect_code(6).expect_stderr("saw an old-style write");
    train.concertina().run(&["contract", "--quiet-period", "0s"]).expect_code(0);
    let left = "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() \
                AND TABLE_NAME LIKE 'concertina\\_items%'";
    assert_eq!(owner.lines(left).await, [""; 0]);
}

/// A backup is restored by a client that leaves comments out.
async fn restored(db: TestDatabase) {
    let mut owner = db.owner().await;
    owner.run("CREATE TABLE items (id INTEGER NOT NULL PRIMARY KEY, o VARCHAR(40)) ENGINE=InnoDB").await;
    let mut train = Train::new(&db);
    let steps = "
steps:
  - add_column: { table: items, column: { name: n, type: string(40) } }
  - sync: { name: items_case, table: items, forward: { n: upper(o) }, backward: { o: lower(n) } }
";
    train.add(&[("expand/01_steps.yaml", steps)]);
    train.concertina().run(&["expand"]).expect_code(0);
    let triggers = "SELECT TRIGGER_NAME, ACTION_TIMING, EVENT_MANIPULATION, ACTION_STATEMENT FROM information_schema.TRIGGERS \
                    WHERE TRIGGER_SCHEMA = DATABASE()";
    for trigger in owner.rows(triggers).await {
        let [name, timing, event, text] = &trigger.into_iter().flatten().collect::<Vec<_>>()[..] else {
            panic!("four values")
        };
        let mut kept = text.clone();
        while let Some((before, (_, after))) =
            kept.split_once("/*").map(|(before, rest)| (before, rest.split_once("*/").unwrap()))
        {
            kept = format!("{before}{after}");
        }
        owner.run("SET SESSION sql_mode = CONCAT(@@sql_mode, ',PIPES_AS_CONCAT')").await;
        owner.run(format!("DROP TRIGGER {name}")).await;
        owner.run(format!("CREATE TRIGGER {name} {timing} {event} ON items FOR EACH ROW {kept}")).await;
    }
    train.concertina().run(&["check"]).expect_code(5);
}

on_one_database! {
    MySql:
    a_default_that_the_catalog_cannot_show_is_left_alone: four_bytes;
    a_restored_trigger_is_the_one_that_was_installed: restored;
    who_wrote_is_known_whatever_was_rolled_back: rolled_back;
}
