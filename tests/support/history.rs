//! refinery's history, as a team's own refinery writes it.

use std::hash::{Hash, Hasher};

use siphasher::sip::SipHasher13;

use super::{Kind, Project, Session};

/// How the team's refinery was built: the width of its versions, which its checksums depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Width {
    Int4,
    Int8,
}

/// A file of the baseline.
#[derive(Clone, Debug)]
pub(crate) struct BaselineFile {
    pub(crate) version: i64,
    pub(crate) name: String,
    pub(crate) sql: String,
}

impl BaselineFile {
    /// The bundled files for a database, by version.
    pub(crate) fn bundled(kind: Kind) -> Vec<Self> {
        ["V1__liberty", "V2__mitaka01", "V3__mitaka02"]
            .into_iter()
            .zip(1..)
            .map(|(label, version)| Self {
                version,
                name: label.split_once("__").expect("refinery's form").1.to_owned(),
                sql: Project::bundled().read(&format!("migrations/{kind}/{label}.sql")),
            })
            .collect()
    }

    /// SipHash-1-3 over name, version and text, as refinery has it.
    pub(crate) fn checksum(&self, width: Width) -> String {
        let mut hasher = SipHasher13::new();
        self.name.hash(&mut hasher);
        match width {
            Width::Int4 => i32::try_from(self.version).expect("a small version").hash(&mut hasher),
            Width::Int8 => self.version.hash(&mut hasher),
        }
        self.sql.hash(&mut hasher);
        hasher.finish().to_string()
    }

    /// Runs it by hand, as a team without any tool does.
    pub(crate) async fn run(&self, session: &mut Session) {
        session
            .execute(&self.sql)
            .await
            .unwrap_or_else(|failure| panic!("failed to run V{}: {failure:?}", self.version));
    }

    /// Runs it, and records it, as refinery does.
    pub(crate) async fn run_by_refinery(&self, session: &mut Session, width: Width) {
        let integer = match width {
            Width::Int4 => "int4",
            Width::Int8 => "int8",
        };
        let table = format!(
            "CREATE TABLE IF NOT EXISTS refinery_schema_history(
             version {integer} PRIMARY KEY,
             name VARCHAR(255),
             applied_on VARCHAR(255),
             checksum VARCHAR(255));"
        );
        let record = format!(
            "INSERT INTO refinery_schema_history (version, name, applied_on, checksum) \
             VALUES ({}, '{}', '2016-04-07T12:00:00.123456789Z', '{}')",
            self.version,
            self.name,
            self.checksum(width)
        );
        session.execute(table).await.expect("the history");
        self.run(session).await;
        session.execute(record).await.expect("a row of the history");
    }
}
