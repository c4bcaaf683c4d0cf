//! Says who keeps a step from its lock while it tries, and ends them where an operator asked for that.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::{Event, Observer};
use crate::db::{Connection, DbError, Row, Target};
use crate::store::{self, Lease};

/// From which failure on it is said who blocks: the first may have met anybody.
const TELLING: u32 = 2;
/// How often it is looked who blocks, until somebody is found: a try that waits does so for some tens of milliseconds.
const LOOK: Duration = Duration::from_millis(20);
/// How often it is looked where a statement has waited for longer than this: it may be at work.
const LONG: Duration = Duration::from_secs(1);
/// From which failure on it is asked whether the table is merely never free for an instant.
const MANY: u32 = 15;
/// How often that is asked.
const BUSY: Duration = Duration::from_secs(2);
/// How often it is said again.
const AGAIN: Duration = Duration::from_secs(10);
/// How long whoever was asked to end has for it, before the session is ended.
const GRACE: Duration = Duration::from_secs(1);

/// A session that keeps ours from a lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Blocker {
    /// The server's number for it; 0 for a transaction that was prepared, and has none.
    pub session: i64,
    /// Its user.
    pub user: String,
    /// What it calls itself, or where it is.
    pub application: String,
    /// What it does: `active`, `idle in transaction`, …
    pub state: String,
    /// For how many seconds its transaction has been open.
    pub seconds: u64,
    /// What it runs, or ran last; its beginning.
    pub query: String,
}

impl Blocker {
    fn read(row: &Row) -> Self {
        let text = |position| row.text(position).unwrap_or_default();
        let milliseconds = row.integer(4).and_then(|time| u64::try_from(time).ok()).unwrap_or(0);
        Self {
            session: row.integer(0).unwrap_or(0),
            user: text(1),
            application: text(2),
            state: text(3),
            seconds: milliseconds / 1_000,
            query: text(5),
        }
    }

    fn waits(&self) -> bool {
        self.state == "waiting for a lock"
    }

    /// Several, in words: the first ones, and how many more there are.
    pub fn several(blockers: &[Self]) -> String {
        const SHOWN: usize = 3;
        let mut words: Vec<_> = blockers.iter().take(SHOWN).map(Self::words).collect();
        if blockers.len() > SHOWN {
            words.push(format!("and {} more", blockers.len() - SHOWN));
        }
        words.join("; ")
    }

    /// In words: `session 4711 (glance, glance-api, idle in transaction for 12 s): UPDATE …`.
    pub fn words(&self) -> String {
        if self.session == 0 {
            return "a prepared transaction (see pg_prepared_xacts)".to_owned();
        }
        let who = [self.user.as_str(), &self.application].into_iter().filter(|word| !word.is_empty());
        let who = who.collect::<Vec<_>>().join(", ");
        let query = if self.query.is_empty() { String::new() } else { format!(": {}", self.query) };
        format!("session {} ({who}, {} for {} s){query}", self.session, self.state, self.seconds)
    }
}

#[derive(Debug, Default)]
struct Tried {
    failures: u32,
    since: Option<Instant>,
    running: Option<(String, Instant)>,
    blockers: Vec<Blocker>,
    /// Whether those who blocked when it was last looked have done so for less than a second, all of them.
    passing: bool,
}

/// What a step's tries came to so far; shared by who tries and who watches.
#[derive(Debug, Default)]
pub(super) struct Attempts(Mutex<Tried>);

impl Attempts {
    fn state(&self) -> MutexGuard<'_, Tried> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// A statement is sent.
    pub(super) fn sends(&self, sql: &str) {
        self.state().running = Some((sql.to_owned(), Instant::now()));
    }
    /// A try did not get its lock; gives how many have not.
    pub(super) fn failed(&self) -> u32 {
        let mut state = self.state();
        state.failures += 1;
        state.since.get_or_insert_with(Instant::now);
        state.failures
    }
    /// A statement got its lock, and has run.
    pub(super) fn got(&self) {
        self.state().running = None;
    }
    /// Whether the next try may wait for longer: what is in the way are short transactions, one after the other. Once for each look.
    pub(super) fn takes_a_moment(&self) -> bool {
        let mut state = self.state();
        state.failures >= MANY && std::mem::take(&mut state.passing)
    }
    /// Who was found to block, last.
    pub(super) fn blockers(&self) -> Vec<Blocker> {
        self.state().blockers.clone()
    }
}

/// Watches a step's tries, on a session of its own.
pub(super) struct Watch<'s> {
    pub(super) target: Target,
    /// The session that tries.
    pub(super) session: i64,
    /// The name of whichever session tries, where a pooler shares them.
    pub(super) shared_name: Option<String>,
    pub(super) step: &'s str,
    pub(super) summary: &'s str,
    pub(super) attempts: Arc<Attempts>,
    pub(super) observer: &'s dyn Observer,
    pub(super) lease: Arc<Lease>,
    /// How long the step is kept waiting before those who do so are ended.
    pub(super) cancel_after: Option<Duration>,
}

