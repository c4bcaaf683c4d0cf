//! The signals: what is asked, how its answer is read, and what of it holds a backfill.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use url::Url;

use super::Hold;
use crate::catalog::ReplicaUrl;
use crate::db::{Class, Connection, DbError, Target};
use crate::dialect::{Dialect, ReplicaLag};
use crate::engine::settings::{Settings, seconds};

/// How long the server may work on one answer.
const LIMIT_SECONDS: u32 = 5;
/// How much a replica that does not say its lag may have left to replay, to be taken for one that is idle.
const IDLE_BYTES: i64 = 16 << 20;

/// What is asked.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Subject {
    /// The lag of all replicas, of which the primary knows.
    Replicas,
    /// The lag of one replica.
    Replica(ReplicaUrl),
    /// Sessions that run a statement.
    Sessions,
    /// A query of the operator's; it has a number where there are several.
    Query { number: Option<usize>, sql: String },
    /// The database's clock, for the window of hours.
    Clock,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Replicas => f.write_str("replica lag"),
            Self::Replica(url) => write!(f, "replica lag of {}", host(url)),
            Self::Sessions => f.write_str("running sessions"),
            Self::Query { number: None, .. } => f.write_str("throttle query"),
            Self::Query { number: Some(number), .. } => write!(f, "throttle query {number}"),
            Self::Clock => f.write_str("clock"),
        }
    }
}

/// The replica as an operator knows it: host, and port if one is named.
fn host(url: &ReplicaUrl) -> String {
    let parsed = Url::parse(&url.0).ok();
    let host = parsed.as_ref().and_then(Url::host_str).unwrap_or("a replica").to_owned();
    match parsed.as_ref().and_then(Url::port) {
        Some(port) => format!("{host}:{port}"),
        None => host,
    }
}

/// What was answered.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Answer {
    Lag { behind: Duration, replica: String },
    Sessions(i64),
    Number(f64),
    Time(i64),
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) reason: String,
    pub(super) remedy: Option<String>,
}

impl Trouble {
    pub(super) fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), remedy: None }
    }

    fn remedy(mut self, remedy: &str) -> Self {
        self.remedy = Some(remedy.to_owned());
        self
    }
}

impl From<DbError> for Trouble {
    fn from(error: DbError) -> Self {
        let remedy = match &error {
            DbError::Connect { hint, .. } => Some((*hint).to_owned()),
            _ => None,
        };
        Self { reason: error.to_string(), remedy }
    }
}

/// The subjects that settings ask for; or the one that this database does not have.
pub(super) fn subjects(settings: &Settings, dialect: &dyn Dialect) -> Result<Vec<Subject>, (Subject, Trouble)> {
    let kind = dialect.kind();
    let mut subjects = Vec::new();
    let off = |option: &str| format!("take it out for this database, or turn it off with {option} off");
    if settings.replica_lag.is_some() {
        match dialect.replica_lag() {
            Some(ReplicaLag::Primary(_)) if settings.replicas.is_empty() => subjects.push(Subject::Replicas),
            Some(ReplicaLag::Primary(_)) => {
                let trouble = Trouble::new(format!("`replicas` are for MySQL/MariaDB; {kind} knows its own"));
                return Err((Subject::Replicas, trouble.remedy("leave them out; `replica_lag` alone is enough")));
            }
            Some(ReplicaLag::Replica(_)) if settings.replicas.is_empty() => {
                let trouble = Trouble::new(format!("a server of {kind} does not know the lag of its replicas"));
                let remedy = "name them: `throttle: { replicas: [mysql://…] }`, or --replica URL";
                return Err((Subject::Replicas, trouble.remedy(remedy)));
            }
            Some(ReplicaLag::Replica(_)) => subjects.extend(settings.replicas.iter().cloned().map(Subject::Replica)),
            None => {
                let trouble = Trouble::new(format!("{kind} has no replicas"));
                return Err((Subject::Replicas, trouble.remedy(&off("--max-replica-lag"))));
            }
        }
    }
    if settings.running_sessions.is_some() {
        if dialect.running_sessions().is_none() {
            let trouble = Trouble::new(format!("{kind} knows nothing of other sessions"));
            return Err((Subject::Sessions, trouble.remedy(&off("--max-running-sessions"))));
        }
        subjects.push(Subject::Sessions);
    }
    // A query that has no text for this database was not meant for it.
    let queries = settings.queries.iter().enumerate();
    subjects.extend(queries.filter_map(|(index, query)| {
        let number = (settings.queries.len() > 1).then_some(index + 1);
        Some(Subject::Query { number, sql: query.sql.on(kind)?.to_owned() })
    }));
    if settings.hours.is_some() {
        subjects.push(Subject::Clock);
    }
    Ok(subjects)
}

