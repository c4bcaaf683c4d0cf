//! Commands of the rehearsal's own program, run while the nodes work, and what they did.

use std::time::Duration;

use super::conductor::{Conductor, Halt, ms};
use super::error::RehearsalError;
use super::news::News;
use super::report::Span;
use super::tool::{Ended, Run, Said};

/// Takes off what holds migrate: replicas, hours and the rest are those of production.
pub(super) const UNTHROTTLED: &str =
    " --hours off --max-replica-lag off --max-running-sessions off --throttle-query off --max-latency off";

/// A command as it is told: how its batches go is of no interest.
fn shown(command: &str) -> String {
    command.split(" --batch-rows").next().unwrap_or(command).replacen(UNTHROTTLED, "", 1)
}

/// The words of a command.
pub(super) fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

impl Conductor<'_> {
    pub(super) fn program(&self, error: std::io::Error) -> RehearsalError {
        RehearsalError::Program { program: self.options.program.display().to_string(), error }
    }

    /// Runs a command to its end while the nodes work, and keeps what it did.
    pub(super) async fn run(&mut self, command: &str) -> Result<Ended, Halt> {
        let run = self.tool.start(&words(command)).map_err(|error| self.program(error))?;
        self.finish_run(run, Vec::new()).await
    }

    pub(super) fn start(&self, command: &str) -> Result<Run, Halt> {
        Ok(self.tool.start(&words(command)).map_err(|error| self.program(error))?)
    }

    pub(super) async fn finish_run(&mut self, run: Run, said: Vec<Said>) -> Result<Ended, Halt> {
        let ended = run.end_with(said);
        tokio::pin!(ended);
        let mut ended = loop {
            match tokio::time::timeout(Duration::from_millis(50), &mut ended).await {
                Ok(ended) => break ended.map_err(|error| self.program(error))?,
                Err(_) => {
                    self.breathe()?;
                    self.look_by_whim().await?;
                }
            }
        };
        ended.command = shown(&ended.command);
        self.keep(&ended);
        self.tell(&News::Ran { command: ended.command.clone(), code: ended.code, took: ended.took });
        Ok(ended)
    }

    /// Notes what a command is expected to have come to; the upgrade cannot go on where it has not.
    pub(super) fn require(&mut self, ended: &Ended, codes: &[i32]) -> Result<(), Halt> {
        let holds = ended.code.is_some_and(|code| codes.contains(&code));
        let code = ended.code.map_or("killed".to_owned(), |code| format!("exit {code}"));
        let error = if ended.error.is_empty() { String::new() } else { format!(": {}", ended.error) };
        let found = format!("{code} after {} ms{error}", ms(ended.took));
        self.commands.push((ended.command.clone(), holds, found.clone()));
        if holds { Ok(()) } else { Err(Halt::Broken(format!("concertina {} ended with {found}", ended.command))) }
    }

    /// Keeps the spans of a command's steps.
    fn keep(&mut self, ended: &Ended) {
        let began = self.hands.recorder.since(ended.began);
        let end = began + ended.took;
        let span = |from: Duration, to: Duration, what: &str| Span {
            began_ms: ms(from),
            ended_ms: ms(to),
            command: ended.command.clone(),
            what: what.to_owned(),
        };
        self.spans.push(span(began, end, ""));
        let mut open: Option<(Duration, String)> = None;
        for said in &ended.said {
            let at = self.hands.recorder.since(said.at);
            let text = |key: &str| said.event[key].as_str().unwrap_or_default().to_owned();
            match said.event["event"].as_str().unwrap_or_default() {
                "step_started" => open = Some((at, text("step"))),
                "backfill_started" => open = Some((at, format!("backfill {}", text("backfill")))),
                "step_done" | "backfill_stopped" => {
                    if let Some((from, what)) = open.take() {
                        self.spans.push(span(from, at, &what));
                    }
                }
                _ => {}
            }
        }
        if let Some((from, what)) = open {
            self.spans.push(span(from, end, &what));
        }
    }
}
