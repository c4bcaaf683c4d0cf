//! `concertina.yaml`.

use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::diagnostic::{Diagnostic, Origin};
use super::document::{Document, Part};

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
    /// Conditions of phases.
    #[serde(default)]
    pub gates: Gates,
    /// Backfills.
    #[serde(default)]
    pub batch: Batch,
    /// Waiting for locks.
    #[serde(default)]
    pub locks: Locks,
}

/// `gates:`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Gates {
    /// How long no old write may have been seen before contract; 0s turns it off. Default: 5m.
    #[serde(deserialize_with = "duration")]
    pub quiet_period: Duration,
}

impl Default for Gates {
    fn default() -> Self {
        Self { quiet_period: Duration::from_mins(5) }
    }
}

/// `batch:`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Batch {
    /// Rows of the first batch; later ones follow the target. Default: 1000.
    pub rows: u32,
    /// How long a batch should take. Default: 50ms.
    #[serde(deserialize_with = "duration")]
    pub target: Duration,
}

impl Default for Batch {
    fn default() -> Self {
        Self { rows: 1_000, target: Duration::from_millis(50) }
    }
}

/// `locks:`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Locks {
    /// How long a step goes on asking for its lock, an instant at a time. Default: 2m.
    #[serde(deserialize_with = "duration")]
    pub retry_for: Duration,
}

impl Default for Locks {
    fn default() -> Self {
        Self { retry_for: Duration::from_mins(2) }
    }
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

fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let value = serde_yaml::Value::deserialize(deserializer)?;
    let text = match &value {
        serde_yaml::Value::String(text) => text.clone(),
        serde_yaml::Value::Number(number) => number.to_string(),
        _ => return Err(D::Error::custom("expected a duration such as 250ms, 30s or 5m")),
    };
    parse_duration(&text).map_err(D::Error::custom)
}

impl Manifest {
    pub(super) fn read(document: &Document) -> Result<Self, Vec<Diagnostic>> {
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
        for (index, release) in releases.iter().enumerate() {
            let place = || -> Origin { document.origin(&[Part::Key("releases".to_owned()), Part::Index(index)]) };
            if releases[..index].contains(release) {
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
        if manifest.batch.rows == 0 {
            errors.push(
                document
                    .origin(&[Part::Key("batch".to_owned()), Part::Key("rows".to_owned())])
                    .diagnostic("a batch needs at least 1 row"),
            );
        }
        if errors.is_empty() { Ok(manifest) } else { Err(errors) }
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
