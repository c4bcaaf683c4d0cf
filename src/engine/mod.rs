//! The verbs: what a command does, from opening its session to giving the lease back.
//!
//! The room holds no SQL text and prints nothing: statements come from the plan, and what happens is told to an
//! [`Observer`].

mod asking;
mod backfill;
mod baseline;
mod blockers;
mod control;
mod error;
mod event;
mod history;
mod lint;
mod pace;
mod phases;
mod place;
mod plan;
mod preflight;
mod report;
mod resolve;
mod rollback;
mod session;
mod sessions;
mod settings;
mod span;
mod steps;
mod throttle;
mod uninstall;
mod verify;
mod waiting;
mod walk;

pub use backfill::MigrateOptions;
pub use baseline::adopt_baseline;
pub use blockers::Blocker;
pub use control::{pause, tune};
pub use error::EngineError;
pub use event::{Event, Observer};
pub use history::history;
pub use pace::Pacer;
pub use phases::{Outcome, PhaseOptions, run_phase, upgrade};
pub use plan::{PhasePlan, PlanStep, StatementCost, plan};
pub use report::{
    BackfillStatus, BaselineStatus, Check, Next, PhaseStatus, ReleaseStatus, Status, StepStatus, SyncStatus,
    WorkerStatus, check, status,
};
pub use resolve::{Answer, resolve};
pub use rollback::{PlannedUndo, RollbackOptions, RollbackPlan, RolledBack, plan_rollback, rollback};
pub use settings::{Limit, Overrides, Settings};
pub use throttle::{Hold, Probe, Throttles, Verdict};
pub use uninstall::{UninstallOptions, Uninstalled, uninstall};
pub use verify::{ProofResult, Verification, verify};
pub use waiting::check_until;
