//! The process dies at each of its failpoints, or the connection breaks; the same command, run again, ends where an undisturbed
//! run does.
//!
//! Between the death and the next life the application writes: the old way as long as contract has not begun, the new way from
//! the sync on. One database goes through many deaths, each life getting a little further than the last; with
//! `CONCERTINA_DEEP=1` every death has a database of its own as well, and the bundled train goes the same way.

mod bundled;
mod cut;
mod deep;
mod every_kind;
mod facts;
mod lives;
mod rolled_back;
mod workshop;
