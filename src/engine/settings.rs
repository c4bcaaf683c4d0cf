//! What a backfill goes by: the manifest, over it the command line, over that what was tuned while it runs.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::catalog::{Batch, Hours, Manifest, Pace, ReplicaUrl, ThrottleQuery};

/// The lag that replicas may have when they are named without a limit.
const REPLICA_LAG: Duration = Duration::from_secs(5);
/// From how many times its quiet latency on a small commit is slow, at the polite pace.
const LATENCY: f64 = 4.0;
/// The most rows of a polite batch: a writer that comes upon one of them waits for the batch's end, so its p99 follows how many
/// there are as much as how long they take. (MariaDB wrote 10,000 rows in 50 ms. With 2,000 others' p99 was 3.5 ms, with 1,000
/// 2.5 ms in the same time; with 500 the backfill took longer, and theirs was no better.)
const POLITE_ROWS: u32 = 1_000;

/// A limit that can be taken off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit<T> {
    /// Not looked at.
    Off,
    /// The most that is allowed.
    At(T),
}

impl<T> Limit<T> {
    fn at(self) -> Option<T> {
        match self {
            Self::Off => None,
            Self::At(limit) => Some(limit),
        }
    }
}

/// The knobs as one command gave them; what it left out is none of its business.
///
/// The state table keeps this as JSON, for what is tuned while a backfill runs. Replicas are never in there: their URLs hold
/// passwords.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Overrides {
    /// The pace. It stands for a target, a duty and a latency factor, and so replaces those of the layers below.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pace: Option<Pace>,
    /// Rows of the first batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_rows: Option<u32>,
    /// The most rows of a batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_max_rows: Option<u32>,
    /// How long a batch should take, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_target_ms: Option<u64>,
    /// The lag of replicas, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replica_lag_ms: Option<Limit<u64>>,
    /// The replicas, instead of the manifest's; empty: the manifest's.
    #[serde(skip)]
    pub replicas: Vec<ReplicaUrl>,
    /// Sessions that run a statement.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub running_sessions: Option<Limit<u32>>,
    /// Throttle queries, instead of those below; an empty list turns them off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<Vec<ThrottleQuery>>,
    /// The percent of the time that batches run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duty: Option<u32>,
    /// The hours in which batches run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hours: Option<Limit<Hours>>,
    /// The factor of the latency guard; 0 turns it off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency: Option<f64>,
}

impl Overrides {
    /// Whether nothing was given.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What holds when `newer` is tuned after this.
    #[must_use]
    pub fn then(self, newer: Self) -> Self {
        // As in `Settings`: a pace takes the place of what it stands for.
        let (target, duty, latency) =
            if newer.pace.is_some() { (None, None, None) } else { (self.batch_target_ms, self.duty, self.latency) };
        Self {
            pace: newer.pace.or(self.pace),
            batch_rows: newer.batch_rows.or(self.batch_rows),
            batch_max_rows: newer.batch_max_rows.or(self.batch_max_rows),
            batch_target_ms: newer.batch_target_ms.or(target),
            replica_lag_ms: newer.replica_lag_ms.or(self.replica_lag_ms),
            replicas: if newer.replicas.is_empty() { self.replicas } else { newer.replicas },
            running_sessions: newer.running_sessions.or(self.running_sessions),
            query: newer.query.or(self.query),
            duty: newer.duty.or(duty),
            hours: newer.hours.or(self.hours),
            latency: newer.latency.or(latency),
        }
    }

    /// What was given, as the command line would say it, for status and history: `pace full, max-replica-lag off`.
    pub fn words(&self) -> String {
        let mut words = Vec::new();
        let mut say = |name: &str, value: Option<String>| words.extend(value.map(|value| format!("{name} {value}")));
        let millis = |millis: u64| format!("{} s", seconds(Duration::from_millis(millis)));
        say("pace", self.pace.map(|pace| if pace == Pace::Full { "full" } else { "polite" }.to_owned()));
        say("batch-rows", self.batch_rows.map(|rows| rows.to_string()));
        say("batch-max-rows", self.batch_max_rows.map(|rows| rows.to_string()));
        say("batch-target", self.batch_target_ms.map(millis));
        say("max-replica-lag", self.replica_lag_ms.map(|limit| limit.at().map_or_else(|| "off".to_owned(), millis)));
        let sessions = self.running_sessions;
        say("max-running-sessions", sessions.map(|limit| limit.at().map_or("off".to_owned(), |most| most.to_string())));
        say(
            "throttle-query",
            self.query.as_ref().map(|queries| match queries.as_slice() {
                [] => "off".to_owned(),
                [query] => format!("at most {}", query.max),
                several => format!("{} of them", several.len()),
            }),
        );
        say("duty", self.duty.map(|percent| format!("{percent} %")));
        say("hours", self.hours.map(|limit| limit.at().map_or("off".to_owned(), |hours| hours.to_string())));
        say(
            "max-latency",
            self.latency.map(|factor| if factor > 0.0 { format!("{factor} times") } else { "off".to_owned() }),
        );
        words.join(", ")
    }
}

