//! Makes the report of what was found, and the verdict.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::conductor::{Options, Played, ms};
use super::measure::{Measured, Outcome, Sample, Subject, Trouble};
use super::proof::End;
use super::report::{
    Assertion, Evidence, FailureReport, Impact, Injection, InvariantReport, Latency, LedgerReport, OperationReport,
    POINT_MS, Point, Report, Span, StageReport, Stall, Statistics, Verdict,
};
use super::slowness::Slowness;
use super::stalls::Sighting;
use super::statistics::{FLOOR_MS, LEVEL, WINDOW_MS, fisher};
use crate::catalog::Stage;
use crate::dialect::Kind;

/// What was found, before it is judged.
#[derive(Debug)]
pub(super) struct Findings<'o> {
    pub(super) options: &'o Options,
    pub(super) kind: Kind,
    pub(super) server: String,
    pub(super) began_at: i64,
    pub(super) played: Vec<Played>,
    pub(super) spans: Vec<Span>,
    pub(super) injections: Vec<Injection>,
    pub(super) invariants: Vec<InvariantReport>,
    /// Commands that were expected to end well, whether they did, and how.
    pub(super) commands: Vec<(String, bool, String)>,
    pub(super) notes: Vec<String>,
    pub(super) ledger: LedgerReport,
    pub(super) sightings: Vec<Sighting>,
    /// Why it could not go on to the end.
    pub(super) broken: Option<String>,
    pub(super) end: Option<End>,
}

/// The latencies of a stage, by operation.
type ByOperation<'m> = BTreeMap<usize, Vec<&'m Sample>>;

/// Puts each operation into the stage in which it was due: one that waited may have been done in a later one.
fn by_due(measured: &mut Measured, played: &[Played]) {
    for sample in &mut measured.samples {
        let stage = played.iter().rposition(|played| played.began <= sample.due);
        sample.stage = stage.unwrap_or(sample.stage);
    }
}

pub(super) fn judge(found: Findings<'_>, mut measured: Measured, took: Duration) -> Report {
    by_due(&mut measured, &found.played);
    let measured = &measured;
    let slowness = Slowness::of(measured, &found.played);
    let thresholds = slowness.thresholds();
    let mut impacts = slowness.impacts().into_iter();
    let failures = failures(measured, &found.played);
    let stages: Vec<StageReport> = found
        .played
        .iter()
        .enumerate()
        .map(|(number, played)| stage_report(number, played, measured, &found, impacts.next().flatten()))
        .collect();
    let mut notes = found.notes.clone();
    if measured.passed_over > 0 {
        notes.push(format!("{} operations had no row to be done with, and were passed over", measured.passed_over));
    }
    for subject in 0..measured.subjects.len() {
        let mut own = measured.samples.iter().filter(|sample| sample.task == subject).peekable();
        if own.peek().is_some() && own.all(|sample| sample.outcome == Outcome::Failed) {
            let Subject { release, operation } = &measured.subjects[subject];
            notes.push(format!(
                "`{operation}` of {release} never succeeded: what an upgrade does to it, nobody can tell"
            ));
        }
    }
    if measured.samples.is_empty() {
        notes.push("no operation was done: the stages were too short, or the rate too low".to_owned());
    }
    let assertions = assertions(&found, &stages, &failures);
    let verdict = assertions.iter().take_while(|assertion| assertion.holds).last();
    let verdict = verdict.map_or(Verdict::Failed, |assertion| assertion.name);
    let options = found.options;
    Report {
        from: options.from.clone(),
        to: options.to.clone(),
        database: found.kind.key().to_owned(),
        server: found.server,
        seed: options.seed,
        command: command(options),
        nodes: options.nodes,
        rate: options.rate,
        scale: options.scale,
        began_at: found.began_at,
        duration_ms: ms(took),
        verdict,
        required: options.require,
        passed: verdict.reaches(options.require),
        assertions,
        stages,
        series: series(measured, took),
        spans: found.spans,
        injections: found.injections,
        invariants: found.invariants,
        failures,
        ledger: found.ledger,
        statistics: Statistics {
            tests: "Fisher's exact test of slow windows, and Rosenbaum's test of windows beyond every quiet one; one-sided, against the \
                    hop's quiet stage; corrected by Holm for all tests of the rehearsal",
            assumes: "windows are independent, and without an impact exchangeable between the stages: the machine was as busy \
                      with other things in one as in the other",
            level: LEVEL,
            window_ms: WINDOW_MS,
            floor_ms: FLOOR_MS,
            thresholds,
        },
        notes,
    }
}

