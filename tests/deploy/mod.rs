//! Deploy automation: what teams copy from `docs/deploy/` does what it says, and every command line in the documentation is one
//! that the program takes.

mod codes;
mod commands;
mod files;
mod script;
mod stops;
