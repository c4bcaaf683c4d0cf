//! A node: a session that does a release's operations at random, at the pace that it is given.
//!
//! Operations are due at random moments (a Poisson process), whether or not the one before is done, and each is timed from when it
//! was due: a stall is felt by all that would have come during it. That is what users of a service feel; a loop that waits for
//! its own answers would hardly notice.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::RwLock;
use tokio::task::JoinHandle;

use super::ledger::{By, Committed, Ledger, asking_for_key};
use super::measure::{Outcome, Recorder, Sample, Trouble};
use super::script::{Script, Task};
use super::values::{Serials, Values};
use crate::catalog::Stage;
use crate::db::{Class, Connection, DbError, Exchange, Target};
use crate::dialect::{Dialect, Reading};

/// How often a transaction is tried again that met a deadlock, a serialization failure or a lock timeout.
const RETRIES: u32 = 5;
/// How long an operation may go on before its session is given up: whoever waits for all nodes must not wait for ever.
const STUCK: Duration = Duration::from_mins(1);
/// How long a program of a node may go on once its node is drained.
const GRACE: Duration = Duration::from_secs(10);

/// What all nodes have in common.
#[derive(Debug)]
pub(super) struct Stagehands {
    pub(super) target: Target,
    pub(super) ledger: Ledger,
    pub(super) serials: Serials,
    pub(super) recorder: Recorder,
    /// Operations a second, of all nodes together.
    pub(super) rate: f64,
    /// How many nodes are at work.
    pub(super) at_work: AtomicUsize,
    /// Each operation holds it for reading; who wants all to pause takes it for writing.
    pub(super) curtain: RwLock<()>,
    flights: Mutex<BTreeMap<usize, Flight>>,
    /// What programs of nodes are told that the stage is.
    pub(super) stage: Mutex<Option<Stage>>,
}

/// A statement that is at the server.
#[derive(Debug, Clone)]
pub(super) struct Flight {
    pub(super) session: i64,
    pub(super) since: Instant,
}

impl Stagehands {
    pub(super) fn new(target: Target, rate: f64) -> Self {
        Self {
            target,
            ledger: Ledger::default(),
            serials: Serials::default(),
            recorder: Recorder::new(),
            rate,
            at_work: AtomicUsize::new(0),
            curtain: RwLock::new(()),
            flights: Mutex::default(),
            stage: Mutex::default(),
        }
    }

    /// The statements that are at the server.
    pub(super) fn flights(&self) -> MutexGuard<'_, BTreeMap<usize, Flight>> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A node at work.
#[derive(Debug)]
pub(super) struct Node {
    stop: Arc<AtomicBool>,
    work: JoinHandle<()>,
}

impl Node {
    /// Starts a node.
    pub(super) fn start(hands: &Arc<Stagehands>, script: &Arc<Script>, number: usize, seed: u64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let subjects =
            script.operations.iter().map(|task| hands.recorder.subject(&script.release, &task.name)).collect();
        let player = Player {
            hands: Arc::clone(hands),
            script: Arc::clone(script),
            number,
            subjects,
            rng: fastrand::Rng::with_seed(seed),
            connection: None,
            stop: Arc::clone(&stop),
        };
        hands.at_work.fetch_add(1, Ordering::Relaxed);
        Self { stop, work: tokio::spawn(player.play()) }
    }

