//! Proves the data before anything is taken away.

use super::session::Session;
use super::{EngineError, Event};
use crate::catalog::{Diagnostic, Diagnostics, Release};
use crate::plan::{Gate, Refused, proofs};

impl Session<'_> {
    /// Proves that nothing is pending and that every sync's invariant holds.
    pub(super) async fn verify(&mut self, release: &Release) -> Result<Result<(), Refused>, EngineError> {
        let schema = self.connection.inspect().await?;
        let dialect = self.connection.shared_dialect();
        let proofs = proofs(release, &self.facts, dialect.as_ref(), &schema).map_err(|refusal| EngineError::Unfit {
            phase: format!("verify {}", release.name),
            diagnostics: Diagnostics(vec![Diagnostic::of_path(format!("release {}", release.name), refusal.reason)]),
        })?;
        for proof in proofs {
            let rows = self.connection.query(&proof.query, &[]).await?;
            if !rows.is_empty() {
                let keys: Vec<String> = rows
                    .iter()
                    .map(|row| (0..row.len()).map(|at| row.text(at).unwrap_or_default()).collect::<Vec<_>>().join(", "))
                    .collect();
                return Ok(Err(Refused {
                    gate: Gate::Verified,
                    reason: format!("{} (among them {})", proof.meaning, keys.join("; ")),
                    remedy: "run concertina migrate again; if the rows stay, look at them".to_owned(),
                }));
            }
            self.tell(Event::Verified { subject: proof.subject });
        }
        Ok(Ok(()))
    }
}