/// Seconds as people say them: `5`, `12.3`, `0.05`.
pub(super) fn seconds(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    let text = if seconds >= 1.0 { format!("{seconds:.1}") } else { format!("{seconds:.3}") };
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// What is in force.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Rows of the first batch.
    pub rows: u32,
    /// The most rows of a batch.
    pub max_rows: u32,
    /// How long a batch should take.
    pub target: Duration,
    /// The most that a replica may lag.
    pub replica_lag: Option<Duration>,
    /// The replicas that have to be asked themselves.
    pub replicas: Vec<ReplicaUrl>,
    /// The most sessions that may run a statement.
    pub running_sessions: Option<u32>,
    /// The operator's queries.
    pub queries: Vec<ThrottleQuery>,
    /// The percent of the time that batches run.
    pub duty: u32,
    /// The hours in which batches run.
    pub hours: Option<Hours>,
    /// The factor of the latency guard.
    pub latency: Option<f64>,
    /// How long a signal that fails or is stale may hold a backfill.
    pub patience: Duration,
}

impl Settings {
    /// Puts the layers over each other: the manifest, then these in order; the last one wins.
    pub fn new(manifest: &Manifest, layers: &[&Overrides]) -> Self {
        let given = layers.iter().fold(Overrides::of(manifest), |below, layer| below.then((*layer).clone()));
        let pace = given.pace.unwrap_or_default();
        let (target, duty, latency, most) = match pace {
            Pace::Polite => (Duration::from_millis(50), 50, Some(LATENCY), POLITE_ROWS),
            Pace::Full => (Duration::from_millis(200), 100, None, Batch::MOST_ROWS),
        };
        let rows = given.batch_rows.unwrap_or(manifest.batch.rows).max(1);
        // Whoever asks for a larger first batch has it.
        let max_rows = given.batch_max_rows.map_or(most.max(rows), |most| most.max(1));
        let asked = !given.replicas.is_empty();
        Self {
            rows: rows.min(max_rows),
            max_rows,
            target: given.batch_target_ms.map_or(target, Duration::from_millis),
            replica_lag: match given.replica_lag_ms {
                Some(limit) => limit.at().map(Duration::from_millis),
                None => asked.then_some(REPLICA_LAG),
            },
            replicas: given.replicas,
            running_sessions: given.running_sessions.and_then(Limit::at),
            queries: given.query.unwrap_or_default(),
            duty: given.duty.unwrap_or(duty).clamp(1, 100),
            hours: given.hours.and_then(Limit::at),
            latency: given.latency.map_or(latency, |factor| (factor > 0.0).then_some(factor)),
            patience: manifest.throttle.patience,
        }
    }

    /// How long to pause after a batch, as a part of what it took: 1 at the polite pace, 0 at the full one.
    pub fn pause_factor(&self) -> f64 {
        f64::from(100 - self.duty.min(100)) / f64::from(self.duty.max(1))
    }
}

