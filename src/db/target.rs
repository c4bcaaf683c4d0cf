//! Where a database is: a URL that shows itself without its password.

use std::fmt;
use std::path::{Path, PathBuf};

use url::Url;

use super::DbError;
use crate::dialect::Kind;

/// A database's URL.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    kind: Kind,
    url: String,
    shown: String,
    file: Option<PathBuf>,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

// Written by hand so that the password never reaches a log by way of `{:?}`.
impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({})", self.shown)
    }
}

impl Target {
    /// Reads a URL; a relative SQLite path is taken from `base`.
    pub fn parse(text: &str, base: &Path) -> Result<Self, DbError> {
        let bad = |reason: String| DbError::Url { reason };
        let scheme = text.split(':').next().unwrap_or_default();
        let kind = match scheme {
            "postgres" | "postgresql" => Kind::Postgres,
            "mysql" | "mariadb" => Kind::MySql,
            "sqlite" => Kind::Sqlite,
            // The text is not repeated: it may hold a password.
            _ => return Err(bad("expected postgres://…, mysql://…, mariadb://… or sqlite://FILE".to_owned())),
        };
        if kind == Kind::Sqlite {
            let rest = text.strip_prefix("sqlite://").or_else(|| text.strip_prefix("sqlite:")).unwrap_or_default();
            let path = rest.split('?').next().unwrap_or_default();
            if path.is_empty() {
                return Err(bad("sqlite:// needs a file, such as sqlite://glance.db".to_owned()));
            }
            if path == ":memory:" {
                return Ok(Self { kind, url: "sqlite::memory:".to_owned(), shown: text.to_owned(), file: None });
            }
            let file = base.join(path);
            let url = format!("sqlite://{}", file.display());
            return Ok(Self { kind, url, shown: format!("sqlite://{path}"), file: Some(file) });
        }
        let mut url = Url::parse(text).map_err(|error| bad(error.to_string()))?;
        if url.path().trim_start_matches('/').is_empty() {
            return Err(bad(format!("{scheme}://… names no database; add /NAME behind the host")));
        }
        if url.path().contains('@') {
            return Err(bad(
                "there is an `@` behind the host; write a `/`, `:` or `@` of the password as %2F, %3A, %40".to_owned(),
            ));
        }
        let full = url.to_string();
        if url.password().is_some() && url.set_password(Some("***")).is_err() {
            return Err(bad("the URL has a password and no host".to_owned()));
        }
        // libpq also takes a password as a parameter.
        let parameters: Vec<(String, String)> = url
            .query_pairs()
            .map(|(key, value)| {
                let secret = key.to_ascii_lowercase().contains("pass");
                (key.into_owned(), if secret { "***".to_owned() } else { value.into_owned() })
            })
            .collect();
        if !parameters.is_empty() {
            url.query_pairs_mut().clear().extend_pairs(parameters);
        }
        Ok(Self { kind, url: full, shown: url.to_string(), file: None })
    }

    /// The family.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The file of a SQLite database.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }
}

/// The same text with every URL's password masked, byte for byte, so that places in it stay where they are.
///
/// `${NAME}` is no password: it names a variable.
pub fn without_passwords(text: &str) -> String {
    let mut masked = text.to_owned();
    let mut mask = |from: usize, to: usize| {
        let variable =
            text[from..to].starts_with("${") && text[from..to].ends_with('}') && !text[from..to].contains(":-");
        if !variable {
            masked.replace_range(from..to, &"*".repeat(to - from));
        }
    };
    let ends_url = |character: char| character.is_whitespace() || "\"'`".contains(character);
    let mut end = 0;
    for (at, _) in text.match_indices("://") {
        // What is masked of a URL is masked of one inside it as well.
        if at < end {
            continue;
        }
        let start = at + "://".len();
        end = text[start..].find(ends_url).map_or(text.len(), |length| start + length);
        let url = &text[start..end];
        // A password with an unescaped `/` or `@` makes no URL, and is a password all the same.
        if let (Some(colon), Some(host)) = (url.find(':'), url.rfind('@'))
            && colon < host
        {
            mask(start + colon + 1, start + host);
        }
        for (equals, _) in url.match_indices('=') {
            let key = url[..equals].rsplit(['?', '&']).next().unwrap_or_default();
            if key.to_ascii_lowercase().contains("pass") {
                let value = start + equals + 1;
                mask(value, text[value..end].find('&').map_or(end, |length| value + length));
            }
        }
    }
    masked
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        Target::parse(text, Path::new("/base")).unwrap().to_string()
    }

    #[test]
    fn a_password_is_never_shown() {
        let target = Target::parse("postgres://me:s3cret@db/glance?sslpassword=s3cret", Path::new("/")).unwrap();
        assert!(!format!("{target} {target:?}").contains("s3cret"));
        assert_eq!(shown("mysql://me:s3cret@db:3306/glance"), "mysql://me:***@db:3306/glance");
        let error = Target::parse("s3cret://me@db/x", Path::new("/")).unwrap_err();
        assert!(!error.to_string().contains("s3cret"));
    }

    #[test]
    fn a_text_keeps_its_places_without_its_passwords() {
        for (text, masked) in [
            (
                "x: postgres://me:s3@cret@db/g?sslpassword=s3cret&a=b # y",
                "x: postgres://me:*******@db/g?sslpassword=******&a=b # y",
            ),
            ("postgres://me:${SECRET}@db/g", "postgres://me:${SECRET}@db/g"),
            ("${URL:-mysql://me:s3cret@db/g}", "${URL:-mysql://me:******@db/g}"),
            ("mysql://db:3306/g, a@b", "mysql://db:3306/g, a@b"),
        ] {
            assert_eq!(without_passwords(text), masked);
        }
    }

    #[test]
    fn a_relative_file_is_the_projects() {
        let target = Target::parse("sqlite://glance.db", Path::new("/base")).unwrap();
        assert_eq!(target.file(), Some(Path::new("/base/glance.db")));
        assert_eq!(target.to_string(), "sqlite://glance.db");
    }
}
