//! `allow`: a rule is silenced by its name, with a reason, on one step; what silences nothing is found itself.

use super::{Finding, RuleText, Severity, rules};
use crate::catalog::{Allow, Project};
use crate::dialect::expression::nearest;
use crate::step::Phase;

const UNKNOWN: RuleText = RuleText {
    name: "allow-unknown-rule",
    severity: Severity::Error,
    judges: "an `allow` that names no rule",
    why: "Whoever wrote it thinks that something is silenced, and it is not.",
    remedy: "name one of the rules of docs/lint.md",
};

const NO_REASON: RuleText = RuleText {
    name: "allow-without-reason",
    severity: Severity::Error,
    judges: "an `allow` whose reason is empty",
    why: "The next reader has to know why it is safe here, and cannot ask.",
    remedy: "say in a sentence why it is safe here",
};

const UNUSED: RuleText = RuleText {
    name: "allow-unused",
    severity: Severity::Warning,
    judges: "an `allow` that silences nothing",
    why: "It would silence what somebody writes into the step later, with a reason that was given for something else.",
    remedy: "remove it",
};

/// The rules of `allow` itself; they cannot be silenced.
pub(super) const RULES: [RuleText; 3] = [UNKNOWN, NO_REASON, UNUSED];

/// Silences what the steps allow, and reports every `allow` that is wrong.
pub(super) fn silence(project: &Project, findings: &mut Vec<Finding>) {
    for release in &project.releases {
        let steps = |phase: Phase| {
            release.steps(phase).iter().map(move |step| (phase, step.id.as_str(), step.allows.as_slice()))
        };
        let backfills =
            release.backfills.iter().map(|backfill| (Phase::Migrate, backfill.id.as_str(), backfill.allows.as_slice()));
        let all: Vec<_> = steps(Phase::Expand).chain(backfills).chain(steps(Phase::Contract)).collect();
        for (phase, step, allows) in all {
            for allow in allows {
                let wrong = judge(allow, step, findings);
                if let Some((rule, message)) = wrong {
                    findings.push(Finding {
                        rule: rule.name,
                        severity: rule.severity,
                        message,
                        remedy: rule.remedy,
                        origin: allow.origin.clone(),
                        step: step.to_owned(),
                        release: release.name.clone(),
                        phase,
                        kinds: allow.kinds.clone(),
                        silenced: None,
                    });
                }
            }
        }
    }
}

fn judge(allow: &Allow, step: &str, findings: &mut [Finding]) -> Option<(RuleText, String)> {
    let names = || rules::ALL.iter().map(|rule| rule.text.name);
    if !names().any(|name| name == allow.rule) {
        let near = nearest(&allow.rule, names());
        let advice = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        return Some((UNKNOWN, format!("there is no rule `{}`{advice}", allow.rule)));
    }
    if allow.reason.trim().is_empty() {
        return Some((NO_REASON, format!("`{}` is allowed without a reason", allow.rule)));
    }
    let mut used = false;
    for finding in findings.iter_mut().filter(|finding| finding.rule == allow.rule && finding.step == step) {
        if finding.kinds.iter().any(|kind| allow.kinds.contains(kind)) {
            finding.silenced = Some(allow.reason.clone());
            used = true;
        }
    }
    (!used).then(|| (UNUSED, format!("nothing here breaks `{}`", allow.rule)))
}
