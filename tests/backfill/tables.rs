//! Tables that are walked by something else than a plain key: pages, row numbers, partitions; and names that need quotes.

use super::keys::{gapped, shuffled};
use super::{COUNT, ROWS, counting, expect_each_once, expect_walks, insert_items, make_items, options, train_of};
use crate::support::{Kind, Session, TestDatabase, Train, on_every_database, run};

const REST: &str = "counter INTEGER NOT NULL DEFAULT 0, done INTEGER NOT NULL DEFAULT 0, payload VARCHAR(400)";

/// Runs these statements, fills `items`, and walks it.
fn walk_made(kind: Kind, test: &'static str, made: &'static [&'static str], batch: u32) {
    run(kind, test, async |db: TestDatabase| {
        let mut session = db.owner().await;
        for statement in made {
            session.run(statement.replace("{rest}", REST)).await;
        }
        insert_items(&mut session, ROWS, |number| {
            let number = gapped(shuffled(number));
            format!("{number}, 'b{}'", number % 7)
        })
        .await;
        expect_walks(&mut session, &counting(&db, batch).concertina(), ROWS).await;
    });
}

#[test]
fn without_a_key_by_pages() {
    walk_made(Kind::Postgres, "without_a_key_by_pages", &["CREATE TABLE items (a INTEGER, b VARCHAR(20), {rest})"], 2);
}

#[test]
fn partitions_without_a_key_by_pages() {
    let made = &[
        "CREATE TABLE items (a INTEGER, b VARCHAR(20), {rest}) PARTITION BY RANGE (a)",
        "CREATE TABLE items_1 PARTITION OF items FOR VALUES FROM (MINVALUE) TO (100)",
        "CREATE TABLE items_2 PARTITION OF items FOR VALUES FROM (100) TO (20000)",
        "CREATE TABLE items_3 PARTITION OF items DEFAULT PARTITION BY HASH (b)",
        "CREATE TABLE items_31 PARTITION OF items_3 FOR VALUES WITH (MODULUS 2, REMAINDER 0)",
        "CREATE TABLE items_32 PARTITION OF items_3 FOR VALUES WITH (MODULUS 2, REMAINDER 1)",
    ];
    walk_made(Kind::Postgres, "partitions_without_a_key_by_pages", made, 2);
}

#[test]
fn hash_partitions_by_their_key() {
    let made = &[
        "CREATE TABLE items (a INTEGER, b VARCHAR(20), {rest}, PRIMARY KEY (a, b)) PARTITION BY HASH (b)",
        "CREATE TABLE items_1 PARTITION OF items FOR VALUES WITH (MODULUS 3, REMAINDER 0)",
        "CREATE TABLE items_2 PARTITION OF items FOR VALUES WITH (MODULUS 3, REMAINDER 1)",
        "CREATE TABLE items_3 PARTITION OF items FOR VALUES WITH (MODULUS 3, REMAINDER 2)",
    ];
    walk_made(Kind::Postgres, "hash_partitions_by_their_key", made, 50);
}

#[test]
fn partitions_on_mysql() {
    let made =
        &["CREATE TABLE items (a INTEGER NOT NULL, b VARCHAR(20) NOT NULL, {rest}, PRIMARY KEY (a, b)) ENGINE=InnoDB \
          PARTITION BY RANGE (a) (PARTITION p0 VALUES LESS THAN (1000), PARTITION p1 VALUES LESS THAN (9000), \
          PARTITION p2 VALUES LESS THAN MAXVALUE)"];
    walk_made(Kind::MySql, "partitions_on_mysql", made, 50);
}

#[test]
fn hash_partitions_on_mysql() {
    let made =
        &["CREATE TABLE items (a INTEGER NOT NULL, b VARCHAR(20) NOT NULL, {rest}, PRIMARY KEY (a, b)) ENGINE=InnoDB \
          PARTITION BY KEY (b) PARTITIONS 4"];
    walk_made(Kind::MySql, "hash_partitions_on_mysql", made, 50);
}

#[test]
fn row_numbers_that_go_up_only() {
    let made = &["CREATE TABLE items (a INTEGER PRIMARY KEY AUTOINCREMENT, b TEXT, {rest})"];
    walk_made(Kind::Sqlite, "row_numbers_that_go_up_only", made, 50);
}

#[test]
fn columns_named_as_the_row_number() {
    let made = &["CREATE TABLE items (ROWID TEXT, oid TEXT, {rest})"];
    walk_made(Kind::Sqlite, "columns_named_as_the_row_number", made, 50);
}

#[test]
fn without_a_rowid_by_a_text_in_descending_order() {
    let made = &[
        "CREATE TABLE items (a INTEGER NOT NULL, b TEXT NOT NULL COLLATE NOCASE, {rest}, PRIMARY KEY (b DESC, a)) WITHOUT ROWID",
    ];
    walk_made(Kind::Sqlite, "without_a_rowid_by_a_text", made, 50);
}

#[test]
fn a_table_whose_row_number_cannot_be_named_is_refused() {
    run(Kind::Sqlite, "a_table_whose_row_number_cannot_be_named", async |db: TestDatabase| {
        let mut session = db.owner().await;
        session.run(format!("CREATE TABLE items (rowid TEXT, oid TEXT, _rowid_ TEXT, {REST})")).await;
        let train = train_of(&db, 10, COUNT);
        train.concertina().run(&["migrate"]).expect_code(1).expect_stderr("items").expect_stderr("no key");
    });
}

#[test]
fn tables_that_inherit_are_walked_to_their_end() {
    run(Kind::Postgres, "tables_that_inherit", async |db: TestDatabase| {
        let mut session = db.owner().await;
        session.run(format!("CREATE TABLE items (a INTEGER, b VARCHAR(20), {REST})")).await;
        session.run("CREATE TABLE more () INHERITS (items)").await;
        session.run("INSERT INTO items (a) VALUES (1)").await;
        session.run("INSERT INTO more (a, payload) SELECT n, repeat('x', 300) FROM generate_series(1, 2999) n").await;
        expect_walks(&mut session, &counting(&db, 2).concertina(), 3_000).await;
    });
}

/// A name as each database quotes it.
fn quoted(kind: Kind, name: &str) -> String {
    if kind == Kind::MySql {
        format!("`{}`", name.replace('`', "``"))
    } else {
        format!("\"{}\"", name.replace('"', "\"\""))
    }
}

async fn by_key_of(session: &mut Session, key: &str) {
    let drop = match session {
        Session::Postgres(_) => "ALTER TABLE items DROP CONSTRAINT items_pkey",
        _ => "ALTER TABLE items DROP PRIMARY KEY",
    };
    session.run(drop).await;
    session.run(format!("ALTER TABLE items ADD PRIMARY KEY ({key})")).await;
}

async fn key_that_changes(db: TestDatabase) {
    let mut session =
        make_items(&db, "id INTEGER NOT NULL, other VARCHAR(20) NOT NULL", ", PRIMARY KEY (id)", |number| {
            format!("{}, 'o{}'", gapped(number), shuffled(number))
        })
        .await;
    let train = counting(&db, 50);
    train.concertina().run(&["migrate", "--max-rows", "500"]).expect_code(4);
    by_key_of(&mut session, "other").await;
    train.concertina().run(&["migrate", "--max-rows", "500"]).expect_code(4);
    by_key_of(&mut session, "other, id").await;
    train.concertina().run(&["migrate"]).expect_code(0);
    expect_each_once(&mut session, ROWS).await;
    let walked_by = session.lines("SELECT DISTINCT walked_by FROM concertina_range ORDER BY 1").await;
    assert_eq!(walked_by, ["id", "other", "other, id"], "each key's walk began at its own first row");
    assert_eq!(session.value("SELECT SUM(rows_changed) FROM concertina_range").await, Some(ROWS.to_string()));
}

#[test]
fn a_key_that_changes_between_two_runs_on_postgres() {
    run(Kind::Postgres, "a_key_that_changes", key_that_changes);
}

#[test]
fn a_key_that_changes_between_two_runs_on_mysql() {
    run(Kind::MySql, "a_key_that_changes", key_that_changes);
}

on_every_database! {
    async fn names_that_need_quotes(db: TestDatabase) {
        let kind = db.kind();
        let mut session = db.owner().await;
        let names = ["select \"of\" `it'", "Key 1", "k0", "do?ne $1", "Größe"];
        let [table, one, two, done, count] = names.map(|name| quoted(kind, name));
        session
            .run(format!(
                "CREATE TABLE {table} ({one} INTEGER NOT NULL, {two} VARCHAR(20) NOT NULL, {done} INTEGER NOT NULL DEFAULT 0, \
                 {count} INTEGER NOT NULL DEFAULT 0, PRIMARY KEY ({one}, {two})) {}",
                options(kind)
            ))
            .await;
        let rows: Vec<String> = (0..600).map(|row| format!("({}, 'k{row}')", row % 5)).collect();
        session.run(format!("INSERT INTO {table} ({one}, {two}) VALUES {}", rows.join(", "))).await;
        let mut train = Train::with_settings(&db, "batch: { rows: 7 }");
        let yaml = |text: &str| format!("'{}'", text.replace('\'', "''"));
        let [size, finished] = ["Größe", "do?ne $1"].map(&yaml);
        train.add(&[(
            "data/01_odd.yaml",
            &format!(
                "backfill:\n  table: {}\n  set: {{ {size}: {}, {finished}: 1 }}\n  where: {}\n",
                yaml(names[0]),
                yaml(&format!("{count} + 1")),
                yaml(&format!("{done} = 0"))
            ),
        )]);
        train.concertina().run(&["expand"]).expect_code(0);
        train.concertina().run(&["migrate", "--workers", "2"]).expect_code(0);
        let found = session.lines(format!("SELECT {count}, {done}, COUNT(*) FROM {table} GROUP BY {count}, {done}")).await;
        assert_eq!(found, ["1|1|600"]);
    }
}
