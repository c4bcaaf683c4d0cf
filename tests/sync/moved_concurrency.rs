//! A column that moves, between two transactions: an old node writes the user while a new one writes the profile. Whoever
//! comes second may fail with a deadlock or the like, but never are the two tables out of step.

use super::moved::PROFILES;
use super::nodes::{Nodes, RETRIED, node};
use super::{expand, options};
use crate::support::{DbFailure, Kind, Session, TestDatabase, run};

/// Users 1 to 3, of whom the first has a bio and a profile, the second a bio from before, and the third nothing.
async fn users(db: &TestDatabase) -> Session {
    let mut owner = db.owner().await;
    if db.kind() == Kind::Postgres {
        // It looks for deadlocks only after a second otherwise.
        let database = owner.value("SELECT current_database()").await.unwrap();
        db.admin().await.run(format!("ALTER DATABASE \"{database}\" SET deadlock_timeout = '20ms'")).await;
    }
    owner
        .run(format!("CREATE TABLE users (id INTEGER NOT NULL PRIMARY KEY, bio VARCHAR(40)) {}", options(db.kind())))
        .await;
    expand(db, PROFILES);
    db.grant_application(&["users", "profiles"]).await;
    owner
}

async fn seed(owner: &mut Session) {
    owner.run("DELETE FROM users").await;
    owner.run("INSERT INTO users (id, bio) VALUES (1, 'first'), (2, 'second'), (3, NULL)").await;
    owner.run("DELETE FROM profiles").await;
    owner.run("UPDATE users SET bio = CASE id WHEN 1 THEN 'First' ELSE 'Second' END WHERE id < 3").await;
    // As it would be if user 2 had been there before the sync.
    let [off, on] = match owner {
        Session::Postgres(_) => ["SET concertina.bypass = ',users_bio,'", "SET concertina.bypass = ''"],
        _ => ["SET @concertina_bypass_users_bio = -1", "SET @concertina_bypass_users_bio = NULL"],
    };
    owner.run(off).await;
    owner.run("DELETE FROM profiles WHERE user_id = 2").await;
    owner.run(on).await;
    assert_eq!(owner.lines("SELECT bio FROM users ORDER BY id").await, ["First", "Second", "-"]);
}

/// Rows of the two tables that disagree: a profile's bio with its user's, or a user's bio that no profile has.
async fn out_of_step(session: &mut Session, migrated: bool) -> Vec<String> {
    let bytes = |text: &str| format!("COALESCE(MD5({text}), 'none')");
    let differ =
        format!("{} <> {} AND {} <> {}", bytes("p.bio"), bytes("UPPER(u.bio)"), bytes("u.bio"), bytes("LOWER(p.bio)"));
    let alone = if migrated { "OR (p.user_id IS NULL AND u.bio IS NOT NULL)" } else { "" };
    session
        .lines(format!(
            "SELECT u.id, u.bio, p.bio FROM users u LEFT JOIN profiles p ON p.user_id = u.id \
             WHERE (p.user_id IS NOT NULL AND {differ}) {alone}"
        ))
        .await
}

/// What a node is told when it must try again; what the tables themselves refuse is no failure of the sync's.
fn expect_retried(result: &Result<(), DbFailure>, what: &str) {
    // A row that is there already, and one whose user has gone.
    let refused = ["23505", "1062", "23503", "1452", "1451"];
    if let Err(failure) = result {
        let code = failure.code.as_str();
        assert!(RETRIED.contains(&code) || refused.contains(&code), "{what}: {failure:?}");
    }
}

async fn each_meets_each(db: TestDatabase, isolation: &str) {
    let kind = db.kind();
    let mut owner = users(&db).await;
    let mut nodes = Nodes::open(&db, isolation).await;
    let upsert = |bio: &str| {
        let (start, end) = (
            "INSERT INTO profiles (user_id, bio) VALUES (@, ",
            if kind == Kind::Postgres {
                "ON CONFLICT (user_id) DO UPDATE SET bio = EXCLUDED.bio"
            } else {
                "ON DUPLICATE KEY UPDATE bio = VALUES(bio)"
            },
        );
        format!("{start}{bio}) {end}")
    };
    let writes = [
        // Old nodes.
        "UPDATE users SET bio = 'Old' WHERE id = @".to_owned(),
        "UPDATE users SET bio = NULL WHERE id = @".to_owned(),
        "DELETE FROM users WHERE id = @".to_owned(),
        // New nodes.
        "UPDATE profiles SET bio = 'New' WHERE user_id = @".to_owned(),
        "UPDATE profiles SET bio = NULL WHERE user_id = @".to_owned(),
        "INSERT INTO profiles (user_id, bio) VALUES (@, 'New')".to_owned(),
        // One that says what the user says already.
        "INSERT INTO profiles (user_id, bio) VALUES (@, 'SECOND')".to_owned(),
        "INSERT INTO profiles (user_id) VALUES (@)".to_owned(),
        "DELETE FROM profiles WHERE user_id = @".to_owned(),
        "UPDATE profiles SET user_id = 3 WHERE user_id = @".to_owned(),
        upsert("'Upserted'"),
    ];
    let mut met = 0;
    for user in ["1", "2", "3"] {
        for first in &writes {
            for second in &writes {
                seed(&mut owner).await;
                let (first, second) = (first.replace('@', user), second.replace('@', user));
                let results = nodes.meet(&[&first], &[&second], &[]).await;
                let what = format!("{first}; {second}");
                for result in &results {
                    expect_retried(result, &what);
                }
                met += usize::from(results.iter().all(Result::is_ok));
                assert_eq!(out_of_step(&mut owner, false).await, [""; 0], "{what}: {results:?}");
            }
        }
    }
    assert!(met > 100, "most of them get through: {met}");
}

