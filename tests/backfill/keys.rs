//! Tables are walked by whatever their key is, with gaps in it, and each row is transformed exactly once.

use super::{ROWS, counting, expect_each_once, make_items};
use crate::support::{Kind, TestDatabase, on_every_database, run};

/// Walks a table with this key in small batches.
pub(super) async fn walk(db: TestDatabase, columns: &str, constraint: &str, key: impl Fn(usize) -> String) {
    let mut session = make_items(&db, columns, constraint, key).await;
    let train = counting(&db, 7);
    let output = train.concertina().run(&["migrate"]);
    output.expect_code(0);
    expect_each_once(&mut session, ROWS).await;
    let batches =
        session.value("SELECT batches FROM concertina_range WHERE pass = 1").await.expect("a range is recorded");
    assert!(batches.parse::<u32>().expect("a number") > 3, "{batches} batches");
    let walked = session.lines("SELECT rows_walked, rows_changed, pass FROM concertina_range ORDER BY pass").await;
    // That nothing is left one statement tells where it makes nobody wait, and another walk on SQLite.
    let looks = usize::from(db.kind() == Kind::Sqlite);
    let expected = [format!("{ROWS}|{ROWS}|1"), format!("{ROWS}|0|2")];
    assert_eq!(walked, expected[..=looks], "one walk changes every row");
    session.run("UPDATE items SET done = 0, counter = 0").await;
    train.concertina().run(&["migrate", "--workers", "3"]).expect_code(0);
    expect_each_once(&mut session, ROWS).await;
    let ranges = session
        .lines(format!(
            "SELECT COUNT(*), SUM(rows_walked), SUM(rows_changed) FROM concertina_range WHERE pass = {}",
            looks + 2
        ))
        .await;
    let ranges: Vec<usize> = ranges[0].split('|').map(|number| number.parse().expect("a number")).collect();
    assert_eq!(ranges[2], ROWS, "no row is changed in two ranges, and none is in between");
    // Seen once, on a busy machine: 2,501 rows walked, 2,500 changed. The row at the place of a cut may be looked at twice.
    assert!((ROWS..=ROWS + ranges[0]).contains(&ranges[1]), "{} rows were walked in {} ranges", ranges[1], ranges[0]);
    assert_eq!(ranges[0] > 1, db.kind() != Kind::Sqlite, "{} ranges", ranges[0]);
}

/// A number that leaves gaps, and whose order is not that of its digits.
pub(super) fn gapped(number: usize) -> usize {
    number * 13 + (number % 5) + 3
}

/// Numbers in an order of their own, so that no key is inserted in its order.
pub(super) fn shuffled(number: usize) -> usize {
    (number * 1_009) % ROWS
}

