//! Tables are walked by whatever their key is, with gaps in it, and each row is transformed exactly once.

use super::{ROWS, counting, expect_each_once, make_items};
use crate::support::{Kind, TestDatabase, on_every_database, run};

/// Walks a table with this key in small batches.
async fn walk(db: TestDatabase, columns: &str, constraint: &str, key: impl Fn(usize) -> String) {
    let mut session = make_items(&db, columns, constraint, key).await;
    let train = counting(&db, 7);
    let output = train.concertina().run(&["migrate"]);
    output.expect_code(0);
    expect_each_once(&mut session, ROWS).await;
    let batches = session.value("SELECT batches FROM concertina_range").await.expect("a range is recorded");
    assert!(batches.parse::<u32>().expect("a number") > 3, "{batches} batches");
    let walked = session.lines("SELECT rows_walked, rows_changed, pass FROM concertina_range ORDER BY pass").await;
    assert_eq!(
        walked,
        [format!("{ROWS}|{ROWS}|1"), format!("{ROWS}|0|2")],
        "one walk changes every row, and one looks"
    );
}

/// A number that leaves gaps, and whose order is not that of its digits.
fn gapped(number: usize) -> usize {
    number * 13 + (number % 5) + 3
}

/// Numbers in an order of their own, so that no key is inserted in its order.
fn shuffled(number: usize) -> usize {
    (number * 1_009) % ROWS
}

on_every_database! {
    async fn bigint(db: TestDatabase) {
        walk(db, "id BIGINT NOT NULL PRIMARY KEY", "", |number| {
            format!("{}", i64::try_from(gapped(shuffled(number))).unwrap() * 1_000_000_007 - 5_000_000_000_000)
        })
        .await;
    }

    async fn text_in_a_case_insensitive_collation(db: TestDatabase) {
        let collation = match db.kind() {
            Kind::Postgres => {
                db.owner().await.run(
                    "CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
                ).await;
                "COLLATE nocase"
            }
            Kind::MySql => "COLLATE utf8mb4_general_ci",
            Kind::Sqlite => "COLLATE NOCASE",
        };
        walk(db, &format!("id VARCHAR(60) {collation} NOT NULL PRIMARY KEY"), "", |number| {
            let number = gapped(shuffled(number));
            // Quotes, letters of both cases, and what a pattern or a backslash would make of it.
            let head = ["a", "B", "Ä", "é_", "Z''%"][number % 5];
            format!("'{head}{number}'")
        })
        .await;
    }

    async fn uuid(db: TestDatabase) {
        let column = match db.kind() {
            Kind::Postgres | Kind::MySql => "id UUID NOT NULL PRIMARY KEY",
            Kind::Sqlite => "id CHAR(36) NOT NULL PRIMARY KEY",
        };
        walk(db, column, "", |number| {
            let number = gapped(shuffled(number));
            format!("'{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}'", number * 77_777, number % 65_536, number % 4_096, number % 4_096, number)
        })
        .await;
    }

    async fn bytes(db: TestDatabase) {
        let (column, literal): (&str, fn(usize) -> String) = match db.kind() {
            Kind::Postgres => ("id BYTEA NOT NULL PRIMARY KEY", |number| format!("'\\x{:08x}00ff27'", number * 999_983 % 4_294_967_291)),
            Kind::MySql => ("id VARBINARY(16) NOT NULL PRIMARY KEY", |number| format!("X'{:08x}00ff27'", number * 999_983 % 4_294_967_291)),
            Kind::Sqlite => ("id BLOB NOT NULL PRIMARY KEY", |number| format!("X'{:08x}00ff27'", number * 999_983 % 4_294_967_291)),
        };
        walk(db, column, "", |number| literal(gapped(shuffled(number)))).await;
    }

    async fn decimal(db: TestDatabase) {
        if db.kind() == Kind::Sqlite {
            // Its numbers are 64-bit floats.
            return walk(db, "id DECIMAL(20, 3) NOT NULL PRIMARY KEY", "", |number| format!("{}.125", gapped(shuffled(number)))).await;
        }
        // Neighbours that a 64-bit float does not tell apart.
        walk(db, "id DECIMAL(38, 6) NOT NULL PRIMARY KEY", "", |number| {
            format!("9007199254740993000000000{:06}.000001", gapped(shuffled(number)))
        })
        .await;
    }

    async fn timestamp(db: TestDatabase) {
        let column = match db.kind() {
            Kind::Postgres => "id TIMESTAMP NOT NULL PRIMARY KEY",
            Kind::MySql => "id DATETIME(6) NOT NULL PRIMARY KEY",
            Kind::Sqlite => "id DATETIME NOT NULL PRIMARY KEY",
        };
        walk(db, column, "", |number| {
            let number = gapped(shuffled(number));
            format!("'2017-02-{:02} 12:00:{:02}.{:06}'", number % 28 + 1, number % 60, number)
        })
        .await;
    }

    async fn three_columns_with_text_among_them(db: TestDatabase) {
        walk(
            db,
            "a INTEGER NOT NULL, b VARCHAR(40) NOT NULL, c BIGINT NOT NULL",
            ", PRIMARY KEY (a, b, c)",
            |number| {
                let number = gapped(shuffled(number));
                format!("{}, 'b{}', {}", number % 3, number % 40, number)
            },
        )
        .await;
    }

    async fn a_unique_key_alone(db: TestDatabase) {
        walk(db, "other INTEGER, id VARCHAR(40) NOT NULL", ", CONSTRAINT uq_items UNIQUE (id)", |number| {
            format!("NULL, 'k{}'", gapped(shuffled(number)))
        })
        .await;
    }
}

