//! Copies: a row in another table for each row that has none there, beside writers of both.

use super::options;
use crate::support::{Kind, Session, TestDatabase, Train, on_every_database, run};

const COPY: &str = "backfill:
  table: people
  copy: { into: profiles, key: [person], columns: { person: id, bio: upper(bio), source: \"'copy'\" } }
  where: bio IS NOT NULL
";

/// So many people, every tenth of them without a bio; the third has a profile.
async fn people(db: &TestDatabase, count: usize) -> Session {
    let mut session = db.owner().await;
    let end = options(db.kind());
    session.run(format!("CREATE TABLE people (id INTEGER NOT NULL PRIMARY KEY, bio VARCHAR(40)) {end}")).await;
    session
        .run(format!(
            "CREATE TABLE profiles (person INTEGER NOT NULL PRIMARY KEY, bio VARCHAR(40), source VARCHAR(9)) {end}"
        ))
        .await;
    let rows: Vec<String> = (1..=count)
        .map(|id| if id % 10 == 0 { format!("({id}, NULL)") } else { format!("({id}, 'bio {id}')") })
        .collect();
    session.run(format!("INSERT INTO people VALUES {}", rows.join(", "))).await;
    session.run("INSERT INTO profiles VALUES (3, 'kept', 'mine')").await;
    session
}

async fn expect_copied(session: &mut Session, count: usize) {
    let wrong = "SELECT COUNT(*) FROM people LEFT JOIN profiles ON person = id \
                 WHERE CASE WHEN people.bio IS NULL THEN person IS NOT NULL WHEN id = 3 THEN profiles.bio <> 'kept' \
                 ELSE profiles.bio IS NULL OR profiles.bio <> upper(people.bio) END";
    assert_eq!(session.value(wrong).await.as_deref(), Some("0"));
    let made = session.value("SELECT COUNT(*) FROM profiles WHERE source = 'copy'").await;
    assert_eq!(made, Some((count - count / 10 - 1).to_string()));
    let changed = session.value("SELECT SUM(rows_changed) FROM concertina_range").await;
    assert_eq!(changed, made, "rows counted are rows made");
}

fn copying(db: &TestDatabase, rows: u32, backfill: &str) -> Train {
    super::train_of(db, rows, backfill)
}

on_every_database! {
    async fn rows_are_made_where_there_are_none(db: TestDatabase) {
        let mut session = people(&db, 1_000).await;
        let train = copying(&db, 20, COPY);
        train.concertina().run(&["migrate", "--max-rows", "100"]).expect_code(4);
        let failpoint = train.concertina().env("CONCERTINA_FAILPOINT", "backfill.before_commit:2");
        assert_eq!(failpoint.run(&["migrate"]).code, None);
        train.concertina().run(&["check"]).expect_code(4);
        train.concertina().run(&["migrate", "--workers", "3"]).expect_code(0);
        expect_copied(&mut session, 1_000).await;
        // Once more changes nothing; what is new is copied, and what was lost is made again.
        train.concertina().run(&["migrate"]).expect_code(0);
        session.run("DELETE FROM profiles WHERE person = 500 OR person = 501").await;
        session.run("INSERT INTO people VALUES (1001, 'late')").await;
        train.concertina().run(&["migrate"]).expect_code(0);
        let made = session.lines("SELECT person, bio FROM profiles WHERE person IN (500, 501, 1001) ORDER BY person").await;
        assert_eq!(made, ["501|BIO 501", "1001|LATE"]);
        // Rows that were there before are another's word, which `verify` lists.
        train.concertina().run(&["verify"]).expect_code(6).expect_stdout("not what their copies in `profiles` are: 3");
    }

    async fn a_key_of_several_columns(db: TestDatabase) {
        let mut session = people(&db, 300).await;
        session
            .run(format!(
                "CREATE TABLE words (person INTEGER NOT NULL, word VARCHAR(20) NOT NULL, PRIMARY KEY (person, word)) {}",
                options(db.kind())
            ))
            .await;
        let train = copying(
            &db,
            20,
            "backfill:
  table: people
  copy: { into: words, key: [word, person], columns: { person: id, word: \"'word ' || lower(bio)\" } }
  where: bio IS NOT NULL
",
        );
        train.concertina().run(&["migrate", "--workers", "2"]).expect_code(0);
        let words = session.lines("SELECT COUNT(*), MIN(word) FROM words").await;
        assert_eq!(words, ["270|word bio 1"]);
    }

    async fn a_key_that_is_not_unique_is_refused(db: TestDatabase) {
        let mut session = people(&db, 10).await;
        session
            .run(format!("CREATE TABLE notes (id INTEGER NOT NULL PRIMARY KEY, person INTEGER, bio VARCHAR(40)) {}", options(db.kind())))
            .await;
        for (key, columns) in [("person", "person: id, bio: bio"), ("id, person", "id: id, person: id")] {
            let mut train = Train::new(&db);
            let copy = format!("backfill:\n  table: people\n  copy: {{ into: notes, key: [{key}], columns: {{ {columns} }} }}\n");
            train.add(&[("data/01_copy.yaml", &copy)]);
            train.concertina().run(&["expand"]);
            let output = train.concertina().run(&["migrate"]);
            output.expect_code(1).expect_stderr("no unique key on").expect_stderr("notes");
        }
    }

    async fn a_row_that_breaks_another_key_is_an_error_that_says_so(db: TestDatabase) {
        let mut session = people(&db, 10).await;
        session.run("CREATE UNIQUE INDEX profiles_bio ON profiles (bio)").await;
        session.run("UPDATE people SET bio = 'same' WHERE id IN (5, 6)").await;
        let train = copying(&db, 20, COPY);
        train.concertina().run(&["migrate"]).expect_code(1).expect_stderr(match db.kind() {
            Kind::Postgres => "profiles_bio",
            Kind::MySql => "still match",
            Kind::Sqlite => "UNIQUE constraint failed",
        });
    }
}

/// A bio that moves, and its copy: what `expand` of the sync alone does not do.
const MOVED: &str = "backfill:
  table: users
  copy: { into: profiles, key: [user_id], columns: { user_id: id, bio: upper(bio) } }
  where: bio IS NOT NULL
";
const MOVED_STEPS: &str = "steps:
  - create_table:
      name: profiles
      columns:
        - { name: user_id, type: integer, nullable: false }
        - { name: bio, type: string(40) }
        - { name: colour, type: string(10) }
      primary_key: [user_id]
      foreign_keys:
        - { name: profiles_user, columns: [user_id], references: { table: users, columns: [id] } }
  - sync:
      name: users_bio
      table: users
      to: { table: profiles, key: { user_id: id } }
      forward: { bio: upper(bio) }
      backward: { bio: lower(bio) }
";

const USERS: usize = 500;

/// Nodes of both releases at work: they change bios, delete users, make and change profiles.
async fn nodes_at_work(mut node: Session, seed: u64, until: std::sync::Arc<std::sync::atomic::AtomicBool>) -> usize {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut written = 0;
    while !until.load(std::sync::atomic::Ordering::Relaxed) {
        let id = random.usize(1..=USERS);
        let sql = match random.u8(0..6) {
            0 | 1 => format!("UPDATE users SET bio = 'Old {written}' WHERE id = {id}"),
            2 => format!("UPDATE users SET bio = NULL WHERE id = {id}"),
            3 => format!("DELETE FROM users WHERE id = {id}"),
            4 => format!("UPDATE profiles SET bio = 'New {written}' WHERE user_id = {id}"),
            _ => format!(
                "INSERT INTO users (id, bio) VALUES ({}, 'Born')",
                USERS + written + 1 + 1_000_000 * usize::try_from(seed).unwrap()
            ),
        };
        // A deadlock is the writer's to try again.
        if node.execute(sql).await.is_ok() {
            written += 1;
        }
        tokio::time::sleep(std::time::Duration::from_millis(3)).await;
    }
    written
}

async fn moved(db: TestDatabase) {
    let mut session = db.owner().await;
    session
        .run(format!(
            "CREATE TABLE users (id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(40), bio VARCHAR(40)) {}",
            options(db.kind())
        ))
        .await;
    let rows: Vec<String> = (1..=USERS)
        .map(|id| if id % 9 == 0 { format!("({id}, NULL)") } else { format!("({id}, 'Bio {id}')") })
        .collect();
    session.run(format!("INSERT INTO users (id, bio) VALUES {}", rows.join(", "))).await;
    let mut train = Train::with_settings(&db, "batch: { rows: 5, target: 5ms }");
    train.add(&[
        ("expand/01_moved.yaml", MOVED_STEPS),
        ("data/01_moved.yaml", MOVED),
        ("contract/01_moved.yaml", "steps:\n  - drop_column: { table: users, column: bio }\n"),
    ]);
    train.concertina().run(&["expand"]).expect_code(0);
    db.grant_application(&["users", "profiles"]).await;
    train.concertina().run(&["contract", "--quiet-period", "0s"]).expect_code(6);
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let (one, two) = (db.application().await, db.application().await);
    let running = train.concertina().spawn(&["migrate", "--workers", "3", "--pace", "full"]);
    let ended = super::ending(running, &stop);
    let (first, second) = tokio::join!(
        nodes_at_work(one, 1, std::sync::Arc::clone(&stop)),
        nodes_at_work(two, 2, std::sync::Arc::clone(&stop))
    );
    ended.join().expect("migrate ends").expect_code(0);
    assert!(first + second > 20, "{first} and {second} writes");
    let left = "SELECT COUNT(*) FROM users LEFT JOIN profiles ON user_id = id \
                WHERE users.bio IS NOT NULL AND (profiles.bio IS NULL OR upper(profiles.bio) <> upper(users.bio))";
    assert_eq!(session.value(left).await.as_deref(), Some("0"));
    let orphans = "SELECT COUNT(*) FROM profiles WHERE user_id NOT IN (SELECT id FROM users)";
    assert_eq!(session.value(orphans).await.as_deref(), Some("0"));
    train.concertina().run(&["contract", "--quiet-period", "0s"]).expect_code(0);
    let bios = session.lines("SELECT COUNT(*) FROM profiles WHERE bio IS NOT NULL").await;
    assert_ne!(bios, ["0"]);
}

#[test]
fn a_moved_column_beside_its_writers_on_postgres() {
    run(Kind::Postgres, "a_moved_column_beside_its_writers", moved);
}

#[test]
fn a_moved_column_beside_its_writers_on_mysql() {
    run(Kind::MySql, "a_moved_column_beside_its_writers", moved);
}

#[test]
fn a_moved_column_on_sqlite() {
    run(Kind::Sqlite, "a_moved_column", async |db: TestDatabase| {
        let mut session = db.owner().await;
        session.run("CREATE TABLE users (id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(40), bio VARCHAR(40))").await;
        session.run("INSERT INTO users (id, bio) VALUES (1, 'One'), (2, NULL), (3, 'Three'), (4, 'Four')").await;
        let mut train = Train::with_settings(&db, "batch: { rows: 1 }");
        train.add(&[
            ("expand/01_moved.yaml", MOVED_STEPS),
            ("data/01_moved.yaml", MOVED),
            ("contract/01_moved.yaml", "steps:\n  - drop_column: { table: users, column: bio }\n"),
        ]);
        train.concertina().run(&["expand"]).expect_code(0);
        session.run("INSERT INTO profiles (user_id, bio) VALUES (4, 'NEW')").await;
        train.concertina().run(&["contract", "--quiet-period", "0s"]).expect_code(6);
        train.concertina().run(&["migrate"]).expect_code(0);
        let all = session
            .lines("SELECT id, users.bio, profiles.bio FROM users LEFT JOIN profiles ON user_id = id ORDER BY id")
            .await;
        assert_eq!(all, ["1|One|ONE", "2|-|-", "3|Three|THREE", "4|new|NEW"]);
        train.concertina().run(&["contract", "--quiet-period", "0s"]).expect_code(0);
        assert_eq!(session.lines("SELECT bio FROM profiles ORDER BY 1").await, ["NEW", "ONE", "THREE"]);
    });
}
