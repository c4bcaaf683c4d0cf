//! Every command may be run again: it exits 0 and changes nothing.

use crate::support::{Concertina, Dump, TestDatabase, on_every_database};

const WAY: [&[&str]; 8] = [
    &["upgrade", "--to", "newton"],
    &["expand"],
    &["migrate"],
    &["contract", "--quiet-period", "0s"],
    &["expand", "--release", "pike"],
    &["migrate"],
    &["contract", "--quiet-period", "0s"],
    &["upgrade"],
];

on_every_database! {
    async fn a_second_run_changes_nothing(db: TestDatabase) {
        let concertina = Concertina::command(&db);
        for arguments in WAY {
            concertina.run(arguments).expect_code(0);
            // An `expand` without a name would open the next release; every other command stays where it is.
            let before = Dump::of(&db).await;
            let again = concertina.run(arguments);
            again.expect_code(0).expect_stdout("nothing to do");
            before.expect_same(&Dump::of(&db).await);
        }
    }

    async fn commands_that_ask_change_nothing(db: TestDatabase) {
        let concertina = Concertina::command(&db);
        if db.file().is_some() {
            drop(db.owner().await);
        }
        for arguments in WAY {
            let before = Dump::of(&db).await;
            for question in [
                ["check"].as_slice(),
                &["check", "--release", "ocata"],
                &["status"],
                &["plan"],
                &["plan", "expand"],
                &["plan", "migrate"],
                &["plan", "contract"],
            ] {
                concertina.run(question);
            }
            before.expect_same(&Dump::of(&db).await);
            concertina.run(arguments).expect_code(0);
        }
    }
}
