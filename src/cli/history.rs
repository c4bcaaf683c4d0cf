//! `concertina history`

use std::time::Duration;

use super::{Failure, Format, Shell, exit, output};
use crate::catalog::parse_duration;
use crate::engine::history;
use crate::store::{Event, EventFilter};

/// Show what happened: every command, step, backfill, gate and failure, who did it, when, and how long it took
///
/// The latest events, oldest first, at the times of the database's clock, in UTC. With --output json a document a line.
#[derive(Debug, clap::Args)]
pub(super) struct History {
    /// Only what was about this release
    #[arg(long)]
    release: Option<String>,
    /// Only what has this in its subject: a step's id, a phase such as `ocata/expand`, `gate`
    #[arg(long, value_name = "TEXT")]
    subject: Option<String>,
    /// Only what this command did
    #[arg(long, value_name = "COMMAND")]
    by: Option<String>,
    /// Only this outcome: `started`, `done`, `failed`, `undone`, `forced`, `passed`, `stopped`, …
    #[arg(long)]
    outcome: Option<String>,
    /// Only the last so long, such as `2h`
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    since: Option<Duration>,
    /// At most so many events, the latest; 0: all
    #[arg(long, value_name = "EVENTS", default_value_t = 100)]
    limit: u32,
}

impl History {
    pub(super) async fn run(self, shell: &Shell) -> Result<u8, Failure> {
        let filter = EventFilter {
            release: self.release,
            subject: self.subject,
            command: self.by,
            outcome: self.outcome,
            since_ms: self.since.map(|since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX / 2)),
            limit: (self.limit > 0).then_some(self.limit),
        };
        let events = history(&shell.project, &shell.target, &filter, &shell.talk).await?;
        for event in &events {
            match shell.global.output {
                Format::Json => output::line(&serde_json::to_string(event).map_err(Failure::unexpected)?),
                _ => output::line(&line(event)),
            }
        }
        if events.is_empty() && shell.global.output == Format::Text {
            output::line("nothing happened here yet, or nothing that was asked for");
        }
        Ok(exit::DONE)
    }
}

fn line(event: &Event) -> String {
    let took = event.duration_ms.map_or_else(String::new, |took| format!(" ({took} ms)"));
    let detail = event.detail.as_ref().map_or_else(String::new, |detail| {
        let lines: Vec<_> = detail.lines().map(|line| format!("\n{:22}{line}", "")).collect();
        lines.concat()
    });
    let Event { subject, outcome, command, runner, .. } = event;
    format!("{}  {outcome:8} {subject}{took}  [{command}, {runner}]{detail}", moment(event.happened_at))
}

/// A time of the database's clock, in UTC, to the second.
fn moment(milliseconds: i64) -> String {
    match jiff::Timestamp::from_millisecond(milliseconds) {
        Ok(time) => time.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
        Err(_) => milliseconds.to_string(),
    }
}