#[test]
fn numbers_beyond_64_bits_with_a_sign() {
    run(Kind::MySql, "numbers_beyond_64_bits_with_a_sign", async |db: TestDatabase| {
        walk(db, "id BIGINT UNSIGNED NOT NULL PRIMARY KEY", "", |number| {
            format!("{}", 9_223_372_036_854_775_000_u64 + gapped(shuffled(number)) as u64)
        })
        .await;
    });
}

#[test]
fn an_enum_in_the_key_is_ordered_as_the_database_orders_it() {
    run(Kind::MySql, "an_enum_in_the_key_is_ordered_as_the_database_orders_it", async |db: TestDatabase| {
        walk(db, "a ENUM('zebra', 'ant', 'mole') NOT NULL, b INT NOT NULL", ", PRIMARY KEY (a, b)", |number| {
            let number = gapped(shuffled(number));
            format!("'{}', {number}", ["zebra", "ant", "mole"][number % 3])
        })
        .await;
    });
}

#[test]
fn an_enum_in_the_key_on_postgres() {
    run(Kind::Postgres, "an_enum_in_the_key_on_postgres", async |db: TestDatabase| {
        db.owner().await.run("CREATE TYPE animal AS ENUM ('zebra', 'ant', 'mole')").await;
        walk(db, "a animal NOT NULL, b INT NOT NULL", ", PRIMARY KEY (a, b)", |number| {
            let number = gapped(shuffled(number));
            format!("'{}', {number}", ["zebra", "ant", "mole"][number % 3])
        })
        .await;
    });
}

#[test]
fn binary_of_a_fixed_length_and_old_character_sets() {
    run(Kind::MySql, "binary_of_a_fixed_length_and_old_character_sets", async |db: TestDatabase| {
        walk(
            db,
            "a VARCHAR(20) CHARACTER SET latin1 COLLATE latin1_german1_ci NOT NULL, b BINARY(4) NOT NULL",
            ", PRIMARY KEY (a, b)",
            |number| {
                let number = gapped(shuffled(number));
                format!("'ä{}', X'{:06x}00'", number % 40, number)
            },
        )
        .await;
    });
}

#[test]
fn values_of_several_classes_in_one_key() {
    run(Kind::Sqlite, "values_of_several_classes_in_one_key", async |db: TestDatabase| {
        walk(db, "id NOT NULL PRIMARY KEY", "", |number| {
            let id = gapped(shuffled(number));
            match id % 4 {
                0 => format!("{id}"),
                1 => format!("{id}.5"),
                2 => format!("'{id}'"),
                _ => format!("X'{id:08x}'"),
            }
        })
        .await;
    });
}

#[test]
fn a_table_without_a_rowid() {
    run(Kind::Sqlite, "a_table_without_a_rowid", async |db: TestDatabase| {
        let mut session = db.owner().await;
        session
            .run(
                "CREATE TABLE items (a TEXT NOT NULL, b INTEGER NOT NULL, counter INTEGER NOT NULL DEFAULT 0, \
                 done INTEGER NOT NULL DEFAULT 0, payload TEXT, PRIMARY KEY (a, b)) WITHOUT ROWID",
            )
            .await;
        super::insert_items(&mut session, ROWS, |number| format!("'{}', {number}", number % 9)).await;
        counting(&db, 100).concertina().run(&["migrate"]).expect_code(0);
        expect_each_once(&mut session, ROWS).await;
    });
}
