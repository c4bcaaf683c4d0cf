//! The knobs of a backfill on the command line, the same for `migrate` and `tune`.

use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};

use super::Failure;
use crate::catalog::{Hours, Pace, ReplicaUrl, ThrottleQuery, check_duty, check_latency, check_max, parse_duration};
use crate::db::Target;
use crate::dialect::{Kind, Sql};
use crate::engine::{Limit, Overrides};

/// The word that takes a throttle off.
const OFF: &str = "off";

/// The pace and throttles.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Pace and throttles")]
pub(super) struct Tuning {
    /// `polite`: batches of 50 ms, with pauses; `full`: batches of 200 ms, without, for quiet windows
    #[arg(long, value_parser = PossibleValuesParser::new(["polite", "full"]).map(|word| pace(&word)))]
    pace: Option<Pace>,
    /// Rows of the first batch; later ones follow the target
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    batch_rows: Option<u32>,
    /// The most rows of a batch
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    batch_max_rows: Option<u32>,
    /// How long a batch should take
    #[arg(long, value_name = "DURATION", value_parser = target)]
    batch_target: Option<Duration>,
    /// Wait while a replica lags more than this; `off` to not look
    #[arg(long, value_name = "DURATION", value_parser = limit(parse_duration))]
    max_replica_lag: Option<Limit<Duration>>,
    /// Wait while more sessions than this run a statement; `off` to not look
    #[arg(long, value_name = "N", value_parser = limit(sessions))]
    max_running_sessions: Option<Limit<u32>>,
    /// Wait while this SELECT of one number says more than --throttle-max; may be given again; `off` to not ask
    #[arg(long, value_name = "SQL")]
    throttle_query: Vec<String>,
    /// The most that the throttle query may say
    #[arg(long, value_name = "N", value_parser = number, allow_negative_numbers = true)]
    throttle_max: Vec<f64>,
    /// The percent of the time that batches run
    #[arg(long, value_name = "PERCENT", value_parser = duty)]
    duty: Option<u32>,
    /// Run within these hours alone, UTC by the database's clock: `22:00-06:00`, `22:00-06:00 +02:00`; `off` for always
    #[arg(long, value_name = "HOURS", value_parser = limit(Hours::from_str))]
    hours: Option<Limit<Hours>>,
    /// Back off while small commits take this many times as long as when all was quiet; `off` to not look
    #[arg(long, value_name = "FACTOR", value_parser = latency)]
    max_latency: Option<f64>,
}

/// The replicas, for `migrate` alone: what is tuned is kept in the database, and a URL may hold a password.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct Replicas {
    // Read by hand: clap would repeat a URL that is none, with its password.
    /// A replica to ask for its lag, `mysql://…`; may be given again (PostgreSQL knows its own)
    #[arg(long = "replica", value_name = "URL", help_heading = "Pace and throttles")]
    replicas: Vec<String>,
}

impl Tuning {
    /// What was given, as a layer over the manifest.
    pub(super) fn overrides(self) -> Result<Overrides, Failure> {
        let query = self.queries()?;
        Ok(Overrides {
            pace: self.pace,
            batch_rows: self.batch_rows,
            batch_max_rows: self.batch_max_rows,
            batch_target_ms: self.batch_target.map(millis),
            replica_lag_ms: self.max_replica_lag.map(|limit| match limit {
                Limit::Off => Limit::Off,
                Limit::At(lag) => Limit::At(millis(lag)),
            }),
            replicas: Vec::new(),
            running_sessions: self.max_running_sessions,
            query,
            duty: self.duty,
            hours: self.hours,
            latency: self.max_latency,
        })
    }

    fn queries(&self) -> Result<Option<Vec<ThrottleQuery>>, Failure> {
        let (queries, most) = (&self.throttle_query, &self.throttle_max);
        if queries.len() == 1 && queries[0] == OFF && most.is_empty() {
            return Ok(Some(Vec::new()));
        }
        if queries.len() != most.len() {
            return Err(Failure::usage("each --throttle-query needs its --throttle-max N".to_owned()));
        }
        let both = queries.iter().zip(most);
        let queries: Vec<_> = both.map(|(sql, max)| ThrottleQuery { sql: Sql::Same(sql.clone()), max: *max }).collect();
        Ok((!queries.is_empty()).then_some(queries))
    }
}

