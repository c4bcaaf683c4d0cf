//! Conducts a rehearsal: from an empty database through every stage to the verdict.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use super::command::UNTHROTTLED;
use super::error::RehearsalError;
use super::judge::{self, Findings};
use super::ledger::{Checked, Groups};
use super::news::{Audience, News};
use super::node::{self, Node, Stagehands};
use super::proof::End;
use super::report::{Injection, InvariantReport, LedgerReport, Report, Span, Verdict};
use super::scratch::Scratch;
use super::script::Script;
use super::stalls::Lookout;
use super::tool::Tool;
use crate::catalog::{Project, Release, Stage, Throttle, Workloads};
use crate::db::{Connection, Target};
use crate::dialect::{Kind, Schema, expression};
use crate::engine::EngineError;

/// What a rehearsal is asked to do.
#[derive(Debug, Clone)]
pub struct Options {
    /// The release to begin at.
    pub from: String,
    /// The release to upgrade to.
    pub to: String,
    /// A server on which to make databases; `None`: SQLite, in a temporary file.
    pub server: Option<Target>,
    /// Nodes of each release.
    pub nodes: usize,
    /// Operations a second, of all nodes together.
    pub rate: f64,
    /// By how much the seed's rows are multiplied.
    pub scale: f64,
    /// How long a stage lasts at least; the quiet stage and the mixed one last twice as long.
    pub stage: Duration,
    /// By which the same choices are made again.
    pub seed: u64,
    /// How good the upgrade is to be.
    pub require: Verdict,
    /// How long an operation may take before it counts as an outage.
    pub patience: Duration,
    /// This program.
    pub program: PathBuf,
}

/// A stage that was played.
#[derive(Debug, Clone)]
pub(super) struct Played {
    pub(super) hop: String,
    pub(super) stage: Stage,
    pub(super) began: Duration,
    pub(super) ended: Duration,
}

/// The neighbours of an upgrade: nodes of the one are replaced by nodes of the other.
pub(super) struct Hop<'p> {
    pub(super) words: String,
    pub(super) old: Arc<Script>,
    pub(super) new: Arc<Script>,
    /// The release whose phases are carried out; `None`: nothing changes but the nodes.
    pub(super) release: Option<&'p Release>,
    first: bool,
    last: bool,
}

/// The upgrade could not go on.
pub(super) enum Halt {
    /// It is broken: the report says how.
    Broken(String),
    /// The rehearsal itself could not go on.
    Error(RehearsalError),
}

impl<E: Into<RehearsalError>> From<E> for Halt {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

/// A rehearsal under way.
pub(super) struct Conductor<'p> {
    pub(super) project: &'p Project,
    pub(super) options: &'p Options,
    pub(super) audience: &'p dyn Audience,
    pub(super) hands: Arc<Stagehands>,
    pub(super) tool: Tool,
    /// What is done to the upgrade: its choices come from the seed alone.
    pub(super) rng: fastrand::Rng,
    /// When the invariants are asked, which depends on the machine as well.
    whim: fastrand::Rng,
    pub(super) played: Vec<Played>,
    pub(super) spans: Vec<Span>,
    pub(super) injections: Vec<Injection>,
    pub(super) invariants: Vec<InvariantReport>,
    pub(super) commands: Vec<(String, bool, String)>,
    pub(super) notes: Vec<String>,
    pub(super) checks: Vec<Checked>,
    old_nodes: Vec<Node>,
    new_nodes: Vec<Node>,
    number: usize,
    told: Instant,
    /// When the data of the hop were migrated.
    pub(super) migrated: Duration,
    pub(super) asked: Instant,
    /// Where it is; `None` before the first stage.
    pub(super) here: Option<Here>,
    /// Whether the release's expand is in force, all of it.
    pub(super) is_expanded: bool,
    /// Whether nodes are programs.
    pub(super) has_programs: bool,
    /// The project without what holds its backfills: replicas and hours are those of production.
    pub(super) unthrottled: Project,
}

/// Where a rehearsal is.
#[derive(Debug, Clone)]
pub(super) struct Here {
    pub(super) old: Arc<Script>,
    pub(super) new: Arc<Script>,
    /// The release whose phases are carried out.
    pub(super) release: Option<String>,
    pub(super) stage: Stage,
}

