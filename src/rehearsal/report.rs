//! What a rehearsal came to: the document that every report is made of.
//!
//! Times are milliseconds since the rehearsal began, and durations are milliseconds.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use super::ledger::Checked;
use crate::catalog::Stage;

/// How good an upgrade is, in the words of the assertions of `OpenStack` (<https://governance.openstack.org/tc/reference/tags/>).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Not even the database came through.
    Failed,
    /// The database came through, with its data.
    Upgrade,
    /// Both releases were at work at once, and agreed.
    Rolling,
    /// And no operation failed.
    ZeroDowntime,
    /// And none was slower than it would have been.
    ZeroImpact,
}

impl Verdict {
    /// All of them, the worst first.
    pub const ALL: [Self; 5] = [Self::Failed, Self::Upgrade, Self::Rolling, Self::ZeroDowntime, Self::ZeroImpact];

    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Upgrade => "upgrade",
            Self::Rolling => "rolling",
            Self::ZeroDowntime => "zero-downtime",
            Self::ZeroImpact => "zero-impact",
        }
    }

    /// Whether it is as good as another.
    pub fn reaches(self, wanted: Self) -> bool {
        let place = |verdict: Self| Self::ALL.iter().position(|known| *known == verdict);
        place(self) >= place(wanted)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Verdict {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wanted = Self::ALL.into_iter().filter(|verdict| *verdict != Self::Failed);
        let known = wanted.clone().find(|verdict| verdict.word() == text);
        known.ok_or_else(|| {
            let words: Vec<&str> = wanted.map(Self::word).collect();
            format!("expected one of {}", words.join(", "))
        })
    }
}

/// A rehearsal.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The release that the upgrade began at.
    pub from: String,
    /// The release that it led to.
    pub to: String,
    /// `postgres`, `mysql` or `sqlite`.
    pub database: String,
    /// The server, with its version.
    pub server: String,
    /// By which the same choices are made again.
    pub seed: u64,
    /// The command that makes them, in the project's folder.
    pub command: String,
    /// Nodes of each release.
    pub nodes: usize,
    /// Operations a second that were due, of all nodes together.
    pub rate: f64,
    /// By how much the seed's rows were multiplied.
    pub scale: f64,
    /// When it began, in milliseconds since the epoch, by this host's clock.
    pub began_at: i64,
    /// How long it took.
    pub duration_ms: u64,
    /// How good the upgrade is.
    pub verdict: Verdict,
    /// How good it was to be.
    pub required: Verdict,
    /// Whether it is.
    pub passed: bool,
    /// The four assertions, with the evidence for each.
    pub assertions: Vec<Assertion>,
    /// The stages, in order.
    pub stages: Vec<StageReport>,
    /// What happened in each quarter of a second.
    pub series: Vec<Point>,
    /// What our commands did, and when.
    pub spans: Vec<Span>,
    /// What was done to the upgrade.
    pub injections: Vec<Injection>,
    /// What was to hold at every moment.
    pub invariants: Vec<InvariantReport>,
    /// The operations that failed, the first of each kind.
    pub failures: Vec<FailureReport>,
    /// The writers' ledger, held against the rows.
    pub ledger: LedgerReport,
    /// How slowness was judged.
    pub statistics: Statistics,
    /// What else is to be known.
    pub notes: Vec<String>,
}

/// One of the four assertions.
#[derive(Debug, Clone, Serialize)]
pub struct Assertion {
    /// The verdict that it stands for.
    pub name: Verdict,
    /// What it says.
    pub says: &'static str,
    /// Whether it holds.
    pub holds: bool,
    /// Why.
    pub evidence: Vec<Evidence>,
}

/// A reason for an assertion, or against it.
#[derive(Debug, Clone, Serialize)]
pub struct Evidence {
    /// What was looked at.
    pub what: String,
    /// Whether it was as it must be.
    pub holds: bool,
    /// What was found.
    pub found: String,
}

/// A stage.
#[derive(Debug, Clone, Serialize)]
pub struct StageReport {
    /// The releases of its hop, `newton → ocata`.
    pub hop: String,
    /// Which it is.
    pub stage: Stage,
    /// When it began.
    pub began_ms: u64,
    /// When it ended.
    pub ended_ms: u64,
    /// Operations that were done.
    pub done: u64,
    /// Operations that failed.
    pub failed: u64,
    /// Transactions that were tried again.
    pub retries: u64,
    /// Operations done a second.
    pub throughput: f64,
    /// How long all operations took.
    pub latency: Latency,
    /// How long each took.
    pub operations: Vec<OperationReport>,
    /// The operation that took longest.
    pub stall: Option<Stall>,
    /// What the tests say against the quiet stage; `None` for the quiet stage itself.
    pub impact: Option<Impact>,
}

/// How long operations took, in milliseconds.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Latency {
    /// How many there were.
    pub count: u64,
    /// The median.
    pub p50_ms: f64,
    /// Nineteen of twenty took no longer.
    pub p95_ms: f64,
    /// Ninety-nine of a hundred took no longer.
    pub p99_ms: f64,
    /// The longest.
    pub max_ms: f64,
    /// How many took up to so many milliseconds: buckets that grow by half, those without any left out.
    pub histogram: Vec<(f64, u64)>,
}