impl Replicas {
    /// Adds the replicas to what was given.
    pub(super) fn add_to(self, overrides: Overrides) -> Result<Overrides, Failure> {
        for (index, url) in self.replicas.iter().enumerate() {
            let bad = |reason: String| Failure::usage(format!("--replica, number {}: {reason}", index + 1));
            let target = Target::parse(url, Path::new("")).map_err(|error| bad(error.to_string()))?;
            if target.kind() != Kind::MySql {
                return Err(bad("expected mysql://… or mariadb://…; PostgreSQL knows its own replicas".to_owned()));
            }
        }
        Ok(Overrides { replicas: self.replicas.into_iter().map(ReplicaUrl).collect(), ..overrides })
    }
}

fn pace(word: &str) -> Pace {
    if word == "full" { Pace::Full } else { Pace::Polite }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn limit<T: 'static>(
    read: impl Fn(&str) -> Result<T, String> + Clone + Send + Sync + 'static,
) -> impl Fn(&str) -> Result<Limit<T>, String> + Clone + Send + Sync + 'static {
    move |text| if text == OFF { Ok(Limit::Off) } else { read(text).map(Limit::At) }
}

fn target(text: &str) -> Result<Duration, String> {
    let target = parse_duration(text)?;
    if target.is_zero() { Err("a batch takes longer than that".to_owned()) } else { Ok(target) }
}

fn sessions(text: &str) -> Result<u32, String> {
    text.parse().ok().ok_or_else(|| "expected a whole number, or `off`".to_owned())
}

fn duty(text: &str) -> Result<u32, String> {
    let percent = text.trim_end_matches('%').trim();
    percent.parse().ok().ok_or_else(|| "expected a percent from 1 to 100".to_owned()).and_then(check_duty)
}

fn number(text: &str) -> Result<f64, String> {
    text.parse().ok().ok_or_else(|| "expected a number".to_owned()).and_then(check_max)
}

fn latency(text: &str) -> Result<f64, String> {
    if text == OFF {
        return Ok(0.0);
    }
    text.parse().ok().ok_or_else(|| "expected a factor such as 4, or `off`".to_owned()).and_then(check_latency)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        tuning: Tuning,
        #[command(flatten)]
        replicas: Replicas,
    }

    fn given(arguments: &str) -> Result<Overrides, String> {
        let words = arguments.split('|').filter(|word| !word.is_empty());
        let line = Line::try_parse_from(["line"].into_iter().chain(words)).map_err(|error| error.to_string())?;
        let overrides = line.tuning.overrides().and_then(|overrides| line.replicas.add_to(overrides));
        overrides.map_err(|failure| format!("{failure:?}"))
    }

    #[test]
    fn nothing_given_is_nothing_overridden() {
        assert!(given("").unwrap().is_empty());
    }

    #[test]
    fn every_knob_is_read() {
        let read = given(
            "--pace|full|--batch-rows|5|--batch-max-rows|9|--batch-target|20ms|--max-replica-lag|1m 5s|\
             --max-running-sessions|7|--throttle-query|SELECT 1|--throttle-max|-1.5|--duty|30%|\
             --hours|22:00-06:00 +02:00|--max-latency|3",
        );
        assert_eq!(
            read.unwrap().words(),
            "pace full, batch-rows 5, batch-max-rows 9, batch-target 0.02 s, max-replica-lag 65 s, max-running-sessions 7, \
             throttle-query at most -1.5, duty 30 %, hours 22:00-06:00 +02:00, max-latency 3 times"
        );
    }

    #[test]
    fn every_throttle_can_be_taken_off() {
        let read = given(
            "--max-replica-lag|off|--max-running-sessions|off|--throttle-query|off|--hours|off|--max-latency|off",
        );
        assert_eq!(
            read.unwrap().words(),
            "max-replica-lag off, max-running-sessions off, throttle-query off, hours off, max-latency off"
        );
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for arguments in [
            "--pace|fast",
            "--batch-rows|0",
            "--batch-target|0",
            "--max-replica-lag|5",
            "--throttle-query|SELECT 1",
            "--throttle-max|1",
            "--duty|0",
            "--duty|101",
            "--hours|22-6",
            "--max-latency|1",
            "--max-latency|inf",
            "--replica|postgres://me:s3cret@r/d",
            "--replica|s3cret",
            "--replica|mysql://me:s3/cret@r/d",
        ] {
            let said = given(arguments).unwrap_err();
            assert!(!said.contains("s3"), "{said}");
        }
        assert_eq!(given("--replica|mysql://me:s3cret@r/d").unwrap().replicas.len(), 1);
    }
}
