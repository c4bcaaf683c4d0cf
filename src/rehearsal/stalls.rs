//! Looks who holds up the nodes' statements, while they wait.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::node::Stagehands;
use crate::db::Connection;

/// From when on a statement is looked at.
const LONG: Duration = Duration::from_millis(40);
/// How often it is looked.
const LOOK: Duration = Duration::from_millis(20);
/// How many sightings are kept.
const KEPT: usize = 5_000;

/// A node's statement that was seen to wait, and for whom.
#[derive(Debug, Clone)]
pub(super) struct Sighting {
    /// The node.
    pub(super) node: usize,
    /// When it was seen, since the rehearsal began.
    pub(super) at: Duration,
    /// When the operation that waits was begun.
    pub(super) since: Duration,
    /// Who holds what it wants, in words.
    pub(super) holder: String,
}

/// Watches until it is dropped.
#[derive(Debug)]
pub(super) struct Lookout {
    seen: Arc<Mutex<Vec<Sighting>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Lookout {
    pub(super) fn start(hands: &Arc<Stagehands>) -> Self {
        let seen: Arc<Mutex<Vec<Sighting>>> = Arc::default();
        let task = tokio::spawn(watch(Arc::clone(hands), Arc::clone(&seen)));
        Self { seen, task }
    }

    pub(super) fn seen(&self) -> Vec<Sighting> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Lookout {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn watch(hands: Arc<Stagehands>, seen: Arc<Mutex<Vec<Sighting>>>) {
    let mut connection: Option<Connection> = None;
    loop {
        tokio::time::sleep(LOOK).await;
        let long: Vec<(usize, i64, Instant)> = {
            let flights = hands.flights();
            flights
                .iter()
                .filter(|(_, flight)| flight.since.elapsed() > LONG)
                .map(|(node, flight)| (*node, flight.session, flight.since))
                .collect()
        };
        if long.is_empty() {
            continue;
        }
        let open = match connection.take() {
            Some(open) => Ok(open),
            None => Connection::open(&hands.target, false).await,
        };
        let Ok(mut open) = open else { continue };
        let mut lost = false;
        for query in open.shared_dialect().waits() {
            let rows = match open.query(&query, &[]).await {
                Ok(rows) => rows,
                Err(error) => {
                    tracing::debug!(%error, "look who waits for whom");
                    lost |= error.class().wants_another_session();
                    continue;
                }
            };
            let mut found = seen.lock().unwrap_or_else(PoisonError::into_inner);
            for row in &rows {
                let (Some(waits), Some(holds)) = (row.integer(0), row.integer(1)) else { continue };
                let Some((node, _, since)) = long.iter().find(|(_, session, _)| *session == waits) else { continue };
                if found.len() < KEPT {
                    let text = |at| row.text(at).filter(|text| !text.is_empty());
                    let who = text(2).unwrap_or_else(|| format!("session {holds}"));
                    let what = text(3).map_or_else(String::new, |sql| format!(": {sql}"));
                    found.push(Sighting {
                        node: *node,
                        at: hands.recorder.now(),
                        since: hands.recorder.since(*since),
                        holder: format!("{who}{what}"),
                    });
                }
            }
        }
        connection = (!lost).then_some(open);
    }
}
