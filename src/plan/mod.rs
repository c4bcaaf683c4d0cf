//! Pure: a project, recorded facts and a live schema in; what stands, what is needed and what would run, out.
//!
//! Nothing here reads a file or a database. State is derived from facts by one function, never stored beside them, and
//! gates match on it exhaustively.

mod backfill;
mod drift;
mod facts;
mod gate;
mod lint;
mod rights;
mod rollback;
mod schema_drift;
mod schema_steps;
mod state;
mod verification;
mod walk;

pub use backfill::{BackfillPlan, BatchPlan, CommandPlan};
pub use drift::{Drift, DriftKind, drifts};
pub use facts::{BackfillFact, BaselineFact, Facts, PhaseFact, StepFact};
pub use gate::{Gate, Refused, admit, baseline_gate, cluster_gate, releases_before, target};
pub use lint::{Finding, Report, RuleText, Severity, lint, rules};
pub use rights::{rights, rollback_rights, state_rights, trigger_rights};
pub use rollback::{
    NewWrites, UndoOf, UndoStep, Verdict, check_rollback, data_that_stays, new_writes, rollback_target, steps_to_undo,
    undo_of,
};
pub use schema_drift::{kept_tables, schema_drift, states};
pub use schema_steps::{Planned, PlannedStep, RenderedStep, check_release, schema_steps};
pub use state::{Need, ReleaseState, Standing, may_run};
pub use verification::{Proof, broken_triggers, installed_syncs, live_syncs, proofs, syncs_to_put_back};
pub use walk::Walk;
