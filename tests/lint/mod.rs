//! `lint`: what it prints, and what the phases make of it on a database.

mod command;
mod gate;
mod sarif;
