//! Tells on stderr what the engine does: lines, a bar on a terminal, JSON lines for collectors; and hears the signals.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use serde_json::json;

use super::output;
use crate::engine::{Blocker, Event, Observer};

/// The signal that asked us to stop: 2 for SIGINT, 15 for SIGTERM, 0 for none.
static SIGNAL: AtomicU8 = AtomicU8::new(0);

/// The signal that asked us to stop.
pub(super) fn signal() -> u8 {
    SIGNAL.load(Ordering::Relaxed)
}

/// The bar that is being drawn, if one is: whatever else is said goes above it.
static BAR: Mutex<Option<ProgressBar>> = Mutex::new(None);

fn bar() -> Option<ProgressBar> {
    BAR.lock().ok().and_then(|bar| bar.clone())
}

/// Takes the bar away.
pub(super) fn finish() {
    if let Some(bar) = BAR.lock().ok().and_then(|mut bar| bar.take()) {
        bar.finish_and_clear();
    }
}

/// Shows a bar, or a line that changes, below what is said.
pub(super) fn show(bar: ProgressBar) {
    if let Ok(mut shown) = BAR.lock() {
        *shown = Some(bar);
    }
}

/// Changes the text of what is shown.
pub(super) fn caption(text: &str) {
    if let Some(bar) = bar() {
        bar.set_message(text.to_owned());
        bar.tick();
    }
}

/// Says a line.
pub(super) fn say(line: &str) {
    match bar() {
        Some(bar) => bar.suspend(|| output::talk(line)),
        None => output::talk(line),
    }
}

/// Says what the program itself cannot do, in the form of its logs.
pub(super) fn warn(as_json: bool, message: &str) {
    if as_json {
        say(&json!({ "event": "warning", "message": message }).to_string());
    } else {
        say(&format!("warning: {message}"));
    }
}

/// The engine's observer.
pub(super) struct Talk {
    quiet: bool,
    as_json: bool,
    said: Mutex<Instant>,
}

impl Talk {
    pub(super) fn new(quiet: bool, as_json: bool) -> Self {
        tokio::spawn(listen(as_json));
        Self { quiet, as_json, said: Mutex::new(Instant::now()) }
    }

    fn start_bar(&self, id: &str, estimate: Option<u64>, walked: u64) {
        if self.quiet || self.as_json || !output::talk_is_watched() {
            return;
        }
        let bar = match estimate {
            Some(rows) => ProgressBar::new(rows.max(walked))
                .with_style(style("{msg} {wide_bar} {human_pos}/{human_len} rows, {rate}, {eta} left")),
            None => ProgressBar::new_spinner().with_style(style("{msg} {spinner} {human_pos} rows, {rate}")),
        };
        bar.set_message(id.to_owned());
        bar.set_position(walked);
        bar.reset_eta();
        show(bar);
    }
}

fn style(template: &str) -> ProgressStyle {
    // The bar's own rate has four digits behind the point.
    let rate = |state: &ProgressState, output: &mut dyn std::fmt::Write| {
        write!(output, "{:.0} rows/s", state.per_sec()).unwrap_or_default();
    };
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()).with_key("rate", rate)
}

/// The first signal asks the engine to stop at the next safe place; the second is not waited for.
async fn listen(as_json: bool) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return;
    };
    // Said with -q as well: whoever asks is to know that it was heard.
    loop {
        let number = tokio::select! {
            _ = interrupt.recv() => 2,
            _ = terminate.recv() => 15,
        };
        if SIGNAL.swap(number, Ordering::Relaxed) != 0 {
            say(&stopping(true, as_json));
            crate::db::end_open_sessions().await;
            #[expect(clippy::exit, reason = "asked twice: nothing is waited for")]
            std::process::exit(128 + i32::from(number));
        }
        say(&stopping(false, as_json));
    }
}

fn stopping(at_once: bool, as_json: bool) -> String {
    if as_json {
        return json!({ "event": "stopping", "at_once": at_once }).to_string();
    }
    if at_once {
        "stopping at once; what runs at the server is ended there"
    } else {
        "stopping at the next safe place; once more to stop at once"
    }
    .to_owned()
}

fn seconds(took: Duration) -> String {
    if took < Duration::from_secs(1) {
        format!("{} ms", took.as_millis())
    } else {
        format!("{:.1} s", took.as_secs_f64())
    }
}

/// A time to go, as exact as it can be known.
fn about(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..90 => format!("{seconds} s"),
        seconds @ 90..5_400 => format!("{} min", seconds / 60),
        seconds => format!("{:.1} h", Duration::from_secs(seconds).as_secs_f64() / 3_600.0),
    }
}

impl Observer for Talk {
    fn interrupted(&self) -> bool {
        signal() != 0
    }

    fn event(&self, event: Event) {
        match &event {
            Event::BackfillStarted { id, estimate, walked } => self.start_bar(id, *estimate, *walked),
            Event::Batch { walked, left, .. } => {
                if let Some(bar) = bar() {
                    bar.set_length(left.map_or(bar.length().unwrap_or(0).max(*walked), |left| walked + left));
                    bar.set_position(*walked);
                    return;
                }
                // Without a terminal, a line every ten seconds is enough.
                let Ok(mut said) = self.said.lock() else { return };
                if !self.as_json && said.elapsed() < Duration::from_secs(10) {
                    return;
                }
                *said = Instant::now();
            }
            Event::BackfillStopped { .. } => finish(),
            _ => {}
        }
        if self.quiet {
            return;
        }
        if self.as_json {
            say(&as_json(&event).to_string());
        } else if let Some(line) = in_words(&event) {
            say(&line);
        }
    }
}

