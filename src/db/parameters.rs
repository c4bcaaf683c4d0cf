//! What a URL says behind its `?`. TLS goes by the words of PostgreSQL or of MySQL, whichever the server is; what would be
//! gone by silently, and matters, is refused.

use std::str::FromStr;

use crate::dialect::Kind;

/// How far a server is trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tls {
    /// Nothing is encrypted.
    Disable,
    /// Encrypted where the server can; whoever it is.
    Prefer,
    /// Encrypted, whoever the server is.
    Require,
    /// Its certificate is of a known authority.
    VerifyCa,
    /// And it bears the name in the URL.
    VerifyFull,
}

const MODES: &str =
    "expected disable, prefer, require, verify-ca or verify-full (MySQL's DISABLED … VERIFY_IDENTITY as well)";

impl FromStr for Tls {
    type Err = ();

    fn from_str(word: &str) -> Result<Self, ()> {
        Ok(match word.to_ascii_lowercase().replace('_', "-").as_str() {
            "disable" | "disabled" => Self::Disable,
            // The drivers do not try without first. With is more than was asked for.
            "allow" | "prefer" | "preferred" => Self::Prefer,
            "require" | "required" => Self::Require,
            "verify-ca" => Self::VerifyCa,
            "verify-full" | "verify-identity" => Self::VerifyFull,
            _ => return Err(()),
        })
    }
}

/// The files of TLS, and the mode.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Parameters {
    pub(super) mode: Option<Tls>,
    pub(super) authority: Option<String>,
    pub(super) certificate: Option<String>,
    pub(super) key: Option<String>,
    /// What the driver reads itself.
    pub(super) others: Vec<(String, String)>,
    /// The names of those that nobody reads.
    pub(super) ignored: Vec<String>,
}

impl Parameters {
    /// Reads the pairs of a URL; the error is in words, and holds no value but of a mode.
    pub(super) fn read(kind: Kind, pairs: impl Iterator<Item = (String, String)>) -> Result<Self, String> {
        let mut read = Self::default();
        for (key, value) in pairs {
            let known = match kind {
                Kind::Postgres => {
                    ["host", "hostaddr", "port", "dbname", "user", "password", "options"].contains(&key.as_str())
                        || key.starts_with("options[")
                }
                _ => ["socket", "charset", "collation", "timezone", "time-zone"].contains(&key.as_str()),
            };
            match key.replace('-', "").as_str() {
                "sslmode" => {
                    read.mode =
                        Some(value.parse().map_err(|()| format!("`{key}={value}` is no mode of TLS; {MODES}"))?);
                }
                "sslrootcert" | "sslca" => read.authority = Some(value),
                "sslcert" => read.certificate = Some(value),
                "sslkey" => read.key = Some(value),
                "host" if value.contains(',') => return Err(SEVERAL_HOSTS.to_owned()),
                _ if known => read.others.push((key, value)),
                word if word.starts_with("ssl") || word.starts_with("tls") => {
                    return Err(format!(
                        "`{key}` is not supported; of TLS there are sslmode, sslrootcert, sslcert and sslkey (MySQL's words: ssl-mode, \
                         ssl-ca, ssl-cert, ssl-key)"
                    ));
                }
                _ => read.ignored.push(key),
            }
        }
        if read.certificate.is_some() != read.key.is_some() {
            return Err("a client certificate needs both sslcert and sslkey (ssl-cert and ssl-key)".to_owned());
        }
        Ok(read)
    }

    /// The mode in force, by what the URL says or else the environment: who names an authority wants it asked, as libpq and MySQL's
    /// client have it.
    pub(super) fn mode_in_force(&self) -> Tls {
        match (self.mode, &self.authority) {
            (None | Some(Tls::Require), Some(_)) => Tls::VerifyCa,
            (Some(mode), _) => mode,
            (None, None) => Tls::Prefer,
        }
    }
}

/// Why a URL with several hosts is refused.
pub(super) const SEVERAL_HOSTS: &str = "several hosts in one URL are not supported; give one name that always leads to the primary \
     (a DNS name, a virtual address, a proxy)";

#[cfg(test)]
mod tests {
    use super::*;

    fn read(kind: Kind, query: &str) -> Result<Parameters, String> {
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        Parameters::read(kind, pairs.map(|(key, value)| (key.to_owned(), value.to_owned())))
    }

    #[test]
    fn both_servers_words_are_understood_on_both() {
        for (query, mode) in [
            ("sslmode=verify-full", Tls::VerifyFull),
            ("ssl-mode=VERIFY_IDENTITY", Tls::VerifyFull),
            ("sslmode=allow", Tls::Prefer),
            ("ssl-mode=DISABLED&ssl-ca=/ca", Tls::Disable),
            ("sslmode=require", Tls::Require),
            ("sslmode=require&sslrootcert=/ca", Tls::VerifyCa),
            ("ssl-ca=/ca", Tls::VerifyCa),
            ("connect_timeout=9", Tls::Prefer),
        ] {
            for kind in [Kind::Postgres, Kind::MySql] {
                assert_eq!(read(kind, query).unwrap().mode_in_force(), mode, "{query}");
            }
        }
    }

    #[test]
    fn what_would_be_less_safe_than_it_looks_is_refused() {
        for (query, says) in [
            ("sslmode=verify_ful", "is no mode of TLS"),
            ("sslcrl=/crl", "`sslcrl` is not supported"),
            ("tls=true", "`tls` is not supported"),
            ("sslcert=/c", "needs both"),
        ] {
            for kind in [Kind::Postgres, Kind::MySql] {
                assert!(read(kind, query).unwrap_err().contains(says), "{query}");
            }
        }
        assert_eq!(read(Kind::Postgres, "host=a,b").unwrap_err(), SEVERAL_HOSTS);
        assert_eq!(read(Kind::MySql, "pool=5").unwrap().ignored, ["pool"]);
    }
}
