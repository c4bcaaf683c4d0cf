//! `widen_column`: done where it costs nothing, refused where rows would be written anew.

use super::{on, options};
use crate::conformance::introspect;
use crate::conformance::schema::Schema;
use crate::support::{Kind, Session, TestDatabase, Train, on_every_database, on_every_server, run};

async fn words(db: &TestDatabase) -> Session {
    let mut session = db.owner().await;
    let kind = db.kind();
    session
        .run(format!(
            "CREATE TABLE words (id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(20) NOT NULL DEFAULT 'x', \
             price DECIMAL(8, 2), size INTEGER, kept VARCHAR(20) {}) {}",
            on(kind, "COLLATE \"C\"", "CHARACTER SET latin1 COLLATE latin1_bin COMMENT 'kept'", "COLLATE NOCASE"),
            options(kind)
        ))
        .await;
    session.run("CREATE INDEX ix_name ON words (name)").await;
    session.run("INSERT INTO words VALUES (1, 'one', 1.50, 1, 'a'), (2, 'two', 2.25, 2, 'b')").await;
    session
}

/// What tells that a table's rows were written anew: its file, or what stands for it.
async fn file(kind: Kind, session: &mut Session) -> Vec<String> {
    session
        .lines(on(
            kind,
            "SELECT relname, relfilenode FROM pg_class WHERE relname IN ('words', 'words_pkey', 'ix_name') ORDER BY 1",
            "SELECT table_id FROM information_schema.innodb_sys_tables WHERE name = CONCAT(DATABASE(), '/words')",
            "SELECT 1",
        ))
        .await
}

