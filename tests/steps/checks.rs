//! `add_check`, and `validate` for what was added without a look at the rows.

use super::{on, options};
use crate::conformance::introspect;
use crate::conformance::schema::Schema;
use crate::support::{Kind, Session, TestDatabase, Train, on_every_database, on_every_server, run};

const ADD: &str = "  - add_check: { table: goods, name: ck_price, check: price >= 0, allow_rewrite: true }";
const VALIDATE: &str = "  - validate: { table: goods, name: ck_price }";

/// A table of 50 rows.
pub(super) async fn goods(db: &TestDatabase) -> Session {
    let mut session = db.owner().await;
    session
        .run(format!(
            "CREATE TABLE goods (id INTEGER NOT NULL PRIMARY KEY, price INTEGER, maker INTEGER) {}",
            options(db.kind())
        ))
        .await;
    let rows: Vec<String> = (1..=50).map(|id| format!("({id}, {}, {})", id * 10, id % 7)).collect();
    session.run(format!("INSERT INTO goods VALUES {}", rows.join(", "))).await;
    session
}

/// The check as the catalog has it.
async fn check(db: &TestDatabase) -> Option<String> {
    let name = on(db.kind(), "goods, check (price > = 0)", "goods, check price > = 0", "goods, check price > = 0");
    introspect::schema(db).await.fact(name).map(ToOwned::to_owned)
}

on_every_database! {
    async fn a_check_is_in_force_for_new_rows_and_the_old_ones_stay(db: TestDatabase) {
        let mut session = goods(&db).await;
        Train::new(&db).expand(ADD);
        assert!(session.execute("INSERT INTO goods VALUES (51, -1, 0)").await.is_err());
        session.run("INSERT INTO goods VALUES (51, 1, 0)").await;
        assert_eq!(session.lines("SELECT COUNT(*), SUM(price) FROM goods").await, ["51|12751"]);
        let fact = check(&db).await.expect("the check is there");
        assert_eq!(fact, on(db.kind(), "named ck_price (not valid)", "named ck_price", "named ck_price"));
    }

    async fn a_validated_check_holds_for_every_row(db: TestDatabase) {
        goods(&db).await;
        let mut train = Train::new(&db);
        train.expand(ADD);
        train.contract(VALIDATE);
        assert_eq!(check(&db).await.as_deref(), Some("named ck_price"));
        // A second run has nothing to do, and neither has another release that validates it again.
        train.concertina().run(&["contract"]).expect_code(0);
        train.contract(VALIDATE);
    }

    async fn validate_refuses_a_name_that_is_no_constraint_before_anything_runs(db: TestDatabase) {
        let before = { goods(&db).await; introspect::schema(&db).await };
        let mut train = Train::new(&db);
        let output = train.try_steps(
            "contract",
            "  - set_not_null: { table: goods, column: price }\n  - validate: { table: goods, name: ck_prize }",
        );
        output.expect_code(1).expect_stderr("there is no foreign key or check `ck_prize` on table `goods`");
        assert_eq!(Schema::differences(&before, &introspect::schema(&db).await), []);
    }

    async fn a_check_of_an_unknown_column_is_refused_before_anything_runs(db: TestDatabase) {
        let before = { goods(&db).await; introspect::schema(&db).await };
        let output = Train::new(&db).try_steps(
            "expand",
            "  - add_column: { table: goods, column: { name: note, type: text } }\n  \
             - add_check: { table: goods, name: ck, check: prise > 0, allow_rewrite: true }",
        );
        output.expect_code(1).expect_stderr("prise");
        assert_eq!(Schema::differences(&before, &introspect::schema(&db).await), []);
    }

    async fn orphans_from_before_a_foreign_key_are_named_and_the_key_is_validated_without_them(db: TestDatabase) {
        let mut session = goods(&db).await;
        session
            .run(format!("CREATE TABLE makers (id INTEGER NOT NULL PRIMARY KEY) {}", options(db.kind())))
            .await;
        session.run("INSERT INTO makers VALUES (0), (1), (2), (3), (4), (5), (6)").await;
        let mut train = Train::new(&db);
        let add = "  - add_foreign_key: { table: goods, name: fk_maker, columns: [maker], references: { table: makers, columns: [id] } }";
        if db.kind() == Kind::Sqlite {
            // Its rebuild looks at the rows at once; these orphans come later, from a session without foreign keys.
            train.expand(add);
            session.run("PRAGMA foreign_keys = OFF").await;
            session.run("UPDATE goods SET maker = 77 WHERE id IN (3, 5)").await;
        } else {
            session.run("UPDATE goods SET maker = 77 WHERE id IN (3, 5)").await;
            train.expand(add);
        }
        assert!(db.owner().await.execute("INSERT INTO goods VALUES (52, 1, 78)").await.is_err());
        let output = train.try_steps("contract", "  - validate: { table: goods, name: fk_maker }");
        output.expect_code(1).expect_stderr("rows of `goods` refer to rows of `makers` that do not exist: 3, 5");
        session.run("UPDATE goods SET maker = NULL WHERE maker = 77").await;
        train.concertina().run(&["upgrade"]).expect_code(0);
        let schema = introspect::schema(&db).await;
        let fact = schema.fact("goods, foreign key (maker)").expect("the key is there");
        assert!(!fact.contains("NOT VALID"), "{fact}");
    }
}

