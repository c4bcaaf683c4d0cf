//! What Concertina does to a real schema and to real rows, held against what OpenStack Glance's own programs did.
//!
//! `facts/` was measured by running those programs; nothing here may be derived from `src/`. Where ours differs on
//! purpose, the test that compares names the difference, with its reason, and fails when it is no longer there.

pub(crate) mod facts;
pub(crate) mod glance;
mod glance_locations;
mod glance_rows;
mod glance_schema;
mod glance_triggers;
pub(crate) mod introspect;
pub(crate) mod leftovers;
pub(crate) mod schema;
mod sqlite_ddl;
