//! One server with TLS: who is let in and who is trusted, its Unix socket, and that it goes away and comes back.

use url::Url;

use crate::support::{
    Authority, Concertina, Kind, Output, PrivateServer, Project, Session, TestDatabase, Train, alone,
};

const STEPS: &str = "steps:\n  - add_column: { table: items, column: { name: word, type: text, nullable: true } }\n";
const BACKFILL: &str = "backfill: { table: items, set: { done: 1, counter: counter + 1 }, where: done = 0 }\n";

/// A database of this server that lets nobody in without TLS and a client's certificate, with a project.
struct Guarded {
    db: TestDatabase,
    authority: Authority,
    train: Train,
}

impl Guarded {
    /// The owner's URL with another host and these parameters; `CA`, `CERT` and `KEY` stand for the files.
    fn url(&self, host: &str, parameters: &str) -> String {
        let mut url = Url::parse(self.db.owner_url()).expect("a URL");
        url.set_host(Some(host)).expect("a host");
        let files = [("CA", "ca.pem"), ("CERT", "client.pem"), ("KEY", "client.key")];
        let parameters = files.iter().fold(parameters.to_owned(), |text, (word, file)| {
            text.replace(&format!("={word}"), &format!("={}", self.authority.file(file)))
        });
        format!("{url}?{parameters}")
    }

    fn on(&self, url: &str) -> Concertina {
        self.train.concertina().database(url)
    }

    #[track_caller]
    fn status(&self, host: &str, parameters: &str) -> Output {
        self.on(&self.url(host, parameters)).run(&["status"])
    }

    /// What every later command goes by.
    fn best(&self) -> String {
        match self.db.kind() {
            Kind::Postgres => self.url("localhost", "sslmode=verify-full&sslrootcert=CA&sslcert=CERT&sslkey=KEY"),
            _ => self.url("localhost", "ssl-mode=VERIFY_IDENTITY&ssl-ca=CA&ssl-cert=CERT&ssl-key=KEY"),
        }
    }
}

async fn items(session: &mut Session, kind: Kind) {
    let options = if kind == Kind::MySql { "ENGINE=InnoDB" } else { "" };
    session
        .run(format!(
            "CREATE TABLE items (id INTEGER NOT NULL PRIMARY KEY, done INTEGER NOT NULL, counter INTEGER NOT NULL) {options}"
        ))
        .await;
    let rows: Vec<String> = (0..400).map(|id| format!("({id}, 0, 0)")).collect();
    session.run(format!("INSERT INTO items VALUES {}", rows.join(", "))).await;
}

async fn guard(server: &PrivateServer, guarded: &Guarded) {
    let url = Url::parse(guarded.db.owner_url()).expect("a URL");
    if guarded.db.kind() == Kind::Postgres {
        let database = url.path().trim_start_matches('/');
        server.let_in(&format!("hostnossl {database} all 127.0.0.1/32 reject")).await;
        let line = format!("hostssl {database} {} 127.0.0.1/32 scram-sha-256 clientcert=verify-ca", url.username());
        server.let_in(&line).await;
    } else {
        for host in ["%", "localhost"] {
            server.admin().await.run(format!("ALTER USER `{}`@`{host}` REQUIRE X509", url.username())).await;
        }
    }
}

/// A server is trusted by its certificate's authority and its name, and every connection of ours goes by that.
fn trusts(guarded: &Guarded) {
    let files = "&sslcert=CERT&sslkey=KEY";
    for (host, parameters) in [
        ("localhost", "sslmode=verify-full&sslrootcert=CA"),
        ("127.0.0.1", "sslmode=verify-ca&sslrootcert=CA"),
        ("127.0.0.1", "sslmode=require"),
        ("127.0.0.1", "sslmode=prefer"),
    ] {
        guarded.status(host, &format!("{parameters}{files}")).expect_code(0);
    }
    let name = "hint: name the host as the certificate does, and give the authority that signed it: sslrootcert=FILE";
    for (host, parameters) in [
        ("127.0.0.1", "sslmode=verify-full&sslrootcert=CA"),
        // The system's authorities did not sign it.
        ("localhost", "sslmode=verify-full"),
        ("127.0.0.1", "sslmode=verify-ca"),
        // An authority that is given is asked, as by libpq: another one's certificate will not do.
        ("127.0.0.1", "sslmode=require&sslrootcert=CERT"),
    ] {
        let refused = guarded.status(host, &format!("{parameters}{files}"));
        refused.expect_code(1).expect_stderr("certificate").expect_stderr(name);
    }
    let refused = guarded.status("localhost", "sslmode=verify-full&sslrootcert=CA");
    refused.expect_code(1).expect_stderr("hint: ");
    let plain = guarded.status("localhost", "sslmode=disable");
    plain.expect_code(1).expect_stderr("hint: ");
    if guarded.db.kind() == Kind::Postgres {
        refused.expect_stderr("hint: the server asks for a client certificate: sslcert=FILE and sslkey=FILE");
    }
    guarded
        .status("localhost", "sslmode=verify-full&sslrootcert=/nowhere/ca.pem")
        .expect_code(1)
        .expect_stderr("sslrootcert `/nowhere/ca.pem`: No such file");
}

