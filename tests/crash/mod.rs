//! The process dies at each of its failpoints; the same command, run again, ends where an undisturbed run does.
//!
//! The bundled project, phase by phase. Between the death and the next life the application writes: the old way as long as
//! contract has not begun, the new way from expand on. One database goes through many deaths, each life getting a little
//! further than the last; with `CONCERTINA_DEEP=1` every death has a database of its own as well.

use std::collections::BTreeSet;

use crate::conformance::glance::{Node, at_newton};
use crate::conformance::schema::Schema;
use crate::conformance::{introspect, leftovers};
use crate::support::{Concertina, Kind, Project, TestDatabase, on_every_database, run};

/// The commands that bring an empty database to the end of Ocata.
const UPGRADE: &[&str] = &["upgrade", "--to", "newton"];
const EXPAND: &[&str] = &["expand"];
const MIGRATE: &[&str] = &["migrate"];
const CONTRACT: &[&str] = &["contract", "--quiet-period", "0s"];

/// How many images there are before the change begins.
const SEEDS: usize = 16;

/// The bundled project with small batches, so that a backfill has several.
fn project() -> Project {
    let project = Project::bundled_copy();
    let manifest = project.read("concertina.yaml");
    project.write("concertina.yaml", &format!("{manifest}\nbatch: {{ rows: 5 }}\n"));
    project
}

/// What must be the same however a database came to it.
struct End {
    schema: Schema,
    ours: BTreeSet<leftovers::Object>,
    records: Vec<String>,
    images: Vec<String>,
}

impl End {
    async fn of(db: &TestDatabase) -> Self {
        let mut session = db.owner().await;
        let state = "CASE WHEN finished_at IS NULL THEN 'open' ELSE 'done' END";
        Self {
            schema: introspect::schema(db).await,
            ours: leftovers::ours(db).await,
            records: session
                .lines(format!(
                    "SELECT step_id, checksum, {state} FROM concertina_step UNION ALL \
                     SELECT backfill_id, checksum, {state} FROM concertina_backfill UNION ALL \
                     SELECT release_name, phase, {state} FROM concertina_phase ORDER BY 1, 2"
                ))
                .await,
            images: session.lines("SELECT id, visibility FROM images WHERE id LIKE 'seed%' ORDER BY id").await,
        }
    }

    #[track_caller]
    fn expect(&self, expected: &Self, what: &str) {
        assert_eq!(Schema::differences(&expected.schema, &self.schema), [], "{what}");
        assert_eq!(self.ours, expected.ours, "{what}");
        assert_eq!(self.records, expected.records, "{what}");
        assert_eq!(self.images, expected.images, "{what}");
    }
}

/// Writes what is there before the change.
async fn seed(db: &TestDatabase) {
    let mut node = Node::start(db).await;
    for number in 0..SEEDS {
        let id = format!("seed{number:02}");
        node.create_old(&id, number % 3 == 0).await.expect("an old write");
        if number % 2 == 0 {
            node.add_member(&id, "tenant-07", number % 4 == 0).await.expect("a member");
        }
    }
}

/// Where an undisturbed run ends.
async fn undisturbed(kind: Kind) -> End {
    let db = TestDatabase::create(kind, "undisturbed").await;
    let project = project();
    let concertina = at_newton(&db).await.project(&project);
    seed(&db).await;
    for command in [EXPAND, MIGRATE, CONTRACT] {
        concertina.run(command).expect_code(0);
    }
    End::of(&db).await
}

/// Writes as the application's nodes may while a command is half done, and after it.
struct Nodes<'d> {
    db: &'d TestDatabase,
    written: usize,
}

