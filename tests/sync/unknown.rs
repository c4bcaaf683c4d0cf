//! An expression that no query could run is found before a trigger is in force.

use super::{expand, on, options};
use crate::support::{TestDatabase, Train, on_every_database};

on_every_database! {
    async fn an_unknown_function(db: TestDatabase) {
        let mut session = db.owner().await;
        session
            .run(format!(
                "CREATE TABLE items (id INTEGER NOT NULL PRIMARY KEY, o VARCHAR(40)) {}",
                options(db.kind())
            ))
            .await;
        let sync = |forward: &str, backward: &str| format!("
  - add_column: {{ table: items, column: {{ name: n, type: string(40) }} }}
  - sync: {{ name: items_case, table: items, forward: {{ n: {forward} }}, backward: {{ o: {backward} }} }}");
        for (forward, backward) in [("lowr(o)", "lower(n)"), ("upper(o)", "lowr(n)")] {
            let mut train = Train::new(&db);
            let steps = format!("steps:{}\n", sync(forward, backward));
            train.add(&[("expand/01_steps.yaml", &steps)]);
            train.concertina().run(&["expand"]).expect_code(1).expect_stderr("lowr");
            let triggers = on(
                db.kind(),
                "SELECT COUNT(*) FROM pg_trigger WHERE NOT tgisinternal",
                "SELECT COUNT(*) FROM information_schema.triggers WHERE trigger_schema = DATABASE()",
                "SELECT COUNT(*) FROM sqlite_master WHERE type = 'trigger'",
            );
            assert_eq!(session.value(triggers).await.as_deref(), Some("0"));
            // The application goes on as before.
            session.run("INSERT INTO items (id, o) VALUES (1, 'a')").await;
            session.run("DELETE FROM items").await;
        }
        // With the file put right it goes on where it stopped.
        expand(&db, &sync("upper(o)", "lower(n)"));
        session.run("INSERT INTO items (id, o) VALUES (1, 'a')").await;
        assert_eq!(session.lines("SELECT o, n FROM items").await, ["a|A"]);
    }

    async fn a_table_that_no_related_names(db: TestDatabase) {
        let mut session = db.owner().await;
        let end = options(db.kind());
        session.run(format!("CREATE TABLE items (id INTEGER NOT NULL PRIMARY KEY, o INTEGER, n INTEGER) {end}")).await;
        session.run(format!("CREATE TABLE parts (id INTEGER NOT NULL PRIMARY KEY, item INTEGER) {end}")).await;
        let looked_up = "o + (SELECT COUNT(*) FROM parts WHERE parts.item = items.id)";
        let own = "o + (SELECT COUNT(*) FROM items i WHERE i.o > items.o)";
        let related = "\n      related: [{ table: parts, key: { item: id }, when: n IS NOT NULL }]";
        for (forward, related, table) in [(looked_up, "", "parts"), (own, related, "items")] {
            let mut train = Train::new(&db);
            let steps = format!(
                "steps:\n  - sync:\n      name: items_parts\n      table: items\n      forward:\n        n: {forward}\n      \
                 backward: {{ o: n }}{related}\n"
            );
            train.add(&[("expand/01_steps.yaml", &steps)]);
            train
                .concertina()
                .run(&["expand"])
                .expect_code(1)
                .expect_stderr(&format!("the expression reads the table `{table}`, and a write there would not be seen"))
                .expect_stderr("a table that `related` names may be read, and no other")
                .expect_stderr("--> expand/r1/01_steps.yaml:");
        }
    }
}
