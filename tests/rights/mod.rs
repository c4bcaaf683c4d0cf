//! What the role lacks is said before the first statement of a phase, with the statements that grant it.

pub(crate) mod documented;
mod needed;
mod train;

use crate::support::{Kind, Session, TestDatabase, Train, run};

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
