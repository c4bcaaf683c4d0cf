//! Servers that do not answer, or do not let us in; and passwords, which no output may hold.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use url::Url;

use super::refused;
use crate::support::{Concertina, Kind, Output, Project, TestDatabase, on_every_database, on_every_server};

/// A password that the harness does not know, so that a leak is found here.
const WRONG: &str = "n0t-the-0ne";

const COMMANDS: [&[&str]; 4] = [&["upgrade"], &["expand"], &["check"], &["status"]];

fn bundled(url: &str) -> Concertina {
    Concertina::in_project(Project::bundled().path()).database(url)
}

#[track_caller]
fn expect_no_secret(output: &Output) {
    assert!(!output.stdout.contains(WRONG) && !output.stderr.contains(WRONG), "a password was printed:\n{output}");
}

#[test]
fn nobody_listens() {
    for scheme in ["postgres", "mysql"] {
        for command in COMMANDS {
            let since = Instant::now();
            let output = bundled(&format!("{scheme}://glance:{WRONG}@127.0.0.1:1/glance")).run(command);
            output
                .expect_code(1)
                .expect_stderr(&format!(
                    "error: connect to {scheme}://glance:***@127.0.0.1:1/glance: Connection refused"
                ))
                .expect_stderr("hint: check that the server runs, and the host and port in the URL");
            expect_no_secret(&output);
            assert!(output.stdout.is_empty(), "{output}");
            assert!(since.elapsed() < Duration::from_secs(5), "it took {:?}", since.elapsed());
        }
    }
}

#[test]
fn a_host_that_does_not_exist() {
    for scheme in ["postgres", "mysql"] {
        bundled(&format!("{scheme}://glance@no-such-host.invalid/glance"))
            .run(&["check"])
            .expect_code(1)
            .expect_stderr("no-such-host.invalid")
            .expect_stderr("hint: check that the server runs, and the host and port in the URL");
    }
}

/// As behind a firewall that drops packets: somebody answers the connection, and says nothing.
#[test]
fn a_server_that_never_answers() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = silent.local_addr().expect("an address").port();
    let since = Instant::now();
    let running: Vec<_> = ["postgres", "mysql"]
        .map(|scheme| bundled(&format!("{scheme}://glance:{WRONG}@127.0.0.1:{port}/glance")).spawn(&["check"]))
        .into_iter()
        .collect();
    for run in running {
        let output = run.finish();
        output
            .expect_code(1)
            .expect_stderr("no answer within 10 s")
            .expect_stderr("hint: check that the server runs, and the host and port in the URL");
        expect_no_secret(&output);
    }
    assert!(since.elapsed() < Duration::from_secs(20), "it took {:?}", since.elapsed());
}

on_every_server! {
    /// The tests' shared servers have no TLS.
    async fn a_server_without_tls(db: TestDatabase) {
        for mode in ["require", "verify-ca", "verify-full"] {
            Concertina::command(&db)
                .database(&format!("{}?sslmode={mode}", db.owner_url()))
                .run(&["check"])
                .expect_code(1)
                .expect_stderr("server does not support TLS")
                .expect_stderr("hint: turn TLS on at the server");
        }
        for mode in ["disable", "prefer", "allow"] {
            Concertina::command(&db).database(&format!("{}?sslmode={mode}", db.owner_url())).run(&["status"]).expect_code(0);
        }
    }
}

#[test]
fn a_sqlite_file_that_is_not_there() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let url = format!("sqlite://{}", directory.path().join("glance.db").display());
    for command in [["check"].as_slice(), &["status"], &["expand"], &["migrate"], &["contract"], &["plan"]] {
        bundled(&url)
            .run(command)
            .expect_code(1)
            .expect_stderr("unable to open database file")
            .expect_stderr("hint: check the path; `concertina upgrade` creates a SQLite database that is not there");
    }
    assert!(!directory.path().join("glance.db").exists(), "to look made the file");
}

#[test]
fn a_sqlite_file_in_no_folder() {
    bundled("sqlite:///nowhere/at/all/glance.db")
        .run(&["upgrade"])
        .expect_code(1)
        .expect_stderr("/nowhere/at/all/glance.db")
        .expect_stderr("hint: check the path");
}

#[test]
fn a_file_that_is_no_sqlite_database() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("glance.db");
    let text = "these are the minutes of a meeting\n".repeat(200);
    std::fs::write(&file, &text).expect("a file");
    for command in COMMANDS {
        bundled(&format!("sqlite://{}", file.display()))
            .run(command)
            .expect_code(1)
            .expect_stderr("file is not a database");
    }
    assert_eq!(std::fs::read_to_string(&file).expect("the file"), text);
}

