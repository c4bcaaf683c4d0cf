//! A throwaway certificate authority, and what it signs: a server that is `localhost` and nothing else, and a client.

use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use super::Kind;
use super::server::{is_root, user};

/// An authority, gone with the test.
pub(crate) struct Authority {
    directory: TempDir,
}

impl Authority {
    pub(crate) fn new() -> Self {
        // Where the server's user may get to.
        let directory = tempfile::Builder::new().prefix("ctca").tempdir_in("/tmp").expect("a directory");
        let script = "set -e; cd \"$1\"; chmod 755 .
            new() { openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj \"$1\" -keyout $2.key \"${@:3}\"; }
            sign() { openssl x509 -req -in $1.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile $1.ext -out $1.pem; }
            new /CN=throwaway ca -x509 -days 2 -out ca.pem
            echo 'subjectAltName = DNS:localhost' >server.ext; echo 'extendedKeyUsage = clientAuth' >client.ext
            new /CN=localhost server -out server.csr; sign server; new /CN=concertina client -out client.csr; sign client
            chmod 600 *.key";
        let made = Command::new("bash").args(["-c", script, "bash"]).arg(directory.path()).output();
        let made = made.expect("bash is installed");
        assert!(made.status.success(), "no certificates: {}", String::from_utf8_lossy(&made.stderr));
        let authority = Self { directory };
        if is_root() {
            let (user, group) = user("postgres");
            std::os::unix::fs::chown(authority.path("server.key"), Some(user), Some(group)).expect("root may");
        }
        authority
    }

    /// One of its files: `ca.pem`, `server.pem`, `client.pem`, or a `.key`.
    pub(crate) fn file(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The options of a server that has a certificate of this authority, and takes clients' of it.
    pub(crate) fn options(&self, kind: Kind) -> Vec<String> {
        let files = [self.file("server.pem"), self.file("server.key"), self.file("ca.pem")];
        let names = match kind {
            Kind::Postgres => ["ssl_cert_file", "ssl_key_file", "ssl_ca_file"],
            _ => ["ssl-cert", "ssl-key", "ssl-ca"],
        };
        let mut options: Vec<String> = Vec::new();
        for (name, file) in names.into_iter().zip(files) {
            match kind {
                Kind::Postgres => options.extend(["-c".to_owned(), format!("{name}={file}")]),
                _ => options.push(format!("--{name}={file}")),
            }
        }
        if kind == Kind::Postgres {
            options.extend(["-c".to_owned(), "ssl=on".to_owned()]);
        }
        options
    }
}