/// The command that rehearses the same again.
fn command(options: &Options) -> String {
    let in_words = |duration: Duration| match duration.as_millis() {
        millis if millis % 1_000 == 0 => format!("{}s", millis / 1_000),
        millis => format!("{millis}ms"),
    };
    let mut words = format!("concertina rehearse {} {}", shell_word(&options.from), shell_word(&options.to));
    if options.server.is_some() {
        // The URL may have a password in it, and this is read by many.
        words.push_str(" --database \"$CONCERTINA_DATABASE\"");
    }
    let Options { seed, nodes, rate, scale, require, .. } = options;
    let (stage, patience) = (in_words(options.stage), in_words(options.patience));
    words.push_str(&format!(
        " --seed {seed} --nodes {nodes} --rate {rate} --scale {scale} --stage {stage} --patience {patience} --require {require}"
    ));
    words
}

/// A word as a shell reads it.
fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-+/:@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

/// Latencies as a histogram of microseconds, with three digits, up to ten minutes.
fn histogram<'m>(samples: impl Iterator<Item = &'m Sample>) -> Histogram<u64> {
    const LONGEST: u64 = 600_000_000;
    let mut histogram = Histogram::new_with_bounds(1, LONGEST, 3).expect("the bounds are sound");
    for sample in samples {
        let micros = u64::try_from(sample.latency.as_micros()).unwrap_or(LONGEST);
        histogram.saturating_record(micros.max(1));
    }
    histogram
}

#[expect(clippy::cast_precision_loss, reason = "microseconds, for people")]
fn in_milliseconds(micros: u64) -> f64 {
    micros as f64 / 1e3
}

fn latency(histogram: &Histogram<u64>) -> Latency {
    let mut buckets: Vec<(f64, u64)> = Vec::new();
    // From a tenth of a millisecond on; a bucket ends at half as much again as the one before.
    for value in histogram.iter_recorded() {
        let mut end = 0.1_f64;
        let at = in_milliseconds(value.value_iterated_to());
        while end < at {
            end *= 1.5;
        }
        let end = (end * 1e3).round() / 1e3;
        match buckets.last_mut() {
            Some((last, count)) if last.total_cmp(&end).is_eq() => *count += value.count_at_value(),
            _ => buckets.push((end, value.count_at_value())),
        }
    }
    Latency {
        count: histogram.len(),
        p50_ms: in_milliseconds(histogram.value_at_quantile(0.5)),
        p95_ms: in_milliseconds(histogram.value_at_quantile(0.95)),
        p99_ms: in_milliseconds(histogram.value_at_quantile(0.99)),
        max_ms: in_milliseconds(histogram.max()),
        histogram: buckets,
    }
}

