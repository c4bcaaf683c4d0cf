//! The throttles on their own, against live databases: what holds, what lets go, what is refused before the first batch.

use std::path::Path;
use std::time::{Duration, Instant};

use concertina::catalog;
use concertina::db::{Connection, Target};
use concertina::engine::{EngineError, Limit, Overrides, Probe, Settings, Throttles, Verdict};

use crate::rights::documented::granted_to;
use crate::support::{Kind, Project, Session, TestDatabase, on_every_database};

const LIMIT: Duration = Duration::from_secs(30);

/// The settings of a manifest with these lines under `throttle:`.
fn settings(lines: &str) -> Settings {
    layered(lines, &Overrides::default())
}

fn layered(lines: &str, over: &Overrides) -> Settings {
    let project = Project::new(&[("concertina.yaml", &format!("releases: []\nthrottle: {{ {lines} }}\n"))]);
    let project = catalog::Project::load(project.path()).expect("a sound manifest");
    Settings::new(&project.manifest, &[over])
}

async fn start(url: &str, settings: &Settings, probe: Option<Probe>) -> Result<Throttles, EngineError> {
    let target = Target::parse(url, Path::new("")).expect("a URL");
    let connection = Connection::open(&target, true).await.expect("a session");
    Throttles::start(&connection, settings, probe).await
}

/// What is said of throttles that cannot be started, with what to do.
async fn refused(url: &str, settings: &Settings, probe: Option<Probe>) -> String {
    match start(url, settings, probe).await {
        Err(EngineError::Throttle { signal, reason, remedy }) => {
            format!("{signal}: {reason} ({})", remedy.unwrap_or_default())
        }
        Err(other) => panic!("another error: {other:?}"),
        Ok(_) => panic!("the throttles started"),
    }
}

