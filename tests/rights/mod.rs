//! What the role lacks is said before the first statement of a phase, with the statements that grant it.

pub(crate) mod documented;
mod needed;
mod train;

use crate::support::{Kind, Session, TestDatabase, Train, on_every_server, run};

const STEPS: &str = "steps:
  - create_table: { name: shelves, columns: [ { name: id, type: integer, nullable: false } ], primary_key: [id] }
  - add_column: { table: books, column: { name: pages, type: integer } }
  - create_index: { table: books, name: books_title, columns: [title] }
  - add_foreign_key: { table: books, name: books_author, columns: [author], references: { table: authors, columns: [id] } }
";

async fn tables(session: &mut Session, kind: Kind) {
    let options = if kind == Kind::MySql { "ENGINE=InnoDB" } else { "" };
    session.run(format!("CREATE TABLE authors (id INTEGER NOT NULL PRIMARY KEY) {options}")).await;
    session
        .run(format!(
            "CREATE TABLE books (id INTEGER NOT NULL PRIMARY KEY, title VARCHAR(40), author INTEGER) {options}"
        ))
        .await;
}

#[test]
fn a_role_that_owns_nothing_is_told_what_to_grant_on_postgres() {
    run(Kind::Postgres, "a_role_that_owns_nothing", async |db: TestDatabase| {
        let mut admin = Session::open(db.kind(), &db.admin_url()).await;
        tables(&mut admin, db.kind()).await;
        let mut owner = db.owner().await;
        let role = owner.value("SELECT current_user").await.expect("a role");
        let boss = admin.value("SELECT current_user").await.expect("a role");
        let mut train = Train::new(&db);
        train.add(&[("expand/01_steps.yaml", STEPS)]);
        let refused = train.concertina().run(&["expand"]);
        refused.expect_code(6).expect_stderr("expand of r1 cannot run: the role in the URL lacks 2 of the rights");
        refused.expect_stderr(&format!("GRANT {boss} TO {role}"));
        refused.expect_stderr(&format!("GRANT REFERENCES ON authors TO {role}"));
        assert_eq!(owner.value("SELECT to_regclass('shelves')::text").await, None, "nothing of it was run");
        // What it says is enough.
        admin.run(format!("ALTER TABLE books OWNER TO {role}")).await;
        admin.run(format!("GRANT REFERENCES ON authors TO {role}")).await;
        train.concertina().run(&["expand"]).expect_code(0);
    });
}

#[test]
fn an_account_without_rights_is_told_what_to_grant_on_mysql() {
    run(Kind::MySql, "an_account_without_rights", async |db: TestDatabase| {
        let mut admin = Session::open(db.kind(), &db.admin_url()).await;
        tables(&mut admin, db.kind()).await;
        let mut owner = db.owner().await;
        let accounts = admin
            .lines(format!(
                "SELECT CONCAT(QUOTE(User), '@', QUOTE(Host)) FROM mysql.user WHERE User = '{}'",
                owner.value("SELECT SUBSTRING_INDEX(CURRENT_USER(), '@', 1)").await.expect("a user")
            ))
            .await;
        let database = owner.value("SELECT DATABASE()").await.expect("a database");
        let pattern = database.replace('_', "\\_");
        for account in &accounts {
            admin.run(format!("REVOKE ALTER, REFERENCES ON `{pattern}`.* FROM {account}")).await;
        }
        let mut train = Train::new(&db);
        train.add(&[("expand/01_steps.yaml", STEPS)]);
        let refused = train.concertina().run(&["expand"]);
        refused.expect_code(6).expect_stderr("expand of r1 cannot run: the role in the URL lacks 2 of the rights");
        let missing = [
            format!("GRANT ALTER ON `{database}`.`books` TO "),
            format!("GRANT REFERENCES ON `{database}`.`authors` TO "),
        ];
        for grant in &missing {
            refused.expect_stderr(grant);
        }
        assert_eq!(owner.lines("SHOW TABLES LIKE 'shelves'").await, Vec::<String>::new(), "nothing of it was run");
        // What it says is enough; the table that the phase makes itself is its maker's.
        for account in &accounts {
            for grant in &missing {
                admin.run(format!("{grant}{account}")).await;
            }
        }
        train.concertina().run(&["expand"]).expect_code(0);
    });
}