/// One subject's own session.
#[derive(Debug)]
pub(super) struct Signal {
    subject: Subject,
    target: Target,
    session: Option<Connection>,
    /// The replicas seen so far: one that is gone lags for ever, and not by nothing.
    replicas: Vec<String>,
}

impl Signal {
    /// A signal of the database at `primary`.
    pub(super) fn new(subject: Subject, primary: &Target) -> Result<Self, Trouble> {
        let target = match &subject {
            Subject::Replica(url) => Target::parse(&url.0, Path::new(""))?.beside(primary),
            _ => primary.clone(),
        };
        if target.kind() != primary.kind() {
            return Err(Trouble::new(format!("the replica is {}, and the database {}", target.kind(), primary.kind())));
        }
        Ok(Self { subject, target, session: None, replicas: Vec::new() })
    }

    /// Asks once. After an error the session is opened anew: nobody knows what state it is in.
    pub(super) async fn ask(&mut self) -> Result<Answer, Trouble> {
        let limit = Duration::from_secs(u64::from(LIMIT_SECONDS) + 2);
        // The session is taken out, so that a question that is given up takes it along.
        let mut session = self.session.take();
        let asked = tokio::time::timeout(limit, async {
            let mut connection = match session.take() {
                Some(connection) => connection,
                None => self.open().await?,
            };
            let answer = self.answer(&mut connection).await?;
            Ok::<_, Trouble>((connection, answer))
        });
        match asked.await {
            Ok(Ok((connection, answer))) => {
                self.session = Some(connection);
                Ok(answer)
            }
            Ok(Err(trouble)) => Err(trouble),
            Err(_) => Err(Trouble::new(format!("no answer within {} s", limit.as_secs()))),
        }
    }

    async fn open(&self) -> Result<Connection, Trouble> {
        let mut connection = Connection::open(&self.target, false).await?;
        if let Some(limit) = connection.dialect().query_limit(LIMIT_SECONDS) {
            connection.set(&limit).await?;
        }
        Ok(connection)
    }

    async fn answer(&mut self, connection: &mut Connection) -> Result<Answer, Trouble> {
        let dialect = connection.shared_dialect();
        let denied = |error: DbError| match error.class() {
            Class::Denied => Trouble::from(error).remedy(dialect.signal_rights()),
            _ => Trouble::from(error),
        };
        match &self.subject {
            Subject::Sessions => {
                let sql = dialect.running_sessions().unwrap_or_default();
                let rows = connection.query(&sql, &[]).await.map_err(denied)?;
                let row = rows.first().ok_or_else(|| Trouble::new("the server does not say"))?;
                match (row.integer(0), row.integer(1).unwrap_or(0)) {
                    (_, hidden) if hidden > 0 => {
                        Err(Trouble::new(format!("this role may not see what {hidden} of the sessions do"))
                            .remedy(dialect.signal_rights()))
                    }
                    (Some(running), _) => Ok(Answer::Sessions(running)),
                    (None, _) => Err(Trouble::new("the server does not say")),
                }
            }
            Subject::Query { sql, .. } => {
                let rows = connection.query(&dialect.throttle_number(sql), &[]).await?;
                read_number(rows.first().and_then(|row| row.text(0)).as_deref())
            }
            Subject::Clock => match connection.integer(&dialect.clock(), &[]).await? {
                Some(time) => Ok(Answer::Time(time)),
                None => Err(Trouble::new("the server does not say")),
            },
            Subject::Replicas | Subject::Replica(_) => match dialect.replica_lag() {
                Some(ReplicaLag::Primary(sql)) => {
                    let rows = connection.query(&sql, &[]).await.map_err(denied)?;
                    let seen = rows.iter().map(|row| SeenReplica {
                        name: row.text(0).unwrap_or_default(),
                        lag: row.integer(1),
                        bytes: row.integer(2).unwrap_or(0),
                        hidden: row.integer(3) == Some(1),
                    });
                    worst_of(&seen.collect::<Vec<_>>(), &mut self.replicas, dialect.signal_rights())
                }
                Some(ReplicaLag::Replica(status)) => {
                    let rows = connection.named(status.sql).await.map_err(denied)?;
                    let Subject::Replica(url) = &self.subject else { return Err(Trouble::new("no replica is named")) };
                    let lag = replica_lag(&rows, status.behind, status.errors)?;
                    Ok(Answer::Lag { behind: lag, replica: host(url) })
                }
                None => Err(Trouble::new("there are no replicas")),
            },
        }
    }
}

