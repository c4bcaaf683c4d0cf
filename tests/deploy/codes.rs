//! A pipeline that knows nothing but exit codes.

use crate::conformance::glance::{Node, at_newton};
use crate::support::{TestDatabase, on_every_database};

on_every_database! {
    async fn exit_codes_alone_lead_through_the_train(db: TestDatabase) {
        let concertina = at_newton(&db).await;
        let mut node = Node::start(&db).await;
        for number in 0..3 {
            node.create_old(&format!("old{number}"), number == 1).await.expect("an old write");
        }
        let mut way = Vec::new();
        loop {
            let code = concertina.run(&["check"]).code.expect("an exit code");
            let command: &[&str] = match code {
                0 => break,
                3 => &["expand"],
                4 => &["migrate"],
                5 => &["contract", "--quiet-period", "0s"],
                other => panic!("`check` answers {other} after {way:?}"),
            };
            assert!(way.len() < 20, "it leads nowhere: {way:?}");
            way.push(code);
            concertina.run(command).expect_code(0);
            concertina.run(command).expect_code(0).expect_stdout("nothing to do");
        }
        // Ocata and train have data, pike, rocky, wallaby and 2024.1 have none.
        assert_eq!(way, [3, 4, 5, 3, 5, 3, 5, 3, 4, 5, 3, 5, 3, 5]);
    }
}
