//! Rows that come to match after a backfill was done: taken by the next migrate, and never lost to contract.

use super::{COUNT, make_items};
use crate::support::{TestDatabase, Train, on_every_database};

on_every_database! {
    async fn rows_that_come_to_match_after_a_finished_migrate_are_taken_by_the_next(db: TestDatabase) {
        let mut session = make_items(&db, "id INTEGER NOT NULL", ", PRIMARY KEY (id)", |number| number.to_string()).await;
        let mut train = Train::new(&db);
        train.add(&[("data/01_count.yaml", COUNT), ("contract/01_drop.yaml", "steps: [drop_column: { table: items, column: payload }]\n")]);
        let concertina = train.concertina();
        concertina.run(&["expand"]).expect_code(0);
        concertina.run(&["migrate"]).expect_code(0);
        session.run("INSERT INTO items (id, payload) VALUES (9999, 'late')").await;

        concertina.run(&["contract"]).expect_code(6).expect_stderr("9999").expect_stderr("migrate again");
        concertina.run(&["migrate"]).expect_code(0).expect_stdout("done: r1/migrate");
        assert_eq!(session.lines("SELECT MIN(counter), MAX(counter), MIN(done) FROM items").await, ["1|1|1"]);
        concertina.run(&["migrate"]).expect_code(0).expect_stdout("nothing to do");
        concertina.run(&["contract"]).expect_code(0);
    }

    async fn contract_proves_again_after_a_step_of_it_has_failed(db: TestDatabase) {
        let mut session = make_items(&db, "id INTEGER NOT NULL", ", PRIMARY KEY (id)", |number| number.to_string()).await;
        let mut train = Train::new(&db);
        train.add(&[
            ("data/01_count.yaml", COUNT),
            ("contract/01_check.sql", "INSERT INTO nowhere VALUES (1);\n"),
            ("contract/02_drop.yaml", "steps: [drop_column: { table: items, column: payload }]\n"),
        ]);
        let concertina = train.concertina();
        concertina.run(&["expand"]).expect_code(0);
        concertina.run(&["migrate"]).expect_code(0);
        concertina.run(&["contract"]).expect_code(1).expect_stderr("nowhere");

        session.run("INSERT INTO items (id, payload) VALUES (9999, 'the only copy')").await;
        train.project().write("contract/r1/01_check.sql", "-- concertina: allow data-in-schema-file: a test\nUPDATE items SET done = done;\n");
        concertina.run(&["contract"]).expect_code(6).expect_stderr("9999");
        assert_eq!(session.lines("SELECT payload FROM items WHERE id = 9999").await, ["the only copy"]);
    }

    async fn a_backfill_whose_file_is_gone_stops_contract(db: TestDatabase) {
        make_items(&db, "id INTEGER NOT NULL", ", PRIMARY KEY (id)", |number| number.to_string()).await;
        let mut train = Train::new(&db);
        train.add(&[("data/01_count.yaml", COUNT), ("contract/01_drop.yaml", "steps: [drop_column: { table: items, column: payload }]\n")]);
        let concertina = train.concertina();
        concertina.run(&["expand"]).expect_code(0);
        concertina.run(&["migrate", "--max-rows", "10"]).expect_code(4);
        std::fs::remove_file(train.project().path().join("data/r1/01_count.yaml")).expect("the file is there");
        concertina.run(&["contract"]).expect_code(8).expect_stderr("a file is not what was applied").expect_stderr("r1/migrate/01_count");
        concertina.run(&["check"]).expect_code(8);
    }
}
