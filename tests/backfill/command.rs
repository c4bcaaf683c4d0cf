//! Rows through an external program: what it may answer, what happens when it fails, and who wins against it.

use std::path::Path;
use std::time::Duration;

use super::{expect_each_once, make_items, options, program, train_of};
use crate::support::{Kind, Session, TestDatabase, Train, on_every_database};

const FEW: usize = 300;

async fn items(db: &TestDatabase) -> Session {
    let mut session = make_items(db, "id BIGINT NOT NULL PRIMARY KEY", "", |number| format!("{}", number * 3)).await;
    session.run(format!("DELETE FROM items WHERE id >= {}", FEW * 3)).await;
    session
}

/// A train whose backfill gives `done` and `counter` to a program of this text, which may change them.
fn through(db: &TestDatabase, batch: u32, text: &str) -> Train {
    let train = train_of(
        db,
        batch,
        "backfill: { table: items, command: { run: [cat], reads: [payload], writes: [counter, done] }, where: done = 0 }\n",
    );
    let name = program(&train, "change.sh", text);
    train.project().edit("data/r1/01_count.yaml", "run: [cat]", &format!("run: [{name}, one]"));
    train
}

/// Counts a row, as `COUNT` does in SQL.
const CHANGE: &str = "#!/bin/sh\nsed 's/\"counter\":0/\"counter\":1/; s/\"done\":0/\"done\":1/'\n";

