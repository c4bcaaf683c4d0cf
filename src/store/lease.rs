//! One runner: a lease row with an expiry by the database's clock, renewed by a heartbeat, fenced by a token.
//!
//! A row works behind connection poolers and on Galera, where session locks do not.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;

use super::StoreError;
use super::process::{self, Process};
use super::worker;
use crate::db::{Connection, DbError, Value};

const NAME: &str = "runner";
/// How long a lease lasts without a heartbeat, of which there are three in that time.
const LASTS: Duration = Duration::from_secs(30);
const TABLE: &str = "CREATE TABLE IF NOT EXISTS concertina_lease (name VARCHAR(190) NOT NULL, token BIGINT NOT NULL, \
    holder TEXT NOT NULL, process TEXT NOT NULL, sessions TEXT NOT NULL, command TEXT NOT NULL, acquired_at BIGINT NOT NULL, \
    expires_at BIGINT NOT NULL, PRIMARY KEY (name)) /*! ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin */";

/// How long this process's lease lasts. `CONCERTINA_LEASE_MS` is for tests, as failpoints are: they stop a holder for longer.
pub(super) fn lasts() -> Duration {
    let given = std::env::var("CONCERTINA_LEASE_MS").ok().and_then(|text| text.parse().ok());
    given.map_or(LASTS, Duration::from_millis)
}

/// Who holds the lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseHolder {
    /// `user@host pid 123`.
    pub holder: String,
    /// The command it runs.
    pub command: String,
    /// How long it has held it.
    pub held_for: Duration,
    /// How long until it expires without a heartbeat.
    pub expires_in: Duration,
}

impl fmt::Display for LeaseHolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} runs `{}` since {} s; the lease runs out in {} s without a heartbeat",
            self.holder,
            self.command,
            self.held_for.as_secs(),
            self.expires_in.as_secs()
        )
    }
}

/// The lease, held; or a share of it, which the processes that migrate have.
#[derive(Debug)]
pub struct Lease {
    token: i64,
    grip: Grip,
    worker: String,
    holder: String,
    command: String,
    lost: Arc<AtomicBool>,
    heartbeat: JoinHandle<()>,
}

/// What is held.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Grip {
    /// The lease, alone, by its token.
    Runner(i64),
    /// A worker's row, by its id.
    Worker(String),
}

impl Grip {
    /// Renews what is held; nothing to renew means that somebody else has it.
    async fn fence(&self, connection: &mut Connection) -> Result<(), StoreError> {
        match self {
            Self::Runner(token) => fence(connection, *token).await,
            Self::Worker(id) => {
                // One after the other: two processes that begin the same backfill must not both find that it has not begun.
                lock(connection).await?;
                let dialect = connection.shared_dialect();
                let sql = dialect.placeholders(&format!(
                    "UPDATE concertina_worker SET expires_at = {} + {} WHERE worker_id = ?",
                    dialect.now(),
                    lasts().as_millis()
                ));
                let renewed = connection.execute(&sql, &[id.as_str().into()]).await? > 0;
                if renewed || self.is_there(connection).await? { Ok(()) } else { Err(StoreError::Lost) }
            }
        }
    }

    async fn is_there(&self, connection: &mut Connection) -> Result<bool, DbError> {
        match self {
            Self::Runner(token) => Ok(current_token(connection).await? == Some(*token)),
            Self::Worker(id) => {
                let sql = "SELECT COUNT(*) FROM concertina_worker WHERE worker_id = ?";
                let sql = connection.dialect().placeholders(sql);
                Ok(connection.integer(&sql, &[id.as_str().into()]).await? == Some(1))
            }
        }
    }
}

