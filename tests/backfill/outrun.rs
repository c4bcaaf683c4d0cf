//! Rows that nodes without a sync go on writing while migrate runs: every row is migrated once, and that is enough for new nodes to
//! come; contract asks for the rest.

use super::{Kind, make_items, options};
use crate::support::{TestDatabase, Train, on_every_database};

/// A backfill of `items` and one of `others`, both without a sync.
async fn two(db: &TestDatabase) -> Train {
    let mut session =
        make_items(db, "id INTEGER NOT NULL", ", PRIMARY KEY (id)", |number| (number + 1).to_string()).await;
    let create =
        format!("CREATE TABLE firsts (id INTEGER NOT NULL PRIMARY KEY, currency VARCHAR(3)) {}", options(db.kind()));
    session.run(create).await;
    session.run("INSERT INTO firsts (id) VALUES (1), (2), (3)").await;
    let mut train = Train::with_settings(db, "batch: { rows: 50, max_rows: 50 }");
    train.add(&[
        ("data/01_firsts.yaml", "backfill: { table: firsts, set: { currency: \"'EUR'\" }, where: currency IS NULL }\n"),
        ("data/02_items.yaml", "backfill: { table: items, set: { done: 1 }, where: done = 0 }\n"),
    ]);
    train.concertina().run(&["expand"]).expect_code(0);
    train
}

on_every_database! {
    async fn a_row_that_comes_after_an_interrupted_run_is_contracts_to_ask_for(db: TestDatabase) {
        let train = two(&db).await;
        train.concertina().run(&["migrate", "--max-rows", "200"]).expect_code(4);
        let running = train.concertina().spawn(&["migrate", "--duty", "20"]);
        running.wait_for_stderr("backfill r1/migrate/02_items goes on");
        // An old node writes to the table whose backfill an earlier run has finished, and this one has looked over.
        let mut node = db.owner().await;
        while node.execute("INSERT INTO firsts (id) VALUES (4)").await.is_err() {}
        running.finish().expect_code(0);
        train.concertina().run(&["check", "--release", "r1"]).expect_code(0);
        train.concertina().run(&["contract"]).expect_code(6).expect_stderr("rows of `firsts` are not migrated");
        train.concertina().run(&["migrate"]).expect_code(0);
        train.concertina().run(&["contract"]).expect_code(0);
    }

    /// A trigger of the user's makes a new row of each that is migrated, so that no walk is the last. (MySQL's cannot.)
    async fn rows_that_come_faster_than_walks_do_not_keep_new_nodes_out(db: TestDatabase) {
        if db.kind() == Kind::MySql {
            return;
        }
        let mut session = make_items(&db, "id INTEGER NOT NULL", ", PRIMARY KEY (id)", |number| (number + 1).to_string()).await;
        session.run("DELETE FROM items WHERE id > 5").await;
        for statement in match db.kind() {
            Kind::Sqlite => vec![
                "CREATE TRIGGER more AFTER UPDATE OF done ON items BEGIN \
                 INSERT INTO items (id) VALUES ((SELECT max(id) + 1 FROM items)); END",
            ],
            _ => vec![
                "CREATE FUNCTION more() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
                 INSERT INTO items (id) SELECT max(id) + 1 FROM items; RETURN NEW; END $$",
                "CREATE TRIGGER more AFTER UPDATE OF done ON items FOR EACH ROW EXECUTE FUNCTION more()",
            ],
        } {
            session.run(statement).await;
        }
        let mut train = Train::new(&db);
        train.add(&[("data/01_items.yaml", "backfill: { table: items, set: { done: 1 }, where: done = 0 }\n")]);
        train.concertina().run(&["expand"]).expect_code(0);
        train.concertina().run(&["migrate"]).expect_code(0)
            .expect_stdout("every row was migrated once, and contract will ask for migrate again");
        train.concertina().run(&["check", "--release", "r1"]).expect_code(0);
        train.concertina().run(&["contract"]).expect_code(6).expect_stderr("rows of `items` are not migrated");
    }

    /// Where what is done never makes `where` false, no walk helps: that is an error still.
    async fn a_row_that_never_stops_matching_is_an_error(db: TestDatabase) {
        make_items(&db, "id INTEGER NOT NULL", ", PRIMARY KEY (id)", |number| (number + 1).to_string()).await;
        let mut train = Train::new(&db);
        let allow = "allow: { backfill-never-done: that is the point }\n";
        train.add(&[("data/01_items.yaml", &format!("{allow}backfill: {{ table: items, set: {{ counter: counter + 1 }}, where: done = 0 }}\n"))]);
        train.concertina().run(&["expand"]).expect_code(0);
        train.concertina().run(&["migrate"]).expect_code(1).expect_stderr("after 5 walks rows still match `where` (keys 1, ");
    }
}