on_every_server! {
    async fn a_foreign_key_over_what_is_no_key_is_refused_before_anything_runs(db: TestDatabase) {
        let mut session = goods(&db).await;
        session.run(format!("CREATE TABLE makers (id INTEGER, x INTEGER) {}", options(db.kind()))).await;
        let before = introspect::schema(&db).await;
        let output = Train::new(&db).try_steps(
            "expand",
            "  - add_column: { table: goods, column: { name: note, type: text } }\n  \
             - add_foreign_key: { table: goods, name: fk, columns: [maker], references: { table: makers, columns: [x] } }",
        );
        output.expect_code(1).expect_stderr("`makers` has no key over (x)");
        assert_eq!(Schema::differences(&before, &introspect::schema(&db).await), []);
    }
}

#[test]
fn rows_that_do_not_pass_are_named_by_their_keys() {
    run(Kind::Postgres, "rows_that_do_not_pass_are_named", async |db: TestDatabase| {
        let mut session = goods(&db).await;
        session.run("UPDATE goods SET price = -price WHERE id IN (2, 4, 6)").await;
        let mut train = Train::new(&db);
        train.expand(ADD);
        train
            .try_steps("contract", VALIDATE)
            .expect_code(1)
            .expect_stderr("rows of `goods` do not pass the check `ck_price`: 2, 4, 6");
        session.run("UPDATE goods SET price = 0 WHERE id = 2").await;
        session.run("DELETE FROM goods WHERE price < 0").await;
        train.concertina().run(&["upgrade"]).expect_code(0);
        assert_eq!(check(&db).await.as_deref(), Some("named ck_price"));
    });
}

#[test]
fn validation_lets_an_open_transaction_of_a_writer_be() {
    run(Kind::Postgres, "validation_lets_writers_be", async |db: TestDatabase| {
        goods(&db).await;
        let mut train = Train::new(&db);
        train.expand(ADD);
        // A lock that stops writers could not be had while this is open.
        let mut writer = db.owner().await;
        writer.run("BEGIN").await;
        writer.run("UPDATE goods SET price = 7 WHERE id = 1").await;
        train.contract(VALIDATE);
        assert_eq!(check(&db).await.as_deref(), Some("named ck_price"));
        writer.run("COMMIT").await;
    });
}

#[test]
fn a_check_that_would_copy_the_table_asks_for_leave() {
    run(Kind::MySql, "a_check_that_would_copy", async |db: TestDatabase| {
        let before = {
            goods(&db).await;
            introspect::schema(&db).await
        };
        let output = Train::new(&db).try_steps(
            "expand",
            "  - add_column: { table: goods, column: { name: note, type: text } }\n  \
             - add_check: { table: goods, name: ck_price, check: price >= 0 }",
        );
        output.expect_code(1);
        assert_eq!(Schema::differences(&before, &introspect::schema(&db).await), []);
        let message = output.stderr.lines().find(|line| line.contains("error:")).unwrap_or_default().to_owned();
        insta::assert_snapshot!(message, @"error: to add a check, MariaDB copies the whole table, and every writer waits until it is done (12 s for a million rows); say allow_rewrite: true on the step where that is bearable, or let a trigger BEFORE INSERT and one BEFORE UPDATE refuse such rows, by a step with SQL of your own");
    });
}