impl Nodes<'_> {
    async fn write(&mut self, old: bool, new: bool, when: &str) {
        let mut node = Node::start(self.db).await;
        self.written += 1;
        if old {
            let id = format!("old{:04}", self.written);
            if let Err(failure) = node.create_old(&id, true).await {
                panic!("an old write failed {when}: {failure:?}");
            }
        }
        if new {
            let id = format!("new{:04}", self.written);
            if let Err(failure) = node.create_new(&id, "community").await {
                panic!("a new write failed {when}: {failure:?}");
            }
        }
    }

    /// Every row that was written is there at the end, as it was written.
    async fn expect_kept(&self) {
        let rows = self.db.owner().await.lines("SELECT id, visibility FROM images WHERE id NOT LIKE 'seed%'").await;
        for row in &rows {
            let kept = if row.starts_with("old") { row.ends_with("|public") } else { row.ends_with("|community") };
            assert!(kept, "{row}");
        }
    }
}

/// How many steps, ranges and phases are recorded as done: what a life has got further by.
async fn progress(db: &TestDatabase) -> String {
    let mut session = db.owner().await;
    let mut counts = Vec::new();
    for count in [
        "SELECT COUNT(*) FROM concertina_step WHERE finished_at IS NOT NULL",
        "SELECT COUNT(*) FROM concertina_phase WHERE finished_at IS NOT NULL",
        "SELECT batches FROM concertina_range",
        "SELECT COUNT(*) FROM refinery_schema_history",
    ] {
        counts.push(session.try_lines(count).await.unwrap_or_default().concat());
    }
    counts.join(" ")
}

/// Runs a command again and again, each life ended at a failpoint, until one comes to its end; gives how many died.
///
/// A life dies at the first pass; where it got no further than the one before, the next is let through to the second.
async fn die_all_along(
    db: &TestDatabase,
    concertina: &Concertina,
    command: &[&str],
    name: &str,
    mut between: impl AsyncFnMut(&str),
) -> usize {
    let mut pass = 1;
    let mut before = String::new();
    for deaths in 0..80 {
        let output = concertina.clone().env("CONCERTINA_FAILPOINT", &format!("{name}:{pass}")).run(command);
        if output.code == Some(0) {
            return deaths;
        }
        assert_eq!(output.code, None, "at {name}:{pass} it dies, and nothing else is wrong:\n{output}");
        let after = progress(db).await;
        pass = if after == before { 2 } else { 1 };
        before = after;
        between(&format!("after a death at {name}:{pass} of {command:?} ({before})")).await;
    }
    panic!("{command:?} never comes to its end, dying at {name}");
}

/// Goes through all the commands, dying at the failpoint that is named for each.
async fn go_through(db: &TestDatabase, failpoints: [&str; 4]) {
    let project = project();
    let concertina = Concertina::command(db).project(&project);
    let [baseline, expand, migrate, contract] = failpoints;
    let mut deaths = die_all_along(db, &concertina, UPGRADE, baseline, async |_| {}).await;
    at_newton(db).await;
    seed(db).await;
    let mut nodes = Nodes { db, written: 0 };
    deaths += die_all_along(db, &concertina, EXPAND, expand, async |when| nodes.write(true, false, when).await).await;
    nodes.write(true, true, "after expand").await;
    deaths += die_all_along(db, &concertina, MIGRATE, migrate, async |when| nodes.write(true, true, when).await).await;
    nodes.write(true, true, "after migrate").await;
    deaths +=
        die_all_along(db, &concertina, CONTRACT, contract, async |when| nodes.write(false, true, when).await).await;
    nodes.write(false, true, "after contract").await;
    nodes.expect_kept().await;
    assert!(deaths >= 4, "it died {deaths} times: are these names still in src/?");
    End::of(db).await.expect(&undisturbed(db.kind()).await, &format!("dying at {failpoints:?}"));
}