fn stage_report(
    number: usize,
    played: &Played,
    measured: &Measured,
    found: &Findings<'_>,
    impact: Option<Impact>,
) -> StageReport {
    let samples: Vec<&Sample> = measured.samples.iter().filter(|sample| sample.stage == number).collect();
    let mut by_operation: ByOperation<'_> = BTreeMap::new();
    for sample in &samples {
        by_operation.entry(sample.task).or_default().push(sample);
    }
    let failed = |samples: &[&Sample]| samples.iter().filter(|sample| sample.outcome == Outcome::Failed).count() as u64;
    let done = samples.len() as u64 - failed(&samples);
    let seconds = (played.ended.saturating_sub(played.began)).as_secs_f64().max(0.001);
    let operations = by_operation
        .iter()
        .map(|(task, samples)| OperationReport {
            release: measured.subjects[*task].release.clone(),
            operation: measured.subjects[*task].operation.clone(),
            failed: failed(samples),
            latency: latency(&histogram(samples.iter().copied())),
        })
        .collect();
    let longest = samples.iter().max_by_key(|sample| sample.latency);
    let stall = longest.map(|sample| stall(sample, measured, found));
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let throughput = (done as f64 / seconds * 10.0).round() / 10.0;
    StageReport {
        hop: played.hop.clone(),
        stage: played.stage,
        began_ms: ms(played.began),
        ended_ms: ms(played.ended),
        done,
        failed: failed(&samples),
        retries: samples.iter().map(|sample| u64::from(sample.retries)).sum(),
        throughput,
        latency: latency(&histogram(samples.iter().copied())),
        operations,
        stall,
        impact,
    }
}

fn stall(sample: &Sample, measured: &Measured, found: &Findings<'_>) -> Stall {
    let (from, to) = (sample.due, sample.due + sample.latency);
    let subject = &measured.subjects[sample.task];
    let seen = found.sightings.iter().filter(|seen| seen.node == sample.node && seen.at >= from && seen.at <= to);
    // The one seen first stands in front of the others.
    let held_by = seen.min_by_key(|sighting| sighting.since).map(|sighting| sighting.holder.clone());
    let (began, ended) = (ms(from), ms(to));
    let during = found.spans.iter().filter(|span| span.began_ms <= ended && span.ended_ms >= began);
    let mut during: Vec<String> = during
        .map(|span| if span.what.is_empty() { format!("concertina {}", span.command) } else { span.what.clone() })
        .collect();
    during.dedup();
    Stall {
        at_ms: began,
        took_ms: milliseconds(sample.latency),
        release: subject.release.clone(),
        operation: subject.operation.clone(),
        held_by,
        during,
    }
}

fn series(measured: &Measured, took: Duration) -> Vec<Point> {
    let mut points: Vec<Vec<&Sample>> = Vec::new();
    points.resize_with(usize::try_from(ms(took) / POINT_MS + 1).unwrap_or(0), Vec::new);
    for sample in &measured.samples {
        let at = usize::try_from(ms(sample.due) / POINT_MS).unwrap_or(usize::MAX);
        if let Some(point) = points.get_mut(at) {
            point.push(sample);
        }
    }
    let point = |(number, samples): (usize, Vec<&Sample>)| {
        let failed = samples.iter().filter(|sample| sample.outcome == Outcome::Failed).count() as u64;
        let latency = latency(&histogram(samples.iter().copied()));
        Point {
            at_ms: number as u64 * POINT_MS,
            done: latency.count - failed,
            failed,
            p50_ms: latency.p50_ms,
            p99_ms: latency.p99_ms,
            max_ms: latency.max_ms,
        }
    };
    points.into_iter().enumerate().map(point).collect()
}

/// The operations that failed, each kind once; one that fails as often before anything begins is natural.
fn failures(measured: &Measured, played: &[Played]) -> Vec<FailureReport> {
    let operation = |task: usize| measured.subjects[task].operation.as_str();
    // Later quiet stages come after a contract, and may suffer from it.
    let all_of = |stage: usize, name: &str| {
        let here = |sample: &&Sample| sample.stage == stage && operation(sample.task) == name;
        measured.samples.iter().filter(here).count() as u64
    };
    let report = |trouble: &Trouble| {
        let name = operation(trouble.task);
        let first = |other: &&Trouble| other.stage == 0 && other.kind == trouble.kind && operation(other.task) == name;
        let before: u64 = measured.troubles.iter().filter(first).map(|other| other.count).sum();
        let (all, all_before) = (all_of(trouble.stage, name), all_of(0, name));
        let more = fisher(trouble.count, all.max(trouble.count), before, all_before.max(before)) < LEVEL;
        FailureReport {
            release: measured.subjects[trouble.task].release.clone(),
            operation: name.to_owned(),
            stage: played.get(trouble.stage).map_or(Stage::Quiet, |played| played.stage),
            at_ms: ms(trouble.at),
            count: trouble.count,
            message: trouble.message.clone(),
            natural: trouble.stage == 0 || (before > 0 && !more),
        }
    };
    measured.troubles.iter().map(report).collect()
}

