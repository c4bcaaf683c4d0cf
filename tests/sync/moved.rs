//! A column that moves to another table: old nodes write `users.bio`, new nodes `profiles.bio`.

use super::{expand, expect_refused, on, options};
use crate::support::{Kind, Session, TestDatabase, Train, on_every_database};

/// Profiles with a foreign key to users, and the sync of the bio; both mappings are lossy.
pub(super) const PROFILES: &str = "
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
      backward: { bio: lower(bio) }";

/// Users with a bio in upper case, profiles with it in lower case, so that both mappings are lossy. Users 1 and 2 are from
/// before the expand. Gives a session of the application.
async fn users(db: &TestDatabase) -> Session {
    let mut owner = db.owner().await;
    owner
        .run(format!(
            "CREATE TABLE users (id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(40), bio VARCHAR(40)) {}",
            options(db.kind())
        ))
        .await;
    owner.run("INSERT INTO users (id, name, bio) VALUES (1, 'one', 'From Before'), (2, 'two', NULL)").await;
    expand(db, PROFILES);
    db.grant_application(&["users", "profiles"]).await;
    db.application().await
}

/// Every user's id and bio, and the profile's bio and colour.
async fn all(session: &mut Session) -> String {
    session
        .lines(
            "SELECT u.id, u.bio, p.bio, p.colour, CASE WHEN p.user_id IS NULL THEN 'none' ELSE 'row' END \
             FROM users u LEFT JOIN profiles p ON p.user_id = u.id ORDER BY u.id",
        )
        .await
        .join(" ")
}