impl Lease {
    /// Takes the lease, or says who holds it.
    pub async fn take(connection: &mut Connection, command: &str) -> Result<Self, StoreError> {
        connection.at("lease.take");
        ensure_table(connection).await?;
        let process = Process::this();
        let dialect = connection.shared_dialect();
        let now = dialect.now();
        let row = connection
            .query(
                &dialect.placeholders(&format!(
                    "SELECT token, process, sessions, CASE WHEN expires_at <= {now} THEN 1 ELSE 0 END \
                     FROM concertina_lease WHERE name = ?"
                )),
                &[NAME.into()],
            )
            .await?;
        let row = row.first().ok_or(StoreError::Lost)?;
        let (token, recorded) = (row.integer(0).unwrap_or(0), row.text(1).unwrap_or_default());
        let gone = process::is_gone(&recorded);
        let free = if gone { String::new() } else { format!(" AND expires_at <= {now}") };
        // Before the lease is taken, not after: a holder that stands still inside a transaction holds the lease's row.
        if gone || row.integer(3) == Some(1) {
            for session in row.text(2).unwrap_or_default().split_whitespace() {
                end_session(connection, session).await?;
            }
        } else if let Some(holder) = holder(connection).await? {
            // And a holder that works inside one would make the write below wait for it.
            return Err(StoreError::Held(holder));
        }
        let session = mark(connection).await;
        let sql = dialect.placeholders(&format!(
            "UPDATE concertina_lease SET token = ?, holder = ?, process = ?, sessions = ?, command = ?, acquired_at = {now}, \
             expires_at = {now} + {} WHERE name = ? AND token = ?{free}",
            lasts().as_millis()
        ));
        let taken = connection
            .execute(
                &sql,
                &[
                    (token + 1).into(),
                    process.shown.clone().into(),
                    process.identity.into(),
                    session.into(),
                    command.into(),
                    NAME.into(),
                    token.into(),
                ],
            )
            .await?;
        if taken == 0 {
            let holder = holder(connection).await?.ok_or(StoreError::Lost)?;
            return Err(StoreError::Held(holder));
        }
        let grip = Grip::Runner(token + 1);
        let lease = Self::held(connection, grip, token + 1, process.shown, command).await?;
        // Whoever joined before has a row by now, and whoever comes later sees ours.
        worker::reap(connection).await?;
        if let Some(worker) = worker::workers(connection).await?.into_iter().next() {
            lease.release(connection).await?;
            return Err(StoreError::Held(worker.holder));
        }
        Ok(lease)
    }

    /// Joins those who migrate, or says who holds the lease. The tables are there.
    pub async fn join(connection: &mut Connection, command: &str) -> Result<Self, StoreError> {
        connection.at("lease.join");
        ensure_table(connection).await?;
        worker::reap(connection).await?;
        let process = Process::this();
        let id = format!("{:016x}", fastrand::u64(..));
        let session = mark(connection).await;
        let token = worker::enter(connection, &id, &process, &session, command).await?;
        Self::held(connection, Grip::Worker(id), token, process.shown, command).await
    }

    async fn held(
        connection: &Connection,
        grip: Grip,
        token: i64,
        holder: String,
        command: &str,
    ) -> Result<Self, StoreError> {
        let lost = Arc::new(AtomicBool::new(false));
        let heartbeat = tokio::spawn(beat(connection.another().await?, grip.clone(), Arc::clone(&lost)));
        let worker = match &grip {
            Grip::Runner(token) => format!("runner-{token}"),
            Grip::Worker(id) => id.clone(),
        };
        Ok(Self { token, grip, worker, holder, command: command.to_owned(), lost, heartbeat })
    }

    /// Whether others may hold a share of it.
    pub fn is_shared(&self) -> bool {
        matches!(self.grip, Grip::Worker(_))
    }

    /// The name under which its ranges are leased.
    pub fn worker(&self) -> &str {
        &self.worker
    }

    /// Records another session of this process, so that whoever takes over ends it.
    pub async fn add_session(&self, connection: &mut Connection) -> Result<(), StoreError> {
        let session = mark(connection).await;
        let Grip::Worker(id) = &self.grip else {
            let sql = "UPDATE concertina_lease SET sessions = ? WHERE name = ? AND token = ?";
            let known = "SELECT sessions FROM concertina_lease WHERE name = ?";
            let known = connection.dialect().placeholders(known);
            let known = connection.query(&known, &[NAME.into()]).await?;
            let sessions = known.first().and_then(|row| row.text(0)).unwrap_or_default();
            let sql = connection.dialect().placeholders(sql);
            let values = [format!("{sessions} {session}").into(), NAME.into(), self.token.into()];
            connection.execute(&sql, &values).await?;
            return Ok(());
        };
        let known = connection.dialect().placeholders("SELECT sessions FROM concertina_worker WHERE worker_id = ?");
        let known = connection.query(&known, &[id.as_str().into()]).await?;
        let sessions = known.first().and_then(|row| row.text(0)).unwrap_or_default();
        let sql = connection.dialect().placeholders("UPDATE concertina_worker SET sessions = ? WHERE worker_id = ?");
        connection.execute(&sql, &[format!("{sessions} {session}").into(), id.as_str().into()]).await?;
        Ok(())
    }

