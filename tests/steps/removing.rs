//! The steps that remove: `drop_column`, `drop_table`, `drop_index`, `drop_constraint`.

use super::{on, options};
use crate::conformance::introspect;
use crate::support::{Kind, Session, TestDatabase, Train, on_every_database};

/// Two tables with a constraint of each kind, all of them named.
async fn shop(db: &TestDatabase) -> Session {
    let mut session = db.owner().await;
    let options = options(db.kind());
    session.run(format!("CREATE TABLE makers (id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(40)) {options}")).await;
    session
        .run(format!(
            "CREATE TABLE goods (id INTEGER NOT NULL PRIMARY KEY, code VARCHAR(40) NOT NULL, price INTEGER, maker INTEGER, \
             old VARCHAR(10), CONSTRAINT uq_goods_code UNIQUE (code), CONSTRAINT ck_goods_price CHECK (price > 0), \
             CONSTRAINT fk_goods_maker FOREIGN KEY (maker) REFERENCES makers (id)) {options}"
        ))
        .await;
    session.run("CREATE INDEX ix_goods_price ON goods (price)").await;
    session.run("INSERT INTO makers VALUES (1, 'one')").await;
    session.run("INSERT INTO goods VALUES (1, 'a', 5, 1, 'x'), (2, 'b', NULL, NULL, NULL)").await;
    session
}

const ROWS: &str = "SELECT id, code, price, maker FROM goods ORDER BY id";