/// What a look found.
struct Found {
    blockers: Vec<Blocker>,
    certain: bool,
}

impl Watch<'_> {
    /// Watches until it is dropped.
    pub(super) async fn run(&self) -> Infallible {
        let mut connection: Option<Connection> = None;
        let (mut told, mut looked): (Option<Instant>, Option<Instant>) = (None, None);
        let mut asked: BTreeMap<i64, Instant> = BTreeMap::new();
        loop {
            tokio::time::sleep(LOOK).await;
            let (failures, since, running) = {
                let state = self.attempts.state();
                (state.failures, state.since, state.running.clone())
            };
            let Some((sql, sent)) = running else { continue };
            let long = sent.elapsed() > LONG;
            if (failures < TELLING && !long) || (long && looked.is_some_and(|looked| looked.elapsed() < LONG)) {
                continue;
            }
            let blocked_for = since.map_or_else(|| sent.elapsed(), |since| since.elapsed());
            let ends = self.cancel_after.is_some_and(|after| blocked_for > after);
            let busy = failures >= MANY && looked.is_none_or(|looked| looked.elapsed() > BUSY);
            if !ends && !busy && told.is_some_and(|told| told.elapsed() < AGAIN) {
                continue;
            }
            looked = Some(Instant::now());
            let mut open = match connection.take() {
                Some(open) => open,
                None => match Connection::open(&self.target, false).await {
                    Ok(open) => open,
                    Err(error) => {
                        tracing::debug!(%error, "look who blocks");
                        tokio::time::sleep(LONG).await;
                        continue;
                    }
                },
            };
            if let Some(found) = self.look(&mut open, &sql, long).await {
                {
                    let mut state = self.attempts.state();
                    state.passing = found.blockers.iter().all(|blocker| blocker.seconds < 1);
                    state.blockers.clone_from(&found.blockers);
                }
                if told.is_none_or(|told| told.elapsed() > AGAIN) {
                    told = Some(Instant::now());
                    let (what, certain) = (self.summary.to_owned(), found.certain);
                    self.observer.event(Event::Blocked { what, certain, blockers: found.blockers.clone() });
                }
                if ends && found.certain {
                    for blocker in found.blockers.iter().filter(|blocker| blocker.session != 0 && !blocker.waits()) {
                        if let Err(error) = self.end(&mut open, blocker, &mut asked).await {
                            let reason = format!("{} could not be ended: {error}", blocker.words());
                            self.observer.event(Event::Waiting { what: self.summary.to_owned(), reason });
                        }
                    }
                }
            }
            connection = Some(open);
        }
    }

    /// Who blocks now; a statement that is at work for long blocks itself where the server only knows who has the table.
    async fn look(&self, connection: &mut Connection, sql: &str, long: bool) -> Option<Found> {
        let dialect = connection.shared_dialect();
        if long && !dialect.knows_who_waits() {
            return None;
        }
        let session = match self.shared_name.as_deref().and_then(|name| dialect.marked_session(name)) {
            Some(find) => connection.integer(&find, &[]).await.ok().flatten()?,
            None => self.session,
        };
        for query in dialect.blockers(session) {
            let rows = match connection.query(&query.sql, &[]).await {
                Ok(rows) => rows,
                Err(error) => {
                    tracing::debug!(%error, "look who blocks");
                    continue;
                }
            };
            let concerned = |row: &&Row| row.text(6).is_none_or(|table| sql.contains(&dialect.quote(&table)));
            let mut blockers: Vec<Blocker> = Vec::new();
            for blocker in rows.iter().filter(concerned).map(Blocker::read) {
                if !blockers.iter().any(|known| known.session == blocker.session) {
                    blockers.push(blocker);
                }
            }
            if !blockers.is_empty() {
                return Some(Found { blockers, certain: query.certain });
            }
        }
        None
    }

    /// Ends what a blocker runs, and, where it is still there after a while, its session.
    async fn end(
        &self,
        connection: &mut Connection,
        blocker: &Blocker,
        asked: &mut BTreeMap<i64, Instant>,
    ) -> Result<(), DbError> {
        let [query, session] = connection.dialect().end_blocker(blocker.session);
        let (sql, what) = match asked.get(&blocker.session) {
            None if blocker.state != "idle in transaction" => (query, "cancelled the statement of"),
            Some(since) if since.elapsed() < GRACE => return Ok(()),
            _ => (session, "ended"),
        };
        asked.insert(blocker.session, Instant::now());
        // Kept and said before it is done: the step has its lock at once, and with its end the watch is gone.
        let reason = format!("{what} {}", blocker.words());
        if let Err(error) =
            store::append(connection, &self.lease, self.step, "unblocked", Some(reason.clone()), None).await
        {
            tracing::warn!(%error, "keep in the history that a session was ended");
        }
        self.observer.event(Event::Unblocked { what: self.summary.to_owned(), reason });
        connection.run(&sql).await
    }
}
