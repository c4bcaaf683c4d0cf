//! Rehearsals: good upgrades are found good on every database, and each way in which an upgrade may be bad is found.

mod bundled;
mod deep;
mod examples;
mod found;
mod manner;
mod programs;
mod workloads;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Concertina, Kind, Output, Project, TestDatabase};

/// Where the reports of one rehearsal go, and what is asked for.
struct Rehearsal {
    concertina: Concertina,
    folder: TempDir,
    stage: &'static str,
}

impl Rehearsal {
    /// Of the bundled project, on a server's own database; on SQLite in a temporary file.
    fn of(project: &Project, db: Option<&TestDatabase>) -> Self {
        let mut concertina = Concertina::in_project(project.path()).patient();
        // Only an administrator may make databases.
        if let Some(db) = db.filter(|db| db.kind() != Kind::Sqlite) {
            concertina = concertina.database(&db.admin_url());
        }
        Self { concertina, folder: tempfile::tempdir().expect("a folder for the reports"), stage: "300ms" }
    }

    fn stage(mut self, stage: &'static str) -> Self {
        self.stage = stage;
        self
    }

    fn arguments<'a>(&'a self, more: &[&'a str]) -> Vec<&'a str> {
        let folder = self.folder.path().to_str().expect("a path that is text");
        [&["rehearse"], more, &["--stage", self.stage, "--report", folder, "--output", "json"]].concat()
    }

    fn run(&self, more: &[&str]) -> Output {
        self.concertina.run(&self.arguments(more))
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).unwrap_or_else(|error| panic!("`{name}`: {error}"))
    }
}

/// The evidence of a report for something, of the assertion that it belongs to.
fn evidence<'r>(report: &'r Value, what: &str) -> &'r Value {
    let assertions = report["assertions"].as_array().expect("assertions");
    let mut all = assertions.iter().flat_map(|assertion| assertion["evidence"].as_array().expect("evidence"));
    let found = all.find(|evidence| evidence["what"].as_str().is_some_and(|text| text.contains(what)));
    found.unwrap_or_else(|| panic!("no evidence of `{what}` in {:#}", report["assertions"]))
}

/// Fails unless the report is as good as this at least.
#[track_caller]
fn expect_good(output: &Output) -> Value {
    output.expect_code(0);
    let report = output.json();
    assert!(matches!(report["verdict"].as_str(), Some("zero-downtime" | "zero-impact")), "{output}");
    assert_eq!(report["passed"], true);
    report
}

/// The databases of rehearsals that are on a server.
async fn left_on(db: &TestDatabase) -> Vec<String> {
    let query = match db.kind() {
        Kind::Postgres => "SELECT datname FROM pg_database WHERE datname LIKE 'concertina\\_rehearsal\\_%'",
        Kind::MySql => {
            "SELECT schema_name FROM information_schema.schemata WHERE schema_name LIKE 'concertina\\_rehearsal\\_%'"
        }
        Kind::Sqlite => return Vec::new(),
    };
    db.admin().await.lines(query).await
}

/// The process's own databases among those: other tests may be at work.
async fn left_by(db: &TestDatabase, process: u32) -> Vec<String> {
    let own = format!("concertina_rehearsal_{process}_");
    let mut left = left_on(db).await;
    left.extend(
        std::fs::read_dir(std::env::temp_dir())
            .expect("the temporary folder")
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok()),
    );
    left.retain(|name| name.starts_with(&own));
    left
}
