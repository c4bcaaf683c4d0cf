//! `concertina.yaml`.

use std::collections::HashSet;
use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::diagnostic::{Diagnostic, Origin};
use super::document::{Document, Part};
use super::matrix::Matrix;
use super::sessions::NodeSessions;
use super::throttle::{Pace, ReplicaUrl, Throttle, check_duty, check_latency, check_max};

/// The manifest of a project.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The database's URL; `${NAME}` and `${NAME:-default}` are taken from the environment.
    #[serde(default)]
    pub database: Option<String>,
    /// The train, oldest first; left out, the folders' names in natural order.
    #[serde(default)]
    pub releases: Option<Vec<String>>,
    /// The oldest version of this program that understands the project.
    #[serde(default)]
    pub requires: Option<String>,
    /// Conditions of phases.
    #[serde(default)]
    pub gates: Gates,
    /// Backfills.
    #[serde(default)]
    pub batch: Batch,
    /// What holds a backfill.
    #[serde(default)]
    pub throttle: Throttle,
    /// Waiting for locks.
    #[serde(default)]
    pub locks: Locks,
    /// What is rehearsed.
    #[serde(default)]
    pub matrix: Matrix,
}

/// `gates:`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Gates {
    /// How long no old write may have been seen before contract; 0s turns it off. Default: 5m.
    #[serde(deserialize_with = "duration")]
    pub quiet_period: Duration,
    /// What nodes of a release call their sessions. Default: nothing that is known.
    pub sessions: NodeSessions,
}

impl Default for Gates {
    fn default() -> Self {
        Self { quiet_period: Duration::from_mins(5), sessions: NodeSessions::default() }
    }
}

/// `batch:`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Batch {
    /// Rows of the first batch; later ones follow the target. Default: 1000.
    pub rows: u32,
    /// The most rows of a batch. Default: by the pace, 1000 or 50000.
    pub max_rows: Option<u32>,
    /// How long a batch should take. Default: by the pace, 50ms or 200ms.
    #[serde(deserialize_with = "some_duration")]
    pub target: Option<Duration>,
    /// `polite` or `full`. Default: polite.
    pub pace: Pace,
}

impl Default for Batch {
    fn default() -> Self {
        Self { rows: 1_000, max_rows: None, target: None, pace: Pace::default() }
    }
}

/// `locks:`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Locks {
    /// How long a step goes on asking for its lock, an instant at a time. Default: 2m.
    #[serde(deserialize_with = "duration")]
    pub retry_for: Duration,
    /// How long that instant is. Default: 50ms on PostgreSQL, 250ms on SQLite; in whole seconds, 0 on MariaDB and 1 on MySQL.
    #[serde(deserialize_with = "some_duration")]
    pub timeout: Option<Duration>,
}

impl Default for Locks {
    fn default() -> Self {
        Self { retry_for: Duration::from_mins(2), timeout: None }
    }
}

/// `locks:` beside a step, over those of the manifest.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StepLocks {
    /// How long the step goes on asking for its lock.
    #[serde(deserialize_with = "some_duration")]
    pub retry_for: Option<Duration>,
    /// How long it asks each time.
    #[serde(deserialize_with = "some_duration")]
    pub timeout: Option<Duration>,
}

/// Reads a duration as `250ms`, `5m`, `1h 30m`, or `0`.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    if text.trim() == "0" {
        return Ok(Duration::ZERO);
    }
    text.parse::<jiff::SignedDuration>()
        .ok()
        .and_then(|duration| Duration::try_from(duration).ok())
        .ok_or_else(|| format!("`{text}` is no duration; expected one such as 250ms, 30s, 5m or 1h 30m"))
}

pub(super) fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let value = serde_yaml::Value::deserialize(deserializer)?;
    let text = match &value {
        serde_yaml::Value::String(text) => text.clone(),
        serde_yaml::Value::Number(number) => number.to_string(),
        _ => return Err(D::Error::custom("expected a duration such as 250ms, 30s or 5m")),
    };
    parse_duration(&text).map_err(D::Error::custom)
}

pub(super) fn some_duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    duration(deserializer).map(Some)
}

impl Manifest {
    pub(super) fn read(document: &Document) -> Result<Self, Vec<Diagnostic>> {
        // Before anything else: what a newer version would understand is no error of the file.
        refuse_older_program(document).map_err(|diagnostic| vec![diagnostic])?;
        let mut manifest: Self = document.read(&document.value, &[])?;
        let key = |name: &str| vec![Part::Key(name.to_owned())];
        let mut errors = Vec::new();
        if let Some(database) = &manifest.database {
            match interpolate(database, |name| std::env::var(name).ok()) {
                Ok(interpolated) => manifest.database = Some(interpolated),
                Err((message, word)) => {
                    errors.push(document.origin(&key("database")).narrowed(&word).diagnostic(message));
                }
            }
        }
        let releases = manifest.releases.clone().unwrap_or_default();
        let mut seen = HashSet::new();
        for (index, release) in releases.iter().enumerate() {
            let place = || -> Origin { document.origin(&[Part::Key("releases".to_owned()), Part::Index(index)]) };
            if !seen.insert(release) {
                errors.push(place().diagnostic(format!("the release `{release}` is in the train twice")));
            }
            if !is_name(release) {
                errors.push(
                    place().diagnostic(format!(
                        "`{release}` is no release name; expected letters, digits, `.`, `_` and `-`"
                    )),
                );
            }
        }
        errors.extend(manifest.gates.sessions.errors(document));
        errors.extend(manifest.batch.errors(document));
        errors.extend(manifest.throttle.complete(document));
        if errors.is_empty() { Ok(manifest) } else { Err(errors) }
    }
}

