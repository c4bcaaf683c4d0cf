//! The steps of expand that add: `add_column`, `create_index`, `add_foreign_key`.

use super::{on, options};
use crate::conformance::introspect;
use crate::support::{Kind, Session, TestDatabase, Train, on_every_database, run};

/// A table of 50 rows.
async fn books(db: &TestDatabase) -> Session {
    let mut session = db.owner().await;
    session
        .run(format!(
            "CREATE TABLE books (id INTEGER NOT NULL PRIMARY KEY, title VARCHAR(40), shelf INTEGER) {}",
            options(db.kind())
        ))
        .await;
    let rows: Vec<String> = (1..=50).map(|id| format!("({id}, 'title {id}', {})", id % 7)).collect();
    session.run(format!("INSERT INTO books VALUES {}", rows.join(", "))).await;
    session
}

on_every_database! {
    async fn a_column_is_added_and_the_rows_stay(db: TestDatabase) {
        let mut session = books(&db).await;
        Train::new(&db).expand(r#"
  - add_column: { table: books, column: { name: note, type: text } }
  - add_column: { table: books, column: { name: copies, type: integer, nullable: false, default: 3 } }
  - add_column: { table: books, column: { name: state, type: string(10), nullable: false, default: "new'n" } }
  - add_column: { table: books, column: { name: price, type: "decimal(8, 2)", default: 9.5 } }
  - add_column: { table: books, column: { name: lent, type: boolean, nullable: false, default: false } }"#);
        // A node of the old release goes on inserting.
        session.run("INSERT INTO books (id, title) VALUES (51, 'late')").await;
        let expected = on(
            db.kind(),
            "51|1326|51|153|51|f",
            "51|1326|51|153|51|0",
            "51|1326|51|153|51|0",
        );
        let found = session
            .lines(format!(
                "SELECT COUNT(*), SUM(id), COUNT(DISTINCT title), SUM(copies), COUNT(CASE WHEN state = 'new''n' THEN 1 END), \
                 {} FROM books WHERE price = 9.5 AND note IS NULL",
                on(db.kind(), "bool_or(lent)", "MAX(lent)", "MAX(lent)")
            ))
            .await;
        assert_eq!(found, [expected]);
        assert!(session.execute("UPDATE books SET copies = NULL WHERE id = 1").await.is_err());
    }

    async fn two_columns_share_an_enum(db: TestDatabase) {
        let mut session = books(&db).await;
        Train::new(&db).expand("
  - add_column: { table: books, column: { name: mood, type: { enum: [calm, wild], name: mood_type } } }
  - add_column: { table: books, column: { name: tone, type: { enum: [calm, wild], name: mood_type }, default: calm } }");
        session.run("UPDATE books SET mood = 'wild' WHERE id = 1").await;
        assert_eq!(session.lines("SELECT mood, tone FROM books WHERE id = 1").await, ["wild|calm"]);
        if db.kind() == Kind::Postgres {
            let schema = introspect::schema(&db).await;
            assert_eq!(schema.fact("books, column mood"), Some("mood_type NULL"));
            assert_eq!(schema.fact("books, column tone"), Some("mood_type NULL DEFAULT 'calm'::mood_type"));
            assert_eq!(schema.fact("enum mood_type"), Some("calm, wild"));
        }
        if db.kind() != Kind::Sqlite {
            assert!(session.execute("UPDATE books SET mood = 'angry' WHERE id = 1").await.is_err());
        }
    }

    async fn a_plan_makes_a_shared_enum_once(db: TestDatabase) {
        let mut session = books(&db).await;
        let mut train = Train::new(&db);
        train.add(&[("expand/01_moods.yaml", "steps:
  - add_column: { table: books, column: { name: mood, type: { enum: [calm, wild], name: mood_type } } }
  - add_column: { table: books, column: { name: tone, type: { enum: [calm, wild], name: mood_type } } }
")]);
        let plan = train.concertina().run(&["plan", "expand"]);
        plan.expect_code(0);
        let made = plan.stdout.matches("CREATE TYPE").count();
        assert_eq!(made, usize::from(db.kind() == Kind::Postgres), "{plan}");
        assert!(session.execute("SELECT mood FROM books").await.is_err(), "a plan runs nothing");
    }

    async fn two_columns_of_a_new_table_share_an_enum(db: TestDatabase) {
        Train::new(&db).expand("
  - create_table:
      name: days
      columns:
        - { name: id, type: integer, nullable: false }
        - { name: dawn, type: { enum: [calm, wild], name: mood_type } }
        - { name: dusk, type: { enum: [calm, wild], name: mood_type } }
      primary_key: [id]");
        let mut session = db.owner().await;
        session.run("INSERT INTO days VALUES (1, 'calm', 'wild')").await;
        assert_eq!(session.lines("SELECT dawn, dusk FROM days").await, ["calm|wild"]);
    }

    async fn a_mandatory_column_without_a_default_is_refused(db: TestDatabase) {
        books(&db).await;
        let mut train = Train::new(&db);
        train
            .try_steps("expand", "  - add_column: { table: books, column: { name: must, type: text, nullable: false } }")
            .expect_code(1)
            .expect_stderr("must")
            .expect_stderr("set_not_null");
    }

    async fn a_default_that_differs_by_row_is_refused_where_the_table_would_be_written_anew(db: TestDatabase) {
        let mut session = books(&db).await;
        let before = introspect::schema(&db).await;
        for default in on(
            db.kind(),
            "random()::integer;nextval('numbers')::integer;(extract(epoch FROM clock_timestamp()))::integer",
            "CAST(rand() * 9 AS INTEGER);CAST(uuid_short() % 9 AS INTEGER)",
            "",
        )
        .split_terminator(';')
        {
            let step = |more: &str| format!(
                "  - add_column: {{ table: books, column: {{ name: luck, type: integer, default: {{ sql: \"{default}\" }} }}{more} }}"
            );
            Train::new(&db)
                .try_steps("expand", &step(""))
                .expect_code(1)
                .expect_stderr("fill it in by a backfill, and set_default in contract");
        }
        assert_eq!(crate::conformance::schema::Schema::differences(&before, &introspect::schema(&db).await), []);
        // The time is the same for all rows.
        let file = "SELECT relfilenode FROM pg_class WHERE relname = 'books'";
        let number = if db.kind() == Kind::Postgres { session.value(file).await } else { None };
        let luck = on(db.kind(), "random()::integer", "CAST(rand() * 9 AS INTEGER)", "abs(random()) % 9");
        let mut train = Train::new(&db);
        train.expand("  - add_column: { table: books, column: { name: made, type: timestamp, default: { sql: CURRENT_TIMESTAMP } } }");
        if db.kind() == Kind::Postgres {
            train.expand("  - add_column: { table: books, column: { name: again, type: timestamp, default: { sql: now() } } }");
            assert_eq!(session.value(file).await, number, "no row was written");
        }
        train.expand(&format!(
            "  - add_column: {{ table: books, column: {{ name: luck, type: integer, default: {{ sql: \"{luck}\" }} }}, allow_rewrite: true }}\n    \
             allow: {{ table-rewrite: a test }}"
        ));
        assert_eq!(session.lines("SELECT COUNT(luck), COUNT(made) FROM books").await, ["50|50"]);
    }

    async fn indexes_are_built(db: TestDatabase) {
        let mut session = books(&db).await;
        Train::new(&db).expand("
  - create_index: { table: books, name: ix_books_shelf, columns: [shelf, title] }
  - create_index: { table: books, name: uq_books_title, columns: [title], unique: true }
    allow: { tightening-in-expand: a test }");
        let schema = introspect::schema(&db).await;
        assert_eq!(schema.fact("books, index ix_books_shelf"), Some("(shelf, title)"));
        assert_eq!(schema.fact("books, index uq_books_title"), Some("(title) unique"));
        assert!(session.execute("INSERT INTO books VALUES (99, 'title 1', 0)").await.is_err());
        assert_eq!(session.value("SELECT COUNT(*) FROM books").await.as_deref(), Some("50"));
    }

    async fn a_unique_index_over_duplicates_fails_and_can_be_built_later(db: TestDatabase) {
        let mut session = books(&db).await;
        let mut train = Train::new(&db);
        train
            .try_steps(
                "expand",
                "  - create_index: { table: books, name: uq_shelf, columns: [shelf], unique: true }\n    \
                 allow: { tightening-in-expand: a test }",
            )
            .expect_code(1)
            .expect_stderr("uq_shelf")
            .expect_stderr("rows of `books` have the same (shelf): ");
        session.run("UPDATE books SET shelf = id").await;
        train.concertina().run(&["upgrade"]).expect_code(0);
        assert_eq!(introspect::schema(&db).await.fact("books, index uq_shelf"), Some("(shelf) unique"));
        assert!(session.execute("INSERT INTO books VALUES (99, 'x', 1)").await.is_err());
    }

    async fn a_foreign_key_is_added_and_holds_for_new_rows(db: TestDatabase) {
        let mut session = books(&db).await;
        session
            .run(format!("CREATE TABLE shelves (id INTEGER NOT NULL PRIMARY KEY) {}", options(db.kind())))
            .await;
        session.run("INSERT INTO shelves VALUES (0), (1), (2), (3), (4), (5), (6)").await;
        Train::new(&db).expand(
            "  - add_foreign_key: { table: books, name: fk_books_shelf, columns: [shelf], \
             references: { table: shelves, columns: [id] }, on_delete: set_null }",
        );
        assert!(session.execute("INSERT INTO books VALUES (99, 'x', 77)").await.is_err());
        session.run("DELETE FROM shelves WHERE id = 1").await;
        let left = session.lines("SELECT COUNT(*), COUNT(shelf) FROM books").await;
        assert_eq!(left, ["50|42"]);
        let schema = introspect::schema(&db).await;
        let fact = schema.fact("books, foreign key (shelf)").expect("the key is there");
        assert!(fact.starts_with("to shelves (id), named fk_books_shelf ON DELETE SET NULL"), "{fact}");
    }
}

#[test]
fn a_build_that_fails_leaves_no_index_that_refuses_writes() {
    run(Kind::Postgres, "a_build_that_fails_leaves_no_index", async |db: TestDatabase| {
        let mut session = books(&db).await;
        session.run("UPDATE books SET shelf = id").await;
        let mut train = Train::new(&db);
        train.add(&[(
            "expand/01_index.yaml",
            "steps:\n  - create_index: { table: books, name: uq_shelf, columns: [shelf], unique: true }\n    allow: { tightening-in-expand: a test }\n",
        )]);
        // The duplicate is written after the look for duplicates, by a transaction that the build waits for.
        let mut slow = db.owner().await;
        slow.run("BEGIN").await;
        slow.run("UPDATE books SET shelf = 2 WHERE id = 1").await;
        let running = train.concertina().spawn(&["expand"]);
        let building = "SELECT 1 FROM pg_stat_progress_create_index WHERE command = 'CREATE INDEX CONCURRENTLY'";
        for tries in 0.. {
            assert!(tries < 20_000, "a build waits");
            if session.value(building).await.is_some() {
                break;
            }
        }
        slow.run("COMMIT").await;
        running.finish().expect_code(1).expect_stderr("uq_shelf");
        assert_eq!(introspect::schema(&db).await.fact("books, index uq_shelf"), None);
        session.run("INSERT INTO books VALUES (99, 'x', 2)").await;
    });
}

#[test]
fn an_invalid_index_of_that_name_is_replaced() {
    run(Kind::Postgres, "an_invalid_index_of_that_name_is_replaced", async |db: TestDatabase| {
        let mut session = books(&db).await;
        // What a concurrent build leaves behind when it fails.
        let built = session.execute("CREATE UNIQUE INDEX CONCURRENTLY ix_books_shelf ON books (shelf)").await;
        assert!(built.is_err());
        let before = introspect::schema(&db).await;
        assert_eq!(before.fact("books, index ix_books_shelf"), Some("(shelf) unique invalid"));
        Train::new(&db).expand("  - create_index: { table: books, name: ix_books_shelf, columns: [shelf] }");
        assert_eq!(introspect::schema(&db).await.fact("books, index ix_books_shelf"), Some("(shelf)"));
    });
}

#[test]
fn writers_go_on_while_an_index_is_built() {
    run(Kind::Postgres, "writers_go_on_while_an_index_is_built", async |db: TestDatabase| {
        let mut session = books(&db).await;
        let mut train = Train::new(&db);
        train.add(&[(
            "expand/01_index.yaml",
            "steps:\n  - create_index: { table: books, name: ix_books_shelf, columns: [shelf] }\n",
        )]);
        // The build waits for this transaction, and nobody waits for the build.
        let mut slow = db.owner().await;
        slow.run("BEGIN").await;
        slow.run("UPDATE books SET title = 'slow' WHERE id = 1").await;
        let running = train.concertina().spawn(&["upgrade"]);
        let building = "SELECT 1 FROM pg_stat_progress_create_index WHERE command = 'CREATE INDEX CONCURRENTLY'";
        while session.value(building).await.is_none() {}
        session.run("SET lock_timeout = '2s'").await;
        session.run("INSERT INTO books VALUES (99, 'meanwhile', 9)").await;
        slow.run("COMMIT").await;
        running.finish().expect_code(0);
        assert_eq!(introspect::schema(&db).await.fact("books, index ix_books_shelf"), Some("(shelf)"));
    });
}
