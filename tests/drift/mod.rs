//! What somebody else changed in tables that releases have changed is told, with the object.

use crate::support::{Kind, TestDatabase, Train, on_every_database};

on_every_database! {
    async fn what_somebody_else_changed_is_told_with_the_object(db: TestDatabase) {
        let mut session = db.owner().await;
        let options = if db.kind() == Kind::MySql { "ENGINE=InnoDB" } else { "" };
        session.run(format!("CREATE TABLE books (id INTEGER NOT NULL PRIMARY KEY, title VARCHAR(40), shelf INTEGER) {options}")).await;
        session.run(format!("CREATE TABLE strangers (id INTEGER NOT NULL PRIMARY KEY) {options}")).await;
        session.run("CREATE INDEX books_shelf ON books (shelf)").await;
        let mut train = Train::new(&db);
        train.add(&[
            ("expand/01_pages.yaml", "steps:\n  - add_column: { table: books, column: { name: pages, type: integer } }\n"),
            ("data/01_pages.yaml", "backfill: { table: books, set: { pages: 1 }, where: pages IS NULL }\n"),
            ("contract/01_shelf.yaml", "steps:\n  - drop_column: { table: books, column: title }\n"),
        ]);
        let run = |arguments: &[&str]| {
            let output = train.concertina().run(arguments);
            output.expect_code(0);
            output
        };
        let expanded = run(&["expand"]);
        assert!(!expanded.stderr.contains("somebody else"), "{expanded}");
        assert!(!run(&["status"]).stdout.contains("drift"), "what expand did itself is no drift");

        session.run("ALTER TABLE books ADD COLUMN note VARCHAR(7)").await;
        session.run("ALTER TABLE strangers ADD COLUMN note VARCHAR(7)").await;
        session.run(if db.kind() == Kind::MySql { "DROP INDEX books_shelf ON books" } else { "DROP INDEX books_shelf" }).await;
        let status = run(&["status"]);
        status.expect_stdout("column books.note is new").expect_stdout("index books_shelf (shelf) of books is missing");
        assert!(!status.stdout.contains("strangers"), "that table is none of ours:\n{status}");
        run(&["migrate"]).expect_stderr("somebody else changed the schema: index books_shelf (shelf) of books is missing; column books.note is new");
        let kept = session.lines("SELECT detail FROM concertina_history WHERE outcome = 'drift'").await;
        assert_eq!(kept, ["index books_shelf (shelf) of books is missing; column books.note is new"]);

        // A phase that is done takes it for granted.
        assert!(!run(&["status"]).stdout.contains("books.note"), "it was told once");
        match db.kind() {
            Kind::Postgres => session.run("ALTER TABLE books ALTER COLUMN note TYPE VARCHAR(9)").await,
            Kind::MySql => session.run("ALTER TABLE books MODIFY note VARCHAR(9)").await,
            Kind::Sqlite => {
                session.run("ALTER TABLE books DROP COLUMN note").await;
                session.run("ALTER TABLE books ADD COLUMN note VARCHAR(9)").await;
            }
        }
        let contracted = run(&["contract", "--quiet-period", "0s"]);
        contracted.expect_stderr("somebody else changed the schema: column books.note is ");
        contracted.expect_stderr("(9) NULL, and was ");
        assert!(!run(&["status"]).stdout.contains("drift"), "what contract did itself is no drift");
    }
}
