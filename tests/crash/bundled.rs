//! The bundled train, every release of it, dies at every single pass: in the deep tier.

use super::every_kind::{live_through, say};
use super::facts::Facts;
use super::lives::{Each, Lives, place_of_death};
use crate::conformance::glance::{Node, at_newton};
use crate::support::{Concertina, Kind, Project, Session, TestDatabase, is_deep, on_every_database};

const BASELINE: &[&str] = &["upgrade", "--to", "newton"];
const UPGRADE: &[&str] = &["upgrade"];
const PHASES: [&[&str]; 4] = [&["expand"], &["migrate"], &["contract", "--quiet-period", "0s"], UPGRADE];

/// How many images there are before the change begins.
const SEEDS: usize = 16;

/// The bundled project with small batches, so that a backfill has several.
fn project() -> Project {
    let project = Project::bundled_copy();
    let manifest = project.read("concertina.yaml");
    project.write("concertina.yaml", &format!("{manifest}\nbatch: {{ rows: 5 }}\n"));
    project
}

async fn facts(db: &TestDatabase) -> Facts {
    Facts::of(db, "SELECT id, visibility FROM images WHERE id LIKE 'seed%' ORDER BY id").await
}

/// Writes what is there before the change.
async fn seed(db: &TestDatabase) {
    at_newton(db).await;
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
async fn undisturbed(kind: Kind) -> Facts {
    let db = TestDatabase::create(kind, "undisturbed").await;
    let project = project();
    let concertina = Concertina::command(&db).project(&project);
    concertina.run(BASELINE).expect_code(0);
    seed(&db).await;
    concertina.run(UPGRADE).expect_code(0);
    facts(&db).await
}

/// Newton's nodes until Ocata's contract begins, Ocata's from its sync on.
struct Nodes<'d> {
    db: &'d TestDatabase,
    looking: Session,
    written: usize,
}

impl<'d> Nodes<'d> {
    async fn start(db: &'d TestDatabase) -> Self {
        Self { db, looking: db.owner().await, written: 0 }
    }

    async fn is_recorded(&mut self, row: &str) -> bool {
        self.looking.value(format!("SELECT COUNT(*) FROM {row}")).await.as_deref() != Some("0")
    }

    async fn write(&mut self, when: &str) {
        let old = !self.is_recorded("concertina_phase WHERE release_name = 'ocata' AND phase = 'contract'").await;
        let new = self.is_recorded("concertina_step WHERE kind = 'sync' AND finished_at IS NOT NULL").await;
        let mut node = Node::start(self.db).await;
        self.written += 1;
        if old && let Err(failure) = node.create_old(&format!("old{:04}", self.written), true).await {
            panic!("an old write failed {when}: {failure:?}");
        }
        if new && let Err(failure) = node.create_new(&format!("new{:04}", self.written), "community").await {
            panic!("a new write failed {when}: {failure:?}");
        }
    }

    /// Every row that was written is there at the end, as it was written.
    async fn expect_kept(&mut self, when: &str) {
        let rows = self.looking.lines("SELECT id, visibility FROM images WHERE id NOT LIKE 'seed%'").await;
        assert!(!rows.is_empty(), "nobody wrote {when}");
        for row in &rows {
            let kept = if row.starts_with("old") { row.ends_with("|public") } else { row.ends_with("|community") };
            assert!(kept, "{row} {when}");
        }
    }
}

/// Each pass is died at, first phase by phase, and what is left of them in one go.
async fn in_turn(db: &TestDatabase) {
    let expected = undisturbed(db.kind()).await;
    let project = project();
    let mut lives = Lives::new(Each::Pass);
    let second = TestDatabase::create(db.kind(), "in_one_go").await;
    for (db, commands) in [(db, &PHASES[..]), (&second, &[UPGRADE])] {
        let concertina = Concertina::command(db).project(&project);
        live_through(&mut lives, db, &concertina, BASELINE, &mut async |_| {}).await;
        seed(db).await;
        let mut nodes = Nodes::start(db).await;
        for command in commands {
            live_through(&mut lives, db, &concertina, command, &mut async |when| nodes.write(when).await).await;
        }
        nodes.write("at the end").await;
        nodes.expect_kept("at the end").await;
        facts(db).await.expect(&expected, "at the end");
    }
    // A life that goes on where another died does not pass all that an undisturbed one does: those are died at alone.
    say(&format!("{} deaths of the bundled train in turn on {}", lives.died_at().len(), db.kind()));
}

/// Each death in the life of a database of its own.
async fn each_alone(kind: Kind) {
    let expected = undisturbed(kind).await;
    let project = project();
    let mut deaths = 0;
    for (command, has_nodes) in [(BASELINE, false), (UPGRADE, true)] {
        for pass in 1.. {
            let db = TestDatabase::create(kind, "each_alone").await;
            let concertina = Concertina::command(&db).project(&project);
            if has_nodes {
                concertina.run(BASELINE).expect_code(0);
                seed(&db).await;
            }
            let output = concertina.clone().env("CONCERTINA_FAILPOINT", &format!("*:{pass}")).run(command);
            if output.code == Some(0) {
                break;
            }
            let when = format!("after a death at pass {pass} of {command:?}, {:?}", place_of_death(&output));
            deaths += 1;
            if !has_nodes {
                concertina.run(BASELINE).expect_code(0);
                seed(&db).await;
            }
            let mut nodes = Nodes::start(&db).await;
            nodes.write(&when).await;
            concertina.run(UPGRADE).expect_code(0);
            nodes.write("at the end").await;
            nodes.expect_kept(&when).await;
            facts(&db).await.expect(&expected, &when);
        }
    }
    say(&format!("{deaths} deaths of the bundled train on {kind}, each alone"));
}

on_every_database! {
    async fn the_bundled_train_dies_at_every_single_pass_in_turn(db: TestDatabase) {
        if is_deep() {
            in_turn(&db).await;
        }
    }

    async fn the_bundled_train_dies_at_every_single_pass_alone(db: TestDatabase) {
        if is_deep() {
            each_alone(db.kind()).await;
        }
    }
}