/// Waits until the verdict is as it should be.
async fn until(throttles: &Throttles, expected: impl Fn(&Verdict) -> bool) -> Verdict {
    let since = Instant::now();
    loop {
        let verdict = throttles.verdict();
        if expected(&verdict) {
            return verdict;
        }
        assert!(since.elapsed() < LIMIT, "still {verdict:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn reason(verdict: &Verdict) -> &str {
    verdict.hold.as_ref().map_or("", |hold| &hold.reason)
}

on_every_database! {
    async fn a_query_holds_while_it_says_too_much_and_while_it_fails(db: TestDatabase) {
        let mut session = db.owner().await;
        session.run("CREATE TABLE jobs (waiting INTEGER)").await;
        session.run("INSERT INTO jobs VALUES (3)").await;
        let settings = settings("query: { sql: 'SELECT waiting FROM jobs; -- all', max: 10 }, patience: 1m");
        // The semicolon would end the subquery that it becomes.
        assert!(refused(db.owner_url(), &settings, None).await.starts_with("throttle query: run `"));
        let settings = self::settings("query: { sql: 'SELECT waiting FROM jobs -- all', max: 10 }, patience: 1m");
        let throttles = start(db.owner_url(), &settings, None).await.expect("all is well");
        assert_eq!(throttles.verdict(), Verdict { hold: None, pause_factor: 1.0, slowed: None });
        session.run("UPDATE jobs SET waiting = 17").await;
        let verdict = until(&throttles, |verdict| verdict.hold.is_some()).await;
        assert_eq!(reason(&verdict), "throttle query says 17, more than 10");
        assert_eq!(verdict.hold.unwrap().failing_for, None);
        session.run("DROP TABLE jobs").await;
        let verdict = until(&throttles, |verdict| reason(verdict).contains("fails since")).await;
        assert!(verdict.hold.as_ref().unwrap().failing_for.is_some() && reason(&verdict).contains("jobs"), "{verdict:?}");
        session.run("CREATE TABLE jobs (waiting INTEGER)").await;
        until(&throttles, |verdict| reason(verdict).ends_with("it gave NULL, or no row; expected a number")).await;
        session.run("INSERT INTO jobs VALUES (10)").await;
        until(&throttles, |verdict| verdict.hold.is_none()).await;
    }

    async fn a_query_that_gives_no_number_is_refused_at_the_start(db: TestDatabase) {
        for (sql, said) in [
            ("SELECT n FROM no_such_table", "no_such_table"),
            ("SELECT NULL", "it gave NULL"),
            ("SELECT ''many''", "it gave `many`; expected a number"),
            ("SELECT 1, 2", "throttle query: run `"),
        ] {
            let said_of = refused(db.owner_url(), &settings(&format!("query: {{ sql: '{sql}', max: 10 }}")), None).await;
            assert!(said_of.contains(said), "{sql}: {said_of}");
        }
        for sql in ["SELECT 1", "SELECT 1.5", "SELECT -2.5e3", "SELECT count(*) FROM (SELECT 1) AS t", "SELECT '' 7 ''"] {
            let settings = settings(&format!("query: {{ sql: \"{sql}\", max: 10 }}").replace("''", "'"));
            start(db.owner_url(), &settings, None).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        }
    }

    async fn outside_its_hours_a_backfill_waits(db: TestDatabase) {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() / 3600 % 24;
        let later = format!("hours: '{:02}:00-{:02}:00'", (now + 2) % 24, (now + 4) % 24);
        let throttles = start(db.owner_url(), &settings(&later), None).await.expect("all is well");
        let verdict = throttles.verdict();
        assert!(reason(&verdict).starts_with("outside ") && reason(&verdict).contains("(UTC "), "{verdict:?}");
        assert_eq!(verdict.hold.unwrap().failing_for, None);
        let off = Overrides { hours: Some(Limit::Off), ..Overrides::default() };
        throttles.retune(&layered(&later, &off)).unwrap();
        assert_eq!(throttles.verdict().hold, None);
        throttles.retune(&settings("hours: '00:00-24:00', duty: 20")).unwrap();
        // Not tried first, so that it holds until it has answered.
        assert!(reason(&throttles.verdict()).starts_with("clock: no value yet"));
        until(&throttles, |verdict| verdict.hold.is_none() && (verdict.pause_factor - 4.0).abs() < 1e-9).await;
    }

    async fn sessions_that_run_a_statement_hold(db: TestDatabase) {
        let settings = settings("running_sessions: 0");
        if db.kind() == Kind::Sqlite {
            let said = refused(db.owner_url(), &settings, None).await;
            assert_eq!(
                said,
                "running sessions: SQLite knows nothing of other sessions \
                 (take it out for this database, or turn it off with --max-running-sessions off)"
            );
            return;
        }
        db.owner().await.run("CREATE TABLE jobs (waiting INTEGER)").await;
        db.grant_application(&["jobs"]).await;
        let mut application = db.application().await;
        if db.kind() == Kind::Postgres {
            let said = refused(db.owner_url(), &settings, None).await;
            assert!(said.contains("of the sessions do (GRANT pg_monitor TO"), "{said}");
            let owner = db.owner().await.value("SELECT current_user").await.unwrap();
            for grant in granted_to(Kind::Postgres, "Throttles", &format!("\"{owner}\"")) {
                db.admin().await.run(grant).await;
            }
        }
        let throttles = start(db.owner_url(), &settings, None).await.expect("all is well");
        let sql = if db.kind() == Kind::Postgres { "SELECT pg_sleep(3)" } else { "SELECT SLEEP(3)" };
        let (_, verdict) = tokio::join!(application.execute(sql), until(&throttles, |verdict| verdict.hold.is_some()));
        assert!(reason(&verdict).ends_with("a statement, more than 0"), "{verdict:?}");
        let high = Overrides { running_sessions: Some(Limit::At(100_000)), ..Overrides::default() };
        throttles.retune(&layered("running_sessions: 0", &high)).unwrap();
        assert_eq!(throttles.verdict().hold, None);
    }

    async fn replicas_that_are_not_there_are_refused(db: TestDatabase) {
        let said = refused(db.owner_url(), &settings("replica_lag: 5s"), None).await;
        match db.kind() {
            Kind::Sqlite => assert!(said.starts_with("replica lag: SQLite has no replicas"), "{said}"),
            Kind::Postgres => {
                assert!(said.starts_with("replica lag: no replica is connected"), "{said}");
                let named = refused(db.owner_url(), &settings("replicas: ['mysql://db2/glance']"), None).await;
                assert!(named.contains("`replicas` are for MySQL/MariaDB"), "{named}");
            }
            Kind::MySql => {
                assert!(said.contains("name them"), "{said}");
                let named = |url: &str| settings(&format!("replicas: ['{url}']"));
                let said = refused(db.owner_url(), &named(&db.admin_url()), None).await;
                assert!(said.starts_with("replica lag of 127.0.0.1:") && said.contains("it is no replica"), "{said}");
                let said = refused(db.owner_url(), &named(db.owner_url()), None).await;
                assert!(said.contains("Access denied") && said.contains("GRANT REPLICA MONITOR"), "{said}");
                let said = refused(db.owner_url(), &named("mysql://me:s3cret@127.0.0.1:1/glance"), None).await;
                assert!(said.contains("connect to mysql://me:***@127.0.0.1:1/glance"), "{said}");
            }
        }
    }

    async fn the_guard_backs_off_while_small_commits_are_slow(db: TestDatabase) {
        let mut session = db.owner().await;
        session.run("CREATE TABLE probed (id INTEGER PRIMARY KEY, n INTEGER)").await;
        let probe = || Some(Probe { sql: "UPDATE probed SET n = n + 1 WHERE id = 1".to_owned(), values: Vec::new() });
        let polite = settings("");
        if db.kind() != Kind::Sqlite {
            let said = refused(db.owner_url(), &polite, probe()).await;
            assert_eq!(said, "latency guard: the probe's row is not there ()");
        }
        session.run("INSERT INTO probed VALUES (1, 0), (2, 0)").await;
        let throttles = start(db.owner_url(), &polite, probe()).await.expect("all is well");
        if db.kind() == Kind::Sqlite {
            tokio::time::sleep(Duration::from_millis(300)).await;
            assert_eq!(session.value("SELECT n FROM probed WHERE id = 1").await.as_deref(), Some("0"));
            assert_eq!(throttles.verdict(), Verdict { hold: None, pause_factor: 1.0, slowed: None });
            return;
        }
        assert!(session.value("SELECT n FROM probed WHERE id = 1").await.unwrap().parse::<u32>().unwrap() >= 2);
        session.run("BEGIN").await;
        session.run("UPDATE probed SET n = 0 WHERE id = 1").await;
        let verdict = until(&throttles, |verdict| verdict.pause_factor > 3.0).await;
        assert!(verdict.slowed.as_ref().unwrap().starts_with("small commits took "), "{verdict:?}");
        session.run("COMMIT").await;
        until(&throttles, |verdict| *verdict == Verdict { hold: None, pause_factor: 1.0, slowed: None }).await;
        // A full pace has no guard unless it is asked for.
        let full = Overrides { pace: Some(catalog::Pace::Full), ..Overrides::default() };
        throttles.retune(&layered("", &full)).unwrap();
        assert_eq!(throttles.verdict(), Verdict { hold: None, pause_factor: 0.0, slowed: None });
    }

    async fn their_sessions_end_with_them(db: TestDatabase) {
        let mut session = db.owner().await;
        session.run("CREATE TABLE probed (id INTEGER PRIMARY KEY, n INTEGER)").await;
        session.run("INSERT INTO probed VALUES (1, 0)").await;
        let probe = Probe { sql: "UPDATE probed SET n = n + 1 WHERE id = 1".to_owned(), values: Vec::new() };
        let settings = settings("query: [{ sql: SELECT 1, max: 1 }, { sql: SELECT 2, max: 2 }], hours: '00:00-24:00'");
        let throttles = start(db.owner_url(), &settings, Some(probe)).await.expect("all is well");
        let Some(others) = others(&db, &mut session).await else { return };
        // The one that they were started with may not be gone yet.
        assert!(others >= 4, "{others}");
        drop(throttles);
        let since = Instant::now();
        while self::others(&db, &mut session).await != Some(0) {
            assert!(since.elapsed() < LIMIT, "sessions are left");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// How many sessions the owner has besides this one.
async fn others(db: &TestDatabase, session: &mut Session) -> Option<u32> {
    let sql = match db.kind() {
        Kind::Postgres => {
            "SELECT count(*) FROM pg_stat_activity WHERE usename = current_user AND pid <> pg_backend_pid()"
        }
        Kind::MySql => {
            "SELECT count(*) FROM information_schema.processlist WHERE id <> CONNECTION_ID() AND db = DATABASE()"
        }
        Kind::Sqlite => return None,
    };
    session.value(sql).await?.parse().ok()
}