impl Overrides {
    /// The manifest as the lowest layer.
    fn of(manifest: &Manifest) -> Self {
        let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let (batch, throttle) = (&manifest.batch, &manifest.throttle);
        Self {
            pace: Some(batch.pace),
            batch_rows: Some(batch.rows),
            batch_max_rows: batch.max_rows,
            batch_target_ms: batch.target.map(millis),
            replica_lag_ms: throttle.replica_lag.map(|lag| Limit::At(millis(lag))),
            replicas: throttle.replicas.clone(),
            running_sessions: throttle.running_sessions.map(Limit::At),
            query: Some(throttle.query.clone()),
            duty: throttle.duty,
            hours: throttle.hours.map(Limit::At),
            latency: throttle.latency,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Throttle;
    use crate::dialect::Sql;

    fn manifest(edit: impl FnOnce(&mut Manifest)) -> Manifest {
        let mut manifest = Manifest {
            database: None,
            releases: None,
            requires: None,
            gates: crate::catalog::Gates::default(),
            batch: Batch::default(),
            throttle: Throttle::default(),
            locks: crate::catalog::Locks::default(),
            matrix: crate::catalog::Matrix::default(),
        };
        edit(&mut manifest);
        manifest
    }

    fn query(max: f64) -> ThrottleQuery {
        ThrottleQuery { sql: Sql::Same("SELECT 1".to_owned()), max }
    }

    #[test]
    fn nothing_said_is_polite_and_looks_at_latency_alone() {
        let settings = Settings::new(&manifest(|_| {}), &[]);
        assert_eq!((settings.rows, settings.max_rows), (1_000, 1_000));
        assert_eq!(settings.target, Duration::from_millis(50));
        assert_eq!((settings.duty, settings.latency), (50, Some(4.0)));
        assert!((settings.pause_factor() - 1.0).abs() < 1e-9);
        assert_eq!((settings.replica_lag, settings.running_sessions, settings.hours), (None, None, None));
        assert_eq!(settings.patience, Duration::from_mins(10));
    }

    #[test]
    fn the_last_layer_wins() {
        let manifest = manifest(|manifest| {
            manifest.throttle.running_sessions = Some(20);
            manifest.throttle.query = vec![query(1.0)];
            manifest.throttle.hours = Some("22:00-06:00".parse().unwrap());
        });
        let line = Overrides {
            running_sessions: Some(Limit::At(10)),
            query: Some(vec![query(2.0), query(3.0)]),
            batch_rows: Some(77),
            ..Overrides::default()
        };
        let tuned = Overrides { running_sessions: Some(Limit::Off), hours: Some(Limit::Off), ..Overrides::default() };
        let settings = Settings::new(&manifest, &[&line, &tuned]);
        assert_eq!((settings.rows, settings.running_sessions, settings.hours), (77, None, None));
        assert_eq!(settings.queries, [query(2.0), query(3.0)]);
        let off = Overrides { query: Some(Vec::new()), ..Overrides::default() };
        assert!(Settings::new(&manifest, &[&line, &off]).queries.is_empty());
    }

    #[test]
    fn a_pace_replaces_what_it_stands_for_in_the_layers_below_alone() {
        let manifest = manifest(|manifest| {
            manifest.throttle.duty = Some(10);
            manifest.batch.target = Some(Duration::from_millis(20));
        });
        assert_eq!(Settings::new(&manifest, &[]).duty, 10);
        let full = Overrides { pace: Some(Pace::Full), ..Overrides::default() };
        let settings = Settings::new(&manifest, &[&full]);
        assert_eq!((settings.target, settings.duty, settings.latency), (Duration::from_millis(200), 100, None));
        assert!(settings.pause_factor().abs() < 1e-9);
        let guarded = Overrides { pace: Some(Pace::Full), latency: Some(8.0), duty: Some(80), ..Overrides::default() };
        let settings = Settings::new(&manifest, &[&guarded]);
        assert_eq!((settings.duty, settings.latency), (80, Some(8.0)));
        assert!((settings.pause_factor() - 0.25).abs() < 1e-9);
    }

    #[test]
    fn replicas_are_looked_at_once_they_are_named() {
        let named = manifest(|manifest| manifest.throttle.replicas = vec![ReplicaUrl("mysql://r/d".to_owned())]);
        assert_eq!(Settings::new(&named, &[]).replica_lag, Some(REPLICA_LAG));
        let off = Overrides { replica_lag_ms: Some(Limit::Off), ..Overrides::default() };
        assert_eq!(Settings::new(&named, &[&off]).replica_lag, None);
    }

    #[test]
    fn the_state_table_keeps_it_without_a_replicas_url() {
        let given = Overrides {
            pace: Some(Pace::Full),
            replica_lag_ms: Some(Limit::Off),
            running_sessions: Some(Limit::At(7)),
            replicas: vec![ReplicaUrl("mysql://me:s3cret@replica/d".to_owned())],
            hours: Some(Limit::At("22:00-06:00 +02:00".parse().unwrap())),
            query: Some(vec![query(1.5)]),
            ..Overrides::default()
        };
        let json = serde_json::to_string(&given).unwrap();
        assert_eq!(
            json,
            r#"{"pace":"full","replica_lag_ms":"off","running_sessions":{"at":7},"query":[{"sql":"SELECT 1","max":1.5}],"hours":{"at":"22:00-06:00 +02:00"}}"#
        );
        let read: Overrides = serde_json::from_str(&json).unwrap();
        assert_eq!(read, Overrides { replicas: Vec::new(), ..given.clone() });
        assert!(!format!("{given:?}").contains("s3cret"));
        assert!(serde_json::from_str::<Overrides>("{}").unwrap().is_empty());
        assert!(serde_json::from_str::<Overrides>(r#"{"dutty":1}"#).is_err());
    }

    #[test]
    fn it_says_itself() {
        let given = Overrides {
            pace: Some(Pace::Polite),
            batch_target_ms: Some(50),
            replica_lag_ms: Some(Limit::At(12_300)),
            hours: Some(Limit::Off),
            latency: Some(0.0),
            ..Overrides::default()
        };
        assert_eq!(
            given.words(),
            "pace polite, batch-target 0.05 s, max-replica-lag 12.3 s, hours off, max-latency off"
        );
    }
}