/// Holds a rehearsal.
pub async fn rehearse(project: &Project, options: &Options, audience: &dyn Audience) -> Result<Report, RehearsalError> {
    let hops = hops(project, options)?;
    audience.hears(&News::Preparing("databases".to_owned()));
    let scratch = Scratch::create(options.server.as_ref(), "live").await?;
    let other = match Scratch::create(options.server.as_ref(), "fresh").await {
        Ok(other) => other,
        Err(error) => {
            let name = scratch.name();
            if let Err(stays) = scratch.remove().await {
                audience.hears(&News::Trouble(format!("the database {name} could not be removed, and stays: {stays}")));
            }
            return Err(error.into());
        }
    };
    let mut held = Box::pin(hold(project, options, audience, &hops, [&scratch.target, &other.target])).await;
    // What stays is told in any case, and takes no report away.
    for database in [scratch, other] {
        let name = database.name();
        if let Err(error) = database.remove().await {
            let words = format!("the rehearsal's database {name} could not be removed, and stays: {error}");
            audience.hears(&News::Trouble(words.clone()));
            if let Ok(report) = &mut held {
                report.notes.push(words);
            }
        }
    }
    held
}

/// The neighbours of the upgrade, in turn: each release with files is a hop of its own; those without change nothing but the
/// nodes, and are passed over.
fn hops<'p>(project: &'p Project, options: &Options) -> Result<Vec<Hop<'p>>, RehearsalError> {
    let workloads = Workloads::load(project).map_err(RehearsalError::Workloads)?;
    let place = |name: &str| {
        let found = project.release(name).map(|(index, _)| index);
        found.ok_or_else(|| {
            let near = expression::nearest(name, project.train().iter().copied());
            let advice = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            let train = project.train().join(", ");
            RehearsalError::Usage(format!("there is no release `{name}` in the train ({train}){advice}"))
        })
    };
    let (first, last) = (place(&options.from)?, place(&options.to)?);
    if first >= last {
        let message =
            format!("{} is not newer than {}: rehearse FROM TO, in the order of the train", options.to, options.from);
        return Err(RehearsalError::Usage(message));
    }
    let kind = options.server.as_ref().map_or(Kind::Sqlite, Target::kind);
    let script = |release: &str| -> Result<Arc<Script>, RehearsalError> {
        let workload = workloads.of(project, release);
        let workload = workload.ok_or_else(|| RehearsalError::NoWorkload { release: release.to_owned() })?;
        Ok(Arc::new(Script::new(workload, release, kind)))
    };
    let mut stops: Vec<usize> = (first + 1..=last).filter(|at| project.releases[*at].has_files).collect();
    if stops.last() != Some(&last) {
        stops.push(last);
    }
    let mut hops = Vec::new();
    let mut old = script(&options.from)?;
    for (number, stop) in stops.iter().enumerate() {
        let release = &project.releases[*stop];
        let new = script(&release.name)?;
        hops.push(Hop {
            words: format!("{} → {}", old.release, new.release),
            old: Arc::clone(&old),
            new: Arc::clone(&new),
            release: release.has_files.then_some(release),
            first: number == 0,
            last: number + 1 == stops.len(),
        });
        old = new;
    }
    Ok(hops)
}