/// How long an operation took.
#[derive(Debug, Clone, Serialize)]
pub struct OperationReport {
    /// The release of the nodes.
    pub release: String,
    /// The operation.
    pub operation: String,
    /// Operations that failed.
    pub failed: u64,
    /// How long it took.
    pub latency: Latency,
}

/// An operation that took long.
#[derive(Debug, Clone, Serialize)]
pub struct Stall {
    /// When it was due.
    pub at_ms: u64,
    /// How long it took.
    pub took_ms: f64,
    /// The release of the node.
    pub release: String,
    /// The operation.
    pub operation: String,
    /// Who held what it waited for, as the server said; `None` where it did not.
    pub held_by: Option<String>,
    /// What our commands did meanwhile.
    pub during: Vec<String>,
}

/// What the tests say of a stage.
#[derive(Debug, Clone, Serialize)]
pub struct Impact {
    /// Windows with an operation in them: of the stage, and of the quiet one.
    pub windows: [u64; 2],
    /// Windows with an operation slower than its threshold: of the stage, and of the quiet one.
    pub slow: [u64; 2],
    /// Windows of the stage that are slower than every quiet one.
    pub beyond: u64,
    /// Fisher's exact test: how likely so many slow windows are by chance.
    pub fisher_p: f64,
    /// Rosenbaum's test: how likely so many windows beyond all quiet ones are by chance.
    pub rosenbaum_p: f64,
    /// Whether one of them is significant, corrected by Holm for all of the rehearsal's tests.
    pub significant: bool,
}

/// How slowness was judged.
#[derive(Debug, Clone, Serialize)]
pub struct Statistics {
    /// The tests.
    pub tests: &'static str,
    /// What they assume.
    pub assumes: &'static str,
    /// The level at which something is significant.
    pub level: f64,
    /// The length of a window.
    pub window_ms: u64,
    /// What is never called slow.
    pub floor_ms: f64,
    /// What makes an operation slow, in milliseconds: its median times the 99th percentile of all quiet latencies, each divided by the
    /// median of its operation; the floor at least.
    pub thresholds: Vec<(String, f64)>,
}

/// A quarter of a second.
#[derive(Debug, Clone, Serialize)]
pub struct Point {
    /// When it begins.
    pub at_ms: u64,
    /// Operations that were due in it, and done.
    pub done: u64,
    /// Operations that were due in it, and failed.
    pub failed: u64,
    /// Their median latency.
    pub p50_ms: f64,
    /// The 99th percentile.
    pub p99_ms: f64,
    /// The longest.
    pub max_ms: f64,
}

/// The length of a [`Point`].
pub(super) const POINT_MS: u64 = 250;

/// Something that a command of ours did.
#[derive(Debug, Clone, Serialize)]
pub struct Span {
    /// When it began.
    pub began_ms: u64,
    /// When it ended.
    pub ended_ms: u64,
    /// The command.
    pub command: String,
    /// The step, backfill or proof; the command itself where it is empty.
    pub what: String,
}

/// Something that was done to the upgrade.
#[derive(Debug, Clone, Serialize)]
pub struct Injection {
    /// When.
    pub at_ms: u64,
    /// `kill`, `rollback`, `second-runner`, `early-contract` or `old-node-check`.
    pub kind: &'static str,
    /// What.
    pub what: String,
    /// What came of it.
    pub outcome: String,
    /// Whether that is what must come of it; `None` where it came too late to tell anything.
    pub holds: Option<bool>,
}

/// Something that was to hold at every moment.
#[derive(Debug, Clone, Serialize)]
pub struct InvariantReport {
    /// The release whose workload has it, or that of the sync.
    pub release: String,
    /// Its name.
    pub name: String,
    /// `workload` or `sync`.
    pub kind: &'static str,
    /// How often it was asked.
    pub asked: u64,
    /// How often it did not hold.
    pub broken: u64,
    /// What broke it first, and when.
    pub first: Option<String>,
}

/// Operations that failed in one way.
#[derive(Debug, Clone, Serialize)]
pub struct FailureReport {
    /// The release of the nodes.
    pub release: String,
    /// The operation.
    pub operation: String,
    /// The stage.
    pub stage: Stage,
    /// When the first did.
    pub at_ms: u64,
    /// How many did.
    pub count: u64,
    /// What the first one said.
    pub message: String,
    /// Whether it fails as often without the upgrade: in the quiet stage.
    pub natural: bool,
}

/// The ledger.
#[derive(Debug, Clone, Default, Serialize)]
pub struct LedgerReport {
    /// How many writes were noted.
    pub writes: u64,
    /// What was found, each time that it was held against the rows.
    pub checks: Vec<Checked>,
    /// Operations with a statement of which it cannot be told what it writes, and tables whose rows cannot be followed.
    pub not_in_ledger: Vec<String>,
    /// Whether nodes are programs, whose writes nobody else knows: then nothing is compared.
    pub programs: bool,
}

impl LedgerReport {
    /// How many writes are lost.
    pub fn lost(&self) -> u64 {
        self.checks.iter().map(|checked| checked.lost).sum()
    }
}
