//! Contract takes a sync away altogether: of its triggers, functions, sequences and tables nothing is left.

use super::options;
use crate::conformance::leftovers::{expect_none, ours};
use crate::support::{TestDatabase, Train, on_every_database};

const EXPAND: &str = "
steps:
  - add_column: { table: users, column: { name: visibility, type: string(20) } }
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
      forward: { bio: upper(bio) }
      backward: { bio: lower(bio) }
  - sync:
      name: users_visibility
      table: users
      forward: { visibility: CASE WHEN open = 1 THEN 'public' ELSE 'shared' END }
      backward: { open: CASE WHEN visibility = 'public' THEN 1 ELSE 0 END }
      related: [{ table: members, key: { user_id: id }, when: visibility = 'private' }]
";

on_every_database! {
    async fn contract_takes_everything_of_a_sync_away(db: TestDatabase) {
        let kind = db.kind();
        let mut owner = db.owner().await;
        let end = options(kind);
        owner
            .run(format!("CREATE TABLE users (id INTEGER NOT NULL PRIMARY KEY, bio VARCHAR(40), open INTEGER) {end}"))
            .await;
        owner
            .run(format!("CREATE TABLE members (id INTEGER NOT NULL PRIMARY KEY, user_id INTEGER NOT NULL) {end}"))
            .await;
        let mut train = Train::new(&db);
        // A release without a sync, for what is ours anyway.
        train.expand("  - add_column: { table: members, column: { name: note, type: text } }");
        let before = ours(&db).await;
        train.add(&[
            ("expand/01_steps.yaml", EXPAND),
            (
                "contract/01_steps.yaml",
                "steps:\n  - drop_column: { table: users, column: open }\n    allow: { contract-loses-data: a test }\n  \
                 - drop_column: { table: users, column: bio }\n    allow: { contract-loses-data: a test }\n",
            ),
        ]);
        train.concertina().run(&["expand"]).expect_code(0);
        let installed = ours(&db).await;
        assert!(installed.len() >= before.len() + 13, "13 triggers: {installed:?}");
        db.grant_application(&["users", "members", "profiles"]).await;
        let mut session = db.application().await;
        session.run("INSERT INTO users (id, bio, open) VALUES (1, 'First', 1), (2, NULL, 0)").await;
        session.run("UPDATE users SET visibility = 'private' WHERE id = 2").await;
        session.run("INSERT INTO members (id, user_id) VALUES (1, 2)").await;
        session.run("INSERT INTO profiles (user_id, bio) VALUES (2, 'Second')").await;
        let found = session.lines("SELECT u.bio, open, visibility, p.bio FROM users u JOIN profiles p ON p.user_id = u.id").await;
        assert_eq!(found, ["First|1|public|FIRST", "second|0|shared|Second"]);
        train.concertina().run(&["migrate"]).expect_code(0);
        train.concertina().run(&["contract", "--quiet-period", "0s"]).expect_code(0);
        expect_none(&db, Some(&before)).await;
        assert_eq!(ours(&db).await, before);
        if kind == crate::support::Kind::Sqlite {
            let rows = "SELECT sync_name FROM concertina_seen UNION ALL SELECT sync_name FROM concertina_bypass";
            assert_eq!(owner.lines(rows).await, [""; 0]);
        }
    }
}
