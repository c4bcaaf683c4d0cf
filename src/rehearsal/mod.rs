//! Rehearsals: which upgrades there are to rehearse, and which of them a change is a part of.

mod changes;
mod matrix;

pub use changes::{ChangesError, changed_since};
pub use matrix::{Cell, Changes, Pair, cells};
