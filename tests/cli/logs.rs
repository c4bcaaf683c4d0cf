//! What a command says on stderr: its progress, and the logs, each line of which carries where it is from.

use insta::{assert_snapshot, with_settings};
use serde_json::Value;

use crate::support::{Concertina, Output, TestDatabase, on_every_database};

/// A database at newton with one image in it.
async fn at_newton(db: &TestDatabase) -> Concertina {
    let concertina = Concertina::command(db);
    concertina.run(&["upgrade", "--to", "newton"]).expect_code(0);
    let (yes, no) = (db.kind().boolean(true), db.kind().boolean(false));
    let image = format!(
        "INSERT INTO images (id, status, is_public, created_at, deleted, min_disk, min_ram, protected) \
         VALUES ('1', 'active', {yes}, '2026-01-01 00:00:00', {no}, 0, 0, {no})"
    );
    db.owner().await.run(image).await;
    concertina
}

#[track_caller]
fn lines(output: &Output) -> Vec<Value> {
    let read = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}\n{output}"));
    output.stderr.lines().map(read).collect()
}

/// The names of a line's spans, outermost first, and what they say.
fn place(line: &Value) -> String {
    let spans = line["spans"].as_array().cloned().unwrap_or_default();
    let shown = spans.iter().map(|span| {
        let name = span["name"].as_str().expect("a span has a name");
        format!("{name} {}", span[name].as_str().unwrap_or_default())
    });
    shown.collect::<Vec<_>>().join(", ")
}

