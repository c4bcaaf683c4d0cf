//! Exit codes: design.md, section 3, and one match from errors to them.

use crate::engine::EngineError;
use crate::store::StoreError;

pub(super) const DONE: u8 = 0;
pub(super) const ERROR: u8 = 1;
pub(super) const USAGE: u8 = 2;
pub(super) const EXPAND_NEEDED: u8 = 3;
pub(super) const MIGRATE_NEEDED: u8 = 4;
pub(super) const CONTRACT_NEEDED: u8 = 5;
pub(super) const REFUSED: u8 = 6;
pub(super) const HELD: u8 = 7;
pub(super) const DRIFT: u8 = 8;
pub(super) const PERSON: u8 = 9;

/// Whether a command that ended with this code did what it was asked.
pub(super) fn is_done(code: i32) -> bool {
    code == i32::from(DONE)
}

/// The code for an error; `signal` is the one that interrupted, if one did.
pub(super) fn code(error: &EngineError, signal: u8) -> u8 {
    match error {
        EngineError::Project(_)
        | EngineError::Unfit { .. }
        | EngineError::Db(_)
        | EngineError::Step { .. }
        | EngineError::StepCheck { .. }
        | EngineError::Backfill { .. }
        | EngineError::Throttle { .. }
        | EngineError::Store(StoreError::Db(_) | StoreError::Refinery(_)) => ERROR,
        EngineError::Usage(_) => USAGE,
        EngineError::Refused(_)
        | EngineError::Lint { .. }
        | EngineError::Preflight { .. }
        | EngineError::BaselineDiffers(_)
        | EngineError::Store(StoreError::NewerState { .. }) => REFUSED,
        EngineError::Store(
            StoreError::Held(_) | StoreError::Lost | StoreError::RangeMoved | StoreError::StillThere,
        ) => HELD,
        EngineError::Drift(_) | EngineError::BrokenTriggers(_) => DRIFT,
        EngineError::NeedsPerson { .. } | EngineError::BaselineHalfDone { .. } => PERSON,
        EngineError::Interrupted => 128 + signal,
    }
}