    /// The fencing token.
    pub fn token(&self) -> i64 {
        self.token
    }
    /// Who holds it: this process, in words.
    pub fn holder(&self) -> &str {
        &self.holder
    }
    /// The command it was taken for.
    pub fn command(&self) -> &str {
        &self.command
    }

    /// Fails when somebody else has taken over, without a lock on the lease: for the beginning of a transaction that may
    /// take longer than the lease lasts, and ends with [`fence`](Self::fence).
    pub async fn look(&self, connection: &mut Connection) -> Result<(), StoreError> {
        if self.lost.load(Ordering::Relaxed) || !self.grip.is_there(connection).await? {
            return Err(StoreError::Lost);
        }
        Ok(())
    }

    /// Fails when somebody else has taken over; inside a transaction, its writes then roll back.
    pub async fn fence(&self, connection: &mut Connection) -> Result<(), StoreError> {
        if self.lost.load(Ordering::Relaxed) {
            return Err(StoreError::Lost);
        }
        self.grip.fence(connection).await
    }

    /// Whether the heartbeat has found that somebody took over.
    pub fn is_known_lost(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
    }

    /// Whether somebody has taken over, asked in a session of its own: whoever does ends ours first.
    pub async fn is_lost(&self, connection: &Connection) -> bool {
        let Ok(mut fresh) = connection.another().await else { return self.lost.load(Ordering::Relaxed) };
        let lost = matches!(self.grip.fence(&mut fresh).await, Err(StoreError::Lost));
        fresh.close().await;
        lost
    }

    /// Gives the lease back.
    pub async fn release(&self, connection: &mut Connection) -> Result<(), StoreError> {
        self.heartbeat.abort();
        connection.at("lease.release");
        let (sql, values): (_, Vec<Value>) = match &self.grip {
            Grip::Runner(token) => (
                "UPDATE concertina_lease SET expires_at = 0, sessions = '', process = '' WHERE name = ? AND token = ?",
                vec![NAME.into(), (*token).into()],
            ),
            Grip::Worker(id) => ("DELETE FROM concertina_worker WHERE worker_id = ?", vec![id.as_str().into()]),
        };
        let sql = connection.dialect().placeholders(sql);
        connection.execute(&sql, &values).await?;
        Ok(())
    }
}

/// Marks a session so that it can be found again.
async fn mark(connection: &mut Connection) -> String {
    if let Some(name) = connection.shared_name() {
        return name.to_owned();
    }
    let dialect = connection.shared_dialect();
    let Some(sql) = dialect.session_mark(&format!("concertina-{:016x}", fastrand::u64(..))) else {
        return String::new();
    };
    // A mark that cannot be had is a comfort less, and no reason to refuse: Galera in strict mode forbids GET_LOCK.
    match connection.query(&sql, &[]).await {
        Ok(rows) => rows.first().and_then(|row| row.text(0)).unwrap_or_default(),
        Err(error) => {
            tracing::debug!(%error, "mark the session");
            String::new()
        }
    }
}

/// Locks the lease's row, inside a transaction, and gives its token.
pub(super) async fn lock(connection: &mut Connection) -> Result<i64, StoreError> {
    let sql = connection.dialect().placeholders("UPDATE concertina_lease SET name = name WHERE name = ?");
    connection.execute(&sql, &[NAME.into()]).await?;
    Ok(current_token(connection).await?.unwrap_or(0))
}

/// Renews the lease by its token; no row means that another runner has it.
pub(super) async fn fence(connection: &mut Connection, token: i64) -> Result<(), StoreError> {
    let dialect = connection.shared_dialect();
    let sql = dialect.placeholders(&format!(
        "UPDATE concertina_lease SET expires_at = {} + {} WHERE name = ? AND token = ?",
        dialect.now(),
        lasts().as_millis()
    ));
    // A server that counts changed rows instead of matched ones counts none for a renewal in the same millisecond.
    let renewed = connection.execute(&sql, &[NAME.into(), token.into()]).await? > 0;
    if renewed || current_token(connection).await? == Some(token) { Ok(()) } else { Err(StoreError::Lost) }
}