fn evidence(what: impl Into<String>, holds: bool, found: impl Into<String>) -> Evidence {
    Evidence { what: what.into(), holds, found: found.into() }
}

/// The four assertions, each with its evidence.
fn assertions(found: &Findings<'_>, stages: &[StageReport], failures: &[FailureReport]) -> Vec<Assertion> {
    let assertion = |name, says, evidence: Vec<Evidence>| Assertion {
        name,
        says,
        holds: evidence.iter().all(|evidence| evidence.holds),
        evidence,
    };
    vec![
        assertion(
            Verdict::Upgrade,
            "the database comes from the old release to the new one with all its data",
            upgrade(found),
        ),
        assertion(Verdict::Rolling, "nodes of both releases work on one database, and agree", rolling(found, stages)),
        assertion(
            Verdict::ZeroDowntime,
            "no request fails that would not fail without the upgrade",
            downtime(found, stages, failures),
        ),
        assertion(Verdict::ZeroImpact, "no request is slower than it would be without the upgrade", impacts(stages)),
    ]
}

fn upgrade(found: &Findings<'_>) -> Vec<Evidence> {
    let mut all = Vec::new();
    let wrong: Vec<&(String, bool, String)> = found.commands.iter().filter(|(_, holds, _)| !holds).collect();
    let ran = match (&found.broken, wrong.first()) {
        (Some(why), _) => evidence("every phase ends well", false, why.clone()),
        (None, Some((command, _, how))) => {
            evidence("every phase ends well", false, format!("concertina {command}: {how}"))
        }
        (None, None) => evidence("every phase ends well", true, format!("{} commands", found.commands.len())),
    };
    all.push(ran);
    let resilience: Vec<&Injection> =
        found.injections.iter().filter(|injection| matches!(injection.kind, "kill" | "restart" | "rollback")).collect();
    let bad = resilience.iter().find(|injection| injection.holds == Some(false));
    let told =
        resilience.iter().filter(|injection| injection.holds == Some(true) && injection.kind != "restart").count();
    all.push(match bad {
        Some(bad) => evidence("it survives kill -9 and rollback", false, format!("{}: {}", bad.what, bad.outcome)),
        None => evidence("it survives kill -9 and rollback", true, format!("{told} of them")),
    });
    let checks = &found.ledger.checks;
    let last = checks.last().map(|checked| (checked.rows, checked.values, checked.not_compared));
    let (rows, values, not_compared) = last.unwrap_or_default();
    let lost = found.ledger.lost();
    let first = checks.iter().flat_map(|checked| &checked.first).next();
    let words = match first {
        Some(lost_one) => {
            let column = lost_one.column.as_deref().map_or_else(String::new, |column| format!(", {column}"));
            format!(
                "{lost} lost, the first in {} ({}{column}): expected {}, found {}",
                lost_one.table, lost_one.key, lost_one.expected, lost_one.found
            )
        }
        None if found.ledger.programs => {
            "nobody looked: what a program writes is known to it alone, so it must look itself".to_owned()
        }
        None => {
            let not = if not_compared == 0 { String::new() } else { format!(", {not_compared} could not be") };
            format!("{} writes, {rows} rows and {values} values compared{not}", found.ledger.writes)
        }
    };
    // A ledger that compares nothing proves nothing.
    let looked = values > 0 || found.ledger.writes == 0;
    // Where it was broken before the end, nobody has looked: that is told by what broke it.
    all.push(evidence(
        "no write is lost",
        lost == 0 && ((looked && !checks.is_empty()) || found.ledger.programs || found.broken.is_some()),
        words,
    ));
    if let Some(end) = &found.end {
        let same = end.differences.is_empty();
        let words = if same { "it is".to_owned() } else { end.differences.join("; ") };
        all.push(evidence("the schema is the one that `upgrade` makes from nothing", same, words));
        let clean = end.leftovers.is_empty();
        let words = if clean { "nothing".to_owned() } else { end.leftovers.join(", ") };
        all.push(evidence("nothing is left over", clean, words));
    }
    all
}