#[test]
fn urls_that_are_none() {
    for (url, says) in [
        ("oracle://glance:n0t-the-0ne@db/glance", "expected postgres://…, mysql://…, mariadb://… or sqlite://FILE"),
        ("postgres://glance:n0t-the-0ne@db", "names no database"),
        ("mysql://glance:n0t-the-0ne@/glance", "host"),
        ("postgres://glance:n0t-the-0ne@db:port/glance", "port"),
        ("postgres://glance:n0t-the-0ne@db1:5432,db2:5432/glance", "several hosts in one URL are not supported"),
        ("mysql://glance:n0t-the-0ne@db1,db2/glance", "several hosts in one URL are not supported"),
        ("postgres://glance:n0t-the-0ne@db/glance?sslmode=verify_ful", "is no mode of TLS"),
        ("mysql://glance:n0t-the-0ne@db/glance?ssl-cipher=n0t-the-0ne", "`ssl-cipher` is not supported"),
        ("postgres://glance:n0t-the-0ne@db/glance?sslcert=/a", "needs both sslcert and sslkey"),
        ("sqlite://", "sqlite:// needs a file"),
        ("n0t-the-0ne", "expected postgres://…"),
    ] {
        let output = bundled(url).run(&["check"]);
        output.expect_code(1).expect_stderr("error: read the database URL").expect_stderr(says);
        expect_no_secret(&output);
        assert!(output.stderr.contains("hint: "), "{output}");
    }
}

#[test]
fn no_database_is_named() {
    let project = Project::new(&[("concertina.yaml", "releases: [one]\n")]);
    Concertina::in_project(project.path())
        .run(&["check"])
        .expect_code(2)
        .expect_stderr("no database: give --database URL, or `database:` in concertina.yaml");
}

on_every_database! {
    async fn wrong_credentials(db: TestDatabase) {
        if db.kind() == Kind::Sqlite {
            return;
        }
        let mut url = Url::parse(db.owner_url()).expect("a URL");
        url.set_password(Some(WRONG)).expect("a URL with a host");
        let concertina = Concertina::command(&db).database(url.as_str()).env("CONCERTINA_LOG", "trace");
        let hint = "check the user name and the password in the URL or in DATABASE_URL";
        for command in COMMANDS {
            let output = refused(&db, &concertina, command, 1).await;
            output.expect_stderr(&format!("hint: {hint}"));
            expect_no_secret(&output);
            let output = concertina.run(&[command, &["--output", "json", "--log-format", "json"]].concat());
            output.expect_code(1);
            expect_no_secret(&output);
            assert_eq!(output.json()["error"]["hint"], hint);
            assert_eq!(output.json()["error"]["code"], 1);
        }
    }

    async fn a_password_is_never_printed(db: TestDatabase) {
        // The harness looks for the right password in everything that every run prints.
        let concertina = Concertina::command(&db).env("CONCERTINA_LOG", "trace");
        concertina.run(&["upgrade"]).expect_code(0);
        for command in ["status", "check", "plan"] {
            concertina.run(&[command]).expect_code(0);
            concertina.run(&[command, "--output", "json", "--log-format", "json"]).expect_code(0);
        }
        if db.kind() == Kind::Postgres {
            let mut url = Url::parse(db.owner_url()).expect("a URL");
            let (user, password) = (url.username().to_owned(), url.password().expect("a password").to_owned());
            url.set_username("").expect("a URL with a host");
            url.set_password(None).expect("a URL with a host");
            url.query_pairs_mut().append_pair("user", &user).append_pair("password", &password);
            let concertina = concertina.database(url.as_str());
            let shown = concertina.run(&["status", "--output", "json"]);
            shown.expect_code(0).expect_stdout("password=***");
            concertina.run(&["status"]).expect_code(0).expect_stdout("password=***");

            let wrong = url.as_str().replace(&password, WRONG);
            for format in ["text", "json"] {
                let output = concertina.clone().database(&wrong).run(&["check", "--output", format]);
                output.expect_code(1).expect_stderr("password=***");
                expect_no_secret(&output);
            }
        }
    }

    async fn a_database_that_is_not_there(db: TestDatabase) {
        if db.kind() == Kind::Sqlite {
            return;
        }
        // The administrator may see that it is missing; who has no rights there may not.
        let mut url = Url::parse(db.owner_url()).expect("a URL");
        url.set_path("no_such_database");
        Concertina::command(&db)
            .database(url.as_str())
            .run(&["upgrade"])
            .expect_code(1)
            .expect_stderr("hint: create the database first, or correct its name in the URL");
    }
}
