//! What is done to an upgrade: runners killed, an expand taken back, a second runner, a contract that comes too early.

use std::time::Duration;

use super::command::UNTHROTTLED;
use super::conductor::{Conductor, Halt, Hop, ms};
use super::news::News;
use super::report::Injection;
use super::tool::{Ended, Said};
use crate::catalog::Release;
use crate::plan::Gate;

/// The exit code of a command that meets another runner, and of one that is refused.
const HELD: i32 = 7;
const REFUSED: i32 = 6;
/// How often migrate is killed.
const KILLS: usize = 3;

impl Conductor<'_> {
    fn injected(&mut self, kind: &'static str, what: &str, outcome: String, holds: Option<bool>) {
        let injection = Injection { at_ms: ms(self.now()), kind, what: what.to_owned(), outcome, holds };
        self.audience.hears(&News::Injected(injection.clone()));
        self.injections.push(injection);
    }

    /// Runs a command, and a second runner beside it, which must be refused.
    pub(super) async fn beside(&mut self, command: &str, second: &str) -> Result<Ended, Halt> {
        let mut run = self.start(command)?;
        let mut said = Vec::new();
        self.hear(run.at_work(&mut said)).await?;
        let tool = self.tool.clone();
        let other = self.hear(tool.run(&super::command::words(second))).await?;
        let ended = self.finish_run(run, said).await?;
        self.second_runner(command, second, other.ok(), &ended);
        Ok(ended)
    }

    fn second_runner(&mut self, command: &str, second: &str, other: Option<Ended>, first: &Ended) {
        let what = format!("concertina {second} beside concertina {command}");
        let Some(other) = other else { return };
        let overlapped = other.began < first.began + first.took;
        let did_nothing = other.document["done"].as_array().is_none_or(Vec::is_empty);
        let (outcome, holds) = match other.code {
            Some(HELD) => ("refused: another runner holds the lease (exit 7)".to_owned(), Some(true)),
            Some(REFUSED) => (format!("refused (exit 6): {}", other.error), Some(true)),
            Some(0) if did_nothing => ("there was nothing for it to do".to_owned(), None),
            Some(0) if !overlapped => ("it came when the first was done".to_owned(), None),
            code => (format!("it ended with {code:?}: {}", other.error), Some(false)),
        };
        self.injected("second-runner", &what, outcome, holds);
    }

    /// Expands; takes that back, and expands again.
    pub(super) async fn expand(&mut self, release: &Release) -> Result<(), Halt> {
        let command = format!("expand --release {}", release.name);
        let ended = self.beside(&command, "expand").await?;
        self.require(&ended, &[0])?;
        self.is_expanded = true;
        self.learn().await?;
        self.look(true).await?;
        let pause = self.options.stage.mul_f64(self.rng.f64() * 0.4);
        self.rest(pause).await?;
        self.take_back("after expand", release).await
    }

    async fn rest(&mut self, pause: Duration) -> Result<(), Halt> {
        let until = self.now() + pause;
        while self.now() < until {
            tokio::time::sleep(Duration::from_millis(20)).await;
            self.breathe()?;
        }
        Ok(())
    }

    /// Takes the expand back, and expands again. Where it cannot be taken back, that is told and is no fault of the upgrade's.
    async fn take_back(&mut self, when: &str, release: &Release) -> Result<(), Halt> {
        let what = format!("rollback {when}, and expand again");
        self.is_expanded = false;
        let back = self.run(&format!("rollback --release {}", release.name)).await?;
        match back.code {
            Some(0) => {}
            Some(REFUSED) => {
                self.is_expanded = true;
                self.injected("rollback", &what, format!("it cannot be taken back: {}", back.error), None);
                return Ok(());
            }
            _ => {
                self.injected("rollback", &what, format!("rollback failed: {}", back.error), Some(false));
                return self.require(&back, &[0]);
            }
        }
        self.learn().await?;
        let again = self.run(&format!("expand --release {}", release.name)).await?;
        let outcome = format!("taken back in {} ms, done again in {} ms", ms(back.took), ms(again.took));
        self.injected("rollback", &what, outcome, Some(again.code == Some(0)));
        self.require(&back, &[0])?;
        self.require(&again, &[0])?;
        self.is_expanded = true;
        Ok(())
    }

    /// Migrates, killed several times; after one of the kills the expand may be taken back as well.
    pub(super) async fn migrate(&mut self, release: &Release) -> Result<(), Halt> {
        // Small batches, so that there is a middle to be killed in.
        let rows = (self.hands.ledger.writes() / 40).clamp(5, 1_000);
        let command =
            format!("migrate --release {} --batch-rows {rows} --batch-max-rows {rows}{UNTHROTTLED}", release.name);
        let kills = if release.backfills.is_empty() { 1 } else { KILLS };
        let back_after = self.rng.usize(1..=2);
        for kill in 1..=kills {
            let mut run = self.start(&command)?;
            let mut said: Vec<Said> = Vec::new();
            let words = self.rng.usize(1..=8);
            // One that says nothing more is killed all the same.
            let heard = tokio::time::timeout(Duration::from_secs(10), run.after(words, &mut said));
            drop(self.hear(heard).await?);
            tokio::time::sleep(Duration::from_micros(self.rng.u64(..20_000))).await;
            run.kill();
            let ended = self.finish_run(run, said).await?;
            let last = ended.said.last().map_or("nothing yet".to_owned(), |said| {
                let event = said.event["event"].as_str().unwrap_or_default().replace('_', " ");
                let rows =
                    said.event["rows_walked"].as_u64().map_or_else(String::new, |rows| format!(", {rows} rows walked"));
                format!("{event}{rows}")
            });
            let what = format!("kill -9 of migrate, {} ms after its start", ms(ended.took));
            match ended.code {
                None => self.injected("kill", &what, format!("killed; the last that it said: {last}"), Some(true)),
                Some(0) => {
                    self.injected("kill", &what, "it was done before it could be killed".to_owned(), None);
                    break;
                }
                Some(code) => {
                    self.injected("kill", &what, format!("it had ended with {code}: {}", ended.error), Some(false));
                    self.require(&ended, &[0])?;
                }
            }
            self.look(true).await?;
            if kill == back_after && kills > 1 {
                self.take_back("in the middle of migrate", release).await?;
            }
        }
        let ended = self.beside(&command, "expand").await?;
        self.require(&ended, &[0])?;
        self.injected("restart", "migrate after its kills", format!("done in {} ms", ms(ended.took)), Some(true));
        Ok(())
    }

    /// Tries to contract while old nodes write, which must be refused where a sync can tell.
    pub(super) async fn too_early(&mut self, hop: &Hop<'_>, release: &Release) -> Result<(), Halt> {
        if release.syncs().next().is_none() || self.project.manifest.gates.quiet_period.is_zero() {
            return Ok(());
        }
        let what = format!("contract while nodes of {} write", hop.old.release);
        // Where none of them wrote what a sync sees, contract would go through, and rightly.
        let status = self.run("status").await?;
        let releases = status.document["releases"].as_array().cloned().unwrap_or_default();
        let mut syncs = releases.iter().filter_map(|release| release["syncs"].as_array()).flatten();
        if !syncs.any(|sync| sync["last_old_write"].is_i64()) {
            self.injected("early-contract", &what, "not tried: no old node wrote what a sync sees".to_owned(), None);
            return Ok(());
        }
        let ended = self.run(&format!("contract --release {}", release.name)).await?;
        let gate = Gate::Quiet.word();
        match ended.code {
            Some(REFUSED) => self.injected("early-contract", &what, format!("refused: {}", ended.error), Some(true)),
            code => {
                let outcome = format!("exit {code:?}: the gate `{gate}` let it through");
                self.injected("early-contract", &what, outcome.clone(), Some(false));
                return Err(Halt::Broken(format!("{what}: {outcome}")));
            }
        }
        Ok(())
    }
}
