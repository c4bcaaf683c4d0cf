//! The sessions that this process has open: dropping one's future stops nothing at the server, so who leaves at once ends them there.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::{Connection, Target};

static OPEN: Mutex<Vec<Session>> = Mutex::new(Vec::new());
static NUMBER: AtomicU64 = AtomicU64::new(0);
/// How long the servers may take to hear of it.
const LIMIT: Duration = Duration::from_secs(3);

#[derive(Debug, Clone)]
struct Session {
    number: u64,
    target: Target,
    /// The statement that ends it.
    end: String,
}

/// An open session's entry; dropping it takes the entry back.
#[derive(Debug)]
pub(super) struct Entry(u64);

impl Entry {
    /// Enters a session, with the statement that ends it.
    pub(super) fn new(target: &Target, end: String) -> Self {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let session = Session { number, target: target.clone(), end };
        OPEN.lock().unwrap_or_else(PoisonError::into_inner).push(session);
        Self(number)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        OPEN.lock().unwrap_or_else(PoisonError::into_inner).retain(|session| session.number != self.0);
    }
}

/// Ends every session of this process at its server, with whatever it runs there; for who is about to exit.
pub async fn end_open_sessions() {
    let sessions = OPEN.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let end = async {
        for session in sessions {
            if session.end.is_empty() {
                continue;
            }
            match Connection::open(&session.target, false).await {
                Ok(mut connection) => {
                    if let Err(error) = connection.run(&session.end).await {
                        tracing::debug!(%error, "end a session");
                    }
                }
                Err(error) => tracing::debug!(%error, "open a session to end another"),
            }
        }
    };
    if tokio::time::timeout(LIMIT, end).await.is_err() {
        tracing::debug!("the server did not answer in time");
    }
}