fn rolling(found: &Findings<'_>, stages: &[StageReport]) -> Vec<Evidence> {
    let mut all = Vec::new();
    for stage in stages.iter().filter(|stage| stage.stage == Stage::Mixed) {
        let mut releases: BTreeMap<&str, u64> = BTreeMap::new();
        for operation in &stage.operations {
            *releases.entry(&operation.release).or_default() += operation.latency.count - operation.failed;
        }
        let words: Vec<String> =
            releases.iter().map(|(release, count)| format!("{release} {count} operations")).collect();
        let both = releases.len() > 1 && releases.values().all(|count| *count > 0);
        all.push(evidence(format!("both releases are at work at once ({})", stage.hop), both, words.join(", ")));
    }
    if all.is_empty() {
        all.push(evidence("both releases are at work at once", false, "it did not come to that"));
    }
    for (kind, what) in
        [("workload", "every invariant holds at every moment"), ("sync", "every sync is in step at every moment")]
    {
        let of_kind: Vec<&InvariantReport> =
            found.invariants.iter().filter(|invariant| invariant.kind == kind).collect();
        let asked: u64 = of_kind.iter().map(|invariant| invariant.asked).sum();
        let broken = of_kind.iter().find(|invariant| invariant.broken > 0);
        all.push(match broken {
            Some(broken) => {
                let first = broken.first.clone().unwrap_or_default();
                evidence(
                    what,
                    false,
                    format!("`{}` broke {} times of {}; {first}", broken.name, broken.broken, broken.asked),
                )
            }
            None => evidence(what, true, format!("{} of them, asked {asked} times", of_kind.len())),
        });
    }
    let gates: Vec<&Injection> = found
        .injections
        .iter()
        .filter(|injection| matches!(injection.kind, "second-runner" | "early-contract" | "old-node-check"))
        .collect();
    let bad = gates.iter().find(|injection| injection.holds == Some(false));
    let told = gates.iter().filter(|injection| injection.holds == Some(true)).count();
    all.push(match bad {
        Some(bad) => evidence("what must be refused is refused", false, format!("{}: {}", bad.what, bad.outcome)),
        None => evidence(
            "what must be refused is refused",
            true,
            format!("{told} of {}, the others came too late", gates.len()),
        ),
    });
    all
}

