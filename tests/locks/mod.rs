//! How steps ask for their locks: for an instant, again and again, while nobody waits behind them; and who is in their way.

mod blockers;
mod waiting;

use crate::support::{Kind, Session, TestDatabase};

/// A table of 50 rows, and one that it may refer to.
async fn books(db: &TestDatabase) -> Session {
    let mut session = db.owner().await;
    let options = if db.kind() == Kind::MySql { "ENGINE=InnoDB" } else { "" };
    session.run(format!("CREATE TABLE shelves (id INTEGER NOT NULL PRIMARY KEY) {options}")).await;
    session
        .run(format!(
            "CREATE TABLE books (id INTEGER NOT NULL PRIMARY KEY, title VARCHAR(40) NOT NULL, note VARCHAR(40), \
             shelf INTEGER) {options}"
        ))
        .await;
    let rows: Vec<String> = (1..=50).map(|id| format!("({id}, 'title {id}', 'note', NULL)")).collect();
    session.run(format!("INSERT INTO books VALUES {}", rows.join(", "))).await;
    session
}

/// The owner's account on MariaDB, as a GRANT names it.
async fn account(session: &mut Session, admin: &mut Session) -> String {
    let user = session.value("SELECT SUBSTRING_INDEX(USER(), '@', 1)").await.expect("a user");
    let host = admin.value(format!("SELECT Host FROM mysql.user WHERE User = '{user}'")).await.expect("a host");
    format!("'{user}'@'{host}'")
}

/// Somebody who has read the table, and has not ended the transaction.
async fn reader(db: &TestDatabase) -> Session {
    let mut session = db.owner().await;
    session.run("BEGIN").await;
    session.lines("SELECT COUNT(*) FROM books").await;
    session
}