    /// Tells it to begin nothing more.
    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Lets it finish what it does, and ends it; fails where it has ended by itself.
    pub(super) async fn drain(self) -> Result<(), String> {
        self.stop();
        self.work.await.map_err(|error| format!("a node broke down: {error}"))
    }
}

struct Player {
    hands: Arc<Stagehands>,
    script: Arc<Script>,
    number: usize,
    /// The numbers of its operations.
    subjects: Vec<usize>,
    rng: fastrand::Rng,
    connection: Option<Connection>,
    stop: Arc<AtomicBool>,
}

/// Why an operation failed.
enum Failed {
    Db(DbError),
    /// The answer was not what it must be: which answer, and what is wrong with it.
    Answer(String, String),
}

impl From<DbError> for Failed {
    fn from(error: DbError) -> Self {
        Self::Db(error)
    }
}

impl Player {
    async fn play(mut self) {
        let total: u32 = self.script.operations.iter().map(|task| task.times).sum();
        let mut due = Instant::now();
        while !self.stop.load(Ordering::Relaxed) {
            #[expect(clippy::cast_precision_loss, reason = "a handful of nodes")]
            let nodes = self.hands.at_work.load(Ordering::Relaxed).max(1) as f64;
            // The time between two moments of a Poisson process.
            let pause = -(1.0 - self.rng.f64()).ln() * nodes / self.hands.rate;
            due += Duration::from_secs_f64(pause.min(60.0));
            self.wait_until(due).await;
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            let hands = Arc::clone(&self.hands);
            let waited = Instant::now();
            let _up = hands.curtain.read().await;
            // A pause that the rehearsal makes is no stall.
            if waited.elapsed() > Duration::from_millis(1) {
                due = due.max(Instant::now());
            }
            if let Some(run) = self.script.command.clone() {
                self.run_program(&run, due).await;
                // One after the other: what a run does, and how long it takes, is the program's own matter.
                due = due.max(Instant::now());
                continue;
            }
            let mut at = self.rng.u32(..total.max(1));
            let chosen = self.script.operations.iter().position(|task| {
                let here = at < task.times;
                at = at.saturating_sub(task.times);
                here
            });
            if let Some(chosen) = chosen {
                self.perform(chosen, due).await;
            }
        }
        self.hands.at_work.fetch_sub(1, Ordering::Relaxed);
        self.hands.flights().remove(&self.number);
        if let Some(connection) = self.connection.take() {
            connection.close().await;
        }
    }

    async fn wait_until(&self, due: Instant) {
        const LOOK: Duration = Duration::from_millis(100);
        while let Some(left) = due.checked_duration_since(Instant::now()) {
            tokio::time::sleep(left.min(LOOK)).await;
            if self.stop.load(Ordering::Relaxed) {
                return;
            }
        }
    }

    async fn perform(&mut self, chosen: usize, due: Instant) {
        let script = Arc::clone(&self.script);
        let task = &script.operations[chosen];
        let stage = self.hands.recorder.stage();
        let Some(values) = Values::make(&task.with, &mut self.rng, &self.hands.serials, &self.hands.ledger) else {
            self.hands.recorder.passed_over();
            return;
        };
        let mut retries = 0;
        let failed = loop {
            match self.attempt(task, &values).await {
                Ok(()) => break None,
                Err(Failed::Db(error))
                    if matches!(error.class(), Class::Conflict | Class::LockTimeout) && retries < RETRIES =>
                {
                    retries += 1;
                    tokio::time::sleep(Duration::from_millis(self.rng.u64(2..10 << retries))).await;
                }
                Err(failed) => break Some(failed),
            }
        };
        let recorder = &self.hands.recorder;
        let outcome = if failed.is_some() { Outcome::Failed } else { Outcome::Done };
        let task = self.subjects[chosen];
        recorder.take(Sample {
            due: recorder.since(due),
            latency: due.elapsed(),
            stage,
            task,
            node: self.number,
            outcome,
            retries,
        });
        if let Some(failed) = failed {
            let (kind, message) = match failed {
                Failed::Db(error) => {
                    let kind = error.code().map_or_else(|| format!("{:?}", error.class()), str::to_owned);
                    if error.class().wants_another_session() {
                        self.connection = None;
                    }
                    (kind, error.to_string())
                }
                Failed::Answer(kind, message) => (kind, message),
            };
            recorder.trouble(Trouble { at: recorder.now(), count: 1, stage, task, kind, message });
        }
    }

    /// Does an operation once, in a transaction where it has several statements.
    async fn attempt(&mut self, task: &Task, values: &Values) -> Result<(), Failed> {
        if self.connection.is_none() {
            self.connection = Some(open(&self.hands.target, &self.script, self.number).await?);
        }
        let Some(connection) = self.connection.as_mut() else { return Ok(()) };
        let hands = Arc::clone(&self.hands);
        let flight = Flight { session: connection.id(), since: Instant::now() };
        hands.flights().insert(self.number, flight);
        let done = carry_out(connection, task, values, &hands, &self.script.release);
        let done = tokio::time::timeout(STUCK, done).await;
        hands.flights().remove(&self.number);
        done.unwrap_or_else(|_| {
            self.connection = None;
            let message = format!("no answer within {} s; the session is given up", STUCK.as_secs());
            Err(Failed::Answer("stuck".to_owned(), message))
        })
    }

