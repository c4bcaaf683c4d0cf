//! Named places where a test makes the process die, as `kill -9` would.
//!
//! `CONCERTINA_FAILPOINT=name` dies at the first pass through `name`; `name:3` at the third.

use std::sync::atomic::{AtomicU32, Ordering};

static PASSES: AtomicU32 = AtomicU32::new(0);

/// Dies here, if a test asked for it.
pub fn pass(name: &str) {
    let Ok(wanted) = std::env::var("CONCERTINA_FAILPOINT") else { return };
    let (place, count) = match wanted.split_once(':') {
        Some((place, count)) => (place, count.parse().unwrap_or(1)),
        None => (wanted.as_str(), 1),
    };
    if place == name && PASSES.fetch_add(1, Ordering::Relaxed) + 1 == count {
        // Nothing is flushed, dropped or rolled back: the nearest thing to SIGKILL from inside.
        std::process::abort();
    }
}
