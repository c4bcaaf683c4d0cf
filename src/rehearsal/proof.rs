//! Looks whether all is as it must be: the invariants of the moment, the ledger, and the end.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::conductor::{Conductor, Halt, Here};
use super::news::{Audience, News};
use super::node;
use super::report::InvariantReport;
use super::script::Asked;
use super::tool::Tool;
use crate::catalog::Stage;
use crate::db::{Connection, Target};
use crate::dialect::{Schema, differences};
use crate::engine::{self, Event, Observer, UninstallOptions};

/// What was found at the end.
#[derive(Debug, Clone, Default)]
pub(super) struct End {
    /// What differs from the schema that `upgrade` makes from nothing.
    pub(super) differences: Vec<String>,
    /// What of ours is there, and would not be after `upgrade`.
    pub(super) leftovers: Vec<String>,
}

/// Somebody who listens to the engine for us and has nothing to say.
struct Deaf<'a>(&'a dyn Audience);

impl Observer for Deaf<'_> {
    fn event(&self, _event: Event) {}
    fn interrupted(&self) -> bool {
        self.0.interrupted()
    }
}

impl Conductor<'_> {
    /// Asks every invariant of the moment, and where it is asked to prove all, those of the syncs.
    pub(super) async fn look(&mut self, prove: bool) -> Result<(), Halt> {
        self.asked = Instant::now();
        let Some(Here { old, new, release, stage }) = self.here.clone() else { return Ok(()) };
        let mut asked = Vec::new();
        for (script, of_new) in [(&old, false), (&new, true)] {
            let holds = |invariant: &&Asked| invariant.holds_in(stage, of_new, script.own);
            asked.extend(script.invariants.iter().filter(holds).map(|asked| (script.release.clone(), asked.clone())));
        }
        // A release whose workload is that of the one before it has the same invariants.
        let mut names = HashSet::new();
        asked.retain(|(_, asked)| names.insert((asked.name.clone(), asked.sql.clone())));
        if !asked.is_empty() {
            let mut connection = node::open(&self.tool.target, &new, 0).await?;
            for (release, invariant) in asked {
                let answer = connection.exchange(&invariant.sql).await;
                let broken = match answer {
                    Ok(answer) => answer.rows.first().map(|row| {
                        let values: Vec<String> = row
                            .iter()
                            .map(|(name, text)| format!("{name} = {}", text.as_deref().unwrap_or("NULL")))
                            .collect();
                        format!("{} rows break it, among them {}", answer.rows.len(), values.join(", "))
                    }),
                    // Nobody else could ask it either.
                    Err(error) if error.class() == crate::db::Class::LockTimeout => continue,
                    Err(error) => Some(format!("it could not be asked: {error}")),
                };
                self.asked_invariant(&release, &invariant.name, "workload", stage, broken);
            }
            connection.close().await;
        }
        let provable = matches!(stage, Stage::Expand | Stage::Migrate | Stage::Mixed);
        let project = self.project;
        let release = release.and_then(|name| project.release(&name)).map(|(_, release)| release);
        let provable = provable && self.is_expanded;
        if let Some(release) = release.filter(|release| prove && provable && release.syncs().next().is_some()) {
            let verified =
                engine::verify(&self.unthrottled, &self.tool.target, Some(&release.name), true, &Deaf(self.audience))
                    .await?;
            // Where a column moves to another table, a row that is not migrated has no other side yet.
            let migrated = stage == Stage::Mixed || self.migrated != Duration::MAX;
            let syncs = release.syncs().filter(|(_, sync)| migrated || sync.to.is_none());
            let syncs: Vec<String> = syncs.map(|(_, sync)| sync.name).collect();
            for proof in verified.proofs.iter().filter(|proof| syncs.contains(&proof.subject)) {
                let broken = (!proof.holds)
                    .then(|| format!("{}: {}", proof.meaning.clone().unwrap_or_default(), proof.keys.join("; ")));
                self.asked_invariant(&release.name, &proof.subject, "sync", stage, broken);
            }
        }
        Ok(())
    }

    fn asked_invariant(&mut self, release: &str, name: &str, kind: &'static str, stage: Stage, broken: Option<String>) {
        let at = self.now();
        let known = self
            .invariants
            .iter_mut()
            .find(|known| known.name == name && known.kind == kind && known.release == release);
        let report = match known {
            Some(known) => known,
            None => {
                let (release, name) = (release.to_owned(), name.to_owned());
                self.invariants.push(InvariantReport { release, name, kind, asked: 0, broken: 0, first: None });
                let last = self.invariants.len() - 1;
                &mut self.invariants[last]
            }
        };
        report.asked += 1;
        let Some(broken) = broken else { return };
        report.broken += 1;
        if report.first.is_none() {
            let words = format!("{stage}, at {:.1} s: {broken}", at.as_secs_f64());
            report.first = Some(words.clone());
            let trouble = format!("the invariant `{name}` does not hold: {words}");
            self.tell(&News::Trouble(trouble));
        }
    }

    /// Lets the ledger see what there is in the columns and tables of the new release, while all nodes pause.
    pub(super) async fn refresh(&mut self) -> Result<(), Halt> {
        let hands = Arc::clone(&self.hands);
        let _down = self.hear(hands.curtain.write()).await?;
        let mut connection = Connection::open(&self.tool.target, false).await?;
        let refreshed = hands.ledger.refresh(&mut connection).await;
        connection.close().await;
        Ok(refreshed?)
    }

    /// Holds every row against the ledger, while all nodes pause.
    pub(super) async fn hold_ledger(&mut self, adopt: bool) -> Result<(), Halt> {
        // What programs write is known to them alone, and a seed that they have changed is not lost.
        if self.has_programs {
            return Ok(());
        }
        let hands = Arc::clone(&self.hands);
        let _down = self.hear(hands.curtain.write()).await?;
        let mut connection = Connection::open(&self.tool.target, false).await?;
        let checked = hands.ledger.check(&mut connection, self.migrated).await?;
        for lost in &checked.first {
            let column = lost.column.as_deref().map_or_else(String::new, |column| format!(", {column}"));
            let words =
                format!("{} ({}{column}): expected {}, found {}", lost.table, lost.key, lost.expected, lost.found);
            self.tell(&News::Trouble(format!("a write is lost: {words}")));
        }
        self.checks.push(checked);
        if adopt {
            hands.ledger.refresh(&mut connection).await?;
            hands.ledger.adopt(&mut connection, self.hands.recorder.now()).await?;
        }
        connection.close().await;
        Ok(())
    }

    pub(super) async fn finish(&mut self, fresh: &Target) -> Result<End, Halt> {
        self.hold_ledger(false).await?;
        self.tell(&News::Preparing("the same release from nothing, to compare".to_owned()));
        let other = Tool { target: fresh.clone(), ..self.tool.clone() };
        let upgrade = vec!["upgrade".to_owned(), "--to".to_owned(), self.options.to.clone()];
        let ended = other.run(&upgrade).await.map_err(|error| self.program(error))?;
        if ended.code != Some(0) {
            return Err(Halt::Broken(format!("concertina {} on an empty database: {}", ended.command, ended.error)));
        }
        let deaf = Deaf(self.audience);
        let mut found = Vec::new();
        for target in [fresh, &self.tool.target] {
            let mut connection = Connection::open(target, false).await?;
            let schema = connection.inspect().await;
            connection.close().await;
            let own = engine::uninstall(self.project, target, &UninstallOptions::default(), &deaf).await?;
            let own: Vec<String> =
                own.objects.iter().map(|object| format!("{:?} {}", object.kind, object.name)).collect();
            found.push((schema?, own));
        }
        let [(wanted, wanted_own), (live, live_own)] = found.as_slice() else { return Ok(End::default()) };
        let leftovers = live_own.iter().filter(|object| !wanted_own.contains(object)).cloned().collect();
        Ok(End { differences: between(wanted, live), leftovers })
    }
}

/// What differs between two schemas.
fn between(wanted: &Schema, live: &Schema) -> Vec<String> {
    let mut found = Vec::new();
    for (name, table) in &wanted.tables {
        match live.tables.get(name) {
            None => found.push(format!("table {name} is missing")),
            Some(live) => {
                let differences = differences(&table.objects(), &live.objects());
                found.extend(
                    differences.iter().map(|difference| difference.words("is there, and `upgrade` makes none", "not")),
                );
            }
        }
    }
    let extra = live.tables.keys().filter(|name| !wanted.tables.contains_key(*name));
    found.extend(extra.map(|name| format!("table {name} is there, and `upgrade` makes none")));
    if wanted.enums != live.enums {
        found.push(format!("the enum types are {:?}, not {:?}", live.enums, wanted.enums));
    }
    if wanted.views != live.views {
        found.push("the views are others".to_owned());
    }
    found
}