fn read_number(text: Option<&str>) -> Result<Answer, Trouble> {
    let text = text.ok_or_else(|| Trouble::new("it gave NULL, or no row; expected a number"))?;
    match text.trim().parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(Answer::Number(number)),
        _ => Err(Trouble::new(format!("it gave `{text}`; expected a number"))),
    }
}

/// A replica as the primary sees it.
#[derive(Debug)]
struct SeenReplica {
    name: String,
    lag: Option<i64>,
    bytes: i64,
    hidden: bool,
}

fn worst_of(seen: &[SeenReplica], known: &mut Vec<String>, rights: &str) -> Result<Answer, Trouble> {
    // Their names are hidden as well.
    if seen.iter().any(|replica| replica.hidden) {
        return Err(Trouble::new("this role may not see the lag of the replicas").remedy(rights));
    }
    if let Some(gone) = known.iter().find(|name| !seen.iter().any(|replica| replica.name == **name)) {
        return Err(Trouble::new(format!("replica {gone} is not connected any more")));
    }
    for replica in seen {
        if !known.contains(&replica.name) {
            known.push(replica.name.clone());
        }
        if replica.lag.is_none() && replica.bytes > IDLE_BYTES {
            let megabytes = replica.bytes >> 20;
            let reason = format!("replica {} does not say its lag, and has {megabytes} MiB to replay", replica.name);
            return Err(Trouble::new(reason));
        }
    }
    let worst = seen.iter().max_by_key(|replica| replica.lag.unwrap_or(0)).ok_or_else(|| {
        Trouble::new("no replica is connected")
            .remedy("connect it, or turn the throttle off with --max-replica-lag off")
    })?;
    let behind = Duration::from_millis(worst.lag.and_then(|lag| u64::try_from(lag).ok()).unwrap_or(0));
    Ok(Answer::Lag { behind, replica: worst.name.clone() })
}

/// The longest lag of what a replica says of its sources. A lag that is NULL is none: LHM took it for 0, 40 minutes behind.
fn replica_lag(rows: &[Vec<(String, Option<String>)>], behind: &[&str], errors: &[&str]) -> Result<Duration, Trouble> {
    let mut longest = None;
    for row in rows {
        let column = |names: &[&str]| row.iter().find(|(name, _)| names.contains(&name.as_str()));
        let lag = column(behind).and_then(|(_, lag)| lag.as_deref()).and_then(|lag| lag.parse::<u64>().ok());
        let Some(lag) = lag else {
            let error = errors.iter().find_map(|name| column(&[name])?.1.clone().filter(|text| !text.is_empty()));
            let reason = error
                .map_or_else(|| "it does not replicate".to_owned(), |error| format!("it does not replicate: {error}"));
            return Err(Trouble::new(reason).remedy("start replication there (SHOW REPLICA STATUS says more)"));
        };
        longest = longest.max(Some(lag));
    }
    longest.map(Duration::from_secs).ok_or_else(|| {
        Trouble::new("it is no replica").remedy("give the URL of a replica, and of an account that may ask it")
    })
}