on_every_database! {
    async fn dying_before_each_step_loses_nothing(db: TestDatabase) {
        go_through(&db, ["baseline.file", "step.begin", "backfill.before_commit", "step.begin"]).await;
    }

    async fn dying_within_each_step_loses_nothing(db: TestDatabase) {
        go_through(&db, ["baseline.file", "step.ran", "backfill.batch", "step.ran"]).await;
    }

    async fn dying_behind_each_step_loses_nothing(db: TestDatabase) {
        go_through(&db, ["phase.finish", "step.committed", "phase.finish", "step.committed"]).await;
    }

    async fn dying_at_the_end_of_each_phase_loses_nothing(db: TestDatabase) {
        go_through(&db, ["baseline.file", "phase.finish", "backfill.batch", "phase.finish"]).await;
    }

    async fn an_upgrade_in_one_go_can_die_anywhere(db: TestDatabase) {
        let project = project();
        let concertina = Concertina::command(&db).project(&project);
        let upgrade = &["upgrade", "--to", "ocata"];
        // One chain of lives, each kind of death in turn.
        let mut before = String::new();
        let mut pass = 1;
        let names = ["baseline.file", "step.begin", "step.ran", "step.committed", "phase.finish"];
        for life in 0.. {
            assert!(life < 120, "it never comes to its end ({before})");
            let failpoint = format!("{}:{pass}", names[life % names.len()]);
            let output = concertina.clone().env("CONCERTINA_FAILPOINT", &failpoint).run(upgrade);
            if output.code == Some(0) {
                break;
            }
            assert_eq!(output.code, None, "at {failpoint}:\n{output}");
            let after = progress(&db).await;
            pass = if after == before { 2 } else { 1 };
            before = after;
        }
        concertina.run(upgrade).expect_code(0);
        let undisturbed = TestDatabase::create(db.kind(), "undisturbed").await;
        Concertina::command(&undisturbed).project(&project).run(upgrade).expect_code(0);
        End::of(&db).await.expect(&End::of(&undisturbed).await, "upgrade");
    }
}

/// Every failpoint and every pass, each with a database of its own: minutes, so only when asked for.
async fn each_alone(kind: Kind) {
    if std::env::var("CONCERTINA_DEEP").as_deref() != Ok("1") {
        return;
    }
    let expected = undisturbed(kind).await;
    let steps = ["step.begin", "step.ran", "step.committed", "phase.finish"];
    let backfills = ["backfill.before_commit", "backfill.batch", "phase.finish"];
    for (command, names) in [(EXPAND, &steps[..]), (MIGRATE, &backfills[..]), (CONTRACT, &steps[..])] {
        for name in names {
            for pass in 1.. {
                let db = TestDatabase::create(kind, "each_alone").await;
                let project = project();
                let concertina = at_newton(&db).await.project(&project);
                seed(&db).await;
                let mut nodes = Nodes { db: &db, written: 0 };
                for earlier in [EXPAND, MIGRATE].into_iter().take_while(|earlier| *earlier != command) {
                    concertina.run(earlier).expect_code(0);
                }
                let failpoint = format!("{name}:{pass}");
                let output = concertina.clone().env("CONCERTINA_FAILPOINT", &failpoint).run(command);
                if output.code == Some(0) {
                    break;
                }
                assert_eq!(output.code, None, "at {failpoint}:\n{output}");
                let when = format!("after a death at {failpoint} of {command:?}");
                nodes.write(command != CONTRACT, command != EXPAND, &when).await;
                for rest in [EXPAND, MIGRATE, CONTRACT].into_iter().skip_while(|rest| *rest != command) {
                    concertina.run(rest).expect_code(0);
                }
                nodes.write(false, true, "at the end").await;
                nodes.expect_kept().await;
                End::of(&db).await.expect(&expected, &when);
            }
        }
    }
}

#[test]
fn each_death_alone_on_postgres() {
    run(Kind::Postgres, "each_death_alone", async |db: TestDatabase| each_alone(db.kind()).await);
}

#[test]
fn each_death_alone_on_mysql() {
    run(Kind::MySql, "each_death_alone", async |db: TestDatabase| each_alone(db.kind()).await);
}

#[test]
fn each_death_alone_on_sqlite() {
    run(Kind::Sqlite, "each_death_alone", async |db: TestDatabase| each_alone(db.kind()).await);
}
