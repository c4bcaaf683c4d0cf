//! `concertina status`

use std::time::{Duration, Instant};

use super::migrate::next_line;
use super::{Failure, Format, Shell, exit, output, talk};
use crate::catalog::parse_duration;
use crate::engine::{BackfillStatus, EngineError, Observer, ReleaseStatus, Status as Report, status};
use crate::plan::ReleaseState;

/// Show where everything stands, and what to do next
#[derive(Debug, clap::Args)]
pub(super) struct Status {
    /// Look again and again, and redraw in place, until interrupted; with --output json a document a line
    #[arg(long)]
    watch: bool,
    /// How often to look
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, default_value = "1s", requires = "watch")]
    every: Duration,
}

impl Status {
    pub(super) async fn run(self, shell: &Shell) -> Result<u8, Failure> {
        if self.watch {
            return watch(shell, self.every).await;
        }
        let report = status(&shell.project, &shell.target, &shell.talk).await?;
        shell.print(&report, text)?;
        Ok(exit::DONE)
    }
}

/// Shows where everything stands until a signal comes. A server that is away for a while is said to be, and looked for again.
async fn watch(shell: &Shell, every: Duration) -> Result<u8, Failure> {
    let mut first = true;
    loop {
        let report = status(&shell.project, &shell.target, &shell.talk).await;
        let screen = match (report, shell.global.output) {
            (Ok(report), Format::Json) => serde_json::to_string(&report).map_err(Failure::unexpected)?,
            (Ok(report), _) => text(&report),
            // What does not get better by itself is no reason to go on.
            (Err(error), _) if first || !matches!(error, EngineError::Db(_) | EngineError::Store(_)) => {
                return Err(error.into());
            }
            (Err(error), Format::Json) => Failure::from(error).document().to_string(),
            (Err(error), _) => format!("the database does not answer: {error}"),
        };
        first = false;
        if shell.global.output == Format::Json {
            output::line(&screen);
        } else {
            output::screen(&screen);
        }
        let again = Instant::now() + every;
        while Instant::now() < again {
            if shell.talk.interrupted() {
                // Whoever watches has no other way to end it, so it is no failure to tell of.
                return Ok(exit::code(&EngineError::Interrupted, talk::signal()));
            }
            tokio::time::sleep(Duration::from_millis(50).min(again.saturating_duration_since(Instant::now()))).await;
        }
    }
}

fn text(report: &Report) -> String {
    let mut text = format!("database  {} ({})\n", report.database, report.server);
    let current = report.current_release.as_deref().unwrap_or("none");
    text.push_str(&format!("release   {current}\n"));
    text.push_str(&format!("runner    {}\n", report.runner.as_deref().unwrap_or("none")));
    for worker in &report.workers {
        text.push_str(&format!("worker    {}\n", worker.holder));
        if let Some(backfill) = &worker.backfill {
            let rows = worker.batch_rows;
            let waiting = worker.waiting.as_deref().map_or_else(String::new, |reason| format!("; waits: {reason}"));
            text.push_str(&format!("          {backfill}, batches of {rows} rows{waiting}\n"));
        }
    }
    if let Some(who) = &report.paused {
        text.push_str(&format!("paused    by {who}; concertina resume lets the backfills go on\n"));
    }
    if let Some(tuned) = &report.tuned {
        text.push_str(&format!("tuned     {tuned}\n"));
    }
    if report.baseline.pending.is_empty() {
        text.push_str(&format!("baseline  applied ({})\n", report.baseline.applied.join(", ")));
    } else {
        text.push_str(&format!("baseline  pending: {}\n", report.baseline.pending.join(", ")));
    }
    text.push('\n');
    let width = report.releases.iter().map(|release| release.name.chars().count()).max().unwrap_or(0);
    for release in &report.releases {
        text.push_str(&format!("{:width$}  {}\n", release.name, release.state.words()));
        let busy = !matches!(release.state, ReleaseState::Unchanged | ReleaseState::Pending | ReleaseState::Contracted);
        if busy {
            text.push_str(&details(release, report.now));
        }
    }
    text.push('\n');
    for drift in &report.drift {
        text.push_str(&format!("drift: {drift}\n"));
    }
    text.push_str(&next_line(&report.next));
    text
}

fn details(release: &ReleaseStatus, now: i64) -> String {
    let mut text = String::new();
    for step in &release.steps {
        let took = match (step.duration_ms, step.started_at) {
            (Some(took), _) => format!(" ({took} ms)"),
            (None, Some(began)) if step.state == "started" => format!(" (began {})", ago(Some(began), now)),
            _ => String::new(),
        };
        text.push_str(&format!("  {:8} {}{took}\n", step.state, step.summary));
        if let Some(failure) = &step.failure {
            text.push_str(&format!("           {failure}\n"));
        }
    }
    for backfill in &release.backfills {
        let of = backfill.rows_estimated.map_or_else(String::new, |rows| format!(" of about {rows}"));
        let last = match backfill.last_batch_at {
            Some(time) if backfill.state == "started" => format!("; last batch {}", ago(Some(time), now)),
            _ => String::new(),
        };
        text.push_str(&format!(
            "  {:8} backfill {}: {} rows changed, {}{of} walked{}{last}\n",
            backfill.state,
            backfill.table,
            backfill.rows_changed,
            backfill.rows_walked,
            percent(backfill)
        ));
    }
    for sync in &release.syncs {
        text.push_str(&format!(
            "  sync     {} on {}: last old write {}, last new write {}\n",
            sync.name,
            sync.table,
            ago(sync.last_old_write, now),
            ago(sync.last_new_write, now)
        ));
    }
    text
}

/// How much of this walk is done, where that can be said.
fn percent(backfill: &BackfillStatus) -> String {
    match backfill.rows_estimated {
        Some(rows) if rows > 0 && backfill.state == "started" => {
            format!(" ({} %)", (backfill.rows_walked.saturating_mul(100) / rows).clamp(0, 100))
        }
        _ => String::new(),
    }
}

fn ago(time: Option<i64>, now: i64) -> String {
    let Some(time) = time else { return "never".to_owned() };
    let seconds = (now - time).max(0) / 1_000;
    match seconds {
        0..120 => format!("{seconds} s ago"),
        120..7_200 => format!("{} min ago", seconds / 60),
        _ => format!("{} h ago", seconds / 3_600),
    }
}
