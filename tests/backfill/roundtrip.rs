//! What a program is given comes back as it went: values of every type, to the last bit.

use super::{options, train_of};
use crate::support::{Kind, Session, TestDatabase, on_every_database};

/// Columns with their types, and rows of literals.
fn types(kind: Kind) -> (Vec<(&'static str, &'static str)>, Vec<Vec<&'static str>>) {
    match kind {
        Kind::Postgres => (
            vec![
                ("text", "TEXT"),
                ("bytes", "BYTEA"),
                ("flag", "BOOLEAN"),
                ("json", "JSON"),
                ("jsonb", "JSONB"),
                ("number", "NUMERIC"),
                ("real", "REAL"),
                ("double", "DOUBLE PRECISION"),
                ("big", "BIGINT"),
                ("moment", "TIMESTAMPTZ"),
                ("uuid", "UUID"),
                ("list", "TEXT[]"),
                ("fixed", "CHAR(5)"),
            ],
            vec![
                vec![
                    r#"'quote " backslash \ tab	 Ünï 😀 日本'"#,
                    r"'\x00ff275c'",
                    "true",
                    r#"'{"b":  1, "a": [1.50, null], "b": 2}'"#,
                    r#"'{"x": 1e3, "y": "\u00e9"}'"#,
                    "12345678901234567890.12345678901234567890",
                    "0.1",
                    "0.1",
                    "9223372036854775807",
                    "'2017-02-22 12:00:00.123456+05:30'",
                    "'6f1d5c3a-0000-4000-8000-00000000ffff'",
                    r#"'{"a b","c\"d",NULL}'"#,
                    "'ab'",
                ],
                vec![
                    "''",
                    "''",
                    "false",
                    "'0'",
                    "'null'",
                    "'NaN'",
                    "'-Infinity'",
                    "1e-300",
                    "-9223372036854775808",
                    "'infinity'",
                    "NULL",
                    "'{}'",
                    "''",
                ],
                vec!["NULL"; 13],
            ],
        ),
        Kind::MySql => (
            vec![
                ("text", "TEXT"),
                ("latin", "VARCHAR(20) CHARACTER SET latin1"),
                ("bytes", "LONGBLOB"),
                ("few", "VARBINARY(20)"),
                ("flag", "BOOLEAN"),
                ("json", "JSON"),
                ("number", "DECIMAL(60, 20)"),
                ("real", "FLOAT"),
                ("double", "DOUBLE"),
                ("big", "BIGINT UNSIGNED"),
                ("moment", "DATETIME(6)"),
                ("stamp", "TIMESTAMP(6) NULL"),
                ("enum", "ENUM('x', 'ü', '1')"),
                ("time", "TIME(3)"),
            ],
            vec![
                vec![
                    r#"'quote " backslash \\ tab	 Ünï 😀 日本'"#,
                    "'Ünï'",
                    "X'00ff275cc328'",
                    "X'00ff275cc328'",
                    "1",
                    r#"'{"b":  1, "a": [1.50, null]}'"#,
                    "12345678901234567890.12345678901234567890",
                    "0.1",
                    "0.1",
                    "18446744073709551615",
                    "'2017-02-22 12:00:00.123456'",
                    "'2017-02-22 12:00:00.123456'",
                    "'1'",
                    "'-12:00:00.125'",
                ],
                vec![
                    "''",
                    "''",
                    "''",
                    "''",
                    "0",
                    "'0'",
                    "-0.00000000000000000001",
                    "-1e30",
                    "1e-300",
                    "9007199254740993",
                    "'1000-01-01 00:00:00'",
                    "'1970-01-02 00:00:00'",
                    "'ü'",
                    "'838:59:59'",
                ],
                vec!["NULL"; 14],
            ],
        ),
        Kind::Sqlite => (
            vec![
                ("text", "TEXT"),
                ("bytes", "BLOB"),
                ("flag", "BOOLEAN"),
                ("number", "DECIMAL(20, 3)"),
                ("double", "REAL"),
                ("big", "INTEGER"),
                ("any", ""),
            ],
            vec![
                vec![
                    r#"'quote " backslash \ tab	 Ünï 😀 日本'"#,
                    "X'00ff275c'",
                    "1",
                    "12.125",
                    "0.1",
                    "9223372036854775807",
                    "'12'",
                ],
                vec!["''", "X''", "0", "'no number'", "1e-300", "-9223372036854775808", "12"],
                vec!["'1'", "NULL", "'x'", "3", "1.7976931348623157e308", "0", "0.30000000000000004"],
                vec!["NULL"; 7],
            ],
        ),
    }
}

