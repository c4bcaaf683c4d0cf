//! The gate of contract that looks for sessions of old nodes, where the manifest says what these call themselves.

use std::time::Duration;

use super::EngineError;
use super::session::Session;
use crate::catalog::Release;
use crate::dialect::SessionName;
use crate::plan::{Gate, Refused, releases_before};

/// How often it is asked whether there are sessions that cannot be seen: one may come or go between two counts.
const TRIES: usize = 3;
/// How many sessions a message names.
const SHOWN: usize = 5;

impl Session<'_> {
    /// Refuses where sessions of releases before this one are there; otherwise, whether the manifest says how to tell, so that it was
    /// looked.
    pub(super) async fn old_sessions(&mut self, release: &Release) -> Result<Result<bool, Refused>, EngineError> {
        let dialect = self.connection.shared_dialect();
        let mut asked = false;
        let mut found = Vec::new();
        for (by, pattern) in self.project.manifest.gates.sessions.marks() {
            let old = releases_before(self.project, release);
            let queries: Vec<_> =
                old.iter().filter_map(|old| dialect.named_sessions(by, &pattern.of_release(old))).collect();
            if queries.is_empty() {
                continue;
            }
            asked = true;
            if let Some((reason, remedy)) = self.hidden_sessions(by).await? {
                return Ok(Err(cannot_tell(&reason, &remedy)));
            }
            for query in queries {
                match self.connection.query(&query, &[]).await {
                    Ok(rows) => found.extend(rows.iter().map(|row| words(by, row))),
                    Err(error) => return Ok(Err(cannot_tell(&error.to_string(), "grant this account what it lacks"))),
                }
            }
        }
        if found.is_empty() {
            return Ok(Ok(asked));
        }
        let count = found.len();
        let more = if count > SHOWN { format!(", and {} more", count - SHOWN) } else { String::new() };
        let who = if count == 1 { "1 session names itself an old node" } else { "sessions name themselves old nodes" };
        let number = if count == 1 { String::new() } else { format!("{count} ") };
        found.truncate(SHOWN);
        Ok(Err(Refused {
            gate: Gate::Sessions,
            reason: format!("{number}{who}: {}{more}", found.join("; ")),
            remedy: "stop these nodes and run contract again; or --force sessions, if they are no nodes".to_owned(),
        }))
    }

    async fn hidden_sessions(&mut self, by: SessionName) -> Result<Option<(String, String)>, EngineError> {
        let Some(query) = self.connection.shared_dialect().hidden_sessions(by) else { return Ok(None) };
        let mut hidden = None;
        for attempt in 0..TRIES {
            if attempt > 0 {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            let rows = self.connection.query(&query, &[]).await?;
            let text = |row: &crate::db::Row, position| row.text(position).unwrap_or_default();
            hidden = rows.first().map(|row| (text(row, 0), text(row, 1)));
            if hidden.is_none() {
                break;
            }
        }
        Ok(hidden)
    }
}

fn cannot_tell(reason: &str, remedy: &str) -> Refused {
    Refused {
        gate: Gate::Sessions,
        reason: format!("whether sessions of old nodes are there cannot be told: {reason}"),
        remedy: format!("{remedy}; or --force sessions, if you know that the old nodes are gone"),
    }
}

fn words(by: SessionName, row: &crate::db::Row) -> String {
    let text = |position| row.text(position).unwrap_or_default();
    let since = match row.integer(4) {
        Some(seconds) => format!(", for {seconds} s"),
        None => String::new(),
    };
    let name = if by == SessionName::User { String::new() } else { format!(", {} {}", by.word(), text(2)) };
    format!("session {} (user {}{name}, from {}{since})", text(0), text(1), text(3))
}