/// Fails where the project asks for a newer program than this one.
fn refuse_older_program(document: &Document) -> Result<(), Diagnostic> {
    let Some(value) = document.value.get("requires") else { return Ok(()) };
    let origin = || document.origin(&[Part::Key("requires".to_owned())]);
    let text = match value {
        serde_yaml::Value::String(text) => text.clone(),
        // 0.10 is 0.1 to YAML.
        _ => String::new(),
    };
    let this = env!("CARGO_PKG_VERSION");
    match (version(&text), version(this)) {
        (None, _) => {
            Err(origin().diagnostic(format!("expected the least version of concertina, in quotes, such as \"{this}\"")))
        }
        (Some(needed), Some(ours)) if needed > ours => {
            Err(origin().diagnostic(format!("this project needs concertina {text} or later, and this is {this}")))
        }
        _ => Ok(()),
    }
}

/// The three numbers of a version; those that are left out are 0.
fn version(text: &str) -> Option<[u32; 3]> {
    let mut numbers = [0; 3];
    let parts: Vec<&str> = text.split('.').collect();
    if parts.len() > numbers.len() {
        return None;
    }
    for (number, part) in numbers.iter_mut().zip(parts) {
        *number = part.parse().ok()?;
    }
    Some(numbers)
}

fn place(document: &Document, section: &str, key: &str, index: Option<usize>) -> Origin {
    let mut path = vec![Part::Key(section.to_owned()), Part::Key(key.to_owned())];
    path.extend(index.map(Part::Index));
    document.origin(&path)
}

impl Batch {
    /// The most rows of a batch at full pace, unless the manifest says otherwise.
    pub const MOST_ROWS: u32 = 50_000;

    fn errors(&self, document: &Document) -> Vec<Diagnostic> {
        let error = |key: &str, message: String| place(document, "batch", key, None).diagnostic(message);
        let mut errors = Vec::new();
        if self.rows == 0 {
            errors.push(error("rows", "a batch needs at least 1 row".to_owned()));
        }
        let most = self.max_rows.unwrap_or(Self::MOST_ROWS);
        if most < self.rows {
            let message = format!("the first batch has {} rows, and none may have more than {most}", self.rows);
            errors.push(error(if self.max_rows.is_some() { "max_rows" } else { "rows" }, message));
        }
        if self.target == Some(Duration::ZERO) {
            errors.push(error("target", "a batch takes longer than that; expected a duration such as 50ms".to_owned()));
        }
        errors
    }
}

impl Throttle {
    /// Puts the environment into the replicas' URLs, and says what is wrong.
    fn complete(&mut self, document: &Document) -> Vec<Diagnostic> {
        let mut errors = Vec::new();
        let throttle = |key: &str, index: Option<usize>| place(document, "throttle", key, index);
        for (index, replica) in self.replicas.iter_mut().enumerate() {
            match interpolate(&replica.0, |name| std::env::var(name).ok()) {
                Ok(url) if ["mysql://", "mariadb://"].iter().any(|scheme| url.starts_with(scheme)) => {
                    *replica = ReplicaUrl(url);
                }
                // The text is not repeated: it may hold a password.
                Ok(_) => {
                    let message =
                        "expected a replica's URL, mysql://… or mariadb://…; PostgreSQL knows its own replicas";
                    errors.push(throttle("replicas", Some(index)).diagnostic(message));
                }
                Err((message, word)) => {
                    errors.push(throttle("replicas", Some(index)).narrowed(&word).diagnostic(message));
                }
            }
        }
        errors.extend(self.duty.and_then(|duty| Some(throttle("duty", None).diagnostic(check_duty(duty).err()?))));
        let latency = self.latency.and_then(|factor| check_latency(factor).err());
        errors.extend(latency.map(|message| throttle("latency", None).diagnostic(message)));
        for query in &self.query {
            errors.extend(check_max(query.max).err().map(|message| throttle("query", None).diagnostic(message)));
        }
        errors
    }
}

pub(super) fn is_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with('.')
        && text.chars().all(|character| character.is_alphanumeric() || "._-".contains(character))
}

/// Puts environment variables in: `${NAME}`, `${NAME:-default}`, `$$` for a dollar.
///
/// An error comes with the word that it is about.
fn interpolate(text: &str, variable: impl Fn(&str) -> Option<String>) -> Result<String, (String, String)> {
    let mut output = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        output.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            output.push('$');
            rest = after;
        } else if let Some(after) = rest.strip_prefix('{') {
            let (inside, after) =
                after.split_once('}').ok_or_else(|| ("a `${` is never closed".to_owned(), "${".to_owned()))?;
            let (name, default) = match inside.split_once(":-") {
                Some((name, default)) => (name, Some(default)),
                None => (inside, None),
            };
            match variable(name).filter(|value| !value.is_empty()).or(default.map(str::to_owned)) {
                Some(value) => output.push_str(&value),
                None => {
                    let message = format!("the environment variable `{name}` is not set, and there is no `:-default`");
                    return Err((message, name.to_owned()));
                }
            }
            rest = after;
        } else {
            output.push('$');
        }
    }
    output.push_str(rest);
    Ok(output)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_is_put_in() {
        let variable = |name: &str| (name == "A").then(|| "x".to_owned());
        assert_eq!(interpolate("${A}/${B:-y}/$$z", variable).unwrap(), "x/y/$z");
        assert!(interpolate("${B}", variable).is_err());
        assert!(interpolate("${A", variable).is_err());
    }

    #[test]
    fn durations_have_units() {
        assert_eq!(parse_duration("250ms").unwrap(), Duration::from_millis(250));
        assert_eq!(parse_duration("0").unwrap(), Duration::ZERO);
        assert!(parse_duration("5").is_err());
        assert!(parse_duration("-5m").is_err());
    }
}
