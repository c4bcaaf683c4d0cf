//! A password is in nothing that concertina produces. The harness looks for it in every output of every test, and in the
//! state tables of every test's database when it goes; here is the rest.

use url::Url;

use crate::support::{Concertina, PASSWORD, TestDatabase, Train, on_every_server};

on_every_server! {
    async fn a_password_is_in_no_log_at_any_level_and_in_no_table(db: TestDatabase) {
        let traced = |concertina: Concertina| concertina.env("CONCERTINA_LOG", "trace").env("RUST_LOG", "trace");
        let mut train = Train::new(&db);
        train.add(&[("expand/01_a.yaml", "steps:\n  - create_table: { name: a, columns: [{ name: id, type: integer }] }\n")]);
        train.add(&[("expand/01_b.yaml", "steps:\n  - sql: { run: SELECT nonsense FROM nowhere }\n")]);
        traced(train.concertina()).run(&["upgrade", "--to", "r1"]).expect_code(0);
        // One that fails is told, logged and recorded in more words.
        let failed = traced(train.concertina()).run(&["expand"]);
        assert_ne!(failed.code, Some(0), "{failed}");
        for command in [&["status"][..], &["history"], &["plan"], &["check"], &["verify"]] {
            traced(train.concertina()).run(&[command, &["--output", "json", "--log-format", "json"]].concat());
        }
        let held = traced(train.concertina()).env("CONCERTINA_FAILPOINT", "step.statement.before").run(&["expand"]);
        assert_ne!(held.code, Some(0), "{held}");
        assert_eq!(db.secrets_in_state().await, Vec::<String>::new());
        // It would be found.
        let [leak, clean] = [PASSWORD, "nothing"].map(|text| format!("UPDATE concertina_lease SET command = 'a {text} b'"));
        db.owner().await.run(leak).await;
        assert_eq!(db.secrets_in_state().await, ["concertina_lease|1"]);
        db.owner().await.run(clean).await;
    }

    async fn a_password_is_not_in_the_process_title(db: TestDatabase) {
        let mut train = Train::new(&db);
        train.add(&[("expand/01_a.yaml", "steps:\n  - create_table: { name: a, columns: [{ name: id, type: integer }] }\n")]);
        let running = train.concertina().spawn(&["check", "--wait", "1m"]);
        running.wait_for_stderr("waiting until");
        let line = running.command_line();
        assert!(line.contains("check") && !line.contains(PASSWORD), "{line}");
        running.kill();
    }

    async fn a_parameter_that_is_not_known_is_named_without_its_value(db: TestDatabase) {
        let mut url = Url::parse(db.owner_url()).expect("a URL");
        url.query_pairs_mut().append_pair("pool_password", "x1y2z3");
        let concertina = Concertina::command(&db).database(url.as_str()).env("CONCERTINA_LOG", "trace");
        let ignored = concertina.run(&["check"]);
        ignored.expect_stderr("a parameter of the URL that is not known is ignored").expect_stderr("pool_password");
        assert!(!ignored.stderr.contains("x1y2z3"), "{ignored}");
    }
}