on_every_database! {
    async fn constraints_of_each_kind_are_dropped(db: TestDatabase) {
        let mut session = shop(&db).await;
        let mut train = Train::new(&db);
        train.expand("  - drop_constraint: { table: goods, name: ck_goods_price }");
        session.run("INSERT INTO goods VALUES (3, 'c', -1, 1, NULL)").await;
        assert!(session.execute("INSERT INTO goods VALUES (4, 'a', 1, 1, NULL)").await.is_err(), "unique still");
        train.expand("  - drop_constraint: { table: goods, name: uq_goods_code }");
        session.run("INSERT INTO goods VALUES (4, 'a', 1, 1, NULL)").await;
        assert!(session.execute("INSERT INTO goods VALUES (5, 'z', 1, 9, NULL)").await.is_err(), "foreign key still");
        train.contract("  - drop_constraint: { table: goods, name: fk_goods_maker }");
        session.run("INSERT INTO goods VALUES (5, 'z', 1, 9, NULL)").await;
        assert_eq!(session.lines(ROWS).await, ["1|a|5|1", "2|b|-|-", "3|c|-1|1", "4|a|1|1", "5|z|1|9"]);
        let schema = introspect::schema(&db).await;
        assert_eq!(schema.fact("goods, index ix_goods_price"), Some("(price)"));
    }

    async fn a_column_goes_and_the_rows_stay(db: TestDatabase) {
        let mut session = shop(&db).await;
        Train::new(&db).contract("  - drop_column: { table: goods, column: old }");
        assert_eq!(session.lines(ROWS).await, ["1|a|5|1", "2|b|-|-"]);
        assert!(session.execute("SELECT old FROM goods WHERE old = 'x'").await.is_err());
        let schema = introspect::schema(&db).await;
        assert_eq!(schema.fact("goods, order of columns"), Some("id, code, price, maker"));
        assert!(session.execute("INSERT INTO goods VALUES (3, 'c', -1, 1)").await.is_err(), "the check stays");
        assert!(session.execute("INSERT INTO goods VALUES (3, 'a', 1, 1)").await.is_err(), "the unique stays");
        assert!(session.execute("INSERT INTO goods VALUES (3, 'c', 1, 9)").await.is_err(), "the foreign key stays");
    }

    async fn an_index_goes(db: TestDatabase) {
        let mut session = shop(&db).await;
        Train::new(&db).contract("  - drop_index: { table: goods, name: ix_goods_price }");
        let schema = introspect::schema(&db).await;
        assert_eq!(schema.fact("goods, index ix_goods_price"), None);
        assert_eq!(session.lines(ROWS).await, ["1|a|5|1", "2|b|-|-"]);
    }

    async fn an_indexed_column_goes_after_its_index(db: TestDatabase) {
        let mut session = shop(&db).await;
        Train::new(&db).contract(
            "  - drop_constraint: { table: goods, name: ck_goods_price }\n  \
             - drop_index: { table: goods, name: ix_goods_price }\n  \
             - drop_column: { table: goods, column: price }",
        );
        assert_eq!(session.lines("SELECT id, code, maker, old FROM goods ORDER BY id").await, ["1|a|1|x", "2|b|-|-"]);
    }

    async fn tables_go_and_what_refers_to_them_first(db: TestDatabase) {
        let mut session = shop(&db).await;
        Train::new(&db).contract("  - drop_table: { table: goods }\n  - drop_table: { table: makers }");
        let schema = introspect::schema(&db).await;
        assert_eq!((schema.fact("table goods"), schema.fact("table makers")), (None, None));
        assert!(session.execute("SELECT * FROM goods").await.is_err());
    }

    async fn a_table_that_is_referred_to_does_not_go(db: TestDatabase) {
        let mut session = shop(&db).await;
        let mut train = Train::new(&db);
        train.try_steps("contract", "  - drop_table: { table: makers }").expect_code(1).expect_stderr("makers");
        assert_eq!(session.lines("SELECT * FROM makers").await, ["1|one"]);
        assert_eq!(session.lines(ROWS).await, ["1|a|5|1", "2|b|-|-"]);
    }

    async fn what_is_not_there_is_refused_with_its_place(db: TestDatabase) {
        shop(&db).await;
        for (step, named) in [
            ("drop_column: { table: goods, column: cod }", "did you mean `code`?"),
            ("drop_table: { table: good }", "did you mean `goods`?"),
            ("drop_index: { table: goods, name: ix_none }", "ix_none"),
            ("drop_constraint: { table: goods, name: ck_none }", "ck_none"),
        ] {
            let mut train = Train::new(&db);
            let output = train.try_steps("contract", &format!("  - {step}"));
            output.expect_code(1).expect_stderr(named).expect_stderr("contract/r1/01_steps.yaml");
        }
    }

    async fn a_dropped_default_and_a_dropped_not_null_stay_dropped(db: TestDatabase) {
        let kind = db.kind();
        let mut session = db.owner().await;
        session
            .run(format!(
                "CREATE TABLE notes (id INTEGER NOT NULL PRIMARY KEY, body VARCHAR(20) NOT NULL DEFAULT 'none', \
                 flag {} NOT NULL DEFAULT {}, kept VARCHAR(20) NOT NULL DEFAULT 'kept') {}",
                on(kind, "BOOLEAN", "BOOLEAN", "BOOLEAN"),
                kind.boolean(true),
                options(kind)
            ))
            .await;
        session.run("INSERT INTO notes (id) VALUES (1)").await;
        let mut train = Train::new(&db);
        train.expand("  - drop_not_null: { table: notes, column: body }");
        session.run("INSERT INTO notes (id, body) VALUES (2, NULL)").await;
        session.run("INSERT INTO notes (id) VALUES (3)").await;
        train.expand("  - drop_default: { table: notes, column: body }\n  - drop_default: { table: notes, column: flag }");
        session.run(format!("INSERT INTO notes (id, flag) VALUES (4, {})", kind.boolean(false))).await;
        assert!(session.execute("INSERT INTO notes (id) VALUES (5)").await.is_err(), "flag has no default any more");
        assert_eq!(
            session.lines("SELECT id, body, kept FROM notes ORDER BY id").await,
            ["1|none|kept", "2|-|kept", "3|none|kept", "4|-|kept"]
        );
        if kind == Kind::MySql {
            let schema = introspect::schema(&db).await;
            assert_eq!(schema.fact("notes, column body"), Some("VARCHAR(20) NULL"));
        }
    }
}
