//! The gate of lint: what is wrong with the files that are about to run can be told before the first of them has.

use super::session::Session;
use super::{EngineError, Event};
use crate::catalog::Release;
use crate::plan::{Finding, Gate, Refused, Severity, lint};

impl Session<'_> {
    /// Fails where lint finds an error in what is left of these releases, unless that is forced.
    ///
    /// It is asked before the lease and under it; what it says is said, and recorded, once.
    pub(super) async fn refuse_lint(&mut self, releases: &[&Release], force: &[Gate]) -> Result<(), EngineError> {
        let findings = self.left_to_judge(releases);
        let mut wrong: Vec<String> = findings
            .iter()
            .filter(|finding| finding.severity == Severity::Error)
            .map(|finding| finding.release.clone())
            .collect();
        let errors = wrong.len();
        if errors > 0 && !force.contains(&Gate::Lint) {
            wrong.dedup();
            return Err(EngineError::Lint { releases: wrong, errors, findings });
        }
        if !self.is_writing() {
            return Ok(());
        }
        let mut forced = Vec::new();
        for finding in findings {
            if finding.severity == Severity::Error {
                forced.push(format!("{} {}", finding.rule, finding.diagnostic()));
            }
            self.tell(Event::Lint(finding));
        }
        if forced.is_empty() {
            return Ok(());
        }
        let refused = Refused { gate: Gate::Lint, reason: forced.join("; "), remedy: String::new() };
        self.force(refused, force).await
    }

    /// What stands in files that have not run: nobody can change the others any more.
    fn left_to_judge(&self, releases: &[&Release]) -> Vec<Finding> {
        let kind = self.connection.dialect().kind();
        let is_left = |finding: &&Finding| {
            let done = self.facts.step_finished(&finding.step)
                || self.facts.backfills.get(&finding.step).is_some_and(|backfill| backfill.finished);
            !done
                && finding.severity != Severity::Note
                && releases.iter().any(|release| release.name == finding.release)
        };
        lint(self.project).standing(&[kind]).filter(is_left).cloned().collect()
    }
}
