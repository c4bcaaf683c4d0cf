//! Behind PgBouncer in transaction mode: each transaction is another session's, and what was set a moment ago somebody else's.

use std::time::{Duration, Instant};

use crate::conformance::{introspect, schema::Schema};
use crate::support::{Concertina, Kind, PgBouncer, Session, TestDatabase, Train, run};

/// What a release of every sort of statement is: in a transaction and outside, with values and without.
const EXPAND: &str = "steps:
  - add_column: { table: items, column: { name: state, type: { enum: [new, done], name: item_state }, nullable: true } }
  - create_index: { table: items, name: items_state, columns: [state] }
  - drop_not_null: { table: items, column: done }
  - sync:
      name: items_state
      table: items
      forward: { state: CASE WHEN done = 1 THEN 'done' ELSE 'new' END }
      backward: { done: CASE WHEN state = 'done' THEN 1 ELSE 0 END }
      conflict: reject
";
const BACKFILL: &str = "backfill:
  table: items
  set: { state: \"CASE WHEN done = 1 THEN 'done' ELSE 'new' END\" }
  where: state IS NULL
";
const CONTRACT: &str = "steps:
  - set_default: { table: items, column: state, value: new }
  - set_not_null: { table: items, column: state }
  - drop_column: { table: items, column: done }
";

async fn train(db: &TestDatabase) -> (Session, Train) {
    let mut session = db.owner().await;
    session.run("CREATE TABLE items (id TEXT NOT NULL PRIMARY KEY, done INTEGER NOT NULL DEFAULT 0)").await;
    session.run("INSERT INTO items SELECT 'it''s \\ ' || n, n % 2 FROM generate_series(1, 1000) n").await;
    let mut train =
        Train::with_settings(db, "batch: { rows: 20, target: 5ms }\nthrottle: { query: { sql: SELECT 0, max: 5 } }");
    train.add(&[
        ("expand/01_state.yaml", EXPAND),
        ("data/01_state.yaml", BACKFILL),
        ("contract/01_done.yaml", CONTRACT),
    ]);
    (session, train)
}

/// What the pooler's sessions say of a setting, each of them.
async fn settings(pooler: &PgBouncer, name: &str) -> Vec<String> {
    let mut session = Session::open(Kind::Postgres, pooler.url()).await;
    let mut all = Vec::new();
    for _ in 0..12 {
        all.extend(session.value(format!("SHOW {name}")).await);
    }
    all.sort();
    all.dedup();
    all
}

async fn every_phase(db: TestDatabase) {
    let (mut session, train) = train(&db).await;
    // The tests' own sessions come with this one.
    let pooler = PgBouncer::with_settings(&db, "ignore_startup_parameters = extra_float_digits");
    let before = [settings(&pooler, "lock_timeout").await, settings(&pooler, "statement_timeout").await];
    let concertina = train.concertina().database(pooler.url());
    concertina.run(&["expand"]).expect_code(0);
    concertina.run(&["migrate", "--workers", "2"]).expect_code(0);
    session.run("UPDATE items SET done = 1 - done WHERE id LIKE '% 7'").await;
    concertina.run(&["verify"]).expect_code(0);
    concertina.run(&["contract", "--quiet-period", "0s"]).expect_code(0);
    for command in ["status", "history", "check"] {
        concertina.run(&[command]).expect_code(0);
    }
    assert_eq!(session.lines("SELECT state, count(*) FROM items GROUP BY 1 ORDER BY 1").await, ["new|501", "done|499"]);
    // The application's transactions find the sessions as they were.
    let after = [settings(&pooler, "lock_timeout").await, settings(&pooler, "statement_timeout").await];
    assert_eq!(before, after);
}

#[test]
fn every_phase_runs_behind_a_pooler() {
    run(Kind::Postgres, "pooled", every_phase);
}

/// The whole bundled project, the baseline too, and what it makes is what it makes without a pooler.
async fn the_bundled_project(db: TestDatabase) {
    // This one takes options, and passes none on.
    let pooler = PgBouncer::with_settings(&db, "ignore_startup_parameters = options, extra_float_digits");
    Concertina::command(&db).database(pooler.url()).run(&["upgrade"]).expect_code(0);
    let pooled = introspect::schema(&db).await;
    let other = TestDatabase::create(Kind::Postgres, "unpooled").await;
    Concertina::command(&other).run(&["upgrade"]).expect_code(0);
    assert_eq!(Schema::differences(&pooled, &introspect::schema(&other).await), []);
    // Whoever needs options is told why they are not to be had.
    let pooler = PgBouncer::before(&db);
    let url = format!("{}?options=-c%20search_path%3Dpublic", pooler.url());
    Concertina::command(&db)
        .database(&url)
        .run(&["check"])
        .expect_code(1)
        .expect_stderr("unsupported startup parameter")
        .expect_stderr("hint: the pooler passes no `options` on");
}

#[test]
fn the_bundled_project_is_the_same_behind_a_pooler() {
    run(Kind::Postgres, "bundled", the_bundled_project);
}

/// The sessions that work for us at this moment.
const OURS: &str = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'concertina-%' \
    AND state <> 'idle' AND query LIKE '%CONCURRENTLY%'";

/// An expand whose index build waits for a transaction that is older.
async fn building(session: &mut Session, concertina: &Concertina) -> crate::support::Running {
    let running = concertina.spawn(&["expand"]);
    while session.value(OURS).await.is_none() {}
    running
}

async fn one_runner(db: TestDatabase) {
    let (mut session, train) = train(&db).await;
    let pooler = PgBouncer::before(&db);
    let concertina = train.concertina().database(pooler.url());
    let mut old = db.owner().await;
    old.run("BEGIN ISOLATION LEVEL REPEATABLE READ").await;
    old.run("SELECT count(*) FROM pg_class").await;

    // Two at once.
    let first = building(&mut session, &concertina).await;
    concertina.run(&["expand"]).expect_code(7).expect_stderr("runs `expand` since").expect_stderr("pid");

    // A holder that was killed: what it left at the server is ended there, whichever session it is, and it alone.
    first.kill();
    let before = session.value(OURS).await;
    let second = concertina.spawn(&["expand"]);
    while session.value(OURS).await.is_none_or(|now| before.as_ref() == Some(&now)) {}

    // A holder that stood still for longer than its lease lasts changes nothing more.
    second.signal("STOP");
    session.run("UPDATE concertina_lease SET expires_at = 0").await;
    old.run("COMMIT").await;
    concertina.run(&["expand"]).expect_code(0);
    let done = "SELECT step_id, attempts, finished_at FROM concertina_step ORDER BY 1";
    let (steps, schema) = (session.lines(done).await, introspect::schema(&db).await);
    second.signal("CONT");
    let lost = second.finish();
    lost.expect_code(7).expect_stderr("the lease was lost");
    assert_eq!(session.lines(done).await, steps);
    assert_eq!(Schema::differences(&schema, &introspect::schema(&db).await), []);
}

#[test]
fn one_runner_behind_a_pooler() {
    run(Kind::Postgres, "one_runner", one_runner);
}

/// Two migrates share the rows, and what a killed one had in hand is taken over.
async fn migrates(db: TestDatabase) {
    let (mut session, train) = train(&db).await;
    let pooler = PgBouncer::before(&db);
    let concertina = train.concertina().database(pooler.url());
    concertina.run(&["expand"]).expect_code(0);
    let mut other = db.owner().await;
    other.run("BEGIN").await;
    other.run("UPDATE items SET done = done WHERE id IN (SELECT id FROM items ORDER BY id LIMIT 1 OFFSET 900)").await;
    let running: Vec<_> = (0..2).map(|_| concertina.spawn(&["migrate", "--workers", "2"])).collect();
    while session.value("SELECT 1 FROM items WHERE state IS NOT NULL OFFSET 100").await.is_none() {}
    let mut running = running.into_iter();
    running.next().expect("the first of them").kill();
    let since = Instant::now();
    other.run("ROLLBACK").await;
    running.next().expect("the second of them").finish().expect_code(0);
    assert!(since.elapsed() < Duration::from_secs(20), "it took {:?}", since.elapsed());
    assert_eq!(session.lines("SELECT count(*) FROM items WHERE state IS NULL").await, ["0"]);
    assert_eq!(session.lines("SELECT count(*) FROM concertina_worker").await, ["0"]);
}

#[test]
fn several_migrates_behind_a_pooler() {
    run(Kind::Postgres, "migrates", migrates);
}
