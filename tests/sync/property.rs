//! The property test: random worlds of synced tables, random writes of old and new nodes, on the database and on the model.
//!
//! A failure ends with a case as small as it could be made: the tables, the sync, and the statements, one a line.
//!
//! `CONCERTINA_SEED` runs one seed again, which a failure names; `CONCERTINA_DEEP` asks for many more operations.

mod draw;
mod moved;
mod operation;
mod run;
mod statement;
mod tables;
mod world;

use std::time::{Duration, Instant};

use proptest::strategy::{BoxedStrategy, Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use self::operation::Operation;
use self::run::{Failure, Running};
use self::world::TableSeed;
use crate::support::Kind;

/// Operations a world has.
const OPERATIONS: usize = 250;
/// Operations on one database in the fast tier, and in the slow one.
const FAST: usize = 2_500;
const DEEP: usize = 100_000;
/// After so many operations the slow tier says how far it is.
const PROGRESS: usize = 5_000;
/// How long a failure may be made smaller.
const PATIENCE: Duration = Duration::from_secs(90);

type Tree<T> = Box<dyn ValueTree<Value = T>>;

fn tree<T: std::fmt::Debug + 'static>(strategy: &BoxedStrategy<T>, runner: &mut TestRunner) -> Tree<T> {
    strategy.new_tree(runner).expect("the strategies refuse nothing")
}

/// A case that can be made smaller: each table and each operation is a tree of its own, and may be left out.
struct Case {
    recursive_triggers: bool,
    tables: Vec<Option<Tree<TableSeed>>>,
    operations: Vec<Tree<Operation>>,
}

impl Case {
    fn new(seed: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        let mut runner = TestRunner::new_with_rng(Config::default(), rng);
        let (tables, operations) = (world::table_seed().boxed(), operation::operation());
        let count = 2 + usize::try_from(seed % 3).expect("below 3");
        Self {
            recursive_triggers: seed % 2 == 1,
            tables: (0..count).map(|_| Some(tree(&tables, &mut runner))).collect(),
            operations: (0..OPERATIONS).map(|_| tree(&operations, &mut runner)).collect(),
        }
    }

    fn tables(&self) -> Vec<Option<TableSeed>> {
        self.tables.iter().map(|tree| tree.as_ref().map(ValueTree::current)).collect()
    }

    fn operations(&self) -> Vec<Operation> {
        self.operations.iter().map(ValueTree::current).collect()
    }

    async fn install(&self, kind: Kind) -> Result<Running, Failure> {
        Running::install(kind, &self.tables(), kind == Kind::Sqlite && self.recursive_triggers).await
    }

    /// Runs it in a world of its own, and gives the number of statements.
    async fn run(&self, kind: Kind) -> Result<usize, Failure> {
        let mut running = self.install(kind).await?;
        running.run(&self.operations()).await?;
        Ok(running.statements)
    }
}

/// Makes a failing case smaller.
struct Shrinking {
    kind: Kind,
    case: Case,
    failure: Failure,
    deadline: Instant,
}

impl Shrinking {
    async fn shrink(mut self) -> Failure {
        // What comes after the operation that failed has no part in it.
        self.case.operations.truncate(self.failure.at + 1);
        self.without_tables().await;
        self.fewer_operations().await;
        self.without_tables().await;
        self.simpler_tables().await;
        self.fewer_operations().await;
        self.simpler_operations().await;
        self.simpler_tables().await;
        self.failure
    }

    fn is_over(&self) -> bool {
        Instant::now() > self.deadline
    }

    /// Whether the case fails as it is now, in a world of its own.
    async fn fails(&mut self) -> bool {
        match self.case.run(self.kind).await {
            Ok(_) => false,
            Err(failure) => {
                self.failure = failure;
                true
            }
        }
    }

    /// Whether operations fail in a world that is there already.
    async fn fails_in(&mut self, running: &mut Running) -> bool {
        running.reset().await;
        match running.run(&self.case.operations()).await {
            Ok(()) => false,
            Err(failure) => {
                self.failure = failure;
                true
            }
        }
    }

    async fn without_tables(&mut self) {
        for at in 0..self.case.tables.len() {
            let left_out = self.case.tables[at].take();
            let others = self.case.tables.iter().any(Option::is_some);
            if left_out.is_none() || (others && !self.is_over() && self.fails().await) {
                continue;
            }
            self.case.tables[at] = left_out;
        }
    }

    /// Leaves operations out, in ever smaller pieces.
    async fn fewer_operations(&mut self) {
        let Ok(mut running) = self.case.install(self.kind).await else { return };
        let mut piece = self.case.operations.len().div_ceil(2);
        while piece > 0 {
            let mut at = 0;
            while at < self.case.operations.len() && !self.is_over() {
                let end = (at + piece).min(self.case.operations.len());
                let rest = self.case.operations.split_off(end);
                let left_out = self.case.operations.split_off(at);
                self.case.operations.extend(rest);
                if !self.fails_in(&mut running).await {
                    let rest = self.case.operations.split_off(at);
                    self.case.operations.extend(left_out);
                    self.case.operations.extend(rest);
                    at += piece;
                }
            }
            piece /= 2;
        }
    }

    async fn simpler_operations(&mut self) {
        let Ok(mut running) = self.case.install(self.kind).await else { return };
        for at in 0..self.case.operations.len() {
            while !self.is_over() && self.case.operations[at].simplify() {
                while !self.fails_in(&mut running).await {
                    if !self.case.operations[at].complicate() {
                        break;
                    }
                }
            }
        }
    }

    async fn simpler_tables(&mut self) {
        for at in 0..self.case.tables.len() {
            while !self.is_over() && self.case.tables[at].as_mut().is_some_and(ValueTree::simplify) {
                while !self.fails().await {
                    if !self.case.tables[at].as_mut().is_some_and(ValueTree::complicate) {
                        break;
                    }
                }
            }
        }
    }
}

#[expect(clippy::print_stdout, reason = "how fast it is should be seen, where somebody asks for a test's output")]
async fn check(kind: Kind) {
    let chosen: Option<u64> =
        std::env::var("CONCERTINA_SEED").ok().map(|seed| seed.parse().expect("CONCERTINA_SEED is a number"));
    let deep = crate::support::is_deep();
    let wanted = if deep { DEEP } else { FAST };
    // The fast tier takes the same way every time; the slow one looks for new ones.
    let first = chosen.unwrap_or_else(|| if deep { rand_seed() } else { 0 });
    let began = Instant::now();
    let (mut operations, mut statements) = (0, 0);
    for seed in first.. {
        let case = Case::new(seed);
        match case.run(kind).await {
            Ok(count) => statements += count,
            Err(failure) => {
                let deadline = Instant::now() + PATIENCE;
                let shrunk = Shrinking { kind, case, failure, deadline }.shrink().await;
                panic!("CONCERTINA_SEED={seed} on {kind}:\n\n{}\n", shrunk.text);
            }
        }
        operations += OPERATIONS;
        if deep && operations % PROGRESS == 0 {
            println!("{kind}: {operations} operations so far");
        }
        if chosen.is_some() || operations >= wanted {
            break;
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    println!("{kind}: {operations} operations, {statements} statements, in {seconds:.1} s");
}

fn rand_seed() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    u64::from(now.subsec_nanos()) * 1_000_000 + now.as_secs() % 1_000_000
}

fn run(kind: Kind) {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime for the test")
        .block_on(check(kind));
}

#[test]
fn postgres() {
    run(Kind::Postgres);
}

#[test]
fn mysql() {
    run(Kind::MySql);
}

#[test]
fn sqlite() {
    run(Kind::Sqlite);
}
