//! Rehearsals: an upgrade is carried out on a database of its own, with nodes of both releases at work, runners that are killed, and
//! everything that may go wrong looked at.
//!
//! ```text
//! workload (catalog) → script → node ──→ ledger, measure ─┐
//!                     conductor → tool, faults ───────────┴→ judge → report → page, junit
//! ```
//!
//! The room carries upgrades out by the program itself, in processes of its own, as deploy automation does; it looks at the
//! database through the engine and through its nodes. It prints nothing.

mod conductor;
mod error;
mod faults;
mod judge;
mod junit;
mod ledger;
mod measure;
mod news;
mod node;
mod page;
mod report;
mod scratch;
mod script;
mod stalls;
mod statistics;
mod tool;
mod values;

pub use conductor::{Options, rehearse};
pub use error::RehearsalError;
pub use junit::junit;
pub use ledger::{By, Checked, Lost};
pub use news::{Audience, Live, News};
pub use page::page;
pub use report::{
    Assertion, Evidence, FailureReport, Impact, Injection, InvariantReport, Latency, LedgerReport, OperationReport,
    Point, Report, Span, StageReport, Stall, Statistics, Verdict,
};
