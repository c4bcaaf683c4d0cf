//! Databases from before Concertina: those that a team made by hand, and those that its refinery made.

mod adopt;
mod refinery;