on_every_database! {
    async fn bigint(db: TestDatabase) {
        walk(db, "id BIGINT NOT NULL PRIMARY KEY", "", |number| {
            format!("{}", i64::try_from(gapped(shuffled(number))).unwrap() * 1_000_000_007 - 5_000_000_000_000)
        })
        .await;
    }

    async fn integer_with_huge_gaps(db: TestDatabase) {
        // Three clumps at the ends of the type, and nothing in between.
        walk(db, "id INTEGER NOT NULL PRIMARY KEY", "", |number| {
            let number = i64::try_from(shuffled(number)).unwrap();
            match number % 10 {
                0 => format!("{}", -2_147_483_648 + number),
                1 => format!("{}", 2_147_483_647 - number),
                _ => format!("{number}"),
            }
        })
        .await;
    }

    async fn text_whose_order_is_not_that_of_its_bytes(db: TestDatabase) {
        let collation = match db.kind() {
            Kind::Postgres => "COLLATE \"de-x-icu\"",
            Kind::MySql => "COLLATE utf8mb4_unicode_ci",
            Kind::Sqlite => "COLLATE RTRIM",
        };
        walk(db, &format!("id VARCHAR(60) {collation} NOT NULL PRIMARY KEY"), "", |number| {
            let number = gapped(shuffled(number));
            format!("'{}{number} {}'", ["z", "Ä", "ß", "a-", "日本"][number % 5], ["x", "ö ", "😀"][number % 3])
        })
        .await;
    }

    async fn text_by_its_bytes(db: TestDatabase) {
        let collation = match db.kind() {
            Kind::Postgres => "COLLATE \"C\"",
            Kind::MySql => "COLLATE utf8mb4_bin",
            Kind::Sqlite => "COLLATE BINARY",
        };
        walk(db, &format!("id VARCHAR(60) {collation} NOT NULL PRIMARY KEY"), "", |number| {
            // Many differ in the case of one letter alone.
            format!("'{}{}'", ["a", "A", "ä", "Ä", "\\\\"][number % 5], number / 5)
        })
        .await;
    }

    async fn float(db: TestDatabase) {
        let column = if db.kind() == Kind::Postgres { "id REAL NOT NULL PRIMARY KEY" } else { "id FLOAT NOT NULL PRIMARY KEY" };
        // A tenth is no number of 32 bits.
        walk(db, column, "", |number| format!("{}.1", gapped(shuffled(number)))).await;
    }

    async fn two_columns_with_most_rows_under_one_value(db: TestDatabase) {
        walk(db, "a VARCHAR(20) NOT NULL, b INTEGER NOT NULL", ", PRIMARY KEY (a, b)", |number| {
            let number = gapped(shuffled(number));
            format!("'{}', {number}", if number.is_multiple_of(50) { "b" } else { "a" })
        })
        .await;
    }

    async fn four_columns_of_mixed_types(db: TestDatabase) {
        let uuid = if db.kind() == Kind::Sqlite { "CHAR(36)" } else { "UUID" };
        walk(
            db,
            &format!("a DATE NOT NULL, b {uuid} NOT NULL, c DECIMAL(10, 2) NOT NULL, d VARCHAR(20) NOT NULL"),
            ", PRIMARY KEY (a, b, c, d)",
            |number| {
                let number = gapped(shuffled(number));
                format!("'2017-02-{:02}', '00000000-0000-4000-8000-00000000000{}', {}.25, 'd{number}'", number % 3 + 1, number % 4, number % 5)
            },
        )
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
fn integers_without_a_sign() {
    run(Kind::MySql, "integers_without_a_sign", async |db: TestDatabase| {
        walk(db, "a INT UNSIGNED NOT NULL, b BIGINT UNSIGNED NOT NULL", ", PRIMARY KEY (a, b)", |number| {
            let number = gapped(shuffled(number)) as u64;
            format!("{}, {}", 4_294_967_295 - number % 3, u64::MAX - number)
        })
        .await;
    });
}

#[test]
fn bits_years_and_filled_decimals() {
    run(Kind::MySql, "bits_years_and_filled_decimals", async |db: TestDatabase| {
        walk(
            db,
            "a BIT(16) NOT NULL, b YEAR NOT NULL, c DECIMAL(30, 6) UNSIGNED ZEROFILL NOT NULL, d SET('x', 'y') NOT NULL",
            ", PRIMARY KEY (a, b, c, d)",
            |number| {
                let number = gapped(shuffled(number));
                format!("{}, {}, 90071992547409930000.{number:06}, '{}'", number % 300, 2000 + number % 4, ["", "x", "y", "x,y"][number % 4])
            },
        )
        .await;
    });
}

#[test]
fn a_blob_with_a_prefix_key() {
    run(Kind::MySql, "a_blob_with_a_prefix_key", async |db: TestDatabase| {
        walk(db, "id BLOB NOT NULL", ", PRIMARY KEY (id(16))", |number| {
            format!("X'{:08x}ff00c328'", gapped(shuffled(number)) * 999_983 % 4_294_967_291)
        })
        .await;
    });
}

#[test]
fn types_of_postgres_alone() {
    run(Kind::Postgres, "types_of_postgres_alone", async |db: TestDatabase| {
        db.owner().await.run("CREATE DOMAIN code AS varchar(20) CHECK (value <> '')").await;
        walk(
            db,
            "a INET NOT NULL, b code NOT NULL, c CHARACTER(6) NOT NULL, d BOOLEAN NOT NULL",
            ", PRIMARY KEY (a, b, c, d)",
            |number| {
                let number = gapped(shuffled(number));
                format!("'10.0.{}.0/24', 'c{}', 'k{}', {}", number % 7, number % 9, number, number.is_multiple_of(2))
            },
        )
        .await;
    });
}

#[test]
fn a_partial_unique_index_is_no_key() {
    run(Kind::Postgres, "a_partial_unique_index_is_no_key", async |db: TestDatabase| {
        let mut session = make_items(&db, "id INTEGER NOT NULL", "", |number| format!("{}", number / 2)).await;
        session.run("CREATE UNIQUE INDEX items_live ON items (id) WHERE done = 2").await;
        super::expect_walks(&mut session, &counting(&db, 3).concertina(), ROWS).await;
        assert_eq!(session.value("SELECT DISTINCT walked_by FROM concertina_range").await.as_deref(), Some("pages"));
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
