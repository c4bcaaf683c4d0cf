//! `throttle:` of the manifest: what holds a backfill, and when it may run at all.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::manifest::{duration, some_duration};
use crate::dialect::Sql;

/// How much of the database's time a backfill takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pace {
    /// Batches of 50 ms, and after each a pause as long as it took.
    #[default]
    Polite,
    /// Batches of 200 ms and no pauses, for quiet windows.
    Full,
}

/// `throttle:`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Throttle {
    /// Above this lag of a replica the next batch is held. Default: not looked at, unless `replicas` are named: 5s.
    #[serde(deserialize_with = "some_duration")]
    pub replica_lag: Option<Duration>,
    /// The replicas' URLs, on MySQL/MariaDB; PostgreSQL knows its own. Default: none.
    pub replicas: Vec<ReplicaUrl>,
    /// With more sessions than this that run a statement the next batch is held. Default: not looked at.
    pub running_sessions: Option<u32>,
    /// Queries of the operator's, each with the most it may say. Default: none.
    #[serde(deserialize_with = "one_or_more")]
    pub query: Vec<ThrottleQuery>,
    /// How much of the time batches run, in percent. Default: by the pace, 50 or 100.
    pub duty: Option<u32>,
    /// The hours in which batches run. Default: always.
    pub hours: Option<Hours>,
    /// From how many times its quiet latency on a small commit is slow; 0 turns the guard off. Default: by the pace, 4 or off.
    pub latency: Option<f64>,
    /// How long a signal that fails or is stale may hold a backfill. Default: 10m.
    #[serde(deserialize_with = "duration")]
    pub patience: Duration,
}

impl Default for Throttle {
    fn default() -> Self {
        Self {
            replica_lag: None,
            replicas: Vec::new(),
            running_sessions: None,
            query: Vec::new(),
            duty: None,
            hours: None,
            latency: None,
            patience: Duration::from_mins(10),
        }
    }
}

/// What is wrong with a duty, for the manifest and the command line alike.
pub fn check_duty(percent: u32) -> Result<u32, String> {
    if (1..=100).contains(&percent) {
        Ok(percent)
    } else {
        Err(format!("{percent} is no duty; expected 1 to 100, the percent of the time that batches run"))
    }
}

/// What is wrong with a latency factor.
pub fn check_latency(factor: f64) -> Result<f64, String> {
    if factor == 0.0 || (factor > 1.0 && factor.is_finite()) {
        Ok(factor)
    } else {
        Err(format!("{factor} is no latency factor; expected more than 1, such as 4, or 0 for no guard"))
    }
}

/// What is wrong with a throttle query's bound: nothing is more than a number that is none.
pub fn check_max(max: f64) -> Result<f64, String> {
    if max.is_finite() { Ok(max) } else { Err(format!("{max} is no bound; expected a number")) }
}

/// `query:` of `throttle:`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ThrottleQuery {
    /// One SELECT of one number; a database it has no text for is not asked.
    pub sql: Sql,
    /// With more than this the next batch is held.
    pub max: f64,
}

fn one_or_more<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<ThrottleQuery>, D::Error> {
    struct OneOrMore;
    impl<'de> Visitor<'de> for OneOrMore {
        type Value = Vec<ThrottleQuery>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("`{ sql: SELECT …, max: 10 }`, or a list of them")
        }
        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
            Ok(vec![ThrottleQuery::deserialize(MapAccessDeserializer::new(map))?])
        }
        fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
            Vec::deserialize(SeqAccessDeserializer::new(list))
        }
    }
    deserializer.deserialize_any(OneOrMore)
}

/// A replica's URL. It is not shown, nor written anywhere: it may hold a password.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct ReplicaUrl(pub String);

impl fmt::Debug for ReplicaUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReplicaUrl(…@{})", self.0.rsplit(['@', '/']).next().unwrap_or_default())
    }
}

/// A window of hours, by the database's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hours {
    /// Minutes from midnight.
    from: u32,
    to: u32,
    /// Minutes east of UTC.
    offset: i32,
}

const DAY: i64 = 24 * 60;

impl Hours {
    /// Whether it is open, at milliseconds since the epoch.
    pub fn is_open(self, now: i64) -> bool {
        let minute = self.minute(now);
        if self.from < self.to {
            (self.from..self.to).contains(&minute)
        } else {
            minute >= self.from || minute < self.to
        }
    }

