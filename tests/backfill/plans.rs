//! The statements of a batch find their rows by the key's index: what the server says of the SQL that `plan` prints.

use super::{COUNT, make_items, options, train_of};
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
        // What a program's answers are written by stands below a comment.
        .map(|statement| statement.lines().filter(|line| !line.starts_with("--")).collect::<Vec<_>>().join("\n"))
        .filter(|statement| ["SELECT", "UPDATE", "INSERT", "DELETE"].iter().any(|word| statement.starts_with(word)))
        .collect();
    assert!(statements.iter().any(|statement| !statement.starts_with("SELECT")), "{statements:?}");
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
    analyze(&mut session, "items").await;
    (session, train_of(db, 100, COUNT))
}

async fn analyze(session: &mut Session, table: &str) {
    let words = if matches!(session, Session::MySql(_)) { "ANALYZE TABLE" } else { "ANALYZE" };
    session.run(format!("{words} {table}")).await;
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
        let text = in_turn(&statement, values);
        let read = rows_read(&mut session, &text).await;
        assert!(read < 1_500, "{read} rows were read by {text}");
    }
}

/// Puts values in the place of question marks, over and over.
fn in_turn(statement: &str, values: &[&str]) -> String {
    let mut text = String::new();
    let mut values = values.iter().cycle();
    for character in statement.chars() {
        match character {
            '?' => text.push_str(values.next().expect("a cycle never ends")),
            other => text.push(other),
        }
    }
    text
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

#[test]
fn keys_of_several_columns_and_types_on_postgres() {
    run(Kind::Postgres, "keys_of_several_columns", async |db: TestDatabase| {
        let (mut session, train) = big(
            &db,
            "a UUID NOT NULL, b DATE NOT NULL, c NUMERIC(10, 2) NOT NULL, d VARCHAR(20) NOT NULL",
            ", PRIMARY KEY (a, b, c, d)",
            |number| {
                format!(
                    "'00000000-0000-4000-8000-0000000000{:02}', '2017-02-01', {}.5, 'd{number}'",
                    number / 1_000,
                    number % 7
                )
            },
        )
        .await;
        let key = ["'00000000-0000-4000-8000-000000000005'", "'2017-02-01'", "3", "'d5003'"];
        let end = ["'00000000-0000-4000-8000-000000000005'", "'2017-02-01'", "3", "'d55'"];
        let values: Vec<&str> = key.into_iter().chain(end).collect();
        let statements = statements(&train, &values);
        expect_index(&mut session, &statements, "EXPLAIN", postgres_index).await;
    });
}

#[test]
fn pages_on_postgres() {
    run(Kind::Postgres, "pages", async |db: TestDatabase| {
        let (mut session, train) = big(&db, "a INTEGER NOT NULL", "", |number| format!("{number}")).await;
        let statements: Vec<String> = statements(&train, &["20", "22"])
            .into_iter()
            .filter(|statement| !statement.starts_with("SELECT LEAST"))
            .collect();
        for statement in statements.iter().filter(|statement| !statement.contains("LIMIT 5")) {
            let plan = session.lines(format!("EXPLAIN {statement}")).await.join("\n");
            assert!(plan.contains("Tid Range Scan") && !plan.contains("Seq Scan"), "{statement}\n{plan}");
        }
        assert!(statements.iter().any(|statement| statement.starts_with("UPDATE")));
    });
}

#[test]
fn three_columns_on_mysql() {
    run(Kind::MySql, "three_columns", async |db: TestDatabase| {
        // In the order of the placeholders: (a, b, c), (a, b), a.
        let half = |last: &'static str| ["5", "'b3'", last, "5", "'b3'", "5"];
        let values: Vec<&str> = half("5003").into_iter().chain(half("5300")).collect();
        expect_few_rows(
            db,
            "a INTEGER NOT NULL, b VARCHAR(20) NOT NULL, c BIGINT NOT NULL",
            ", PRIMARY KEY (a, b, c)",
            &values,
            |number| format!("{}, 'b{}', {number}", number / 1_000, number % 7),
        )
        .await;
    });
}

#[test]
fn four_columns_on_mysql() {
    run(Kind::MySql, "four_columns", async |db: TestDatabase| {
        let (a, b, c) = ("'00000000-0000-4000-8000-000000000005'", "'2017-02-01'", "3.5");
        let half = |last: &'static str| [a, b, c, last, a, b, c, a, b, a];
        let values: Vec<&str> = half("'d5003'").into_iter().chain(half("'d55'")).collect();
        expect_few_rows(
            db,
            "a UUID NOT NULL, b DATE NOT NULL, c DECIMAL(10, 2) NOT NULL, d VARCHAR(20) NOT NULL",
            ", PRIMARY KEY (a, b, c, d)",
            &values,
            |number| {
                format!(
                    "'00000000-0000-4000-8000-0000000000{:02}', '2017-02-01', {}.5, 'd{number}'",
                    number / 1_000,
                    number % 7
                )
            },
        )
        .await;
    });
}

#[test]
fn an_enum_first_on_mysql() {
    run(Kind::MySql, "an_enum_first", async |db: TestDatabase| {
        // (a, b), then a with each of its labels and with none.
        let values = ["2", "5003", "2", "2", "2", "2", "2", "5300", "2", "2", "2", "2"];
        expect_few_rows(
            db,
            "a ENUM('x', 'b', 'a') NOT NULL, b INTEGER NOT NULL",
            ", PRIMARY KEY (a, b)",
            &values,
            |number| format!("{}, {number}", number % 3 + 1),
        )
        .await;
    });
}

#[test]
fn a_uuid_key_on_mysql() {
    run(Kind::MySql, "a_uuid_key", async |db: TestDatabase| {
        let values = ["'00000000-0000-4000-8000-000000005000'", "'00000000-0000-4000-8000-000000005100'"];
        expect_few_rows(db, "id UUID NOT NULL PRIMARY KEY", "", &values, |number| {
            format!("'00000000-0000-4000-8000-{number:012}'")
        })
        .await;
    });
}

/// Fails unless SQLite searches, and scans nothing; what a statement asks for twice gets the same values again.
async fn expect_search(session: &mut Session, train: &Train, values: &[&str]) {
    for statement in statements(train, &[]).iter().filter(|statement| !statement.contains("LIMIT 5")) {
        let text = in_turn(statement, values);
        let plan = session.lines(format!("EXPLAIN QUERY PLAN {text}")).await.join("\n");
        assert!(plan.contains("SEARCH") && !plan.contains("SCAN") && !plan.contains("TEMP B-TREE"), "{text}\n{plan}");
    }
}

#[test]
fn row_numbers_on_sqlite() {
    run(Kind::Sqlite, "row_numbers", async |db: TestDatabase| {
        let (mut session, train) = big(&db, "id TEXT NOT NULL PRIMARY KEY", "", |number| format!("'k{number}'")).await;
        session.run("CREATE INDEX items_done ON items (done)").await;
        expect_search(&mut session, &train, &["5000", "5100"]).await;
    });
}

#[test]
fn composites_on_sqlite() {
    run(Kind::Sqlite, "composites", async |db: TestDatabase| {
        let (mut session, train) = big(
            &db,
            "a INTEGER NOT NULL, b TEXT NOT NULL, c INTEGER NOT NULL, d TEXT NOT NULL",
            ", PRIMARY KEY (a, b, c, d)) WITHOUT ROWID --",
            |number| format!("{}, 'b{}', {number}, 'd'", number / 1_000, number % 7),
        )
        .await;
        session.run("CREATE INDEX items_done ON items (done)").await;
        expect_search(&mut session, &train, &["5", "'b3'", "5003", "'d'", "5", "'b3'", "5500", "'d'"]).await;
    });
}

/// Parents with two children each, and a table to copy to.
async fn family(db: &TestDatabase) -> Session {
    let mut session = make_items(db, "id BIGINT NOT NULL PRIMARY KEY", "", |number| format!("{number}")).await;
    super::insert_items(&mut session, 10_000, |number| format!("{}", number + super::ROWS)).await;
    let end = options(db.kind());
    session.run(format!("CREATE TABLE parts (id BIGINT NOT NULL PRIMARY KEY, item BIGINT NOT NULL) {end}")).await;
    session.run(format!("CREATE TABLE notes (id BIGINT NOT NULL PRIMARY KEY, part BIGINT NOT NULL) {end}")).await;
    session.run(format!("CREATE TABLE others (item BIGINT NOT NULL PRIMARY KEY, payload VARCHAR(40)) {end}")).await;
    session.run("INSERT INTO parts SELECT id, id FROM items").await;
    session.run("INSERT INTO parts SELECT id + 100000, id FROM items").await;
    session.run("INSERT INTO notes SELECT id, id FROM parts").await;
    session.run("INSERT INTO others SELECT id, payload FROM items WHERE id % 2 = 0").await;
    session.run("CREATE INDEX parts_item ON parts (item)").await;
    session.run("CREATE INDEX notes_part ON notes (part)").await;
    for table in ["items", "parts", "notes", "others"] {
        analyze(&mut session, table).await;
    }
    session
}

const FAMILY: [(&str, &str); 3] = [
    (
        "copy",
        "backfill: { table: items, copy: { into: others, key: [item], columns: { item: id, payload: payload } } }\n",
    ),
    (
        "delete",
        "backfill:
  table: items
  delete: { children: [{ table: parts, key: { item: id }, children: [{ table: notes, key: { part: id } }] }] }
  where: counter = 1
",
    ),
    (
        "command",
        "backfill: { table: items, command: { run: [cat], reads: [payload], writes: [done] }, where: done = 0 }\n",
    ),
];

#[test]
fn the_other_kinds_on_postgres() {
    run(Kind::Postgres, "the_other_kinds", async |db: TestDatabase| {
        let mut session = family(&db).await;
        for (kind, backfill) in FAMILY {
            let train = train_of(&db, 100, backfill);
            let statements = statements(&train, &["5000", "5100", "'p'", "0", "0", "0"]);
            for statement in statements.iter().filter(|statement| !statement.contains("LIMIT 5")) {
                let plan = session.lines(format!("EXPLAIN {statement}")).await.join("\n");
                assert!(plan.contains("Index") && !plan.contains("Seq Scan"), "{kind}: {statement}\n{plan}");
            }
        }
    });
}

#[test]
fn the_other_kinds_on_mysql() {
    run(Kind::MySql, "the_other_kinds", async |db: TestDatabase| {
        let mut session = family(&db).await;
        session.run("UPDATE items SET counter = 1 WHERE id % 2 = 0").await;
        for (kind, backfill) in FAMILY {
            let train = train_of(&db, 100, backfill);
            for statement in statements(&train, &[]).iter().filter(|statement| !statement.contains("LIMIT 5")) {
                let written = kind == "command" && statement.starts_with("UPDATE");
                let values: &[&str] = if written { &["1", "5000", "'p'", "0"] } else { &["5000", "5100"] };
                let text = in_turn(statement, values);
                let read = rows_read(&mut session, &text).await;
                assert!(read < 1_500, "{read} rows were read by {text}");
            }
        }
    });
}

#[test]
fn the_other_kinds_on_sqlite() {
    run(Kind::Sqlite, "the_other_kinds", async |db: TestDatabase| {
        let mut session = family(&db).await;
        for (_, backfill) in FAMILY {
            let train = train_of(&db, 100, backfill);
            expect_search(&mut session, &train, &["5000", "5100"]).await;
        }
    });
}