/// What an answer, so old, means to a backfill.
pub(super) fn judge(subject: &Subject, answer: &Answer, age: Duration, settings: &Settings) -> Option<Hold> {
    let reason = match answer {
        Answer::Lag { behind, replica } => {
            let most = settings.replica_lag?;
            (*behind > most)
                .then(|| format!("replica lag {} s is over {} s (replica {replica})", seconds(*behind), seconds(most)))
        }
        Answer::Sessions(running) => {
            let most = settings.running_sessions?;
            let who = if *running == 1 { "session runs" } else { "sessions run" };
            (*running > i64::from(most)).then(|| format!("{running} {who} a statement, more than {most}"))
        }
        Answer::Number(number) => {
            let Subject::Query { number: position, .. } = subject else { return None };
            let most = settings.queries.get(position.map_or(0, |position| position - 1))?.max;
            (*number > most).then(|| format!("{subject} says {number}, more than {most}"))
        }
        Answer::Time(time) => {
            let hours = settings.hours?;
            let now = time.saturating_add(i64::try_from(age.as_millis()).unwrap_or(0));
            (!hours.is_open(now)).then(|| format!("outside {hours} ({})", hours.time(now)))
        }
    };
    reason.map(|reason| Hold { reason, failing_for: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(columns: &[(&str, Option<&str>)]) -> Vec<(String, Option<String>)> {
        columns.iter().map(|(name, value)| ((*name).to_owned(), value.map(str::to_owned))).collect()
    }

    fn lag(rows: &[Vec<(String, Option<String>)>]) -> Result<u64, String> {
        let read = replica_lag(rows, &["Seconds_Behind_Source", "Seconds_Behind_Master"], &["Last_SQL_Error"]);
        read.map(|lag| lag.as_secs()).map_err(|trouble| trouble.reason)
    }

    #[test]
    fn a_replica_that_does_not_replicate_has_no_lag_of_0() {
        assert_eq!(
            lag(&[row(&[("Seconds_Behind_Master", Some("3"))]), row(&[("Seconds_Behind_Source", Some("7"))])]),
            Ok(7)
        );
        assert_eq!(lag(&[]), Err("it is no replica".to_owned()));
        let stopped = row(&[("Seconds_Behind_Master", None), ("Last_SQL_Error", Some("no such row"))]);
        assert_eq!(
            lag(&[row(&[("Seconds_Behind_Master", Some("3"))]), stopped]),
            Err("it does not replicate: no such row".to_owned())
        );
        assert_eq!(lag(&[row(&[("Else", Some("3"))])]), Err("it does not replicate".to_owned()));
    }

    fn seen(name: &str, lag: Option<i64>, bytes: i64) -> SeenReplica {
        SeenReplica { name: name.to_owned(), lag, bytes, hidden: false }
    }

    #[test]
    fn the_slowest_replica_counts_and_one_that_is_gone_is_no_quick_one() {
        let mut known = Vec::new();
        let mut worst = |seen: &[SeenReplica]| match worst_of(seen, &mut known, "GRANT") {
            Ok(Answer::Lag { behind, replica }) => format!("{replica} {behind:?}"),
            Ok(other) => format!("{other:?}"),
            Err(trouble) => trouble.reason,
        };
        assert_eq!(worst(&[]), "no replica is connected");
        assert_eq!(worst(&[seen("a", Some(100), 0), seen("b", Some(2_000), 9)]), "b 2s");
        assert_eq!(worst(&[seen("a", None, 9), seen("b", None, 0)]), "b 0ns");
        assert_eq!(worst(&[seen("a", None, 0)]), "replica b is not connected any more");
        assert_eq!(
            worst(&[seen("a", None, 64 << 20), seen("b", None, 0)]),
            "replica a does not say its lag, and has 64 MiB to replay"
        );
        let hidden = SeenReplica { hidden: true, ..seen("a", None, 0) };
        assert_eq!(worst(&[hidden]), "this role may not see the lag of the replicas");
    }

    #[test]
    fn what_is_no_number_is_not_0() {
        assert_eq!(read_number(Some(" 1.5 ")), Ok(Answer::Number(1.5)));
        for text in [None, Some("abc"), Some(""), Some("NaN"), Some("Infinity")] {
            assert!(read_number(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_hold_is_said_with_its_figures() {
        use crate::catalog::ThrottleQuery;
        use crate::dialect::Sql;
        let manifest: crate::catalog::Manifest = serde_yaml::from_str("{}").unwrap();
        let query = |max: f64| ThrottleQuery { sql: Sql::Same(String::new()), max };
        let settings = Settings {
            replica_lag: Some(Duration::from_secs(5)),
            running_sessions: Some(20),
            queries: vec![query(10.0), query(0.5)],
            hours: Some("22:00-06:00".parse().unwrap()),
            ..Settings::new(&manifest, &[])
        };
        let said = |subject: &Subject, answer: Answer| {
            judge(subject, &answer, Duration::from_mins(1), &settings).map(|hold| hold.reason)
        };
        let behind =
            |millis: u64| Answer::Lag { behind: Duration::from_millis(millis), replica: "10.0.0.2".to_owned() };
        assert_eq!(said(&Subject::Replicas, behind(5_000)), None);
        assert_eq!(
            said(&Subject::Replicas, behind(12_345)).as_deref(),
            Some("replica lag 12.3 s is over 5 s (replica 10.0.0.2)")
        );
        assert_eq!(said(&Subject::Sessions, Answer::Sessions(20)), None);
        assert_eq!(
            said(&Subject::Sessions, Answer::Sessions(21)).as_deref(),
            Some("21 sessions run a statement, more than 20")
        );
        let query = |number: usize| Subject::Query { number: Some(number), sql: String::new() };
        assert_eq!(said(&query(1), Answer::Number(10.0)), None);
        assert_eq!(said(&query(1), Answer::Number(17.0)).as_deref(), Some("throttle query 1 says 17, more than 10"));
        assert_eq!(said(&query(2), Answer::Number(1.0)).as_deref(), Some("throttle query 2 says 1, more than 0.5"));
        // 2025-10-10 14:02 UTC, a minute ago.
        assert_eq!(
            said(&Subject::Clock, Answer::Time(1_760_104_920_000)).as_deref(),
            Some("outside 22:00-06:00 (UTC 14:03)")
        );
        assert_eq!(said(&Subject::Clock, Answer::Time(1_760_140_740_000)), None);
    }
}
