//! Rehearsals: an upgrade is carried out on a database of its own, with nodes of both releases at work, runners that are killed, and
//! everything that may go wrong looked at.
//!
//! ```text
//! workload (catalog) → script → node ──→ ledger, measure ─┐
//!                     conductor → command, faults, proof ─┴→ judge → report → page, junit
//! ```
//!
//! The room carries upgrades out by the program itself, in processes of its own, as deploy automation does; it looks at the
//! database through the engine and through its nodes. It prints nothing.

mod changes;
mod command;
mod conductor;
mod error;
mod faults;
mod judge;
mod junit;
mod ledger;
mod matrix;
mod measure;
mod news;
mod node;
mod page;
mod proof;
mod report;
mod scratch;
mod script;
mod slowness;
mod stalls;
mod statistics;
mod tool;
mod values;

pub use changes::{ChangesError, changed_since};
pub use conductor::{Options, rehearse};
pub use error::RehearsalError;
pub use junit::junit;
pub use ledger::{By, Checked, Lost};
pub use matrix::{Cell, Changes, Pair, cells};
pub use news::{Audience, Live, News};
pub use page::page;
pub use report::{
    Assertion, Evidence, FailureReport, Impact, Injection, InvariantReport, Latency, LedgerReport, OperationReport,
    Point, Report, Span, StageReport, Stall, Statistics, Verdict,
};