    /// Runs the program of a workload once: that is one operation.
    async fn run_program(&mut self, run: &[String], due: Instant) {
        let Some((name, arguments)) = run.split_first() else { return };
        let recorder = &self.hands.recorder;
        let stage = recorder.stage();
        let task = recorder.subject(&self.script.release, name.rsplit('/').next().unwrap_or(name));
        let word = self.hands.stage.lock().unwrap_or_else(PoisonError::into_inner).map_or("", Stage::word);
        let started = tokio::process::Command::new(name)
            .args(arguments)
            .env("CONCERTINA_DATABASE", self.hands.target.secret_url())
            .env("CONCERTINA_RELEASE", &self.script.release)
            .env("CONCERTINA_STAGE", word)
            .env("CONCERTINA_NODE", self.number.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn();
        let ended = match started {
            Ok(child) => {
                let output = child.wait_with_output();
                tokio::pin!(output);
                let mut drained: Option<Instant> = None;
                loop {
                    match tokio::time::timeout(Duration::from_millis(100), &mut output).await {
                        Ok(output) => break output,
                        // Dropped, it is killed; a node that goes is not waited for, and that is no failure.
                        Err(_) if drained.is_some_and(|since| since.elapsed() > GRACE) => return,
                        Err(_) if self.stop.load(Ordering::Relaxed) => drained = drained.or(Some(Instant::now())),
                        Err(_) => {}
                    }
                }
            }
            Err(error) => Err(error),
        };
        let failed = match ended {
            Ok(output) if output.status.success() => None,
            Ok(output) => {
                let text = String::from_utf8_lossy(&output.stderr).into_owned();
                let last = text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default().to_owned();
                Some(format!("{name} ended with {}: {last}", output.status))
            }
            Err(error) => Some(format!("run {name}: {error}")),
        };
        let outcome = if failed.is_some() { Outcome::Failed } else { Outcome::Done };
        recorder.take(Sample {
            due: recorder.since(due),
            latency: due.elapsed(),
            stage,
            task,
            node: self.number,
            outcome,
            retries: 0,
        });
        if let Some(message) = failed {
            let kind = "program".to_owned();
            recorder.trouble(Trouble { at: recorder.now(), count: 1, stage, task, kind, message });
        }
    }
}

/// Opens a session as a node of a release does.
pub(super) async fn open(target: &Target, script: &Script, number: usize) -> Result<Connection, DbError> {
    let mut connection = Connection::open(target, false).await?;
    connection.become_client(&format!("{} node {number}", script.release)).await?;
    for statement in &script.session {
        connection.exchange(statement).await?;
    }
    Ok(connection)
}

async fn carry_out(
    connection: &mut Connection,
    task: &Task,
    values: &Values,
    hands: &Stagehands,
    release: &str,
) -> Result<(), Failed> {
    let dialect = connection.shared_dialect();
    let mut committed: Vec<Committed<'_>> = Vec::new();
    let together = task.statements.len() > 1;
    if together {
        connection.exchange(dialect.begin()).await?;
    }
    let mut wrong = None;
    for (number, statement) in task.statements.iter().enumerate() {
        let bound = statement.values(|parameter| values.of(parameter));
        let mut sql = statement.filled(&bound, dialect.as_ref());
        if let Reading::Writes(writes) = &statement.reading
            && let Some(key) = hands.ledger.key_to_ask(writes)
        {
            sql = asking_for_key(dialect.as_ref(), &sql, &key);
        }
        let start = hands.recorder.now();
        let answer = match connection.exchange(&sql).await {
            Ok(answer) => answer,
            Err(error) => {
                if together && !error.class().wants_another_session() {
                    roll_back(connection).await;
                }
                return Err(error.into());
            }
        };
        wrong = unexpected(statement, &answer, values, &sql)
            .map(|(what, words)| (format!("answer {number} {what}"), words));
        committed.push(Committed { reading: &statement.reading, values: bound, answer, start });
        if wrong.is_some() {
            break;
        }
    }
    if together && wrong.is_some() {
        roll_back(connection).await;
    } else {
        if together && let Err(error) = connection.exchange("COMMIT").await {
            roll_back(connection).await;
            return Err(error.into());
        }
        let by = By { release: release.to_owned(), operation: task.name.clone() };
        hands.ledger.note(&committed, hands.recorder.now(), &by);
    }
    wrong.map_or(Ok(()), |(kind, wrong)| Err(Failed::Answer(kind, wrong)))
}

async fn roll_back(connection: &mut Connection) {
    if let Err(error) = connection.exchange("ROLLBACK").await {
        tracing::debug!(%error, "roll a node's transaction back");
    }
}

/// What is wrong with an answer.
fn unexpected(
    statement: &super::script::Prepared,
    answer: &Exchange,
    values: &Values,
    sql: &str,
) -> Option<(String, String)> {
    let sql: String = sql.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(200).collect();
    if let Some(count) = statement.expect.rows {
        let writes = statement.reading != Reading::NoWrite;
        let rows = if writes { answer.affected } else { answer.rows.len() as u64 };
        if !count.holds(rows) {
            return Some(("rows".to_owned(), format!("expected {count} rows, got {rows}: {sql}")));
        }
    }
    for (column, choice) in &statement.expect.columns {
        for row in &answer.rows {
            let Some((_, text)) = row.iter().find(|(name, _)| name == column) else {
                return Some((column.clone(), format!("expected a column `{column}`, and there is none: {sql}")));
            };
            if !values.allows(choice, text.as_deref()) {
                let shown = text.as_deref().unwrap_or("NULL");
                let first = row.first().map_or(String::new(), |(name, text)| {
                    format!(" (row {name} = {})", text.as_deref().unwrap_or("NULL"))
                });
                return Some((column.clone(), format!("`{column}` must not be {shown}{first}: {sql}")));
            }
        }
    }
    None
}

/// Does the seed's operations, in order, a hundred in a transaction; fails at the first that fails.
pub(super) async fn seed(
    hands: &Stagehands,
    script: &Script,
    scale: f64,
    rng: &mut fastrand::Rng,
) -> Result<u64, String> {
    let failed = |task: &Task, error: &dyn std::fmt::Display| format!("seed `{}`: {error}", task.name);
    let mut connection = open(&hands.target, script, 0).await.map_err(|error| error.to_string())?;
    let dialect = connection.shared_dialect();
    let mut done = 0;
    for task in &script.seed {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of rows")]
        let times = (f64::from(task.times) * scale).round() as u64;
        for first in (0..times).step_by(100) {
            let last = times.min(first + 100);
            connection.exchange(dialect.begin()).await.map_err(|error| failed(task, &error))?;
            for _ in first..last {
                let Some(values) = Values::make(&task.with, rng, &hands.serials, &hands.ledger) else { continue };
                sow(&mut connection, dialect.as_ref(), hands, script, task, &values)
                    .await
                    .map_err(|error| failed(task, &error))?;
                done += 1;
            }
            connection.exchange("COMMIT").await.map_err(|error| failed(task, &error))?;
        }
    }
    connection.close().await;
    Ok(done)
}

async fn sow(
    connection: &mut Connection,
    dialect: &dyn Dialect,
    hands: &Stagehands,
    script: &Script,
    task: &Task,
    values: &Values,
) -> Result<(), DbError> {
    let by = By { release: script.release.clone(), operation: task.name.clone() };
    for statement in &task.statements {
        let bound = statement.values(|parameter| values.of(parameter));
        let mut sql = statement.filled(&bound, dialect);
        if let Reading::Writes(writes) = &statement.reading
            && let Some(key) = hands.ledger.key_to_ask(writes)
        {
            sql = asking_for_key(dialect, &sql, &key);
        }
        let start = hands.recorder.now();
        let answer = connection.exchange(&sql).await?;
        let committed = Committed { reading: &statement.reading, values: bound, answer, start };
        hands.ledger.note(&[committed], hands.recorder.now(), &by);
    }
    Ok(())
}