on_every_database! {
    async fn progress_in_text_and_in_json(db: TestDatabase) {
        let concertina = at_newton(&db).await;
        let text = concertina.run(&["expand"]);
        text.expect_code(0);
        let json = concertina.run(&["migrate", "--log-format", "json"]);
        json.expect_code(0);
        let filters = vec![
            (r"\(\d+ ms\)|\(\d+\.\d s\)", "(TIME)"),
            (r#""(duration_ms|rows_per_second)":\d+(\.\d+)?"#, r#""$1":N"#),
            (r#""(seconds_left_estimated|rows_left_estimated|rows_estimated|next_batch_rows)":(\d+|null)"#, r#""$1":N"#),
            (r#""throttle":("[^"]*"|null)"#, r#""throttle":T"#),
        ];
        with_settings!({ filters => filters }, {
            assert_snapshot!(text.stderr, @"
            expand ocata
              add column visibility to images (TIME)
              create index visibility_image_idx on images (visibility) (TIME)
              let is_public of images be NULL (TIME)
              install sync images_visibility on images (is_public and visibility) (TIME)
            expand ocata is done (TIME)
            ");
            // How many batches there is time to tell of is another matter.
            let told = json.stderr.lines().filter(|line| !line.contains("\"event\":\"batch\""));
            assert_snapshot!(told.collect::<Vec<_>>().join("\n"), @r#"
            {"event":"phase_started","release":"ocata","phase":"migrate"}
            {"event":"backfill_started","backfill":"ocata/migrate/01_visibility","rows_estimated":N,"rows_walked":0}
            {"event":"backfill_stopped","backfill":"ocata/migrate/01_visibility","rows_changed":1,"done":true}
            {"event":"verified","subject":"ocata/migrate/01_visibility"}
            {"event":"verified","subject":"images_visibility"}
            {"event":"phase_done","release":"ocata","phase":"migrate","duration_ms":N}
            "#);
        });
    }

    async fn a_line_of_the_log_says_where_it_is_from(db: TestDatabase) {
        let concertina = at_newton(&db).await;
        let output = concertina.run(&["expand", "-v", "--log-format", "json", "--output", "json"]);
        output.expect_code(0);
        assert_eq!(output.json()["done"][0], "ocata/expand");
        let sent: Vec<Value> = lines(&output).into_iter().filter(|line| line["fields"]["message"] == "run").collect();
        let of_step = |line: &&Value| line["fields"]["sql"].as_str().is_some_and(|sql| sql.contains("visibility_image_idx"));
        let index = sent.iter().find(of_step).unwrap_or_else(|| panic!("no index was made:\n{output}"));
        assert_eq!(place(index), "release ocata, phase expand, step ocata/expand/01_visibility/2", "{index}");

        let output = concertina.run(&["migrate", "-v", "--log-format", "json"]);
        output.expect_code(0);
        let all = lines(&output);
        let batch = all.iter().find(|line| line["fields"]["message"] == "batch" && line["fields"]["changed"] == 1);
        let batch = batch.unwrap_or_else(|| panic!("no batch was told:\n{output}"));
        let expected = "release ocata, phase migrate, backfill ocata/migrate/01_visibility, batch ";
        assert_eq!(place(batch), expected, "{batch}");
        assert!(batch["span"]["rows"].is_u64() && batch["span"]["range"].is_i64(), "{batch}");
        // Progress is told as it is without -v, and the log does not tell it again.
        let told = |name: &str| all.iter().filter(|line| line["event"] == name).count();
        assert_eq!((told("phase_started"), told("backfill_started"), told("phase_done")), (1, 1, 1), "{output}");

        let output = concertina.run(&["contract", "-v"]);
        output.expect_code(0).expect_stderr(
            " DEBUG release{release=\"ocata\"}:phase{phase=\"contract\"}:step{step=\"ocata/contract/01_visibility/2\"}: concertina::db: run sql=",
        );
        assert!(!output.stderr.contains('\u{1b}'), "colour in a file: {output}");
    }

    async fn quiet_is_silent(db: TestDatabase) {
        let concertina = at_newton(&db).await;
        for (command, done) in [("expand", "ocata/expand"), ("migrate", "ocata/migrate"), ("contract", "ocata/contract")] {
            let output = concertina.run(&[command, "-q"]);
            output.expect_code(0).expect_stdout(&format!("done: {done}"));
            assert!(output.stderr.is_empty(), "{output}");
        }
        // An error is no progress.
        let refused = concertina.run(&["expand", "-q", "--release", "okata", "--log-format", "json"]);
        assert_ne!(refused.code, Some(0));
        let said = lines(&refused);
        assert_eq!(said.len(), 1, "{refused}");
        assert_eq!(said[0]["event"], "error");
        assert!(said[0]["message"].is_string() && said[0]["code"].is_u64(), "{refused}");
    }
}

#[test]
fn what_is_logged_can_be_chosen() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let url = format!("sqlite://{}", directory.path().join("glance.db").display());
    let concertina = Concertina::in_project(crate::support::Project::bundled().path()).database(&url);
    concertina.run(&["upgrade", "--to", "newton"]).expect_code(0);
    let logged = |arguments: &[&str], variables: &[(&str, &str)]| {
        let mut concertina = concertina.clone();
        for (name, value) in variables {
            concertina = concertina.env(name, value);
        }
        let output = concertina.run(&[&["status"], arguments].concat());
        output.expect_code(0);
        let level = |word: &str| output.stderr.lines().filter(|line| line.contains(word)).count();
        (level(" DEBUG ") > 0, level(" TRACE ") > 0)
    };
    assert_eq!(logged(&[], &[]), (false, false));
    assert!(!logged(&["-v"], &[]).1);
    assert!(logged(&["-vv"], &[]).1);
    assert!(logged(&[], &[("RUST_LOG", "concertina=trace")]).1);
    assert_eq!(logged(&[], &[("CONCERTINA_LOG", "warn"), ("RUST_LOG", "concertina=trace")]), (false, false));
    assert_eq!(logged(&["-q"], &[("CONCERTINA_LOG", "trace")]), (false, false));
    concertina
        .clone()
        .env("CONCERTINA_LOG", "concertina=loud")
        .run(&["check"])
        .expect_code(3)
        .expect_stderr("warning: CONCERTINA_LOG is no filter such as concertina=debug: ");
    concertina.run(&["check", "-q", "-v"]).expect_code(2);
}

#[test]
fn quiet_draws_no_bar() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let url = format!("sqlite://{}", directory.path().join("glance.db").display());
    let concertina = Concertina::in_project(crate::support::Project::bundled().path()).database(&url).on_a_terminal();
    concertina.run(&["upgrade", "-q", "--to", "newton"]).expect_code(0);
    concertina.run(&["expand", "-q"]).expect_code(0);
    let output = concertina.run(&["migrate", "-q"]);
    output.expect_code(0);
    assert_snapshot!(output.stdout.replace("\r\n", "\n"), @"
    done: ocata/migrate
    next: concertina contract (ocata)
    ");
}
