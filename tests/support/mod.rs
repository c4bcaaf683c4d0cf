//! The harness: a fresh database per test with an owner and an application role, sessions to look at it with, the
//! `concertina` command, and throwaway projects.
//!
//! Nothing here may use the crate's own code, and a missing server is a failure, never a test that passes unseen.

#![allow(
    dead_code,
    unused_imports,
    reason = "every concern takes the part of the harness it needs; what one leaves another uses"
)]

mod authority;
mod cluster;
mod command;
mod database;
mod dump;
mod history;
mod kind;
mod pgbouncer;
mod project;
mod proxy;
pub(crate) mod schema;
mod server;
mod session;
mod train;

pub(crate) use authority::Authority;
pub(crate) use cluster::Cluster;
pub(crate) use command::{Concertina, Output, Running};
pub(crate) use database::{PASSWORD, TestDatabase};
pub(crate) use dump::Dump;
pub(crate) use history::{BaselineFile, Width};
pub(crate) use kind::{Kind, alone, is_deep, on_every_database, on_every_server, run};
pub(crate) use pgbouncer::PgBouncer;
pub(crate) use project::Project;
pub(crate) use proxy::{Moment, Proxy, Reach};
pub(crate) use server::PrivateServer;
pub(crate) use session::{DbFailure, Session};
pub(crate) use train::Train;
