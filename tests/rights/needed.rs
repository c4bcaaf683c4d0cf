//! Each right that docs/rights.md lists for a phase is needed: without it the phase is refused, says which, and the
//! application's schema is as it was.

use super::documented::{Roles, in_table};
use crate::conformance::introspect;
use crate::conformance::schema::Schema;
use crate::support::{Kind, Output, Project, Session, TestDatabase, on_every_server};

/// A release that needs everything, on tables of the application's.
fn project() -> Project {
    Project::new(&[
        ("concertina.yaml", "releases: [r1]\n"),
        (
            "expand/r1/01_a.yaml",
            "steps:
  - create_table:
      name: shelves
      columns: [ { name: id, type: integer, nullable: false }, { name: book, type: integer, nullable: true } ]
      primary_key: [id]
  - add_column: { table: books, column: { name: state, type: text } }
  - create_index: { table: books, name: books_title, columns: [title] }
  - add_foreign_key: { table: books, name: books_author, columns: [author], references: { table: authors, columns: [id] } }
  - sync:
      name: books_state
      table: books
      forward: { state: CASE WHEN sold = 1 THEN 'sold' ELSE 'here' END }
      backward: { sold: CASE WHEN state = 'sold' THEN 1 ELSE 0 END }
      conflict: reject
      related: [ { table: loans, key: { book: id }, when: state = 'here' } ]
",
        ),
        (
            "data/r1/01_state.yaml",
            "backfill: { table: books, set: { state: CASE WHEN sold = 1 THEN 'sold' ELSE 'here' END }, where: state IS NULL }\n",
        ),
        (
            "data/r1/02_shelves.yaml",
            "backfill: { table: books, copy: { into: shelves, key: [id], columns: { id: id, book: id } }, where: author IS NOT NULL }\n",
        ),
        ("data/r1/03_loans.yaml", "backfill: { table: loans, delete: {}, where: back = 1 }\n"),
        (
            "contract/r1/01_a.yaml",
            "steps:
  - set_not_null: { table: books, column: state }
  - drop_column: { table: books, column: sold }
  - drop_table: { table: old }
",
        ),
    ])
}

async fn tables(session: &mut Session, kind: Kind) {
    let options = if kind == Kind::MySql { "ENGINE=InnoDB" } else { "" };
    for table in [
        "authors (id INTEGER PRIMARY KEY)",
        "books (id INTEGER PRIMARY KEY, title VARCHAR(40), author INTEGER, sold INTEGER NOT NULL DEFAULT 0)",
        "loans (id INTEGER PRIMARY KEY, book INTEGER, back INTEGER)",
        "old (id INTEGER PRIMARY KEY)",
    ] {
        session.run(format!("CREATE TABLE {table} {options}")).await;
    }
    for row in
        ["authors VALUES (1)", "books VALUES (1, 'a', 1, 1), (2, 'b', 1, 0)", "loans VALUES (1, 1, 1), (2, 2, 0)"]
    {
        session.run(format!("INSERT INTO {row}")).await;
    }
}

/// What a refusal may say of a right that is missing.
fn words(kind: Kind, right: &str, roles: &Roles) -> Vec<String> {
    match (kind, right) {
        (Kind::Postgres, "CONNECT") => vec!["permission denied for database".to_owned()],
        (Kind::Postgres, "CREATE") => {
            vec!["permission denied for schema public".to_owned(), "grant create on".to_owned()]
        }
        // PostgreSQL shows nothing of a schema to whoever may not use it, and so the database would look empty.
        (Kind::Postgres, "USAGE") => vec!["grant usage on schema public to".to_owned()],
        (Kind::Postgres, role) => {
            vec![
                format!("grant {}", roles.name(role)),
                // What a backfill reads and writes is granted table by table.
                "grant select on".to_owned(),
                "must be owner of".to_owned(),
                "permission denied for table".to_owned(),
            ]
        }
        // Without it triggers are not to be seen either.
        (_, "TRIGGER") => vec!["trigger".to_owned()],
        (_, right) => vec![format!("{right} command denied"), format!("grant {right} on")],
    }
}

/// Takes each right of a command away in turn, and then runs it with those that it needs.
async fn expect_each_needed(db: &TestDatabase, roles: &mut Roles, project: &Project, column: &str, command: &[&str]) {
    const ROLE: &str = "concertina";
    let needed = in_table(db.kind(), column);
    for right in &needed {
        roles.give(right, ROLE).await;
    }
    let concertina = roles.concertina(project, ROLE);
    let before = introspect::schema(db).await;
    // A rollback goes as far as it may, and from there when it is run again: what it needs first is taken away first.
    let mut in_turn: Vec<&String> = needed.iter().collect();
    in_turn.sort_by_key(|right| column == "rollback" && *right != "TRIGGER");
    for right in in_turn {
        roles.take(right, ROLE).await;
        let refused = concertina.run(command);
        let said = refused.stderr.to_lowercase();
        let named = words(db.kind(), right, roles).iter().any(|words| said.contains(&words.to_lowercase()));
        assert!(refuses(&refused, command) && named, "without {right}: {refused}");
        // DELETE is wanted for our own tables alone, at the end of a phase.
        if column != "rollback" && right != "DELETE" {
            let now = introspect::schema(db).await;
            assert_eq!(Schema::differences(&before, &now), [], "without {right}: {refused}");
        }
        roles.give(right, ROLE).await;
    }
    let done = concertina.run(command);
    assert!(!refuses(&done, command), "with {needed:?}: {done}");
    for right in &needed {
        roles.take(right, ROLE).await;
    }
}

/// `check` answers by exit codes that are none of an error.
fn refuses(output: &Output, command: &[&str]) -> bool {
    if command == ["check"] { output.code != Some(4) } else { output.code != Some(0) }
}

on_every_server! {
    async fn each_right_of_a_phase_is_needed(db: TestDatabase) {
        let mut roles = Roles::new(&db, &["glance_owner", "concertina"]).await;
        let project = project();
        if db.kind() == Kind::Postgres {
            roles.run("GRANT CONNECT ON DATABASE glance TO glance_owner").await;
            roles.run("GRANT USAGE, CREATE ON SCHEMA public TO glance_owner").await;
            tables(&mut Session::open(db.kind(), &roles.url("glance_owner")).await, db.kind()).await;
            // A member would have these of it.
            roles.run("REVOKE CONNECT ON DATABASE glance FROM glance_owner").await;
            roles.run("REVOKE USAGE, CREATE ON SCHEMA public FROM glance_owner").await;
        } else {
            tables(&mut db.owner().await, db.kind()).await;
        }
        for (column, command) in [
            ("expand", &["expand"][..]),
            ("check", &["check"]),
            ("rollback", &["rollback", "--yes"]),
        ] {
            expect_each_needed(&db, &mut roles, &project, column, command).await;
        }
        let rights = in_table(db.kind(), "expand");
        for right in &rights { roles.give(right, "concertina").await; }
        roles.concertina(&project, "concertina").run(&["expand"]).expect_code(0);
        for right in &rights { roles.take(right, "concertina").await; }
        for (column, command) in [("migrate", &["migrate"][..]), ("contract", &["contract", "--quiet-period", "0s"])] {
            expect_each_needed(&db, &mut roles, &project, column, command).await;
        }
        roles.drop().await;
    }
}