fn in_words(event: &Event) -> Option<String> {
    Some(match event {
        Event::Baseline { label, took } => format!("  baseline {label} ({})", seconds(*took)),
        Event::PhaseStarted { release, phase } => format!("{phase} {release}"),
        Event::PhaseDone { release, phase, took } => format!("{phase} {release} is done ({})", seconds(*took)),
        Event::RollbackStarted { release } => format!("rollback {release}"),
        Event::RollbackDone { release, took } => format!("rollback {release} is done ({})", seconds(*took)),
        Event::StepStarted { .. } => return None,
        Event::StepDone { summary, took: Some(took) } => format!("  {summary} ({})", seconds(*took)),
        Event::StepDone { summary, took: None } => format!("  {summary} (done by an earlier run)"),
        Event::Waiting { what, reason } => format!("  waiting to {what}: {reason}"),
        Event::Awaiting { until, reason } => format!("  waiting until {until}: {reason}"),
        Event::Blocked { what, certain, blockers } => {
            let who = Blocker::several(blockers);
            format!("  waiting to {what}: {} {who}", if *certain { "blocked by" } else { "perhaps blocked by" })
        }
        Event::Unblocked { what, reason } => format!("  waiting to {what}: {reason}"),
        Event::BackfillStarted { id, walked, .. } if *walked > 0 => {
            format!("  backfill {id} goes on behind {walked} rows")
        }
        Event::BackfillStarted { id, .. } => format!("  backfill {id}"),
        Event::Batch { id, walked, changed, next_size, rate, left, time_left, throttle } => {
            let left = left.map_or_else(String::new, |left| format!(", about {left} left"));
            let time = time_left.map_or_else(String::new, |time| format!(" ({})", about(time)));
            let throttle = throttle.as_ref().map_or_else(String::new, |reason| format!("; {reason}"));
            format!(
                "  backfill {id}: {walked} rows walked, {changed} changed, {rate:.0} rows/s{left}{time}, batches of {next_size}{throttle}"
            )
        }
        Event::BackfillStopped { id, changed, done: true } => {
            format!("  backfill {id} is done: {changed} rows changed")
        }
        Event::BackfillStopped { id, changed, done: false } => {
            format!("  backfill {id} stops at its limit: {changed} rows changed so far")
        }
        Event::Verifying { subject, rows } => format!("  verify {subject}: {rows} rows looked at"),
        Event::Verified { subject } => format!("  verified {subject}"),
        Event::Drifted { differences } => {
            format!("  somebody else changed the schema: {}", differences.join("; "))
        }
        Event::Lint(finding) => {
            format!("  {}[{}]: {}", finding.severity, finding.rule, finding.diagnostic())
        }
        Event::Forced { gate, reason } => format!("  the gate `{gate}` is forced: {reason}"),
    })
}

fn as_json(event: &Event) -> serde_json::Value {
    let milliseconds = |took: &Duration| u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    match event {
        Event::Baseline { label, took } => {
            json!({ "event": "baseline", "file": label, "duration_ms": milliseconds(took) })
        }
        Event::PhaseStarted { release, phase } => {
            json!({ "event": "phase_started", "release": release, "phase": phase })
        }
        Event::PhaseDone { release, phase, took } => {
            json!({ "event": "phase_done", "release": release, "phase": phase, "duration_ms": milliseconds(took) })
        }
        Event::RollbackStarted { release } => json!({ "event": "rollback_started", "release": release }),
        Event::RollbackDone { release, took } => {
            json!({ "event": "rollback_done", "release": release, "duration_ms": milliseconds(took) })
        }
        Event::StepStarted { summary } => json!({ "event": "step_started", "step": summary }),
        Event::StepDone { summary, took } => {
            json!({ "event": "step_done", "step": summary, "duration_ms": took.as_ref().map(milliseconds) })
        }
        Event::Waiting { what, reason } => json!({ "event": "waiting", "what": what, "reason": reason }),
        Event::Awaiting { until, reason } => json!({ "event": "awaiting", "until": until, "reason": reason }),
        Event::Blocked { what, certain, blockers } => {
            json!({ "event": "blocked", "what": what, "certain": certain, "blockers": blockers })
        }
        Event::Unblocked { what, reason } => json!({ "event": "unblocked", "what": what, "reason": reason }),
        Event::BackfillStarted { id, estimate, walked } => {
            json!({ "event": "backfill_started", "backfill": id, "rows_estimated": estimate, "rows_walked": walked })
        }
        Event::Batch { id, walked, changed, next_size, rate, left, time_left, throttle } => json!({
            "event": "batch", "backfill": id, "rows_walked": walked, "rows_changed": changed, "next_batch_rows": next_size,
            "rows_per_second": rate.round(), "rows_left_estimated": left,
            "seconds_left_estimated": time_left.map(|time| time.as_secs()), "throttle": throttle
        }),
        Event::BackfillStopped { id, changed, done } => {
            json!({ "event": "backfill_stopped", "backfill": id, "rows_changed": changed, "done": done })
        }
        Event::Verifying { subject, rows } => json!({ "event": "verifying", "subject": subject, "rows": rows }),
        Event::Verified { subject } => json!({ "event": "verified", "subject": subject }),
        Event::Drifted { differences } => json!({ "event": "drifted", "differences": differences }),
        Event::Lint(finding) => json!({
            "event": "lint", "severity": finding.severity, "rule": finding.rule,
            "message": finding.diagnostic().to_string(), "remedy": finding.remedy
        }),
        Event::Forced { gate, reason } => json!({ "event": "forced", "gate": gate, "reason": reason }),
    }
}
