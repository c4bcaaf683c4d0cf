//! Where a database is: a URL that shows itself without its password.

use std::fmt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use url::Url;

use super::parameters::{Parameters, SEVERAL_HOSTS};
use super::{DbError, options};
use crate::dialect::Kind;

/// A database's URL.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    kind: Kind,
    url: String,
    shown: String,
    file: Option<PathBuf>,
    parameters: Parameters,
    /// The URL's query as it was given.
    query: Option<String>,
    has_password: bool,
    password_file: Option<PathBuf>,
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
            let (url, shown, file) = if path == ":memory:" {
                ("sqlite::memory:".to_owned(), text.to_owned(), None)
            } else {
                let file = base.join(path);
                (format!("sqlite://{}", file.display()), format!("sqlite://{path}"), Some(file))
            };
            let (parameters, password_file) = (Parameters::default(), None);
            let (query, has_password) = (None, false);
            return Ok(Self { kind, url, shown, file, parameters, query, has_password, password_file });
        }
        let authority = text.split("://").nth(1).unwrap_or_default().split(['/', '?']).next().unwrap_or_default();
        if authority.rsplit('@').next().is_some_and(|hosts| hosts.contains(',')) {
            return Err(bad(SEVERAL_HOSTS.to_owned()));
        }
        let mut url = Url::parse(&with_host(text, authority)).map_err(|error| bad(error.to_string()))?;
        if url.path().trim_start_matches('/').is_empty() {
            return Err(bad(format!("{scheme}://… names no database; add /NAME behind the host")));
        }
        if url.path().contains('@') {
            return Err(bad(
                "there is an `@` behind the host; write a `/`, `:` or `@` of the password as %2F, %3A, %40".to_owned(),
            ));
        }
        let given: Vec<(String, String)> = url.query_pairs().map(|(key, value)| (key.into(), value.into())).collect();
        let parameters = Parameters::read(kind, given.iter().cloned()).map_err(bad)?;
        for name in &parameters.ignored {
            tracing::warn!(name, "a parameter of the URL that is not known is ignored");
        }
        let query = url.query().map(str::to_owned);
        // The driver is given what it is to read and nothing more: it would log what it does not know, with its value.
        let mut full = url.clone();
        full.set_query(None);
        if !parameters.others.is_empty() {
            full.query_pairs_mut().extend_pairs(&parameters.others);
        }
        let has_password = url.password().is_some() || given.iter().any(|(key, _)| key == "password");
        if url.password().is_some() && url.set_password(Some("***")).is_err() {
            return Err(bad("the URL has a password and no host".to_owned()));
        }
        // libpq also takes a password as a parameter.
        let shown = given.into_iter().map(|(key, value)| {
            let secret = key.to_ascii_lowercase().contains("pass");
            (key, if secret { "***".to_owned() } else { value })
        });
        let shown: Vec<(String, String)> = shown.collect();
        if !shown.is_empty() {
            url.query_pairs_mut().clear().extend_pairs(shown);
        }
        let (url, shown) = (full.to_string(), url.to_string());
        Ok(Self { kind, url, shown, file: None, parameters, query, has_password, password_file: None })
    }

    /// Another database of the same server; a SQLite target is given a file.
    pub fn beside_as(&self, name: &str) -> Result<Self, DbError> {
        if self.kind == Kind::Sqlite {
            return Self::parse(&format!("sqlite://{name}"), Path::new(""));
        }
        let mut other = self.clone();
        // libpq also takes the database's name as a parameter, which wins over the path.
        let is_name = |key: &str| key.eq_ignore_ascii_case("dbname");
        for text in [&mut other.url, &mut other.shown] {
            let mut url = Url::parse(text).map_err(|error| DbError::Url { reason: error.to_string() })?;
            url.set_path(name);
            let kept: Vec<(String, String)> = url
                .query_pairs()
                .filter(|(key, _)| !is_name(key))
                .map(|(key, value)| (key.into_owned(), value.into_owned()))
                .collect();
            url.set_query(None);
            if !kept.is_empty() {
                url.query_pairs_mut().extend_pairs(&kept);
            }
            *text = url.to_string();
        }
        other.parameters.others.retain(|(key, _)| !is_name(key));
        other.query = other.query.map(|query| {
            let parts = query.split('&').filter(|part| !is_name(part.split('=').next().unwrap_or_default()));
            parts.collect::<Vec<_>>().join("&")
        });
        Ok(other)
    }

    /// The whole URL, its password with it, for the environment of a program that is started.
    pub fn secret_url(&self) -> String {
        let mut url = self.url.clone();
        if let Some(rest) = self.query.as_deref().filter(|_| self.kind != Kind::Sqlite) {
            let bare = url.split('?').next().unwrap_or_default().to_owned();
            url = format!("{bare}?{rest}");
        }
        url
    }

    /// Takes the password from a file, whatever the URL says; the file is read for every connection.
    pub fn with_password_file(mut self, file: &Path) -> Result<Self, DbError> {
        if self.kind == Kind::Sqlite {
            return Err(DbError::Url { reason: "SQLite has no password, and --password-file is given".to_owned() });
        }
        options::read_password(file)?;
        let metadata = std::fs::metadata(file);
        if metadata.is_ok_and(|metadata| metadata.permissions().mode() & 0o004 != 0) {
            tracing::warn!("every user of this host may read the password file `{}`: chmod o= it", file.display());
        }
        self.password_file = Some(file.to_owned());
        Ok(self)
    }

    /// Takes the password from where another's comes from, if the URL has none: a replica has the accounts of its primary.
    #[must_use]
    pub fn beside(mut self, primary: &Self) -> Self {
        if !self.has_password {
            self.password_file.clone_from(&primary.password_file);
        }
        self
    }

    /// Whether the URL holds a password.
    pub fn has_password(&self) -> bool {
        self.has_password
    }

    /// The file that the password is taken from.
    pub fn password_file(&self) -> Option<&Path> {
        self.password_file.as_deref()
    }

    pub(super) fn parameters(&self) -> &Parameters {
        &self.parameters
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

/// The URL with a host: a user without one (`postgres://me@/db?host=/run/postgresql`) is libpq's form, and no URL to others.
fn with_host(text: &str, authority: &str) -> String {
    let elsewhere = ["host=/", "host=%2F", "host=%2f", "socket="].iter().any(|parameter| text.contains(parameter));
    if elsewhere && authority.ends_with('@') {
        return text.replacen(authority, &format!("{authority}localhost"), 1);
    }
    text.to_owned()
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
        let target = Target::parse("postgres://me:s3cret@db/glance?password=s3cret", Path::new("/")).unwrap();
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
    fn several_hosts_are_refused_and_a_socket_needs_none() {
        for text in ["postgres://a:1,b:2/x", "mysql://me:p,w@a,b/x", "postgres:///x?host=a,b"] {
            let error = Target::parse(text, Path::new("/")).unwrap_err();
            assert!(error.to_string().contains("several hosts"), "{error}");
        }
        // A comma in a password is none in the hosts.
        assert_eq!(shown("mysql://me:p,w@a/x"), "mysql://me:***@a/x");
        assert_eq!(shown("postgres://me:pw@/x?host=/run"), "postgres://me:***@localhost/x?host=%2Frun");
        assert_eq!(shown("postgres:///x?host=/run"), "postgres:///x?host=%2Frun");
    }

    #[test]
    fn another_database_beside_is_that_one_whatever_the_parameters_say() {
        let target =
            Target::parse("postgres://me:s3@db/postgres?dbname=glance&sslmode=disable", Path::new("/")).unwrap();
        let other = target.beside_as("scratch").unwrap();
        assert_eq!(other.to_string(), "postgres://me:***@db/scratch?sslmode=disable");
        assert!(other.secret_url().contains("/scratch?") && !other.secret_url().contains("glance"), "{other}");
        assert!(!other.url().contains("glance"), "{other}");
    }

    #[test]
    fn a_relative_file_is_the_projects() {
        let target = Target::parse("sqlite://glance.db", Path::new("/base")).unwrap();
        assert_eq!(target.file(), Some(Path::new("/base/glance.db")));
        assert_eq!(target.to_string(), "sqlite://glance.db");
    }
}