on_every_database! {
    async fn a_longer_text_and_no_row_is_written_anew(db: TestDatabase) {
        let mut session = words(&db).await;
        let mut admin = if db.kind() == Kind::MySql { Session::open(Kind::MySql, &db.admin_url()).await } else { db.owner().await };
        let before = file(db.kind(), &mut admin).await;
        Train::new(&db).expand("
  - widen_column: { table: words, column: name, type: string(60) }
  - widen_column: { table: words, column: kept, type: string(40) }");
        session.run(format!("INSERT INTO words (id, name, kept) VALUES (3, '{}', '{}')", "n".repeat(60), "k".repeat(40))).await;
        assert_eq!(file(db.kind(), &mut admin).await, before, "the same table");
        let schema = introspect::schema(&db).await;
        let name = schema.fact("words, column name").map(str::to_uppercase);
        assert!(name.as_deref().is_some_and(|fact| fact.starts_with("VARCHAR(60) NOT NULL DEFAULT 'X'")), "{name:?}");
        let kept = schema.fact("words, column kept");
        assert_eq!(kept.map(|fact| fact.starts_with("VARCHAR(40)")), Some(true), "{kept:?}");
        assert_eq!(session.lines("SELECT id, name, price FROM words WHERE id < 3 ORDER BY id").await.len(), 2);
        // The collation stays what it was.
        let order = session.lines("SELECT COUNT(*) FROM words WHERE kept = 'A'").await;
        assert_eq!(order, [on(db.kind(), "0", "0", "1")]);
    }

    async fn what_is_no_widening_is_refused_with_the_safe_form_before_anything_runs(db: TestDatabase) {
        words(&db).await;
        let before = introspect::schema(&db).await;
        for narrow in ["string(10)", "timestamp", "\"decimal(10, 2)\""] {
            let output = Train::new(&db).try_steps(
                "expand",
                &format!(
                    "  - add_column: {{ table: words, column: {{ name: note, type: text }} }}\n  \
                     - widen_column: {{ table: words, column: name, type: {narrow} }}"
                ),
            );
            output.expect_code(1).expect_stderr("add a column of that type, sync both, backfill, and drop the old one in contract");
        }
        assert_eq!(Schema::differences(&before, &introspect::schema(&db).await), []);
    }

    async fn a_second_run_and_a_second_release_have_nothing_to_widen(db: TestDatabase) {
        words(&db).await;
        let mut train = Train::new(&db);
        let step = "  - widen_column: { table: words, column: name, type: string(60) }";
        train.expand(step);
        train.concertina().run(&["expand"]).expect_code(0);
        train.try_steps("expand", step).expect_code(1).expect_stderr("already");
    }
}

on_every_server! {
    async fn a_wider_number_is_written_anew_only_with_leave(db: TestDatabase) {
        let mut session = words(&db).await;
        let mut train = Train::new(&db);
        train.try_steps("expand", "  - widen_column: { table: words, column: size, type: bigint }").expect_code(1)
            .expect_stderr("allow_rewrite: true");
        session.execute("INSERT INTO words (id, size) VALUES (3, 3000000000)").await.expect_err("too big");
        let mut train = Train::new(&db);
        train.expand("  - widen_column: { table: words, column: size, type: bigint, allow_rewrite: true }");
        session.run("INSERT INTO words (id, size) VALUES (3, 3000000000)").await;
    }
}

#[test]
fn postgres_widens_a_decimal_and_a_text_in_its_catalog_alone() {
    run(Kind::Postgres, "widens_a_decimal_and_a_text", async |db: TestDatabase| {
        let mut session = words(&db).await;
        let before = file(Kind::Postgres, &mut session).await;
        Train::new(&db).expand(
            "  - widen_column: { table: words, column: price, type: \"decimal(10, 2)\" }\n  \
             - widen_column: { table: words, column: name, type: text }",
        );
        assert_eq!(file(Kind::Postgres, &mut session).await, before);
        session.run("INSERT INTO words (id, name, price) VALUES (3, repeat('x', 999), 99999999.99)").await;
    });
}

#[test]
fn postgres_looks_at_a_check_again_and_builds_a_partial_index_anew_only_with_leave() {
    run(Kind::Postgres, "looks_at_a_check_again", async |db: TestDatabase| {
        let mut session = words(&db).await;
        session.run("ALTER TABLE words ADD CONSTRAINT ck_name CHECK (name <> '')").await;
        session.run("CREATE INDEX ix_kept ON words (id) WHERE kept <> 'z'").await;
        session.run("CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'").await;
        session
            .run("CREATE TRIGGER on_price BEFORE UPDATE OF price ON words FOR EACH ROW EXECUTE FUNCTION nothing()")
            .await;
        let step = "  - widen_column: { table: words, column: price, type: decimal }";
        Train::new(&db)
            .try_steps("expand", step)
            .expect_code(1)
            .expect_stderr("the trigger `on_price` is on this column");
        for (column, reason) in [("name", "the check `ck_name`"), ("kept", "the index `ix_kept`")] {
            let step = format!("  - widen_column: {{ table: words, column: {column}, type: string(90) }}");
            Train::new(&db).try_steps("expand", &step).expect_code(1).expect_stderr(reason);
        }
    });
}

#[test]
fn mariadb_changes_no_type_under_a_foreign_key() {
    run(Kind::MySql, "changes_no_type_under_a_foreign_key", async |db: TestDatabase| {
        let mut session = db.owner().await;
        session.run("CREATE TABLE p (k VARCHAR(20) PRIMARY KEY) ENGINE=InnoDB").await;
        session.run("CREATE TABLE c (id INT PRIMARY KEY, k VARCHAR(20), CONSTRAINT fk FOREIGN KEY (k) REFERENCES p (k)) ENGINE=InnoDB").await;
        for table in ["p", "c"] {
            let step = format!("  - widen_column: {{ table: {table}, column: k, type: string(40) }}");
            Train::new(&db)
                .try_steps("expand", &step)
                .expect_code(1)
                .expect_stderr("the foreign key `fk` of `c` is on this column");
        }
        Train::new(&db).expand(
            "
  - drop_constraint: { table: c, name: fk }
  - widen_column: { table: p, column: k, type: string(40) }
  - widen_column: { table: c, column: k, type: string(40) }
  - add_foreign_key: { table: c, name: fk, columns: [k], references: { table: p, columns: [k] } }",
        );
        assert!(session.execute("INSERT INTO c VALUES (1, 'x')").await.is_err());
    });
}

#[test]
fn mariadb_grows_a_text_exactly_where_the_server_does_so_in_an_instant() {
    run(Kind::MySql, "grows_a_text_exactly_where", async |db: TestDatabase| {
        let mut session = db.owner().await;
        let lengths = [10, 31, 32, 63, 64, 80];
        let columns: Vec<_> = lengths
            .iter()
            .flat_map(|from| lengths.iter().map(move |to| (*from, *to)))
            .filter(|(from, to)| from < to)
            .collect();
        let made: Vec<_> = columns
            .iter()
            .flat_map(|(from, to)| {
                [format!("c{from}_{to} VARCHAR({from})"), format!("l{from}_{to} VARCHAR({from}) CHARACTER SET latin1")]
            })
            .collect();
        for table in ["ours", "theirs"] {
            session
                .run(format!(
                    "CREATE TABLE {table} (id INT PRIMARY KEY, {}) ENGINE=InnoDB CHARACTER SET utf8mb4",
                    made.join(", ")
                ))
                .await;
        }
        for (from, to) in columns {
            for (letter, charset) in [("c", ""), ("l", " CHARACTER SET latin1")] {
                let theirs = session
                    .execute(format!(
                        "ALTER TABLE theirs MODIFY {letter}{from}_{to} VARCHAR({to}){charset}, ALGORITHM=INSTANT"
                    ))
                    .await
                    .is_ok();
                let mut train = Train::new(&db);
                train.add(&[(
                    "expand/01_widen.yaml",
                    &format!(
                        "steps:\n  - widen_column: {{ table: ours, column: {letter}{from}_{to}, type: string({to}) }}\n"
                    ),
                )]);
                let ours = train.concertina().run(&["plan", "expand"]).code == Some(0);
                assert_eq!(ours, theirs, "{letter}: {from} to {to}");
            }
        }
    });
}