/// Each holds what the other wants next.
async fn crossed(db: TestDatabase, isolation: &str) {
    let mut owner = users(&db).await;
    let mut nodes = Nodes::open(&db, isolation).await;
    let old = |user| format!("UPDATE users SET bio = 'Old' WHERE id = {user}");
    let new = |user| format!("UPDATE profiles SET bio = 'New' WHERE user_id = {user}");
    let mut failed = 0;
    for (first, second) in [(old as fn(u32) -> String, new as fn(u32) -> String), (new, old), (old, old), (new, new)] {
        seed(&mut owner).await;
        owner.run("INSERT INTO profiles (user_id) VALUES (2)").await;
        let results = nodes.meet(&[&first(1)], &[&second(2), &second(1)], &[&first(2)]).await;
        for result in &results {
            expect_retried(result, "crossed");
        }
        assert!(results.iter().any(Result::is_ok), "one gets through: {results:?}");
        failed += results.iter().filter(|result| result.is_err()).count();
        assert_eq!(out_of_step(&mut owner, true).await, [""; 0]);
    }
    assert_eq!(failed, 4, "each time one is the victim of the deadlock");
}

/// Four nodes that write three users at random.
async fn random(db: TestDatabase, isolation: &str) {
    let kind = db.kind();
    let mut owner = users(&db).await;
    seed(&mut owner).await;
    owner.run("INSERT INTO profiles (user_id) VALUES (2)").await;
    let mut tasks = Vec::new();
    for number in 0..4_u64 {
        let mut session = node(&db, isolation).await;
        let mut random = fastrand::Rng::with_seed(number);
        tasks.push(tokio::spawn(async move {
            let mut done = 0;
            for _ in 0..60 {
                session.run("BEGIN").await;
                let mut result = Ok(());
                for _ in 0..random.u32(1..3) {
                    let (user, bio) = (random.u32(1..4), ["'One'", "'Two'", "'TWO'", "NULL"][random.usize(0..4)]);
                    let upsert = if kind == Kind::Postgres {
                        "ON CONFLICT (user_id) DO UPDATE SET bio = EXCLUDED.bio"
                    } else {
                        "ON DUPLICATE KEY UPDATE bio = VALUES(bio)"
                    };
                    let statement = match random.u32(0..7) {
                        0 | 1 => format!("UPDATE users SET bio = {bio} WHERE id = {user}"),
                        2 => format!("UPDATE profiles SET bio = {bio} WHERE user_id = {user}"),
                        3 => format!("INSERT INTO profiles (user_id, bio) VALUES ({user}, {bio}) {upsert}"),
                        4 => format!("DELETE FROM profiles WHERE user_id = {user}"),
                        5 => format!("UPDATE users SET bio = {bio}"),
                        _ => format!("UPDATE profiles SET bio = {bio}"),
                    };
                    result = session.execute(statement).await.map(drop);
                    if result.is_err() {
                        break;
                    }
                    tokio::task::yield_now().await;
                }
                expect_retried(&result, "at random");
                done += u32::from(result.is_ok());
                session.run(if result.is_ok() { "COMMIT" } else { "ROLLBACK" }).await;
            }
            done
        }));
    }
    let mut done = 0;
    for task in tasks {
        done += task.await.expect("it does not panic");
    }
    assert!(done > 20, "some get through: {done}");
    assert_eq!(out_of_step(&mut owner, true).await, [""; 0]);
}

/// One test for each database and level.
macro_rules! at_each_level {
    ($($body:ident: $($name:ident($kind:ident, $isolation:literal)),+;)+) => {$($(
        #[test]
        fn $name() {
            run(Kind::$kind, stringify!($name), async |db| $body(db, $isolation).await);
        }
    )+)+};
}

at_each_level! {
    each_meets_each:
        each_meets_each_on_postgres_at_read_committed(Postgres, "READ COMMITTED"),
        each_meets_each_on_postgres_at_repeatable_read(Postgres, "REPEATABLE READ"),
        each_meets_each_on_mysql_at_read_committed(MySql, "READ COMMITTED"),
        each_meets_each_on_mysql_at_repeatable_read(MySql, "REPEATABLE READ");
    crossed:
        crossed_on_postgres_at_read_committed(Postgres, "READ COMMITTED"),
        crossed_on_postgres_at_repeatable_read(Postgres, "REPEATABLE READ"),
        crossed_on_mysql_at_read_committed(MySql, "READ COMMITTED"),
        crossed_on_mysql_at_repeatable_read(MySql, "REPEATABLE READ");
    random:
        random_on_postgres_at_read_committed(Postgres, "READ COMMITTED"),
        random_on_postgres_at_repeatable_read(Postgres, "REPEATABLE READ"),
        random_on_mysql_at_read_committed(MySql, "READ COMMITTED"),
        random_on_mysql_at_repeatable_read(MySql, "REPEATABLE READ");
}
