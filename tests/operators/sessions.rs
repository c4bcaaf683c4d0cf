//! The gate `sessions`: contract waits until no session names itself an old node.

use crate::support::{Concertina, Kind, Project, Session, TestDatabase, Train, on_every_server, run};

const STEPS: &str = "steps:\n  - add_column: { table: t, column: { name: extra, type: integer } }\n";

/// Two releases; the second is expanded, and its contract is next.
async fn train(db: &TestDatabase, sessions: &str) -> Train {
    db.owner().await.run("CREATE TABLE t (id INTEGER PRIMARY KEY)").await;
    let mut train = Train::with_settings(db, &format!("gates: {{ sessions: {sessions} }}"));
    train.expand("  - add_column: { table: t, column: { name: first, type: integer } }");
    train.add(&[("expand/01_a.yaml", STEPS)]);
    train.concertina().run(&["expand"]).expect_code(0);
    train.concertina().run(&["migrate"]).expect_code(0);
    train
}

on_every_server! {
    async fn an_old_node_is_told_by_its_user(db: TestDatabase) {
        let url = url::Url::parse(db.application_url()).expect("a URL");
        let user = url.username();
        db.owner().await.run("CREATE TABLE t (id INTEGER PRIMARY KEY)").await;
        if db.kind() == Kind::MySql {
            let owner = url::Url::parse(db.owner_url()).expect("a URL");
            db.admin().await.run(format!("GRANT PROCESS ON *.* TO '{}'", owner.username())).await;
        }
        // The old release is called what its nodes' account is called.
        let project = Project::new(&[
            ("concertina.yaml", &format!("releases: [{user}, next]\ngates: {{ sessions: {{ user: '{{release}}' }} }}\n")),
            ("expand/next/01_a.yaml", STEPS),
        ]);
        let concertina = Concertina::in_project(project.path()).database(db.owner_url());
        concertina.run(&["expand"]).expect_code(0);
        db.grant_application(&["t"]).await;
        let old = Session::open(db.kind(), db.application_url()).await;
        concertina.run(&["contract", "--quiet-period", "0s"]).expect_code(6)
            .expect_stderr(&format!("(user {user}, from "));
        drop(old);
        let done = loop {
            let done = concertina.run(&["contract", "--quiet-period", "0s"]);
            if done.code != Some(6) { break done; }
        };
        done.expect_code(0);
    }
}

#[test]
fn an_old_node_is_told_by_its_application_name() {
    run(Kind::Postgres, "application_name", async |db: TestDatabase| {
        let train = train(&db, "{ application_name: 'glance-{release}*' }").await;
        let mut old = Session::open(Kind::Postgres, db.application_url()).await;
        old.run("SET application_name = 'glance-r1 api'").await;
        let mut new = Session::open(Kind::Postgres, db.application_url()).await;
        new.run("SET application_name = 'glance-r2 api'").await;
        train
            .concertina()
            .run(&["contract", "--quiet-period", "0s"])
            .expect_code(6)
            .expect_stderr("error: 1 session names itself an old node: session ")
            .expect_stderr("application_name glance-r1 api")
            .expect_stderr("hint: stop these nodes and run contract again; or --force sessions");
        drop(old);
        let done = loop {
            let done = train.concertina().run(&["contract", "--quiet-period", "0s"]);
            if done.code != Some(6) {
                break done;
            }
        };
        done.expect_code(0);
        train.concertina().run(&["history", "--subject", "gate sessions"]).expect_stdout("passed   gate sessions");
        drop(new);
    });
}

#[test]
fn it_may_be_forced_and_that_is_kept() {
    run(Kind::Postgres, "sessions_forced", async |db: TestDatabase| {
        let train = train(&db, "{ application_name: '{release}' }").await;
        let mut old = Session::open(Kind::Postgres, db.application_url()).await;
        old.run("SET application_name = 'r1'").await;
        train.concertina().run(&["contract", "--quiet-period", "0s", "--force", "sessions"]).expect_code(0);
        train.concertina().run(&["history", "--outcome", "forced"]).expect_stdout("gate sessions");
        drop(old);
    });
}

#[test]
fn who_may_not_see_sessions_is_told_so() {
    run(Kind::MySql, "hidden_sessions", async |db: TestDatabase| {
        let train = train(&db, "{ user: 'glance_{release}' }").await;
        db.grant_application(&["t"]).await;
        let other = Session::open(Kind::MySql, db.application_url()).await;
        train.concertina().run(&["contract", "--quiet-period", "0s"]).expect_code(6)
            .expect_stderr("whether sessions of old nodes are there cannot be told: this account does not see the sessions of others")
            .expect_stderr("hint: GRANT PROCESS ON *.* TO ");
        drop(other);
    });
}

#[test]
fn a_pattern_that_new_nodes_match_too_is_refused() {
    let project = Project::new(&[("concertina.yaml", "releases: []\ngates: { sessions: { user: glance } }\n")]);
    Concertina::in_project(project.path())
        .database("sqlite://x.db")
        .run(&["status"])
        .expect_code(1)
        .expect_stderr("expected `{release}` in it")
        .expect_stderr("concertina.yaml:2:");
}