/// The token of whoever had the lease last.
pub(super) async fn latest_token(connection: &mut Connection) -> Result<i64, DbError> {
    Ok(current_token(connection).await?.unwrap_or(0))
}

async fn current_token(connection: &mut Connection) -> Result<Option<i64>, DbError> {
    let sql = connection.dialect().placeholders("SELECT token FROM concertina_lease WHERE name = ?");
    connection.integer(&sql, &[NAME.into()]).await
}

async fn beat(mut connection: Connection, grip: Grip, lost: Arc<AtomicBool>) {
    loop {
        tokio::time::sleep(lasts() / 3).await;
        connection.at("lease.beat");
        match grip.fence(&mut connection).await {
            Ok(()) => {}
            Err(StoreError::Lost) => {
                lost.store(true, Ordering::Relaxed);
                return;
            }
            // Our own transaction may hold the row, which renews it as well; a lost session is made anew.
            Err(error) => {
                tracing::debug!(%error, "heartbeat");
                if matches!(&error, StoreError::Db(error) if error.class().wants_another_session())
                    && let Ok(fresh) = connection.another().await
                {
                    connection = fresh;
                }
            }
        }
    }
}

async fn ensure_table(connection: &mut Connection) -> Result<(), StoreError> {
    for attempt in 0.. {
        let made = make_table(connection).await;
        match made {
            Ok(()) => return Ok(()),
            // Two first runners at once: on PostgreSQL both may find no table, and one of them fails.
            Err(_) if attempt < 5 => tokio::time::sleep(Duration::from_millis(20)).await,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

async fn make_table(connection: &mut Connection) -> Result<(), DbError> {
    if !connection.has_table("concertina_lease").await? {
        connection.run(TABLE).await?;
    }
    let dialect = connection.shared_dialect();
    let exists = dialect.placeholders("SELECT COUNT(*) FROM concertina_lease WHERE name = ?");
    if connection.integer(&exists, &[NAME.into()]).await? == Some(0) {
        let insert = dialect.placeholders(
            "INSERT INTO concertina_lease (name, token, holder, process, sessions, command, acquired_at, expires_at) \
             VALUES (?, 0, '', '', '', '', 0, 0)",
        );
        connection.execute(&insert, &[NAME.into()]).await?;
    }
    Ok(())
}

/// Ends what a dead holder left at the server, and waits until it is gone: a statement that runs there cannot be fenced by
/// a token.
pub(super) async fn end_session(connection: &mut Connection, mark: &str) -> Result<(), StoreError> {
    let dialect = connection.shared_dialect();
    let Some(find) = dialect.marked_session(mark).filter(|_| !mark.is_empty()) else { return Ok(()) };
    for _ in 0..100 {
        let Some(id) = connection.integer(&find, &[]).await? else { return Ok(()) };
        // A failure is no news: the next look tells whether it is gone.
        if let Err(error) = connection.run(&dialect.end_marked(mark, id)).await {
            tracing::debug!(%error, id, "end a former holder's session");
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Err(StoreError::StillThere)
}

/// Who holds the lease now, if anyone does.
pub(super) async fn holder(connection: &mut Connection) -> Result<Option<LeaseHolder>, DbError> {
    let dialect = connection.shared_dialect();
    let now = dialect.now();
    let sql = dialect.placeholders(&format!(
        "SELECT holder, command, process, {now} - acquired_at, expires_at - {now} FROM concertina_lease WHERE name = ? AND expires_at > {now}"
    ));
    let rows = connection.query(&sql, &[Value::from(NAME)]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    if process::is_gone(&row.text(2).unwrap_or_default()) {
        return Ok(None);
    }
    let milliseconds = |position| Duration::from_millis(row.integer(position).unwrap_or(0).try_into().unwrap_or(0));
    Ok(Some(LeaseHolder {
        holder: row.text(0).unwrap_or_default(),
        command: row.text(1).unwrap_or_default(),
        held_for: milliseconds(3),
        expires_in: milliseconds(4),
    }))
}
