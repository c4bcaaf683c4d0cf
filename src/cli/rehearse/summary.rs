//! A rehearsal's report as people read it in a terminal.

use std::path::Path;

use crate::rehearsal::{Report, StageReport};

/// The summary: the verdict, a line a stage, and the evidence.
pub(super) fn text(report: &Report, folder: &Path, colour: bool) -> String {
    let paint = |code: &str, text: &str| if colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() };
    let (good, bad) = ("32;1", "31;1");
    let mut out = String::new();
    let verdict = paint(if report.passed { good } else { bad }, report.verdict.word());
    out.push_str(&format!(
        "\n{} → {} on {}: {verdict} (asked for: {})\n\n",
        report.from, report.to, report.server, report.required
    ));
    out.push_str("  stage     seconds  operations/s  p50 ms  p95 ms  p99 ms  longest  failed  the longest was\n");
    let several = report.stages.iter().any(|stage| stage.hop != report.stages[0].hop);
    let mut hop = "";
    for stage in &report.stages {
        if several && hop != stage.hop {
            hop = &stage.hop;
            out.push_str(&format!("  {hop}\n"));
        }
        out.push_str(&line(stage));
    }
    out.push('\n');
    for assertion in &report.assertions {
        let mark = if assertion.holds { paint(good, "yes") } else { paint(bad, "no ") };
        out.push_str(&format!("  {mark} {}: {}\n", assertion.name, assertion.says));
        for evidence in &assertion.evidence {
            let mark = if evidence.holds { "  " } else { "! " };
            out.push_str(&format!("      {mark}{}: {}\n", evidence.what, evidence.found));
        }
    }
    if !report.failures.is_empty() {
        out.push_str("\n  operations that failed\n");
        for failure in &report.failures {
            let natural = if failure.natural { ", as it does without an upgrade" } else { "" };
            out.push_str(&format!(
                "      {} x `{}` of {} in {}{natural}: {}\n",
                failure.count, failure.operation, failure.release, failure.stage, failure.message
            ));
        }
    }
    if !report.ledger.not_in_ledger.is_empty() {
        out.push_str(&format!("\n  not in the ledger: {}\n", report.ledger.not_in_ledger.join(", ")));
    }
    for note in &report.notes {
        out.push_str(&format!("  note: {note}\n"));
    }
    out.push_str(&format!(
        "\nseed {} (--seed makes the same choices again); report: {}\n",
        report.seed,
        folder.join("report.html").display()
    ));
    out
}

fn line(stage: &StageReport) -> String {
    let latency = &stage.latency;
    #[expect(clippy::cast_precision_loss, reason = "seconds for people")]
    let seconds = (stage.ended_ms - stage.began_ms) as f64 / 1e3;
    let stall = stage.stall.as_ref().map_or_else(String::new, |stall| {
        let why = match (&stall.held_by, stall.during.last()) {
            (Some(holder), _) => format!(", held by {holder}"),
            (None, Some(during)) => format!(", during {during}"),
            (None, None) => String::new(),
        };
        format!("{} of {}{why}", stall.operation, stall.release)
    });
    let stall = cut(&stall, 100);
    format!(
        "  {:<9} {:>7.1}  {:>12.1}  {:>6.1}  {:>6.1}  {:>6.1}  {:>7.1}  {:>6}  {stall}\n",
        stage.stage.word(),
        seconds,
        stage.throughput,
        latency.p50_ms,
        latency.p95_ms,
        latency.p99_ms,
        latency.max_ms,
        stage.failed
    )
}

/// The beginning of a text, on one line.
pub(super) fn cut(text: &str, most: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= most {
        return line;
    }
    line.chars().take(most - 1).chain(['…']).collect()
}
