//! `add_unique`: a constraint over an index that is built while writers write.

use super::checks::goods;
use crate::conformance::introspect;
use crate::conformance::schema::Schema;
use crate::support::{Kind, TestDatabase, Train, on_every_database, run};

const ADD: &str = "  - add_unique: { table: goods, name: uq_goods, columns: [price, maker] }";

on_every_database! {
    async fn a_unique_constraint_holds_and_can_be_dropped_as_one(db: TestDatabase) {
        let mut session = goods(&db).await;
        let before = introspect::schema(&db).await;
        let mut train = Train::new(&db);
        train.contract(ADD);
        assert!(session.execute("INSERT INTO goods VALUES (51, 10, 1)").await.is_err());
        // NULL is like nothing else.
        session.run("INSERT INTO goods VALUES (51, NULL, 1), (52, NULL, 1), (53, 10, NULL)").await;
        let schema = introspect::schema(&db).await;
        assert_eq!(schema.fact("goods, index uq_goods"), Some("(price, maker) unique"));
        train.concertina().run(&["contract"]).expect_code(0);
        train.contract("  - drop_constraint: { table: goods, name: uq_goods }");
        assert_eq!(Schema::differences(&before, &introspect::schema(&db).await), []);
        session.run("DELETE FROM goods WHERE id > 50").await;
        train.contract(ADD);
        train.try_steps("contract", ADD).expect_code(1).expect_stderr("already");
    }

    async fn duplicates_are_named_before_anything_is_built(db: TestDatabase) {
        let mut session = goods(&db).await;
        session.run("INSERT INTO goods VALUES (51, 10, 1), (52, 20, 2), (53, NULL, 1), (54, NULL, 1)").await;
        let before = introspect::schema(&db).await;
        let mut train = Train::new(&db);
        let output = train.try_steps("contract", ADD);
        output.expect_code(1).expect_stderr("rows of `goods` have the same (price, maker): (");
        output.expect_stderr("(10, 1)").expect_stderr("(20, 2)");
        assert_eq!(Schema::differences(&before, &introspect::schema(&db).await), []);
        session.run("DELETE FROM goods WHERE id > 50").await;
        train.concertina().run(&["upgrade"]).expect_code(0);
        assert!(session.execute("INSERT INTO goods VALUES (51, 10, 1)").await.is_err());
    }

    async fn an_unknown_column_is_refused_before_anything_runs(db: TestDatabase) {
        goods(&db).await;
        let before = introspect::schema(&db).await;
        let output = Train::new(&db).try_steps(
            "contract",
            "  - set_not_null: { table: goods, column: price }\n  - add_unique: { table: goods, name: uq, columns: [prise] }",
        );
        output.expect_code(1).expect_stderr("did you mean `price`");
        assert_eq!(Schema::differences(&before, &introspect::schema(&db).await), []);
    }

    async fn later_steps_of_the_phase_see_it_in_the_plan(db: TestDatabase) {
        goods(&db).await;
        let mut train = Train::new(&db);
        train.contract(&format!("{ADD}\n  - drop_constraint: {{ table: goods, name: uq_goods }}"));
        assert_eq!(introspect::schema(&db).await.fact("goods, index uq_goods"), None);
    }
}

#[test]
fn an_invalid_leftover_is_replaced_and_a_finished_index_is_taken_over() {
    run(Kind::Postgres, "an_invalid_leftover_is_replaced", async |db: TestDatabase| {
        let mut session = goods(&db).await;
        session.run("INSERT INTO goods VALUES (51, 10, 1)").await;
        let built = session.execute("CREATE UNIQUE INDEX CONCURRENTLY uq_goods ON goods (price, maker)").await;
        assert!(built.is_err());
        session.run("DELETE FROM goods WHERE id = 51").await;
        let mut train = Train::new(&db);
        train.contract(ADD);
        let schema = introspect::schema(&db).await;
        assert_eq!(schema.fact("goods, index uq_goods"), Some("(price, maker) unique"));
        assert_eq!(schema.fact("goods, unique (price, maker)"), Some("named uq_goods"));
        // What another release's create_index has built is not built again.
        train.expand("  - create_index: { table: goods, name: uq_price, columns: [price], unique: true }\n    allow: { tightening-in-expand: a test }");
        let number = "SELECT oid FROM pg_class WHERE relname = 'uq_price'";
        let before = session.value(number).await;
        train.contract("  - add_unique: { table: goods, name: uq_price, columns: [price] }");
        assert_eq!(session.value(number).await, before);
        assert_eq!(introspect::schema(&db).await.fact("goods, unique (price)"), Some("named uq_price"));
    });
}

#[test]
fn the_plan_says_every_statement() {
    run(Kind::Postgres, "the_plan_says_every_statement", async |db: TestDatabase| {
        goods(&db).await;
        let mut train = Train::new(&db);
        train.add(&[("contract/01_unique.yaml", &format!("steps:\n{ADD}\n"))]);
        let plan = train.concertina().run(&["plan", "contract"]);
        plan.expect_code(0);
        insta::assert_snapshot!(plan.stdout, @r#"
        -- contract r1: 1 step

        -- r1/contract/01_unique/1: make (price, maker) of goods unique, as uq_goods (outside a transaction)
        -- lock: ACCESS SHARE on goods, while it works; nobody waits
        -- lock: SHARE UPDATE EXCLUSIVE on goods, while it works; readers and writers go on
        -- lock: ACCESS EXCLUSIVE on goods, for an instant; everybody waits
        -- rows: all of goods are read (about 81, 1 MiB: 1 s at 100 MiB/s)
        -- must return no row: rows of `goods` have the same (price, maker)
        SELECT "goods"."price"::bigint, "goods"."maker"::bigint FROM "goods" WHERE "goods"."price" IS NOT NULL AND "goods"."maker" IS NOT NULL GROUP BY "goods"."price", "goods"."maker" HAVING count(*) > 1 LIMIT 5;
        CREATE UNIQUE INDEX CONCURRENTLY "uq_goods" ON "goods" ("price", "maker");
        -- from here on it waits an instant for a lock
        ALTER TABLE "goods" ADD CONSTRAINT "uq_goods" UNIQUE USING INDEX "uq_goods";
        "#);
    });
}
