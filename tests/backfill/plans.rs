//! The statements of a batch find their rows by the key's index: what the server says of the SQL that `plan` prints.

use super::{COUNT, make_items};
use crate::support::{Kind, Session, TestDatabase, Train, run};

/// The statements of the backfill, with these values in the place of the placeholders, in turn.
fn statements(train: &Train, values: &[&str]) -> Vec<String> {
    let plan = train.concertina().run(&["plan", "migrate", "--output", "json"]);
    plan.expect_code(0);
    let json = plan.json();
    let steps = json["steps"].as_array().expect("steps");
    let statements: Vec<String> = steps
        .iter()
        .flat_map(|step| step["statements"].as_array().expect("statements"))
        .map(|statement| statement.as_str().expect("text").to_owned())
        .filter(|statement| ["SELECT", "UPDATE"].iter().any(|word| statement.starts_with(word)))
        .collect();
    assert!(statements.iter().any(|statement| statement.starts_with("UPDATE")), "{statements:?}");
    statements.into_iter().map(|statement| filled(&statement, values)).collect()
}

/// Puts values in; what a statement asks for twice gets the same values again.
fn filled(statement: &str, values: &[&str]) -> String {
    let mut text = statement.to_owned();
    for (position, value) in values.iter().enumerate().rev() {
        text = text.replace(&format!("${}", position + 1), value);
    }
    text
}

/// Fails unless every statement but the one that looks at what is pending goes by the key's index.
async fn expect_index(session: &mut Session, statements: &[String], explain: &str, by_index: impl Fn(&str) -> bool) {
    let mut looked_at = 0;
    for statement in statements.iter().filter(|statement| !statement.contains("LIMIT 5")) {
        let plan = session.lines(format!("{explain} {statement}")).await.join("\n");
        assert!(by_index(&plan), "{statement}\n{plan}");
        looked_at += 1;
    }
    assert!(looked_at >= 2, "{statements:?}");
}

async fn big(db: &TestDatabase, columns: &str, constraint: &str, key: impl Fn(usize) -> String) -> (Session, Train) {
    let mut session = make_items(db, columns, constraint, &key).await;
    super::insert_items(&mut session, 10_000, |number| key(number + super::ROWS)).await;
    session.run(if db.kind() == Kind::Postgres { "ANALYZE items" } else { "ANALYZE TABLE items" }).await;
    let mut train = Train::with_settings(db, "batch: { rows: 100 }");
    train.add(&[("data/01_count.yaml", COUNT)]);
    train.concertina().run(&["expand"]).expect_code(0);
    (session, train)
}

fn postgres_index(plan: &str) -> bool {
    plan.contains("Index") && plan.contains("items_pkey") && !plan.contains("Seq Scan")
}

#[test]
fn a_single_key_on_postgres() {
    run(Kind::Postgres, "a_single_key", async |db: TestDatabase| {
        let (mut session, train) = big(&db, "id BIGINT NOT NULL PRIMARY KEY", "", |number| format!("{number}")).await;
        let statements = statements(&train, &["5000", "5100"]);
        expect_index(&mut session, &statements, "EXPLAIN", postgres_index).await;
    });
}

#[test]
fn a_composite_key_on_postgres() {
    run(Kind::Postgres, "a_composite_key", async |db: TestDatabase| {
        let (mut session, train) = big(
            &db,
            "a INTEGER NOT NULL, b VARCHAR(20) NOT NULL, c BIGINT NOT NULL",
            ", PRIMARY KEY (a, b, c)",
            |number| format!("{}, 'b{}', {number}", number / 1_000, number % 7),
        )
        .await;
        let statements = statements(&train, &["5", "'b3'", "5003", "5", "'b3'", "5500"]);
        expect_index(&mut session, &statements, "EXPLAIN", postgres_index).await;
    });
}

/// What MariaDB examines, by its own counters: a plan can name an index and still read all of it.
async fn rows_read(session: &mut Session, statement: &str) -> usize {
    let before = counters(session).await;
    session.execute(statement).await.expect("the statement runs");
    counters(session).await - before
}

async fn counters(session: &mut Session) -> usize {
    let counters = session.rows("SHOW SESSION STATUS LIKE 'Handler_read%'").await;
    counters.into_iter().filter_map(|row| row.into_iter().nth(1)?).filter_map(|value| value.parse::<usize>().ok()).sum()
}

async fn expect_few_rows(
    db: TestDatabase,
    columns: &str,
    constraint: &str,
    values: &[&str],
    key: impl Fn(usize) -> String,
) {
    let (mut session, train) = big(&db, columns, constraint, key).await;
    for statement in statements(&train, &[]) {
        if statement.contains("LIMIT 5") {
            continue;
        }
        let mut text = String::new();
        let mut values = values.iter().cycle();
        for character in statement.chars() {
            match character {
                '?' => text.push_str(values.next().expect("a cycle never ends")),
                other => text.push(other),
            }
        }
        let read = rows_read(&mut session, &text).await;
        assert!(read < 1_500, "{read} rows were read by {text}");
    }
}

#[test]
fn a_single_key_on_mysql() {
    run(Kind::MySql, "a_single_key", async |db: TestDatabase| {
        expect_few_rows(db, "id BIGINT NOT NULL PRIMARY KEY", "", &["5000", "5100"], |number| format!("{number}"))
            .await;
    });
}

#[test]
fn a_text_key_on_mysql() {
    run(Kind::MySql, "a_text_key", async |db: TestDatabase| {
        expect_few_rows(db, "id VARCHAR(20) NOT NULL PRIMARY KEY", "", &["'k05000'", "'k05100'"], |number| {
            format!("'k{number:05}'")
        })
        .await;
    });
}

#[test]
fn a_composite_key_on_mysql() {
    run(Kind::MySql, "a_composite_key", async |db: TestDatabase| {
        // In the order of the placeholders: (a, b), then a, for the cursor and for the span's end.
        let values = ["5", "500", "5", "5", "600", "5"];
        expect_few_rows(db, "a INTEGER NOT NULL, b INTEGER NOT NULL", ", PRIMARY KEY (a, b)", &values, |number| {
            format!("{}, {}", number / 1_000, number % 1_000)
        })
        .await;
    });
}
