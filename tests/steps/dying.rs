//! The process dies within each kind of step; the next run finds out what is there, and ends where an undisturbed one does.

use super::on;
use crate::conformance::schema::Schema;
use crate::conformance::{introspect, leftovers};
use crate::support::{Kind, Session, TestDatabase, Train, on_every_database};

/// Each in a release of its own.
const STEPS: &[(&str, &str)] = &[
    ("expand", "create_index: { table: goods, name: ix_maker, columns: [maker] }"),
    (
        "expand",
        "add_foreign_key: { table: goods, name: fk_maker, columns: [maker], references: { table: makers, columns: [id] } }",
    ),
    ("expand", "add_check: { table: goods, name: ck_price, check: price >= 0, allow_rewrite: true }"),
    ("expand", "widen_column: { table: goods, column: name, type: string(30) }"),
    ("expand", "add_enum_value: { table: goods, column: state, value: old }"),
    ("contract", "validate: { table: goods, name: fk_maker }"),
    ("contract", "validate: { table: goods, name: ck_price }"),
    ("contract", "add_unique: { table: goods, name: uq_name, columns: [name, id] }"),
    ("contract", "set_not_null: { table: goods, column: name }"),
    ("contract", "drop_index: { table: goods, name: ix_free }"),
];

async fn prepare(db: &TestDatabase) -> Session {
    let mut session = db.owner().await;
    let kind = db.kind();
    if kind == Kind::Postgres {
        session.run("CREATE TYPE goods_state AS ENUM ('new', 'sold')").await;
    }
    for sql in [
        "CREATE TABLE makers (id INTEGER NOT NULL PRIMARY KEY)".to_owned(),
        format!(
            "CREATE TABLE goods (id INTEGER NOT NULL PRIMARY KEY, price INTEGER, maker INTEGER, name VARCHAR(20), state {})",
            on(
                kind,
                "goods_state DEFAULT 'new'",
                "ENUM('new', 'sold') DEFAULT 'new'",
                "VARCHAR(9) DEFAULT 'new' CHECK (state IN ('new', 'sold'))"
            )
        ),
        "CREATE INDEX ix_free ON goods (price, maker)".to_owned(),
        "INSERT INTO makers VALUES (0), (1), (2)".to_owned(),
        "INSERT INTO goods (id, price, maker, name) VALUES (1, 5, 0, 'a'), (2, 6, 1, 'b'), (3, 6, 2, 'c')".to_owned(),
    ] {
        session.run(sql).await;
    }
    session
}

/// What must be the same however a database came to it.
async fn end(db: &TestDatabase, session: &mut Session) -> (Schema, Vec<String>) {
    let mut ours: Vec<String> = leftovers::ours(db).await.iter().map(ToString::to_string).collect();
    ours.extend(session.lines("SELECT COUNT(*) FROM concertina_step WHERE finished_at IS NULL").await);
    (introspect::schema(db).await, ours)
}

/// Runs every step without a disturbance.
async fn undisturbed(db: &TestDatabase) -> (Schema, Vec<String>) {
    let mut session = prepare(db).await;
    let of = |wanted: &str| {
        let steps = STEPS.iter().filter(|(folder, _)| *folder == wanted);
        steps.fold("steps:\n".to_owned(), |text, (_, step)| format!("{text}  - {step}\n"))
    };
    let mut train = Train::new(db);
    train.add(&[("expand/01_steps.yaml", &of("expand")), ("contract/01_steps.yaml", &of("contract"))]);
    train.concertina().run(&["upgrade"]).expect_code(0);
    end(db, &mut session).await
}

/// Runs every step in two lives, and writes between them.
async fn disturbed(db: &TestDatabase, failpoint: &str) -> (Schema, Vec<String>) {
    let mut session = prepare(db).await;
    let mut train = Train::new(db);
    let mut deaths = 0;
    for (number, (folder, step)) in STEPS.iter().enumerate() {
        train.add(&[(&format!("{folder}/01_step.yaml"), &format!("steps:\n  - {step}\n"))]);
        let life = train.concertina().env("CONCERTINA_FAILPOINT", failpoint).run(&["upgrade"]);
        deaths += usize::from(life.code.is_none());
        assert!(life.code.is_none_or(|code| code == 0), "{life}");
        let row = format!("INSERT INTO goods (id, price, maker, name) VALUES ({}, 7, 1, 'd')", 100 + number);
        session.run(row).await;
        train.concertina().run(&["upgrade"]).expect_code(0);
    }
    // A step without statements has none to die behind.
    assert!(deaths + 2 >= STEPS.len(), "{deaths} deaths");
    end(db, &mut session).await
}

async fn compare(db: &TestDatabase, failpoint: &str) {
    let other = TestDatabase::create(db.kind(), "undisturbed").await;
    let (expected, nothing_left) = undisturbed(&other).await;
    let (found, left) = disturbed(db, failpoint).await;
    assert_eq!(Schema::differences(&expected, &found), [], "dying at {failpoint}");
    assert_eq!(left, nothing_left, "dying at {failpoint}");
}

on_every_database! {
    async fn dying_behind_the_first_statement(db: TestDatabase) {
        compare(&db, "step.statement").await;
    }

    async fn dying_between_the_last_statement_and_the_record(db: TestDatabase) {
        compare(&db, "step.ran").await;
    }
}
