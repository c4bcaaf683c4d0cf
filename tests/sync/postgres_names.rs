//! PostgreSQL's names and rights: whatever the path, the quotes and the role of the writer, a sync's trigger does the same.

use super::{expand, expect_refused, on_one_database};
use crate::support::{Kind, Session, TestDatabase, Train};

async fn search_paths(db: TestDatabase) {
    let mut owner = db.owner().await;
    owner
        .run(
            "CREATE TABLE items (id integer PRIMARY KEY, o varchar(40) NOT NULL);
             CREATE TABLE members (id integer PRIMARY KEY, item_id integer NOT NULL);
             CREATE FUNCTION our_upper(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT upper($1) $$",
        )
        .await;
    expand(
        &db,
        "
  - add_column: { table: items, column: { name: n, type: { enum: [ONE, TWO, Two], name: numbers } } }
  - drop_not_null: { table: items, column: o }
  - sync:
      name: items_case
      table: items
      forward: { n: our_upper(o)::numbers }
      backward: { o: lower(n::text) }
      related: [{ table: members, key: { item_id: id }, when: \"n = 'Two'\" }]",
    );
    db.grant_application(&["items", "members"]).await;
    let database = owner.value("SELECT current_database()").await.unwrap();
    db.admin().await.run(format!("GRANT CREATE ON DATABASE \"{database}\" TO PUBLIC")).await;
    let mut session = db.application().await;
    // A schema of the application's own, with a namesake of everything that the sync uses.
    session
        .run(
            "CREATE SCHEMA version;
             CREATE TABLE version.items (id integer, o text, n text);
             CREATE TABLE version.members (id integer, item_id integer);
             CREATE TABLE version.concertina_items_case_old (last_value bigint);
             CREATE TYPE version.numbers AS ENUM ('ONE', 'TWO');
             CREATE FUNCTION version.our_upper(varchar) RETURNS text LANGUAGE sql AS $$ SELECT 'TWO'::text $$;
             CREATE FUNCTION version.our_upper(text) RETURNS text LANGUAGE sql AS $$ SELECT 'TWO'::text $$;
             CREATE FUNCTION version.lower(text) RETURNS text LANGUAGE sql AS $$ SELECT 'hijacked'::text $$;
             CREATE FUNCTION version.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS $$ SELECT 'infinity'::timestamptz $$;
             CREATE FUNCTION version.current_setting(text, boolean) RETURNS text LANGUAGE sql AS $$ SELECT 'on'::text $$;
             CREATE FUNCTION version.set_config(text, text, boolean) RETURNS text LANGUAGE sql AS $$ SELECT 'off'::text $$;
             CREATE FUNCTION version.never(varchar, varchar) RETURNS boolean LANGUAGE sql AS $$ SELECT false $$;
             CREATE FUNCTION version.never(text, text) RETURNS boolean LANGUAGE sql AS $$ SELECT false $$;
             CREATE OPERATOR version.= (LEFTARG = varchar, RIGHTARG = varchar, FUNCTION = version.never);
             CREATE OPERATOR version.= (LEFTARG = text, RIGHTARG = text, FUNCTION = version.never);
             CREATE TEMPORARY TABLE items (id integer, o text, n text)",
        )
        .await;
    for path in ["version, public", "''", "version, pg_catalog", "pg_temp, version, pg_catalog, public", "pg_catalog"] {
        session.run("SET search_path = pg_catalog; DELETE FROM public.items; DELETE FROM public.members").await;
        session.run(format!("SET search_path = {path}")).await;
        session.run("INSERT INTO public.items (id, o) VALUES (1, 'one'), (2, 'two'), (3, 'one')").await;
        session.run("INSERT INTO public.items (id, n) VALUES (4, 'Two'), (5, 'Two')").await;
        session.run("UPDATE public.items SET o = 'Two' WHERE id = 1").await;
        session.run("UPDATE public.items SET n = 'ONE' WHERE id = 2").await;
        session.run("INSERT INTO public.members VALUES (1, 5)").await;
        let found = session.lines("SELECT id, o, n FROM public.items ORDER BY id").await;
        assert_eq!(found, ["1|Two|TWO", "2|one|ONE", "3|one|ONE", "4|two|Two", "5|two|TWO"], "on the path {path}");
    }
    assert_eq!(session.lines("SELECT * FROM pg_temp.items UNION SELECT * FROM version.items").await, [""; 0]);
}

/// Two columns a side, so that the trigger has variables of the columns' types; and namesakes of types that say who runs them.
async fn types_in_front(db: TestDatabase) {
    let mut owner = db.owner().await;
    owner.run("CREATE TABLE pairs (id integer PRIMARY KEY, a text, b text)").await;
    expand(
        &db,
        "
  - add_column: { table: pairs, column: { name: x, type: { enum: [ONE, TWO], name: numbers } } }
  - add_column: { table: pairs, column: { name: y, type: text } }
  - sync:
      name: pairs_case
      table: pairs
      forward: { x: 'upper(a)::numbers', y: upper(b) }
      backward: { a: 'lower(x::text)', b: lower(y) }",
    );
    db.grant_application(&["pairs"]).await;
    let database = owner.value("SELECT current_database()").await.unwrap();
    db.admin().await.run(format!("GRANT CREATE ON DATABASE \"{database}\" TO PUBLIC")).await;
    let mut session = db.application().await;
    session
        .run(
            "CREATE SCHEMA evil;
             CREATE FUNCTION evil.leak(pg_catalog.text) RETURNS boolean LANGUAGE plpgsql AS
               $$ BEGIN RAISE EXCEPTION 'hijacked as %', current_user; END $$;
             CREATE DOMAIN evil.text AS pg_catalog.text CHECK (evil.leak(VALUE));
             CREATE DOMAIN evil.bool AS pg_catalog.bool CHECK (evil.leak('bool'));
             CREATE DOMAIN evil.numbers AS pg_catalog.text CHECK (evil.leak(VALUE))",
        )
        .await;
    for (path, id) in [("evil, pg_catalog, public", 10), ("evil", 20)] {
        // A session compiles the functions when it first fires them.
        let mut session = db.application().await;
        session.run(format!("SET search_path = {path}")).await;
        session
            .run(format!("INSERT INTO public.pairs (id, a, b) VALUES ({id}, 'one', 'b'), ({id} + 1, 'two', 'c')"))
            .await;
        session.run(format!("INSERT INTO public.pairs (id, x, y) VALUES ({id} + 2, 'TWO', 'D')")).await;
        session.run(format!("UPDATE public.pairs SET a = 'two', b = 'B' WHERE id = {id}")).await;
        session.run(format!("UPDATE public.pairs SET x = 'ONE', y = 'C' WHERE id = {id} + 1")).await;
        let found = session.lines(format!("SELECT a, b, x, y FROM public.pairs WHERE id >= {id} ORDER BY id")).await;
        assert_eq!(found, ["two|B|TWO|B", "one|c|ONE|C", "two|d|TWO|D"], "on the path {path}");
        assert_eq!(session.value("SHOW search_path").await.as_deref(), Some(path));
    }
}

/// A type of the caller's own, with a check that runs as whoever casts to it.
async fn temporary_types(db: TestDatabase) {
    let mut owner = db.owner().await;
    owner.run("CREATE TABLE items (id integer PRIMARY KEY, o varchar(40), p varchar(40))").await;
    expand(
        &db,
        "
  - add_column: { table: items, column: { name: e, type: { enum: [ONE, TWO], name: numbers } } }
  - add_column: { table: items, column: { name: f, type: text } }
  - sync:
      name: several
      table: items
      forward: { e: upper(o)::numbers, f: p }
      backward: { o: lower(e::text), p: CASE WHEN o = 'two' THEN upper(f) ELSE f END }",
    );
    db.grant_application(&["items"]).await;
    for path in ["public", "''"] {
        let mut session = db.application().await;
        session
            .run(format!(
                "CREATE FUNCTION pg_temp.whoami(pg_catalog.text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
                     IF current_user <> session_user THEN RAISE EXCEPTION 'hijacked'; END IF; RETURN true; END $$;
                 CREATE DOMAIN pg_temp.text AS pg_catalog.text CHECK (pg_temp.whoami(VALUE));
                 CREATE DOMAIN pg_temp.numbers AS pg_catalog.text CHECK (pg_temp.whoami(VALUE));
                 SET search_path = {path}; DELETE FROM public.items"
            ))
            .await;
        session.run("INSERT INTO public.items (id, o, p) VALUES (1, 'one', 'p'), (2, 'two', 'q')").await;
        session.run("INSERT INTO public.items (id, e, f) VALUES (3, 'ONE', 'r'), (4, 'TWO', 's')").await;
        // What is read is the row as it was written, not as the sync has it by then.
        session.run("UPDATE public.items SET f = 'old' WHERE id IN (1, 2)").await;
        session.run("UPDATE public.items SET e = 'ONE', f = 'new' WHERE id = 2").await;
        session.run("UPDATE public.items SET o = 'two' WHERE id = 3").await;
        let found = session.lines("SELECT id, o, p, e, f FROM public.items ORDER BY id").await;
        assert_eq!(
            found,
            ["1|one|old|ONE|old", "2|one|NEW|ONE|new", "3|two|r|TWO|r", "4|two|s|TWO|s"],
            "on the path {path}"
        );
    }
}

async fn function_elsewhere(db: TestDatabase) {
    let mut owner = db.owner().await;
    let database = owner.value("SELECT current_database()").await.unwrap();
    owner
        .run(format!(
            "CREATE SCHEMA app; CREATE SCHEMA helpers;
             CREATE TABLE app.items (id integer PRIMARY KEY, o varchar(40) NOT NULL);
             CREATE FUNCTION helpers.shout(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT upper($1) $$;
             ALTER DATABASE \"{database}\" SET search_path = app, helpers"
        ))
        .await;
    let mut owner = db.owner().await;
    let mut train = Train::new(&db);
    let steps = |shout: &str| {
        format!(
            "steps:
  - add_column: {{ table: items, column: {{ name: n, type: string(40) }} }}
  - drop_not_null: {{ table: items, column: o }}
  - sync: {{ name: items_case, table: items, forward: {{ n: {shout}(o) }}, backward: {{ o: lower(n) }} }}
"
        )
    };
    // The session finds it, but the trigger, on its own short path, does not: told before any write fails.
    train.add(&[("expand/01_steps.yaml", &steps("shout"))]);
    train
        .concertina()
        .run(&["expand"])
        .expect_code(1)
        .expect_stderr("function shout(character varying) does not exist");
    owner.run("INSERT INTO items (id, o) VALUES (1, 'Old'); DELETE FROM items").await;
    train.project().write("expand/r1/01_steps.yaml", &steps("helpers.shout"));
    train.concertina().run(&["expand"]).expect_code(0);
    owner.run("INSERT INTO items (id, o) VALUES (1, 'Old')").await;
    assert_eq!(owner.lines("SELECT o, n FROM app.items").await, ["Old|OLD"]);
}

async fn names(db: TestDatabase) {
    let mut owner = db.owner().await;
    owner
        .run(r#"CREATE TABLE "Or""der X" ("I D" integer PRIMARY KEY, "Old ""Cöl""" varchar(40) NOT NULL, "SELECT" varchar(40))"#)
        .await;
    expand(
        &db,
        r#"
  - add_column: { table: 'Or"der X', column: { name: "nèw.col 'x'", type: string(40) } }
  - add_column: { table: 'Or"der X', column: { name: $concertina$, type: string(40) } }
  - drop_not_null: { table: 'Or"der X', column: 'Old "Cöl"' }
  - sync:
      name: order-sync.1
      table: 'Or"der X'
      forward:
        "nèw.col 'x'": upper("Old ""Cöl""")
        $concertina$: lower("SELECT") || '$concertina$'
      backward:
        'Old "Cöl"': lower("nèw.col 'x'")
        SELECT: upper(split_part("$concertina$", '$', 1))"#,
    );
    db.grant_application(&[r#"Or""der X"#]).await;
    let mut session = db.application().await;
    session
        .run(r#"INSERT INTO "Or""der X" ("I D", "Old ""Cöl""", "SELECT") VALUES (1, 'Old', 'All'), (2, 'Old', 'All')"#)
        .await;
    session
        .run(r#"INSERT INTO "Or""der X" ("I D", "nèw.col 'x'", "$concertina$") VALUES (3, 'New', 'all$concertina$')"#)
        .await;
    session.run(r#"UPDATE "Or""der X" SET "nèw.col 'x'" = 'Newer' WHERE "I D" = 2"#).await;
    session.run(r#"UPDATE "Or""der X" SET "Old ""Cöl""" = 'Older' WHERE "I D" = 3"#).await;
    let found = session
        .lines(
            r#"SELECT "I D", "Old ""Cöl""", "SELECT", "nèw.col 'x'", "$concertina$" FROM "Or""der X" ORDER BY "I D""#,
        )
        .await;
    assert_eq!(
        found,
        ["1|Old|All|OLD|all$concertina$", "2|newer|ALL|Newer|all$concertina$", "3|Older|ALL|OLDER|all$concertina$"]
    );
    let both = r#"UPDATE "Or""der X" SET "nèw.col 'x'" = 'a', "Old ""Cöl""" = 'b' WHERE "I D" = 1"#;
    expect_refused(
        session.execute(both).await,
        "concertina sync order-sync.1: Old \"Cöl\", SELECT and nèw.col 'x', $concertina$ disagree",
    );
    let null = session.execute(r#"UPDATE "Or""der X" SET "Old ""Cöl""" = NULL WHERE "I D" = 1"#).await;
    expect_refused(null, "null value in column \"Old \"Cöl\"\"");
}

async fn long_names(db: TestDatabase) {
    let mut owner = db.owner().await;
    owner.run("CREATE TABLE items (id integer PRIMARY KEY, o varchar(40), p varchar(40))").await;
    let name = "n".repeat(60);
    expand(
        &db,
        &format!(
            "
  - add_column: {{ table: items, column: {{ name: n, type: string(40) }} }}
  - add_column: {{ table: items, column: {{ name: m, type: string(40) }} }}
  - sync: {{ name: {name}1, table: items, forward: {{ n: upper(o) }}, backward: {{ o: lower(n) }} }}
  - sync: {{ name: {name}2, table: items, forward: {{ m: upper(p) }}, backward: {{ p: lower(m) }} }}"
        ),
    );
    db.grant_application(&["items"]).await;
    let mut session = db.application().await;
    session.run("INSERT INTO items (id, o, m) VALUES (1, 'Old', 'New')").await;
    session.run("INSERT INTO items (id, n, p) VALUES (2, 'New', 'Old')").await;
    session.run("UPDATE items SET o = 'Older', m = 'Newer'").await;
    let found = session.lines("SELECT id, o, n, p, m FROM items ORDER BY id").await;
    assert_eq!(found, ["1|Older|OLDER|newer|Newer", "2|Older|OLDER|newer|Newer"]);
}

async fn few_rights(db: TestDatabase) {
    let mut session = super::items(&db, "reject").await;
    let mut owner = db.owner().await;
    let database = owner.value("SELECT current_database()").await.unwrap();
    let mut admin = db.admin().await;
    admin.run(format!("GRANT CREATE ON DATABASE \"{database}\" TO PUBLIC")).await;
    // What the sync's functions may do is for nobody to borrow.
    session.run("CREATE SCHEMA mine; CREATE TABLE mine.items (id integer, o varchar(40), n varchar(40))").await;
    let functions = owner.lines("SELECT oid::regprocedure FROM pg_proc WHERE proname LIKE 'concertina%'").await;
    assert_eq!(functions.len(), 2);
    for function in functions {
        let borrowed = format!("CREATE TRIGGER t BEFORE INSERT ON mine.items FOR EACH ROW EXECUTE FUNCTION {function}");
        expect_refused(session.execute(borrowed).await, "permission denied for function");
    }
    let relations = owner
        .lines("SELECT oid::regclass FROM pg_class WHERE relname LIKE 'concertina%' AND relkind IN ('r', 'S')")
        .await;
    assert!(relations.len() > 2, "{relations:?}");
    for relation in relations {
        expect_refused(session.execute(format!("SELECT * FROM {relation}")).await, "permission denied");
    }
    // A role that may write the old column and nothing else.
    let role = owner.value("SELECT current_database() || '_clerk'").await.unwrap();
    admin.run(format!("CREATE ROLE \"{role}\"")).await;
    owner.run(format!("GRANT SELECT (id), INSERT (id, o), UPDATE (o) ON items TO \"{role}\"")).await;
    let mut clerk = Session::open(Kind::Postgres, &admin_url(&db)).await;
    clerk.run(format!("SET ROLE \"{role}\"")).await;
    clerk.run("INSERT INTO items (id, o) VALUES (30, 'Old')").await;
    clerk.run("UPDATE items SET o = 'Older' WHERE id = 30").await;
    clerk.run("RESET ROLE").await;
    let found = clerk.lines("SELECT o, n FROM items WHERE id = 30").await;
    clerk.run(format!("DROP OWNED BY \"{role}\"; DROP ROLE \"{role}\"")).await;
    assert_eq!(found, ["Older|OLDER"]);
}

/// The administrator's way into this database.
fn admin_url(db: &TestDatabase) -> String {
    let server = std::env::var("CONCERTINA_TEST_POSTGRES").expect("tests/run sets it");
    let (server, _) = server.rsplit_once('/').expect("a URL has a path");
    let (_, database) = db.owner_url().rsplit_once('/').expect("a URL has a path");
    format!("{server}/{database}")
}

on_one_database! {
    Postgres:
    types_of_the_callers_own_are_never_used: temporary_types;
    no_search_path_gets_between: search_paths;
    no_type_gets_between: types_in_front;
    a_function_that_the_trigger_would_not_find_is_told_by_expand: function_elsewhere;
    names_that_need_quotes: names;
    syncs_whose_long_names_begin_alike: long_names;
    the_application_needs_no_rights_on_our_objects: few_rights;
}
