//! Installed means seen: a trigger counts when the catalog shows it, in force and with the text that we wrote.

use super::item;
use crate::support::{Kind, Session, TestDatabase, Train, on_every_database, run};

/// Makes the update trigger of `items` do nothing, and leaves it where it is.
async fn alter_the_update_trigger(db: &TestDatabase, owner: &mut Session) {
    match db.kind() {
        Kind::Postgres => {
            owner
                .run(
                    "CREATE OR REPLACE FUNCTION concertina_items_case_update() RETURNS trigger LANGUAGE plpgsql AS \
                     'BEGIN RETURN NEW; END'",
                )
                .await;
        }
        Kind::MySql => {
            owner
                .run(
                    "CREATE OR REPLACE TRIGGER concertina_items_case_update BEFORE UPDATE ON items FOR EACH ROW \
                     SET NEW.other = NEW.other",
                )
                .await;
        }
        Kind::Sqlite => {
            owner.run("DROP TRIGGER concertina_items_case_update").await;
            owner.run("CREATE TRIGGER concertina_items_case_update AFTER UPDATE ON items BEGIN SELECT 1; END").await;
        }
    }
}

on_every_database! {
    async fn a_trigger_with_another_text_is_noticed_and_put_back(db: TestDatabase) {
        let (mut session, train) = items_of_a_train(&db).await;
        let concertina = train.concertina();
        alter_the_update_trigger(&db, &mut db.owner().await).await;
        for command in ["migrate", "contract"] {
            concertina.run(&[command]).expect_code(8).expect_stderr("is not the one that was installed");
        }
        concertina.run(&["check"]).expect_code(8);
        // What was written meanwhile is not hidden by putting the trigger back.
        session.run("INSERT INTO items (id, o) VALUES (7, 'seven')").await;
        session.run("UPDATE items SET o = 'Changed' WHERE id = 7").await;
        concertina.run(&["expand"]).expect_code(0).expect_stderr("install sync items_case");
        session.run("UPDATE items SET o = 'uno' WHERE id = 1").await;
        assert_eq!(item(&mut session, 1).await, "uno|UNO|1");
        assert_eq!(item(&mut session, 7).await, "Changed|SEVEN|-");
        concertina.run(&["migrate"]).expect_code(6).expect_stderr("break the sync `items_case`");
        session.run("UPDATE items SET o = 'Now' WHERE id = 7").await;
        concertina.run(&["migrate"]).expect_code(0);
    }
}

on_every_database! {
    /// A release that an older version expanded: its triggers know another bypass, so nothing goes on until they are replaced.
    async fn triggers_of_an_older_concertina_are_replaced_first(db: TestDatabase) {
        let (mut session, train) = items_of_a_train(&db).await;
        let concertina = train.concertina();
        let mut owner = db.owner().await;
        for newer in ["trigger", "worker", "control"] {
            owner.run(format!("DROP TABLE concertina_{newer}")).await;
        }
        owner.run("DELETE FROM concertina_schema_history WHERE version > 1").await;
        if db.kind() == Kind::Sqlite {
            owner.run("DROP TABLE concertina_bypass").await;
            owner.run("CREATE TABLE concertina_bypass (since REAL NOT NULL)").await;
        }
        for command in ["migrate", "contract", "check"] {
            concertina.run(&[command]).expect_code(8).expect_stderr("was installed by an older concertina");
        }
        concertina.run(&["expand"]).expect_code(0).expect_stderr("install sync items_case");
        session.run("UPDATE items SET o = 'uno' WHERE id = 1").await;
        concertina.run(&["migrate"]).expect_code(0);
        assert_eq!(session.lines("SELECT o, n FROM items ORDER BY id").await, ["uno|UNO", "two|TWO"]);
        concertina.run(&["expand"]).expect_code(0).expect_stdout("nothing to do");
    }
}

