//! What people and pipelines that run upgrades see: history, waiting, watching, and who is refused.

mod history;
mod sessions;
mod versions;
mod waiting;
mod watching;