async fn hold(
    project: &Project,
    options: &Options,
    audience: &dyn Audience,
    hops: &[Hop<'_>],
    [target, fresh]: [&Target; 2],
) -> Result<Report, RehearsalError> {
    let began_at = jiff::Timestamp::now().as_millisecond();
    let kind = target.kind();
    let mut unthrottled = Project::load(&project.root).map_err(EngineError::from)?;
    unthrottled.manifest.throttle = Throttle::default();
    let programs = hops.iter().any(|hop| hop.old.command.is_some() || hop.new.command.is_some());
    let hands = Arc::new(Stagehands::new(target.clone(), options.rate));
    let tool = Tool { program: options.program.clone(), project: project.root.clone(), target: target.clone() };
    let mut conductor = Conductor {
        project,
        options,
        audience,
        hands: Arc::clone(&hands),
        tool,
        rng: fastrand::Rng::with_seed(options.seed),
        whim: fastrand::Rng::with_seed(!options.seed),
        played: Vec::new(),
        spans: Vec::new(),
        injections: Vec::new(),
        invariants: Vec::new(),
        commands: Vec::new(),
        notes: Vec::new(),
        checks: Vec::new(),
        old_nodes: Vec::new(),
        new_nodes: Vec::new(),
        number: 0,
        told: Instant::now(),
        migrated: Duration::ZERO,
        asked: Instant::now(),
        here: None,
        is_expanded: false,
        has_programs: programs,
        unthrottled,
    };
    let server = conductor.prepare(&hops[0].old).await?;
    let lookout = Lookout::start(&hands);
    let played = conductor.play(hops, fresh).await;
    if let Some(last) = conductor.played.last_mut().filter(|last| last.ended == last.began) {
        // It was broken off, and lasted until now.
        last.ended = hands.recorder.now();
    }
    let sent = conductor.send_home().await;
    let (broken, end) = match (played, sent) {
        (Ok(_), Err(why)) | (Err(Halt::Broken(why)), _) => (Some(why), None),
        (Ok(end), Ok(())) => (None, Some(end)),
        (Err(Halt::Error(error)), _) => return Err(error),
    };
    let mut not_in_ledger: Vec<String> =
        hops.iter().flat_map(|hop| hop.old.unreadable().chain(hop.new.unreadable())).map(str::to_owned).collect();
    not_in_ledger.extend(hands.ledger.unfollowed());
    not_in_ledger.sort();
    not_in_ledger.dedup();
    let findings = Findings {
        options,
        kind,
        server,
        began_at,
        played: conductor.played,
        spans: conductor.spans,
        injections: conductor.injections,
        invariants: conductor.invariants,
        commands: conductor.commands,
        notes: conductor.notes,
        ledger: LedgerReport { writes: hands.ledger.writes(), checks: conductor.checks, not_in_ledger, programs },
        sightings: lookout.seen(),
        broken,
        end,
    };
    let measured = std::mem::take(&mut *hands.recorder.measured());
    Ok(judge::judge(findings, measured, hands.recorder.now()))
}

pub(super) fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl Conductor<'_> {
    pub(super) fn now(&self) -> Duration {
        self.hands.recorder.now()
    }

    pub(super) fn tell(&self, news: &News) {
        self.audience.hears(news);
    }

    /// Makes FROM's schema and puts its seed in; gives the server's name.
    async fn prepare(&mut self, old: &Script) -> Result<String, RehearsalError> {
        self.tell(&News::Preparing(format!("the schema of {}", self.options.from)));
        let upgrade = vec!["upgrade".to_owned(), "--to".to_owned(), self.options.from.clone()];
        let ended = self.tool.run(&upgrade).await.map_err(|error| self.program(error))?;
        if ended.code != Some(0) {
            return Err(RehearsalError::Preparing(format!("concertina {}: {}", ended.command, ended.error)));
        }
        let mut connection = Connection::open(&self.tool.target, false).await?;
        let schema = connection.inspect().await?;
        let server = connection.dialect().server().product(connection.dialect().kind());
        connection.close().await;
        self.hands.ledger.learn(&schema);
        self.tell(&News::Preparing(format!("the rows of {}", old.release)));
        // Its own numbers, so that what comes later is the same however many rows there are.
        let mut rng = fastrand::Rng::with_seed(self.options.seed ^ 0x5eed);
        let seeded =
            node::seed(&self.hands, old, self.options.scale, &mut rng).await.map_err(RehearsalError::Preparing)?;
        self.notes.push(format!("{seeded} seed operations were done before the first stage"));
        Ok(server)
    }

    async fn play(&mut self, hops: &[Hop<'_>], fresh: &Target) -> Result<End, Halt> {
        for hop in hops {
            self.hop(hop).await?;
        }
        self.send_home().await.map_err(Halt::Broken)?;
        self.finish(fresh).await
    }

    /// Drains whoever is at work.
    async fn send_home(&mut self) -> Result<(), String> {
        let nodes: Vec<Node> = self.old_nodes.drain(..).chain(self.new_nodes.drain(..)).collect();
        nodes.iter().for_each(Node::stop);
        let mut ended = Ok(());
        for node in nodes {
            ended = ended.and(node.drain().await);
        }
        ended
    }

    fn hire(&mut self, script: &Arc<Script>) -> Node {
        self.number += 1;
        Node::start(&self.hands, script, self.number, self.options.seed.wrapping_add(self.number as u64))
    }

    fn enter(&mut self, hop: &Hop<'_>, stage: Stage) {
        let now = self.now();
        if let Some(last) = self.played.last_mut() {
            last.ended = now;
        }
        self.hands.recorder.enter(self.played.len());
        self.played.push(Played { hop: hop.words.clone(), stage, began: now, ended: now });
        *self.hands.stage.lock().unwrap_or_else(PoisonError::into_inner) = Some(stage);
        let release = hop.release.map(|release| release.name.clone());
        self.here = Some(Here { old: Arc::clone(&hop.old), new: Arc::clone(&hop.new), release, stage });
        let nodes = [self.old_nodes.len(), self.new_nodes.len()];
        self.tell(&News::Stage { hop: hop.words.clone(), stage, nodes });
    }

    async fn hop(&mut self, hop: &Hop<'_>) -> Result<(), Halt> {
        let schema = self.learn().await?;
        if !hop.first {
            let hands = Arc::clone(&self.hands);
            let _down = self.hear(hands.curtain.write()).await?;
            let mut connection = Connection::open(&self.tool.target, false).await?;
            hands.ledger.settle(&mut connection, self.migrated).await?;
            connection.close().await;
        }
        if let Some(release) = hop.release {
            self.hands.ledger.regroup(Groups::of(release, &schema));
        }
        self.migrated = Duration::MAX;
        if hop.first {
            for _ in 0..self.options.nodes {
                let node = self.hire(&hop.old);
                self.old_nodes.push(node);
            }
        }
        self.enter(hop, Stage::Quiet);
        self.run_on(self.options.stage * 2).await?;
        self.look(true).await?;

        if let Some(release) = hop.release {
            self.enter(hop, Stage::Expand);
            self.expand(release).await?;
            self.run_on(self.options.stage).await?;
            self.learn().await?;
            self.look(true).await?;

            self.enter(hop, Stage::Migrate);
            self.migrate(release).await?;
            self.migrated = self.now();
            self.run_on(self.options.stage).await?;
            self.look(true).await?;
        }

        self.enter(hop, Stage::Mixed);
        self.mix(hop).await?;
        self.look(true).await?;
        // From here on there are new nodes alone.
        self.old_nodes = Vec::new();
        if let Some(release) = hop.release {
            // The old columns are about to go: now or never.
            self.hold_ledger(true).await?;
            self.enter(hop, Stage::Contract);
            self.is_expanded = false;
            self.contract(hop, release).await?;
            self.run_on(self.options.stage / 2).await?;
            self.learn().await?;
            self.look(true).await?;
        }

        self.enter(hop, Stage::After);
        self.run_on(self.options.stage).await?;
        self.look(true).await?;
        if let Some(last) = self.played.last_mut() {
            last.ended = self.hands.recorder.now();
        }
        if !hop.last {
            self.old_nodes = std::mem::take(&mut self.new_nodes);
        }
        Ok(())
    }

    /// Reads the live schema, and tells it the ledger.
    pub(super) async fn learn(&mut self) -> Result<Schema, Halt> {
        let mut connection = Connection::open(&self.tool.target, false).await?;
        let schema = connection.inspect().await;
        connection.close().await;
        let schema = schema?;
        self.hands.ledger.learn(&schema);
        Ok(schema)
    }

    /// Lets the nodes work for the rest of a stage's time.
    async fn run_on(&mut self, least: Duration) -> Result<(), Halt> {
        let began = self.played.last().map_or(Duration::ZERO, |played| played.began);
        self.wait_until(began + least).await
    }

    /// Waits, tells how it goes, and asks the invariants at random moments.
    async fn wait_until(&mut self, moment: Duration) -> Result<(), Halt> {
        const TICK: Duration = Duration::from_millis(50);
        while let Some(left) = moment.checked_sub(self.now()) {
            tokio::time::sleep(left.min(TICK)).await;
            self.breathe()?;
            self.look_by_whim().await?;
        }
        Ok(())
    }

    /// Asks the invariants, if it is time.
    pub(super) async fn look_by_whim(&mut self) -> Result<(), Halt> {
        let pause = Duration::from_millis(self.whim.u64(300..1_500));
        if self.asked.elapsed() <= pause {
            return Ok(());
        }
        // To prove every row costs more than to ask an invariant.
        let prove = self.whim.u8(..4) == 0;
        self.look(prove).await
    }

    /// Waits for something, and tells how it goes meanwhile; fails where somebody asks to stop.
    pub(super) async fn hear<T>(&mut self, awaited: impl Future<Output = T>) -> Result<T, Halt> {
        tokio::pin!(awaited);
        loop {
            match tokio::time::timeout(Duration::from_millis(50), &mut awaited).await {
                Ok(done) => return Ok(done),
                Err(_) => self.breathe()?,
            }
        }
    }

    /// Tells how it goes, and stops where somebody asked for that.
    pub(super) fn breathe(&mut self) -> Result<(), Halt> {
        if self.audience.interrupted() {
            return Err(Halt::Error(RehearsalError::Interrupted));
        }
        if self.told.elapsed() > Duration::from_millis(200) {
            self.told = Instant::now();
            self.tell(&News::Live(self.hands.recorder.live()));
        }
        Ok(())
    }

    /// The old nodes go one by one, and new ones come in their places.
    async fn mix(&mut self, hop: &Hop<'_>) -> Result<(), Halt> {
        let began = self.now();
        let whole = self.options.stage * 2;
        if hop.release.is_some() {
            for release in [&hop.old.release, &hop.new.release] {
                let ended = self.run(&format!("check --release {release}")).await?;
                self.require(&ended, &[0])?;
            }
        }
        #[expect(clippy::cast_possible_truncation, reason = "a handful of nodes")]
        let steps = 2 * self.options.nodes as u32 + 1;
        let mut step = 0;
        self.refresh().await?;
        // The new ones first, so that both are at work for a while.
        for _ in 0..self.options.nodes {
            step += 1;
            let node = self.hire(&hop.new);
            self.new_nodes.push(node);
            self.wait_until(began + whole * step / steps).await?;
        }
        if let Some(release) = hop.release {
            self.too_early(hop, release).await?;
            self.look(true).await?;
        }
        while let Some(node) = self.old_nodes.pop() {
            self.hear(node.drain()).await?.map_err(Halt::Broken)?;
            step += 1;
            self.wait_until(began + whole * step / steps).await?;
        }
        self.wait_until(began + whole).await
    }

    async fn contract(&mut self, hop: &Hop<'_>, release: &Release) -> Result<(), Halt> {
        const AGAIN: usize = 3;
        for round in 0..=AGAIN {
            let ended = self.beside("contract --quiet-period 0s", "contract").await?;
            if ended.code == Some(6) && round < AGAIN && ended.error.contains("not migrated") {
                // What old nodes wrote last, where no sync carries it over: an operator runs migrate again.
                self.notes.push(format!("contract found rows that old nodes wrote last: {}", ended.error));
                let again = self.run(&format!("migrate{UNTHROTTLED}")).await?;
                self.require(&again, &[0])?;
                self.migrated = self.now();
                continue;
            }
            self.require(&ended, &[0])?;
            break;
        }
        if !release.contract.is_empty() {
            let ended = self.run(&format!("check --release {}", hop.old.release)).await?;
            let holds = ended.code == Some(6);
            self.injections.push(Injection {
                at_ms: ms(self.now()),
                kind: "old-node-check",
                what: format!("check --release {}, once contract is done", hop.old.release),
                outcome: if holds { "the answer is no".to_owned() } else { format!("exit {:?}", ended.code) },
                holds: Some(holds),
            });
        }
        Ok(())
    }
}