/// The items of the other tests, in a train that can go on.
async fn items_of_a_train(db: &TestDatabase) -> (Session, Train) {
    let mut owner = db.owner().await;
    let options = super::options(db.kind());
    owner
        .run(format!(
            "CREATE TABLE items (id INTEGER NOT NULL PRIMARY KEY, o VARCHAR(40) NOT NULL, other INTEGER) {options}"
        ))
        .await;
    owner.run("INSERT INTO items (id, o, other) VALUES (1, 'one', 1), (2, 'two', 2)").await;
    let mut train = Train::new(db);
    train.add(&[
        (
            "expand/01_steps.yaml",
            "
steps:
  - add_column: { table: items, column: { name: n, type: string(40) } }
  - drop_not_null: { table: items, column: o }
  - sync: { name: items_case, table: items, forward: { n: upper(o) }, backward: { o: lower(n) } }
",
        ),
        ("data/01_steps.yaml", "backfill: { table: items, set: { n: upper(o) }, where: n IS NULL }\n"),
        ("contract/01_steps.yaml", "steps:\n  - drop_column: { table: items, column: o }\n"),
    ]);
    train.concertina().run(&["expand"]).expect_code(0);
    db.grant_application(&["items"]).await;
    (db.application().await, train)
}

#[test]
fn a_disabled_trigger_is_noticed_and_put_back() {
    run(Kind::Postgres, "disabled_trigger", async |db| {
        let (mut session, train) = items_of_a_train(&db).await;
        for how in ["DISABLE", "ENABLE REPLICA"] {
            db.owner().await.run(format!("ALTER TABLE items {how} TRIGGER \"~concertina_items_case_update\"")).await;
            train.concertina().run(&["migrate"]).expect_code(8).expect_stderr("is disabled");
            train.concertina().run(&["expand"]).expect_code(0);
            train.concertina().run(&["check"]).expect_code(4);
        }
        session.run("UPDATE items SET o = 'uno' WHERE id = 1").await;
        assert_eq!(item(&mut session, 1).await, "uno|UNO|1");
    });
}

/// Something in the database undoes what we do, as it does it: an event trigger here.
#[test]
fn a_trigger_that_does_not_stay_stops_the_expand() {
    run(Kind::Postgres, "event_trigger", async |db| {
        let mut admin = Session::open(db.kind(), &db.admin_url()).await;
        admin
            .run(
                "CREATE FUNCTION tidy() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN \
                 IF EXISTS (SELECT 1 FROM pg_trigger WHERE tgname = '~concertina_items_case_update' AND tgenabled = 'O') THEN \
                 EXECUTE 'ALTER TABLE items DISABLE TRIGGER \"~concertina_items_case_update\"'; END IF; END $$; \
                 CREATE EVENT TRIGGER tidy ON ddl_command_end WHEN TAG IN ('CREATE TRIGGER') EXECUTE FUNCTION tidy()",
            )
            .await;
        let mut owner = db.owner().await;
        owner.run("CREATE TABLE items (id INTEGER NOT NULL PRIMARY KEY, o VARCHAR(40), other INTEGER)").await;
        let mut train = Train::new(&db);
        let steps = "
steps:
  - add_column: { table: items, column: { name: n, type: string(40) } }
  - sync: { name: items_case, table: items, forward: { n: upper(o) }, backward: { o: lower(n) } }
";
        train.add(&[("expand/01_steps.yaml", steps)]);
        train.concertina().run(&["expand"]).expect_code(1).expect_stderr("is disabled after it was created");
        // The step was rolled back: no trigger is left half in force.
        let triggers = "SELECT COUNT(*) FROM pg_trigger WHERE NOT tgisinternal";
        assert_eq!(owner.value(triggers).await.as_deref(), Some("0"));
        train.concertina().run(&["check"]).expect_code(3);
        admin.run("DROP EVENT TRIGGER tidy").await;
        train.concertina().run(&["expand"]).expect_code(0);
        owner.run("INSERT INTO items (id, o) VALUES (1, 'a')").await;
        assert_eq!(item(&mut owner, 1).await, "a|A|-");
    });
}

/// The account that expand ran as is dropped: on MariaDB every write fails from then on, until another account takes the
/// triggers over.
#[test]
fn a_dropped_definer_is_replaced_by_running_expand_again() {
    run(Kind::MySql, "dropped_definer", async |db| {
        let (mut session, train) = items_of_a_train(&db).await;
        db.drop_owner().await;
        let failure =
            session.execute("UPDATE items SET o = 'uno' WHERE id = 1").await.expect_err("the definer is gone");
        assert_eq!(failure.code, "1449", "{failure:?}");
        train
            .concertina()
            .database(&db.admin_url())
            .run(&["expand"])
            .expect_code(0)
            .expect_stderr("install sync items_case");
        session.run("UPDATE items SET o = 'uno' WHERE id = 1").await;
        assert_eq!(item(&mut session, 1).await, "uno|UNO|1");
    });
}
