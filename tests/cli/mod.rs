//! What the command line answers: help, JSON, plans, `check`, and that a second run changes nothing.

mod check;
mod help;
mod json;
mod logs;
mod schema;
mod twice;