/// Two columns of each type, `a_…` with values and `b_…` without.
async fn items(db: &TestDatabase) -> (Session, Vec<&'static str>) {
    let (columns, rows) = types(db.kind());
    let mut session = db.owner().await;
    let made: Vec<_> = columns.iter().map(|(name, kind)| format!("a_{name} {kind}, b_{name} {kind}")).collect();
    session
        .run(format!(
            "CREATE TABLE items (id INTEGER NOT NULL PRIMARY KEY, {}, done INTEGER NOT NULL DEFAULT 0) {}",
            made.join(", "),
            options(db.kind())
        ))
        .await;
    let names: Vec<&str> = columns.into_iter().map(|(name, _)| name).collect();
    let into: Vec<_> = names.iter().map(|name| format!("a_{name}")).collect();
    for (id, row) in rows.iter().enumerate() {
        assert_eq!(row.len(), names.len());
        session.run(format!("INSERT INTO items (id, {}) VALUES ({id}, {})", into.join(", "), row.join(", "))).await;
    }
    (session, names)
}

/// Everything of a side, so that two values that differ look otherwise.
async fn side(session: &mut Session, kind: Kind, letter: char, names: &[&str]) -> Vec<String> {
    let shown: Vec<String> = names
        .iter()
        .map(|name| match kind {
            Kind::Postgres => format!("{letter}_{name}::text"),
            Kind::MySql if ["real", "double"].contains(name) => format!("{letter}_{name} + 0e0"),
            Kind::MySql => format!("HEX(CAST({letter}_{name} AS BINARY))"),
            Kind::Sqlite => format!("typeof({letter}_{name}), hex({letter}_{name}), {letter}_{name}"),
        })
        .collect();
    session.lines(format!("SELECT {} FROM items ORDER BY id", shown.join(", "))).await
}

on_every_database! {
    async fn what_is_not_changed_is_not_written(db: TestDatabase) {
        let (mut session, names) = items(&db).await;
        let before = side(&mut session, db.kind(), 'a', &names).await;
        let writes: Vec<_> = names.iter().map(|name| format!("a_{name}")).collect();
        let train = train_of(
            &db,
            2,
            &format!(
                "backfill: {{ table: items, command: {{ run: [sed, 's/\"done\":0/\"done\":1/'], reads: [], writes: [{}, done] }}, where: done = 0 }}\n",
                writes.join(", ")
            ),
        );
        train.concertina().run(&["migrate"]).expect_code(0);
        assert_eq!(session.value("SELECT MIN(done) FROM items").await.as_deref(), Some("1"));
        assert_eq!(side(&mut session, db.kind(), 'a', &names).await, before);
    }

    async fn what_it_moves_to_another_column_is_the_same_there(db: TestDatabase) {
        let (mut session, names) = items(&db).await;
        let before = side(&mut session, db.kind(), 'a', &names).await;
        let list = |letter: char| names.iter().map(|name| format!("{letter}_{name}")).collect::<Vec<_>>().join(", ");
        let train = train_of(
            &db,
            2,
            &format!(
                "backfill:\n  table: items\n  command:\n    run: [sed, 's/,\"b_[a-z]*\":null//g; s/\"a_\\([a-z]*\\)\":/\"b_\\1\":/g; s/\"done\":0/\"done\":1/']\n    \
                 reads: [{}]\n    writes: [{}, done]\n  where: done = 0\n",
                list('a'),
                list('b')
            ),
        );
        train.concertina().run(&["migrate"]).expect_code(0);
        assert_eq!(side(&mut session, db.kind(), 'a', &names).await, before);
        assert_eq!(side(&mut session, db.kind(), 'b', &names).await, before);
    }
}