fn downtime(found: &Findings<'_>, stages: &[StageReport], failures: &[FailureReport]) -> Vec<Evidence> {
    let done: u64 = stages.iter().map(|stage| stage.done).sum();
    let unnatural: Vec<&FailureReport> = failures.iter().filter(|failure| !failure.natural).collect();
    let count: u64 = unnatural.iter().map(|failure| failure.count).sum();
    let failed = match unnatural.first() {
        Some(first) => evidence(
            "no operation fails",
            false,
            format!(
                "{count} failed, the first in {}, `{}` of {}: {}",
                first.stage, first.operation, first.release, first.message
            ),
        ),
        None if done == 0 => evidence("no operation fails", false, "no operation was done"),
        None => {
            let natural: u64 = failures.iter().map(|failure| failure.count).sum();
            let retries: u64 = stages.iter().map(|stage| stage.retries).sum();
            let natural =
                if natural == 0 { String::new() } else { format!("; {natural} failed as they do without an upgrade") };
            evidence("no operation fails", true, format!("{done} done, {retries} transactions tried again{natural}"))
        }
    };
    let longest = stages.iter().filter_map(|stage| stage.stall.as_ref()).max_by(|a, b| a.took_ms.total_cmp(&b.took_ms));
    let patience = milliseconds(found.options.patience);
    let quiet = stages.first().filter(|stage| stage.stage == Stage::Quiet);
    let kept_up = quiet.is_none_or(|stage| stage.latency.p50_ms < 1_000.0);
    let pace = quiet
        .map_or_else(String::new, |stage| format!("the median of the quiet stage is {:.1} ms", stage.latency.p50_ms));
    let pace = if kept_up {
        pace
    } else {
        format!("{pace}: --rate is more than this machine does, and stalls tell nothing of the upgrade")
    };
    let words = longest.map_or_else(
        || "no operation was done".to_owned(),
        |stall| format!("the longest took {:.0} ms", stall.took_ms),
    );
    let patient = longest.is_some_and(|stall| stall.took_ms <= patience);
    vec![
        failed,
        evidence("the nodes keep up before anything begins", kept_up, pace),
        evidence(format!("no operation takes longer than {patience:.0} ms"), patient, words),
    ]
}

fn impacts(stages: &[StageReport]) -> Vec<Evidence> {
    let mut all = Vec::new();
    for stage in stages {
        let Some(impact) = &stage.impact else { continue };
        let [own, quiet] = impact.windows;
        let words = format!(
            "{} of {own} windows slow, {} of {quiet} quiet ones (p = {:.2e}); {} beyond every quiet one (p = {:.2e})",
            impact.slow[0], impact.slow[1], impact.fisher_p, impact.beyond, impact.rosenbaum_p
        );
        all.push(evidence(format!("{} is as fast as quiet ({})", stage.stage, stage.hop), !impact.significant, words));
    }
    if all.is_empty() {
        all.push(evidence("the stages are as fast as quiet", false, "it did not come to that"));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn played(hop: &str, stage: Stage) -> Played {
        Played { hop: hop.to_owned(), stage, began: Duration::ZERO, ended: Duration::ZERO }
    }

    fn failed(stage: usize, task: usize, kind: &str, count: u64) -> Trouble {
        Trouble { at: Duration::ZERO, count, stage, task, kind: kind.to_owned(), message: kind.to_owned() }
    }

    fn measured(tasks: &[&str], troubles: Vec<Trouble>) -> Measured {
        let mut measured = Measured::default();
        let subject = |operation: &&str| Subject { release: "one".to_owned(), operation: (*operation).to_owned() };
        measured.subjects = tasks.iter().map(subject).collect();
        measured.troubles = troubles;
        measured
    }

    #[test]
    fn many_natural_failures_hide_no_other() {
        let played = [played("a", Stage::Quiet), played("a", Stage::Contract)];
        let troubles = vec![failed(0, 0, "23505", 10_000), failed(1, 0, "23505", 9_000), failed(1, 1, "42703", 1)];
        let natural: Vec<bool> =
            failures(&measured(&["noisy", "other"], troubles), &played).iter().map(|failure| failure.natural).collect();
        assert_eq!(natural, [true, true, false]);
    }

    #[test]
    fn what_fails_since_a_contract_is_natural_in_no_later_stage() {
        let stages = [("a", Stage::Quiet), ("a", Stage::After), ("b", Stage::Quiet), ("b", Stage::Mixed)];
        let played = stages.map(|(hop, stage)| played(hop, stage));
        let troubles = (1..4).map(|stage| failed(stage, 0, "42703", 50)).collect();
        assert!(failures(&measured(&["read"], troubles), &played).iter().all(|failure| !failure.natural));
    }
}