on_every_database! {
    async fn each_side_reaches_the_other(db: TestDatabase) {
        let mut session = users(&db).await;
        let start = "1|From Before|-|-|none 2|-|-|-|none";
        assert_eq!(all(&mut session).await, start);
        // What touches neither side does nothing, nor does what repeats the value there.
        session.run("UPDATE users SET name = 'uno' WHERE id = 1").await;
        session.run("UPDATE users SET bio = bio").await;
        assert_eq!(all(&mut session).await, start);
        // An old node: the profile is made, changed, and emptied.
        session.run("UPDATE users SET bio = 'First' WHERE id = 1").await;
        session.run("INSERT INTO users (id, bio) VALUES (3, 'Third'), (4, NULL), (5, 'Fifth')").await;
        assert_eq!(
            all(&mut session).await,
            "1|First|FIRST|-|row 2|-|-|-|none 3|Third|THIRD|-|row 4|-|-|-|none 5|Fifth|FIFTH|-|row"
        );
        session.run("UPDATE users SET bio = CASE WHEN id = 1 THEN 'Again' END WHERE id IN (1, 2, 3)").await;
        assert_eq!(
            all(&mut session).await,
            "1|Again|AGAIN|-|row 2|-|-|-|none 3|-|-|-|row 4|-|-|-|none 5|Fifth|FIFTH|-|row"
        );
        // A new node.
        session.run("UPDATE profiles SET colour = 'red' WHERE user_id = 1").await;
        session.run("UPDATE profiles SET bio = 'New' WHERE user_id IN (1, 3)").await;
        session.run("INSERT INTO profiles (user_id, bio) VALUES (2, 'Second'), (4, NULL)").await;
        assert_eq!(
            all(&mut session).await,
            "1|new|New|red|row 2|second|Second|-|row 3|new|New|-|row 4|-|-|-|row 5|Fifth|FIFTH|-|row"
        );
        session.run("UPDATE profiles SET bio = NULL WHERE user_id = 2").await;
        session.run("DELETE FROM profiles WHERE user_id IN (3, 4)").await;
        assert_eq!(
            all(&mut session).await,
            "1|new|New|red|row 2|-|-|-|row 3|-|-|-|none 4|-|-|-|none 5|Fifth|FIFTH|-|row"
        );
        // An old node deletes users, of whose profiles it knows nothing.
        session.run("DELETE FROM users WHERE id IN (1, 3)").await;
        assert_eq!(all(&mut session).await, "2|-|-|-|row 4|-|-|-|none 5|Fifth|FIFTH|-|row");
        assert_eq!(session.lines("SELECT user_id FROM profiles ORDER BY user_id").await, ["2", "5"]);
        // What is in step stays as it is, though the way back would change it.
        session.run("DELETE FROM profiles WHERE user_id = 5").await;
        session.run("UPDATE users SET bio = 'Mixed Case' WHERE id = 4").await;
        session.run("UPDATE profiles SET colour = 'blue' WHERE user_id = 4").await;
        assert_eq!(all(&mut session).await, "2|-|-|-|row 4|Mixed Case|MIXED CASE|blue|row 5|-|-|-|none");
    }

    async fn a_profile_that_says_nothing_takes_the_old_bio(db: TestDatabase) {
        let mut session = users(&db).await;
        session.run("INSERT INTO profiles (user_id, colour) VALUES (1, 'red'), (2, 'blue')").await;
        assert_eq!(all(&mut session).await, "1|From Before|FROM BEFORE|red|row 2|-|-|blue|row");
        // The one that says the same keeps the old column as it is.
        session.run("INSERT INTO users (id, bio) VALUES (3, 'Third')").await;
        session.run("DELETE FROM profiles WHERE user_id = 1").await;
        assert_eq!(all(&mut session).await, "1|-|-|-|none 2|-|-|blue|row 3|Third|THIRD|-|row");
        // A profile that changes hands.
        session.run("UPDATE profiles SET user_id = 1 WHERE user_id = 3").await;
        assert_eq!(all(&mut session).await, "1|third|THIRD|-|row 2|-|-|blue|row 3|-|-|-|none");
    }

    async fn a_profile_that_says_nothing_and_changes_hands_takes_the_old_bio(db: TestDatabase) {
        let mut session = users(&db).await;
        session.run("INSERT INTO profiles (user_id, colour) VALUES (2, 'blue')").await;
        session.run("UPDATE profiles SET user_id = 1 WHERE user_id = 2").await;
        assert_eq!(all(&mut session).await, "1|From Before|FROM BEFORE|blue|row 2|-|-|-|none");
        // So does one that is emptied on the way; the user whom it leaves keeps nothing.
        session.run("INSERT INTO users (id, bio) VALUES (3, 'Third')").await;
        session.run("DELETE FROM profiles WHERE user_id = 1").await;
        session.run("UPDATE users SET bio = NULL WHERE id = 1").await;
        session.run("UPDATE profiles SET user_id = 1, bio = NULL WHERE user_id = 3").await;
        assert_eq!(all(&mut session).await, "1|-|-|-|row 2|-|-|-|none 3|-|-|-|none");
    }

    async fn a_batch_of_profiles_is_filled_in_from_the_users(db: TestDatabase) {
        let mut session = users(&db).await;
        let fill = "INSERT INTO profiles (user_id) SELECT id FROM users WHERE id <= 2";
        if db.kind() == Kind::MySql {
            // The trigger locks the user, whom the statement reads: error 1442.
            expect_refused(session.execute(fill).await, "Can't update table 'users'");
            let users = session.lines("SELECT id FROM users WHERE id <= 2").await;
            session.run(format!("INSERT INTO profiles (user_id) VALUES ({})", users.join("), ("))).await;
        } else {
            session.run(fill).await;
        }
        assert_eq!(all(&mut session).await, "1|From Before|FROM BEFORE|-|row 2|-|-|-|row");
    }

    async fn contract_proves_that_every_bio_has_moved(db: TestDatabase) {
        let mut owner = db.owner().await;
        owner
            .run(format!(
                "CREATE TABLE users (id INTEGER NOT NULL PRIMARY KEY, bio VARCHAR(40)) {}",
                options(db.kind())
            ))
            .await;
        owner.run("INSERT INTO users (id, bio) VALUES (1, 'one'), (2, NULL)").await;
        let mut train = Train::new(&db);
        train.add(&[
            (
                "expand/01_profiles.yaml",
                "
steps:
  - create_table:
      name: profiles
      columns: [{ name: user_id, type: integer, nullable: false }, { name: bio, type: string(40) }]
      primary_key: [user_id]
      foreign_keys:
        - { name: profiles_user, columns: [user_id], references: { table: users, columns: [id] } }
  - sync:
      name: users_bio
      table: users
      to: { table: profiles, key: { user_id: id } }
      forward: { bio: bio }
      backward: { bio: bio }
",
            ),
            (
                "contract/01_profiles.yaml",
                "steps:\n  - drop_column: { table: users, column: bio }\n    allow: { contract-loses-data: a test }\n",
            ),
        ]);
        train.concertina().run(&["expand"]).expect_code(0);
        let contract = || train.concertina().run(&["contract", "--quiet-period", "0s"]);
        contract().expect_code(6).expect_stderr("rows of `users` have no row in `profiles` yet");
        // A new node's write of a row that says nothing brings the bio along.
        owner.run("INSERT INTO profiles (user_id) VALUES (1)").await;
        contract().expect_code(0);
        assert_eq!(owner.lines("SELECT user_id, bio FROM profiles").await, ["1|one"]);
        // The triggers are gone.
        owner.run("UPDATE profiles SET bio = 'new'").await;
        owner.run("DELETE FROM profiles").await;
        owner.run("DELETE FROM users").await;
    }

    async fn what_the_sync_stands_on_is_asked_for(db: TestDatabase) {
        let mut owner = db.owner().await;
        let end = options(db.kind());
        owner.run(format!("CREATE TABLE users (id INTEGER NOT NULL PRIMARY KEY, bio VARCHAR(40), must VARCHAR(40) NOT NULL) {end}")).await;
        let reference = "FOREIGN KEY (user_id) REFERENCES users (id)";
        let tables = [
            ("loose", "user_id INTEGER NOT NULL PRIMARY KEY, bio VARCHAR(40)".to_owned()),
            ("many", format!("id INTEGER NOT NULL PRIMARY KEY, user_id INTEGER NOT NULL, bio VARCHAR(40), {reference}")),
            ("carried", format!("user_id INTEGER NOT NULL PRIMARY KEY, bio VARCHAR(40), {reference} ON UPDATE CASCADE")),
            ("crammed", format!("user_id INTEGER NOT NULL PRIMARY KEY, bio VARCHAR(40), colour VARCHAR(10) NOT NULL, {reference}")),
            ("good", format!("user_id INTEGER NOT NULL PRIMARY KEY, bio VARCHAR(40), {reference} ON DELETE CASCADE")),
        ];
        for (name, columns) in &tables {
            owner.run(format!("CREATE TABLE {name} ({columns}) {end}")).await;
        }
        let sync = |to: &str, old: &str, rest: &str| {
            format!(
                "steps:\n  - sync:\n      name: users_bio\n      table: users\n      to: {{ table: {to}, key: {{ user_id: id }} }}\n      \
                 forward: {{ bio: {old} }}\n      backward: {{ {old}: bio }}\n{rest}"
            )
        };
        let refused = [
            (sync("loose", "bio", ""), 1, "`loose` needs a foreign key from user_id to `users`"),
            (sync("many", "bio", ""), 1, "user_id of `many` is not unique"),
            (sync("carried", "bio", ""), 1, "says ON UPDATE CASCADE"),
            (sync("crammed", "bio", ""), 1, "column `colour` of `crammed` is NOT NULL without a default"),
            (sync("good", "must", ""), 1, "the old column `must` is NOT NULL"),
            (sync("good", "bio", "      conflict: old\n"), 1, "a sync with `to` has no `conflict`"),
            (sync("users", "bio", ""), 1, "`to` names the sync's own table"),
        ];
        for (steps, code, said) in refused {
            let mut train = Train::new(&db);
            train.add(&[("expand/01_steps.yaml", &steps)]);
            train.concertina().run(&["expand"]).expect_code(code).expect_stderr(said);
        }
        if db.kind() == Kind::Postgres {
            owner.run("ALTER TABLE good ALTER CONSTRAINT good_user_id_fkey DEFERRABLE").await;
            let mut train = Train::new(&db);
            train.add(&[("expand/01_steps.yaml", &sync("good", "bio", ""))]);
            train.concertina().run(&["expand"]).expect_code(1).expect_stderr("can be deferred");
            owner.run("ALTER TABLE good ALTER CONSTRAINT good_user_id_fkey NOT DEFERRABLE").await;
        }
        let mut train = Train::new(&db);
        train.add(&[("expand/01_steps.yaml", &sync("good", "bio", ""))]);
        train.concertina().run(&["expand"]).expect_code(0);
        owner.run("INSERT INTO users (id, must, bio) VALUES (1, 'x', 'one')").await;
        assert_eq!(owner.lines("SELECT * FROM good").await, ["1|one"]);
        owner.run("DELETE FROM users").await;
        assert_eq!(owner.lines("SELECT * FROM good").await, [""; 0]);
        // What the tables themselves refuse is refused as ever, and leaves no half behind.
        let orphan = owner.execute("INSERT INTO good (user_id, bio) VALUES (9, 'nobody')").await;
        expect_refused(orphan, on(db.kind(), "foreign key", "foreign key", "FOREIGN KEY"));
    }
}
