//! `check --wait`: blocks until the answer is yes.

use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use crate::conformance::glance::at_newton;
use crate::support::{TestDatabase, on_every_database, on_every_server};

on_every_database! {
    async fn until_nodes_may_run(db: TestDatabase) {
        let concertina = at_newton(&db).await;
        let waiting = concertina.spawn(&["check", "--release", "ocata", "--wait", "1m"]);
        waiting.wait_for_stderr("waiting until nodes of ocata may run: ocata needs a schema that is not there");
        concertina.run(&["expand"]).expect_code(0);
        waiting.wait_for_stderr("the data of ocata is not migrated");
        concertina.run(&["migrate"]).expect_code(0);
        waiting.finish().expect_code(0).expect_stdout("yes: ");
    }

    async fn no_longer_than_it_is_told_to(db: TestDatabase) {
        let concertina = at_newton(&db).await;
        let since = Instant::now();
        concertina.run(&["check", "--release", "ocata", "--wait", "300ms"]).expect_code(6).expect_stdout("no: ");
        assert!(since.elapsed() >= Duration::from_millis(300));
        concertina.run(&["check", "--wait", "300ms"]).expect_code(3).expect_stdout("next: concertina expand (ocata)");
        // What waiting does not mend is told at once.
        concertina.run(&["check", "--release", "nova", "--wait", "1h"]).expect_code(2);
    }

    async fn a_signal_ends_it(db: TestDatabase) {
        let concertina = at_newton(&db).await;
        let waiting = concertina.spawn(&["check", "--wait", "1h"]);
        waiting.wait_for_stderr("waiting until nothing is left to do");
        waiting.signal("TERM");
        waiting.finish().expect_code(143);
    }
}

/// Takes connections on a port, and passes them on to a server.
fn listen(port: u16, server: String) {
    let listener = TcpListener::bind(("127.0.0.1", port)).expect("the port is free");
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let Ok(upstream) = TcpStream::connect(&server) else { continue };
            for (mut from, mut to) in
                [(client.try_clone().expect("a socket"), upstream.try_clone().expect("a socket")), (upstream, client)]
            {
                std::thread::spawn(move || {
                    std::io::copy(&mut from, &mut to).ok();
                    to.shutdown(Shutdown::Both).ok();
                });
            }
        }
    });
}

on_every_server! {
    async fn a_server_that_is_not_up_yet_is_waited_for(db: TestDatabase) {
        let concertina = at_newton(&db).await;
        let mut url = url::Url::parse(db.owner_url()).expect("a URL");
        let server = format!("{}:{}", url.host_str().expect("a host"), url.port().expect("a port"));
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("an address").port();
        url.set_host(Some("127.0.0.1")).expect("a host");
        url.set_port(Some(free)).expect("a port");
        let waiting = concertina.database(url.as_str()).spawn(&["check", "--release", "newton", "--wait", "1m"]);
        waiting.wait_for_stderr("waiting until nodes of newton may run: connect to");
        listen(free, server);
        waiting.finish().expect_code(0).expect_stdout("yes: ");
    }
}
