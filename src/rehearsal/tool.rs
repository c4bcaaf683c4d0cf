//! The program itself, run as deploy automation runs it: a process of its own, which can be killed.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::db::Target;

/// How to run it.
#[derive(Debug, Clone)]
pub(super) struct Tool {
    pub(super) program: PathBuf,
    pub(super) project: PathBuf,
    pub(super) target: Target,
}

/// A line that it said on stderr.
#[derive(Debug, Clone)]
pub(super) struct Said {
    pub(super) at: Instant,
    pub(super) event: Value,
}

/// A run of it.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) command: String,
    child: Child,
    began: Instant,
    stdout: JoinHandle<String>,
    stderr: JoinHandle<Vec<String>>,
    said: mpsc::UnboundedReceiver<Said>,
}

/// How a run ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) command: String,
    pub(super) began: Instant,
    pub(super) took: Duration,
    /// `None`: it was killed.
    pub(super) code: Option<i32>,
    /// What it printed, where that is a document.
    pub(super) document: Value,
    /// What was wrong, in its own words.
    pub(super) error: String,
    /// What it said.
    pub(super) said: Vec<Said>,
}

impl Tool {
    /// Starts a command.
    pub(super) fn start(&self, arguments: &[String]) -> Result<Run, std::io::Error> {
        let mut command = Command::new(&self.program);
        command
            .arg("--project")
            .arg(&self.project)
            .args(["--output", "json", "--log-format", "json"])
            .args(arguments)
            // Not on the command line, which everybody can see.
            .env("CONCERTINA_DATABASE", self.target.secret_url())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // The terminal's Ctrl-C is for the rehearsal, which then ends what it has started.
            .process_group(0)
            .kill_on_drop(true);
        match self.target.password_file() {
            Some(file) => command.env("CONCERTINA_PASSWORD_FILE", file),
            None => command.env_remove("CONCERTINA_PASSWORD_FILE"),
        };
        let mut child = command.spawn()?;
        let stdout = child.stdout.take();
        let stdout = tokio::spawn(async move {
            let mut text = String::new();
            if let Some(mut stream) = stdout
                && let Err(error) = stream.read_to_string(&mut text).await
            {
                tracing::debug!(%error, "read what a command prints");
            }
            text
        });
        let (sender, said) = mpsc::unbounded_channel();
        let stderr = child.stderr.take();
        let stderr = tokio::spawn(async move {
            let mut others = Vec::new();
            let Some(stream) = stderr else { return others };
            let mut lines = BufReader::new(stream).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                match serde_json::from_str::<Value>(&line) {
                    Ok(event) => drop(sender.send(Said { at: Instant::now(), event })),
                    Err(_) => others.push(line),
                }
            }
            others
        });
        Ok(Run { command: arguments.join(" "), child, began: Instant::now(), stdout, stderr, said })
    }

    /// Runs a command to its end.
    pub(super) async fn run(&self, arguments: &[String]) -> Result<Ended, std::io::Error> {
        self.start(arguments)?.end().await
    }
}

impl Run {
    /// Waits until it has said so much, or has ended.
    pub(super) async fn after(&mut self, events: usize, all: &mut Vec<Said>) {
        while all.len() < events {
            match self.said.recv().await {
                Some(said) => all.push(said),
                None => return,
            }
        }
    }

    /// Waits until it has begun its phase, or has ended.
    pub(super) async fn at_work(&mut self, all: &mut Vec<Said>) {
        while let Some(said) = self.said.recv().await {
            let began = said.event["event"] == "phase_started";
            all.push(said);
            if began {
                return;
            }
        }
    }

    /// Ends it at once, as `kill -9` does.
    pub(super) fn kill(&mut self) {
        if let Err(error) = self.child.start_kill() {
            tracing::debug!(%error, "kill a command");
        }
    }

    pub(super) async fn end(self) -> Result<Ended, std::io::Error> {
        self.end_with(Vec::new()).await
    }

    /// Waits for its end; `said` is what it was heard to say already.
    pub(super) async fn end_with(mut self, mut said: Vec<Said>) -> Result<Ended, std::io::Error> {
        while let Some(event) = self.said.recv().await {
            said.push(event);
        }
        let status = self.child.wait().await?;
        let took = self.began.elapsed();
        let document = self.stdout.await.unwrap_or_default();
        let others = self.stderr.await.unwrap_or_default();
        let document: Value = serde_json::from_str(&document).unwrap_or(Value::Null);
        let told = document["error"]["message"].as_str().map(str::to_owned);
        let last = said.iter().rev().find(|said| said.event["event"] == "error");
        let last = last.and_then(|said| said.event["message"].as_str()).map(str::to_owned);
        let error = told.or(last).unwrap_or_else(|| others.join("; "));
        Ok(Ended { command: self.command, began: self.began, took, code: status.code(), document, error, said })
    }
}