/// Waits until a session of ours waits for its lock of `items`.
async fn wait_for_lock(session: &mut Session, kind: Kind) {
    let waits = match kind {
        Kind::Postgres => {
            "SELECT 1 FROM pg_stat_activity WHERE application_name = 'concertina' AND datname = current_database() AND \
             wait_event_type = 'Lock'"
        }
        _ => "SELECT 1 FROM concertina_step WHERE finished_at IS NULL",
    };
    while session.value(waits).await.is_none() {}
}

/// The server goes away in the middle of a step, and then of a backfill, and comes back.
async fn comes_back(server: &mut PrivateServer, guarded: &Guarded, options: &[&str]) {
    let kind = guarded.db.kind();
    let concertina = guarded.on(&guarded.best());
    let mut other = Session::open(kind, &guarded.db.admin_url()).await;
    other.run("BEGIN").await;
    other.run("SELECT * FROM items").await;
    let mut looking = Session::open(kind, &guarded.db.admin_url()).await;
    let running = concertina.spawn(&["expand"]);
    running.wait_for_stderr("expand r1");
    while looking.try_lines("SELECT 1 FROM concertina_step").await.is_err() {}
    wait_for_lock(&mut looking, kind).await;
    server.crash();
    let broken = running.finish();
    broken.expect_code(1).expect_stderr("hint: the connection was lost; state is saved, run the same command again");
    server.start_again(options).await;
    concertina.run(&["expand"]).expect_code(0);

    let mut looking = Session::open(kind, &guarded.db.admin_url()).await;
    let concertina = concertina.env("CONCERTINA_LOG", "debug");
    let running = concertina.spawn(&["migrate", "--workers", "2"]);
    while looking.value("SELECT 1 FROM items WHERE done = 1").await.is_none() {}
    server.crash();
    // What comes back is what a primary becomes by a fail-over: read-only, until the name leads to the new one.
    let read_only: &[&str] =
        if kind == Kind::Postgres { &["-c", "default_transaction_read_only=on"] } else { &["--read-only=1"] };
    server.start_again(&[options, read_only].concat()).await;
    running.wait_for_stderr("read-only");
    let mut admin = Session::open(kind, &guarded.db.admin_url()).await;
    if kind == Kind::Postgres {
        let database = Url::parse(guarded.db.owner_url()).expect("a URL").path().trim_start_matches('/').to_owned();
        admin.run("SET default_transaction_read_only = off").await;
        admin.run(format!("ALTER DATABASE \"{database}\" SET default_transaction_read_only = off")).await;
    } else {
        admin.run("SET GLOBAL read_only = 0").await;
    }
    running.finish().expect_code(0);
    let counted = admin.lines("SELECT SUM(done), SUM(counter) FROM items").await.concat();
    assert_eq!(counted, "400|400");
}

async fn over_its_socket(server: &PrivateServer, kind: Kind) {
    let db = TestDatabase::create_on(kind, &server.admin_url(), "socket").await;
    // A host that nobody has: it is the socket that is used.
    let mut url = Url::parse(db.owner_url()).expect("a URL");
    url.set_host(Some("no-such-host.invalid")).expect("a host");
    let url = format!("{url}?{}", server.socket());
    let bundled = Concertina::in_project(Project::bundled().path());
    bundled.clone().database(&url).run(&["upgrade"]).expect_code(0);
    if kind == Kind::Postgres {
        // As libpq has it: the mode of TLS is not for sockets, and there need be no host.
        let url = url.replace("@no-such-host.invalid", "@");
        let url =
            url.replace(&format!(":{}/", Url::parse(db.owner_url()).expect("a URL").port().expect("a port")), "/");
        bundled.database(&format!("{url}&sslmode=require")).run(&["check"]).expect_code(0);
    }
}

async fn reached(kind: Kind) {
    let authority = Authority::new();
    let options = authority.options(kind);
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let mut server = PrivateServer::start(kind, &options).await;
    let db = TestDatabase::create_on(kind, &server.admin_url(), "reached").await;
    items(&mut db.owner().await, kind).await;
    let mut train = Train::with_settings(&db, "batch: { rows: 1, target: 1ms }");
    train.add(&[("expand/01_word.yaml", STEPS), ("data/01_count.yaml", BACKFILL)]);
    let guarded = Guarded { db, authority, train };
    guard(&server, &guarded).await;
    trusts(&guarded);
    over_its_socket(&server, kind).await;
    comes_back(&mut server, &guarded, &options).await;
    guarded.on(&guarded.best()).run(&["contract", "--quiet-period", "0s"]).expect_code(0);
}

#[test]
fn a_server_with_tls_is_reached_on_postgres() {
    alone(async || reached(Kind::Postgres).await);
}

#[test]
fn a_server_with_tls_is_reached_on_mysql() {
    alone(async || reached(Kind::MySql).await);
}
