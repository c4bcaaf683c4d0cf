//! The process dies at each of its failpoints; the same command, run again, ends where an undisturbed run does.

mod every_kind;
mod lives;
mod workshop;