const PAGES: &[(&str, &str)] = &[
    ("expand/01_pages.yaml", "steps:\n  - add_column: { table: books, column: { name: pages, type: integer } }\n"),
    (
        "data/01_pages.yaml",
        "backfill:\n  table: books\n  set: { pages: (SELECT COUNT(*) FROM authors a WHERE a.id = books.author) }\n  where: pages IS NULL\n",
    ),
    ("contract/01_pages.yaml", "steps:\n  - set_not_null: { table: books, column: pages }\n"),
];

/// Takes rights away from the role, and gives the statements that give them back.
async fn take(db: &TestDatabase, admin: &mut Session, rights: &[(&str, &str)]) -> Vec<String> {
    let mut owner = db.owner().await;
    let mut grants = Vec::new();
    if db.kind() == Kind::Postgres {
        let role = owner.value("SELECT current_user").await.expect("a role");
        for (right, table) in rights {
            admin.run(format!("REVOKE {right} ON {table} FROM \"{role}\"")).await;
            grants.push(format!("GRANT {right} ON {table} TO {role}"));
        }
        return grants;
    }
    let database = owner.value("SELECT DATABASE()").await.expect("a database");
    let user = owner.value("SELECT SUBSTRING_INDEX(CURRENT_USER(), '@', 1)").await.expect("a user");
    let hosts = admin.lines(format!("SELECT Host FROM mysql.user WHERE User = '{user}'")).await;
    let tables = owner.lines("SHOW TABLES").await;
    for host in hosts {
        let account = format!("'{user}'@'{host}'");
        for (right, without) in rights {
            // For the whole database, and again for every table but one.
            let pattern = database.replace('_', "\\_");
            admin.run(format!("REVOKE {right} ON `{pattern}`.* FROM {account}")).await;
            for table in tables.iter().filter(|table| table != without) {
                admin.run(format!("GRANT {right} ON `{database}`.`{table}` TO {account}")).await;
            }
            grants.push(format!("GRANT {right} ON `{database}`.`{without}` TO {account}"));
        }
    }
    grants
}

on_every_server! {
    async fn what_backfills_read_and_write_is_asked_before_they_begin(db: TestDatabase) {
        let mut admin = Session::open(db.kind(), &db.admin_url()).await;
        let mut owner = db.owner().await;
        tables(&mut owner, db.kind()).await;
        owner.run("INSERT INTO authors VALUES (1)").await;
        owner.run("INSERT INTO books VALUES (1, 'one', 1)").await;
        let mut train = Train::new(&db);
        train.add(PAGES);
        train.concertina().run(&["expand"]).expect_code(0);
        let grants = take(&db, &mut admin, &[("UPDATE", "books"), ("SELECT", "authors")]).await;
        let before = owner.value("SELECT COUNT(*) FROM concertina_history").await;
        let refused = train.concertina().run(&["migrate"]);
        refused.expect_code(6).expect_stderr("migrate of r1 cannot run: the role in the URL lacks 2 of the rights");
        for grant in ["GRANT UPDATE ON ", "GRANT SELECT ON "] {
            refused.expect_stderr(grant);
        }
        assert_eq!(owner.value("SELECT COUNT(*) FROM concertina_history").await, before, "nothing of it was run");
        for grant in &grants {
            admin.run(grant).await;
        }
        train.concertina().run(&["migrate"]).expect_code(0);
        train.concertina().run(&["contract"]).expect_code(0);
        assert_eq!(owner.lines("SELECT id, pages FROM books").await, ["1|1"]);
    }
}

#[test]
fn a_read_only_session_is_told_before_anything_is_written_on_postgres() {
    run(Kind::Postgres, "a_read_only_session", async |db: TestDatabase| {
        let mut owner = db.owner().await;
        tables(&mut owner, db.kind()).await;
        let mut train = Train::new(&db);
        train.add(PAGES);
        owner.run("ALTER ROLE CURRENT_USER SET default_transaction_read_only = on").await;
        let refused = train.concertina().run(&["expand"]);
        refused.expect_code(6).expect_stderr("expand of r1 cannot run: sessions are read-only here");
        // Who only looks may go on.
        train.concertina().run(&["check"]).expect_code(3);
        owner.run("ALTER ROLE CURRENT_USER RESET default_transaction_read_only").await;
        train.concertina().run(&["expand"]).expect_code(0);
    });
}
