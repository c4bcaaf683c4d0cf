//! Concertina applies a database change the way a rolling upgrade needs it: expand, migrate, contract.
//!
//! The map of the house, each room with its arrows going down only:
//!
//! ```text
//! cli → rehearsal → engine → plan → catalog → step → dialect
//!                     └───→ store → db ────────────────┘
//! ```
//!
//! - [`cli`]: the only room that prints or knows an exit code
//! - [`rehearsal`]: an upgrade carried out with nodes of both releases at work, and judged
//! - [`engine`]: the verbs
//! - [`plan`]: pure: project, facts and schema in, what would run out
//! - [`catalog`]: files to values
//! - [`step`]: one file a step kind
//! - [`dialect`]: SQL text, one file a database
//! - [`store`]: our own tables
//! - [`db`]: the only room that names sqlx

pub mod catalog;
pub mod cli;
pub mod db;
pub mod dialect;
pub mod engine;
pub mod plan;
pub mod rehearsal;
pub mod step;
pub mod store;
