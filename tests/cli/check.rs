//! `check --release`: which nodes may run, at every point of the way.

use crate::support::{Concertina, TestDatabase, on_every_database};

/// Fails unless these releases, and no other, may run now.
#[track_caller]
fn may_run(concertina: &Concertina, when: &str, allowed: &[&str]) {
    for release in ["newton", "ocata", "pike", "queens", "rocky"] {
        let yes = allowed.contains(&release);
        let output = concertina.run(&["check", "--release", release]);
        let (code, word) = if yes { (0, "yes: ") } else { (6, "no: ") };
        assert_eq!(output.code, Some(code), "{when}, may {release} run?\n{output}");
        output.expect_stdout(word);
        assert!(output.stderr.is_empty(), "an answer is no error:\n{output}");

        let json = concertina.run(&["check", "--release", release, "--output", "json"]);
        json.expect_code(code);
        assert_eq!(json.json()["allowed"], yes, "{when}: {json}");
    }
}

on_every_database! {
    async fn at_every_point_of_the_way(db: TestDatabase) {
        let concertina = Concertina::command(&db);
        if db.file().is_some() {
            drop(db.owner().await);
        }
        may_run(&concertina, "on an empty database", &[]);
        concertina.run(&["check"]).expect_code(3);
        concertina.run(&["upgrade", "--to", "newton"]).expect_code(0);
        may_run(&concertina, "at newton", &["newton"]);
        concertina.run(&["check"]).expect_code(3);

        concertina.run(&["expand"]).expect_code(0);
        may_run(&concertina, "after ocata's expand", &["newton"]);
        concertina.run(&["check"]).expect_code(4);
        concertina.run(&["migrate"]).expect_code(0);
        may_run(&concertina, "after ocata's migrate", &["newton", "ocata"]);
        concertina.run(&["check"]).expect_code(5);
        // From the first step of contract on, what Newton uses is going.
        concertina
            .clone()
            .env("CONCERTINA_FAILPOINT", "step.finish.commit.after")
            .run(&["contract", "--quiet-period", "0s"]);
        may_run(&concertina, "in the midst of ocata's contract", &["ocata"]);
        concertina.run(&["check"]).expect_code(5);
        concertina.run(&["contract", "--quiet-period", "0s"]).expect_code(0);
        may_run(&concertina, "after ocata's contract", &["ocata"]);
        concertina.run(&["check"]).expect_code(3);

        concertina.run(&["expand"]).expect_code(0);
        // Queens changes nothing, so its nodes may come as soon as pike's may.
        may_run(&concertina, "after pike's expand", &["ocata", "pike", "queens"]);
        concertina.run(&["check"]).expect_code(5);
        concertina.run(&["migrate"]).expect_code(0);
        may_run(&concertina, "after pike's migrate", &["ocata", "pike", "queens"]);
        concertina.run(&["contract", "--quiet-period", "0s"]).expect_code(0);
        may_run(&concertina, "after pike's contract", &["pike", "queens"]);
        concertina.run(&["check"]).expect_code(3);
        concertina.run(&["upgrade"]).expect_code(0);
        may_run(&concertina, "at the newest release", &[]);
        concertina.run(&["check", "--release", "2023.2"]).expect_code(6);
        concertina.run(&["check", "--release", "2024.1"]).expect_code(0);
        concertina.run(&["check"]).expect_code(0);
    }
}
