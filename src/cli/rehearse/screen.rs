//! Tells on stderr how a rehearsal goes: a line an event, and on a terminal a live one below.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use crate::cli::talk::{self, Talk};
use crate::cli::{exit, output};
use crate::engine::Observer;
use crate::rehearsal::{Audience, Live, News};

/// The audience of a rehearsal.
pub(super) struct Screen {
    talk: Talk,
    quiet: bool,
    as_json: bool,
    live: bool,
}

impl Screen {
    pub(super) fn new(quiet: bool, as_json: bool) -> Self {
        let live = !quiet && !as_json && output::talk_is_watched();
        if live {
            let bar = ProgressBar::new_spinner();
            bar.set_style(ProgressStyle::with_template("  {msg}").unwrap_or_else(|_| ProgressStyle::default_spinner()));
            talk::show(bar);
        }
        Self { talk: Talk::new(quiet, as_json), quiet, as_json, live }
    }
}

impl Screen {
    /// Says a line of our own.
    pub(super) fn say(&self, line: &str) {
        if !self.quiet && !self.as_json {
            talk::say(line);
        }
    }
}

impl Audience for Screen {
    fn interrupted(&self) -> bool {
        self.talk.interrupted()
    }

    fn hears(&self, news: &News) {
        if self.quiet {
            return;
        }
        if self.as_json {
            if let Some(event) = as_json(news) {
                talk::say(&event.to_string());
            }
            return;
        }
        if let News::Live(live) = news {
            if self.live {
                talk::caption(&caption(live));
            }
            return;
        }
        if let Some(line) = in_words(news) {
            talk::say(&line);
        }
    }
}

fn caption(live: &Live) -> String {
    let failed = if live.failed == 0 { "none failed".to_owned() } else { format!("{} FAILED", live.failed) };
    format!(
        "{:>4.0} operations/s   median {:>6.1} ms   longest {:>6.1} ms   {} done, {failed}",
        live.rate,
        milliseconds(live.median),
        milliseconds(live.longest),
        live.done
    )
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

fn in_words(news: &News) -> Option<String> {
    Some(match news {
        News::Preparing(what) => format!("making {what}"),
        News::Stage { hop, stage, nodes: [old, new] } => {
            let nodes = match (old, new) {
                (old, 0) => format!("{old} old nodes at work"),
                (0, new) => format!("{new} new nodes at work"),
                (old, new) => format!("{old} old nodes at work, {new} new"),
            };
            format!("{stage} ({hop}): {nodes}")
        }
        News::Ran { command, code: Some(code), took } if exit::is_done(*code) => {
            format!("  concertina {command} ({:.0} ms)", milliseconds(*took))
        }
        News::Ran { command, code: Some(code), took } => {
            format!("  concertina {command}: exit {code} ({:.0} ms)", milliseconds(*took))
        }
        News::Ran { command, code: None, took } => {
            format!("  concertina {command}: killed ({:.0} ms)", milliseconds(*took))
        }
        News::Injected(injection) => {
            let mark = match injection.holds {
                Some(true) => "as it must be",
                Some(false) => "NOT AS IT MUST BE",
                None => "tells nothing",
            };
            format!("  {}: {} ({mark})", injection.what, injection.outcome)
        }
        News::Trouble(what) => format!("  TROUBLE: {what}"),
        News::Live(_) => return None,
    })
}

fn as_json(news: &News) -> Option<serde_json::Value> {
    let milliseconds = |took: &Duration| u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    Some(match news {
        News::Preparing(what) => json!({ "event": "rehearsal_preparing", "what": what }),
        News::Stage { hop, stage, nodes: [old, new] } => {
            json!({ "event": "rehearsal_stage", "hop": hop, "stage": stage, "old_nodes": old, "new_nodes": new })
        }
        News::Ran { command, code, took } => {
            json!({ "event": "rehearsal_command", "command": command, "code": code, "duration_ms": milliseconds(took) })
        }
        News::Injected(injection) => json!({
            "event": "rehearsal_injection", "kind": injection.kind, "what": injection.what, "outcome": injection.outcome,
            "holds": injection.holds
        }),
        News::Trouble(what) => json!({ "event": "rehearsal_trouble", "message": what }),
        News::Live(_) => return None,
    })
}