    /// The time of day in the window's zone: `UTC 14:03`.
    pub fn time(self, now: i64) -> String {
        let zone = if self.offset == 0 { "UTC".to_owned() } else { self.zone() };
        format!("{zone} {}", clock(self.minute(now)))
    }

    fn minute(self, now: i64) -> u32 {
        let minute = (now.div_euclid(60_000) + i64::from(self.offset)).rem_euclid(DAY);
        u32::try_from(minute).unwrap_or_default()
    }

    fn zone(self) -> String {
        let sign = if self.offset < 0 { '-' } else { '+' };
        format!("{sign}{}", clock(self.offset.unsigned_abs()))
    }
}

fn clock(minutes: u32) -> String {
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

/// Reads `22:00`; `24:00` is the end of the day.
fn minutes(text: &str) -> Option<u32> {
    let (hours, minutes) = text.split_once(':')?;
    let number = |text: &str| -> Option<u32> {
        let digits = text.len() <= 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse().ok()).flatten()
    };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    let whole = hours * 60 + minutes;
    (minutes < 60 && whole <= 24 * 60).then_some(whole)
}

impl FromStr for Hours {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("`{text}` is no window of hours; expected one such as 22:00-06:00, or 22:00-06:00 +02:00");
        let compact: String = text.chars().filter(|character| !character.is_whitespace()).collect();
        let (from, rest) = compact.split_once('-').ok_or_else(bad)?;
        let (to, offset) = match rest.find(['+', '-']) {
            Some(at) => {
                let east = minutes(&rest[at + 1..]).filter(|offset| *offset <= 14 * 60).ok_or_else(bad)?;
                let east = i32::try_from(east).ok().ok_or_else(bad)?;
                (&rest[..at], if rest[at..].starts_with('-') { -east } else { east })
            }
            None => (rest, 0),
        };
        let (from, to) = (minutes(from).ok_or_else(bad)?, minutes(to).ok_or_else(bad)?);
        if from == to {
            return Err(format!("`{text}` begins when it ends; leave `hours` out to run always"));
        }
        Ok(Self { from, to, offset })
    }
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", clock(self.from), clock(self.to))?;
        if self.offset == 0 { Ok(()) } else { write!(f, " {}", self.zone()) }
    }
}

impl<'de> Deserialize<'de> for Hours {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl Serialize for Hours {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(clock: &str) -> i64 {
        // Some day or other.
        1_760_054_400_000 + i64::from(minutes(clock).unwrap()) * 60_000
    }

    #[test]
    fn a_window_may_go_over_midnight() {
        let hours: Hours = "22:00-06:00".parse().unwrap();
        for (time, open) in [("21:59", false), ("22:00", true), ("00:00", true), ("05:59", true), ("06:00", false)] {
            assert_eq!(hours.is_open(at(time)), open, "{time}");
        }
        let hours: Hours = "9:30-17:00".parse().unwrap();
        for (time, open) in [("9:29", false), ("9:30", true), ("16:59", true), ("17:00", false), ("23:00", false)] {
            assert_eq!(hours.is_open(at(time)), open, "{time}");
        }
        assert!("00:00-24:00".parse::<Hours>().unwrap().is_open(at("23:59")));
    }

    #[test]
    fn a_window_may_have_a_zone() {
        let hours: Hours = "22:00-06:00 +02:00".parse().unwrap();
        assert!(hours.is_open(at("20:00")) && !hours.is_open(at("04:00")));
        assert_eq!(hours.time(at("14:03")), "+02:00 16:03");
        let hours: Hours = "22:00-06:00-03:30".parse().unwrap();
        assert!(hours.is_open(at("01:30")) && !hours.is_open(at("01:29")));
        assert_eq!(hours.to_string(), "22:00-06:00 -03:30");
        assert_eq!("22:00-06:00".parse::<Hours>().unwrap().time(at("14:03")), "UTC 14:03");
    }

    #[test]
    fn what_is_no_window_is_refused() {
        for text in ["", "22", "22:00", "22:00-25:00", "22:60-23:00", "22:00-06:00 +15:00", "22:00-22:00", "a:b-c:d"] {
            assert!(text.parse::<Hours>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_replica_is_not_shown_with_its_password() {
        let shown = format!("{:?}", ReplicaUrl("mysql://me:s3cret@replica:3306/g".to_owned()));
        assert!(!shown.contains("s3cret"), "{shown}");
    }
}