/// Waits for a file that a program makes.
async fn seen(file: &Path) {
    while !file.exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

on_every_database! {
    async fn each_row_once(db: TestDatabase) {
        let mut session = items(&db).await;
        let train = through(&db, 20, CHANGE);
        train.concertina().run(&["migrate", "--max-rows", "60"]).expect_code(4);
        let dead = train.concertina().env("CONCERTINA_FAILPOINT", "backfill.answered:2").run(&["migrate"]);
        assert_eq!(dead.code, None, "{dead}");
        train.concertina().run(&["check"]).expect_code(4);
        train.concertina().run(&["migrate", "--workers", "3"]).expect_code(0);
        expect_each_once(&mut session, FEW).await;
        let changed = session.value("SELECT SUM(rows_changed) FROM concertina_range").await;
        assert_eq!(changed, Some(FEW.to_string()));
        train.concertina().run(&["migrate"]).expect_code(0);
        train.concertina().run(&["check"]).expect_code(5);
    }

    async fn it_is_given_the_key_and_the_columns_that_it_reads_and_writes(db: TestDatabase) {
        let mut session = items(&db).await;
        session.run("DELETE FROM items WHERE id > 3").await;
        let train = through(&db, 20, "");
        let given = train.project().path().join("given");
        program(&train, "change.sh", &format!("#!/bin/sh\necho \"$@\" > {0}.args\ntee {0} | sed 's/\"done\":0/\"done\":1/'\n", given.display()));
        train.concertina().run(&["migrate"]).expect_code(0);
        let lines = std::fs::read_to_string(&given).expect("the program ran");
        let mut lines: Vec<&str> = lines.lines().collect();
        lines.sort_unstable();
        assert_eq!(
            lines,
            [r#"{"id":0,"payload":"p","counter":0,"done":0}"#, r#"{"id":3,"payload":"p","counter":0,"done":0}"#]
        );
        assert_eq!(std::fs::read_to_string(given.with_extension("args")).expect("its arguments"), "one\n");
    }

    async fn a_concurrent_writer_is_never_overwritten(db: TestDatabase) {
        let mut session = items(&db).await;
        session.run("DELETE FROM items WHERE id > 30").await;
        let train = through(&db, 100, "");
        let place = train.project().path().to_owned();
        program(
            &train,
            "change.sh",
            &format!(
                "#!/bin/sh\nif [ ! -e {0}/asked ]; then touch {0}/asked; while [ ! -e {0}/go ]; do sleep 0.02; done; fi\n\
                 sed 's/\"counter\":0/\"counter\":1/; s/\"payload\":\"p\"/\"payload\":\"p\"/; s/\"done\":0/\"done\":1/'\n",
                place.display()
            ),
        );
        let running = train.concertina().spawn(&["migrate"]);
        seen(&place.join("asked")).await;
        // What it read, what it writes, the key, the whole row; and one that changes and is as it was again.
        for change in [
            "UPDATE items SET payload = 'mine' WHERE id = 3",
            "UPDATE items SET counter = 7, done = 1 WHERE id = 6",
            "UPDATE items SET id = 10 WHERE id = 9",
            "DELETE FROM items WHERE id = 12",
            "UPDATE items SET payload = 'P' WHERE id = 15",
            "UPDATE items SET payload = NULL WHERE id = 18",
            "UPDATE items SET payload = 'p ' WHERE id = 21",
        ] {
            session.run(change).await;
        }
        std::fs::write(place.join("go"), "").expect("a file");
        running.finish().expect_code(0);
        let all = session.lines("SELECT id, payload, counter, done FROM items WHERE id BETWEEN 1 AND 22 ORDER BY id").await;
        assert_eq!(
            all,
            ["3|mine|1|1", "6|p|7|1", "10|p|1|1", "15|P|1|1", "18|-|1|1", "21|p |1|1"],
            "a row that was changed meanwhile was asked for again"
        );
    }

    async fn a_program_that_fails_or_talks_nonsense_writes_nothing(db: TestDatabase) {
        let mut session = items(&db).await;
        let train = through(&db, 50, "");
        let sed = "sed 's/\"done\":0/\"done\":1/'";
        for (text, said) in [
            (format!("{sed}\necho 'no such image' >&2\nexit 3\n"), "exit status: 3: no such image"),
            (format!("{sed}\nkill -9 $$\n"), "signal: 9"),
            (format!("{sed}\necho nonsense\n"), "line 51 of the answer"),
            (format!("{sed}\necho '[1, 2]'\n"), "expected a JSON object"),
            (format!("{sed} | head -n 5\necho '{{\"id\":1,\"done\":1}}'\n"), "its key is of no row that was asked for"),
            ("sed 's/\"done\":0/\"done\":1/; p'\n".to_owned(), "or is there twice"),
            ("sed 's/\"payload\":\"p\"/\"payload\":\"q\"/'\n".to_owned(), "column `payload` is not among `writes`"),
            ("sed 's/}$/,\"other\":1}/'\n".to_owned(), "column `other` is not among `writes`"),
            ("cat > /dev/null; printf '\\377\\n'\n".to_owned(), "no UTF-8"),
        ] {
            program(&train, "change.sh", &format!("#!/bin/sh\n{text}"));
            let output = train.concertina().run(&["migrate"]);
            output.expect_code(1).expect_stderr(said).expect_stderr("change.sh");
            let done = session.value("SELECT SUM(done) + SUM(counter) FROM items").await;
            assert_eq!(done.as_deref(), Some("0"), "{text}");
            train.concertina().run(&["check"]).expect_code(4);
        }
        // The right one goes on where they failed.
        program(&train, "change.sh", CHANGE);
        train.concertina().run(&["migrate"]).expect_code(0);
        expect_each_once(&mut session, FEW).await;
    }

    async fn a_value_that_does_not_fit_is_the_databases_error(db: TestDatabase) {
        if db.kind() == Kind::Sqlite {
            return;
        }
        let mut session = items(&db).await;
        let train = through(&db, 50, "#!/bin/sh\nsed 's/\"counter\":0/\"counter\":\"many\"/'\n");
        train.concertina().run(&["migrate"]).expect_code(1).expect_stderr("many");
        assert_eq!(session.value("SELECT SUM(done) FROM items").await.as_deref(), Some("0"));
    }

    async fn a_program_that_is_not_there_is_said_so(db: TestDatabase) {
        let mut session = items(&db).await;
        let train = through(&db, 50, CHANGE);
        std::fs::remove_file(train.project().path().join("programs/change.sh")).expect("a file");
        train.concertina().run(&["lint"]);
        train.concertina().run(&["migrate"]).expect_code(1).expect_stderr("there is no program `programs/change.sh`");
        train.project().edit("data/r1/01_count.yaml", "programs/change.sh", "no-such-program");
        let output = train.concertina().run(&["migrate"]);
        output.expect_code(1).expect_stderr("start `no-such-program`");
        assert_eq!(session.value("SELECT SUM(done) FROM items").await.as_deref(), Some("0"));
    }

    async fn rows_it_leaves_out_stay_and_are_named_when_they_still_match(db: TestDatabase) {
        let mut session = items(&db).await;
        let train = through(&db, 50, "#!/bin/sh\ngrep -v '\"id\":30,' | sed 's/\"counter\":0/\"counter\":1/; s/\"done\":0/\"done\":1/'\ntrue\n");
        train.concertina().run(&["migrate"]).expect_code(1).expect_stderr("still match").expect_stderr("30");
        let done = session.lines("SELECT done, counter, COUNT(*) FROM items GROUP BY done, counter ORDER BY done").await;
        assert_eq!(done, ["0|0|1".to_owned(), format!("1|1|{}", FEW - 1)]);
        // One that a person has seen to is no longer asked for.
        session.run("UPDATE items SET done = 1, counter = 1 WHERE id = 30").await;
        train.concertina().run(&["migrate"]).expect_code(0);
        expect_each_once(&mut session, FEW).await;
    }

    async fn killed_while_the_program_runs_nothing_is_written_or_lost(db: TestDatabase) {
        let mut session = items(&db).await;
        let train = through(&db, 100, "");
        let place = train.project().path().to_owned();
        let slow = format!("#!/bin/sh\ntouch {0}/asked\nn=0\nwhile [ ! -e {0}/go ] && [ $n -lt 500 ]; do sleep 0.02; n=$((n + 1)); done\n", place.display());
        program(&train, "change.sh", &format!("{slow}sed 's/\"counter\":0/\"counter\":1/; s/\"done\":0/\"done\":1/'\n"));
        let running = train.concertina().spawn(&["migrate"]);
        seen(&place.join("asked")).await;
        running.signal("KILL");
        std::fs::write(place.join("go"), "").expect("a file");
        assert_eq!(running.finish().code, None);
        assert_eq!(session.value("SELECT SUM(done) FROM items").await.as_deref(), Some("0"));
        train.concertina().run(&["migrate"]).expect_code(0);
        expect_each_once(&mut session, FEW).await;
    }

    async fn a_table_without_a_key_is_refused(db: TestDatabase) {
        let mut session = db.owner().await;
        session.run(format!("CREATE TABLE items (a INTEGER, done INTEGER) {}", options(db.kind()))).await;
        let train = train_of(&db, 10, "backfill: { table: items, command: { run: [cat], reads: [], writes: [done] }, where: done = 0 }\n");
        train.concertina().run(&["migrate"]).expect_code(1).expect_stderr("items").expect_stderr("key");
    }
}
