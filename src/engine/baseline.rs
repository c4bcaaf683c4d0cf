//! Adopts a database that already has the baseline: compares it with what the baseline makes, then records.

use std::path::Path;

use super::session::Session;
use super::{EngineError, Observer};
use crate::catalog::Project;
use crate::db::{Connection, Target};
use crate::dialect::{Kind, Objects, Schema, Table, differences as between};
use crate::store::{self, BaselineEntry};

/// Records the baseline up to a version as applied, if the database is what it makes. Returns the files recorded.
pub async fn adopt_baseline(
    project: &Project,
    target: &Target,
    at: &str,
    observer: &dyn Observer,
) -> Result<Vec<String>, EngineError> {
    let files = project.baseline(target.kind());
    let wanted = files
        .iter()
        .find(|file| file.label == at || file.name == at || at.trim_start_matches('V').parse() == Ok(file.version));
    let Some(wanted) = wanted else {
        let labels: Vec<_> = files.iter().map(|file| file.label.as_str()).collect();
        return Err(EngineError::Usage(format!("the baseline has no version `{at}`; it has {}", labels.join(", "))));
    };
    let version = wanted.version;
    let mut session = Session::open(project, target, false, observer).await?;
    let outcome = session.adopt(version).await;
    session.close(outcome).await
}

impl Session<'_> {
    async fn adopt(&mut self, version: i64) -> Result<Vec<String>, EngineError> {
        self.refuse_newer()?;
        self.refuse_drift()?;
        let all = self.baseline_entries();
        let wanted: Vec<BaselineEntry> = all.iter().filter(|entry| entry.version <= version).cloned().collect();
        if self.not_recorded(&wanted).is_empty() {
            return Ok(Vec::new());
        }
        let made = scratch_schema(&self.connection, &wanted).await?;
        self.refuse_different(&made).await?;
        // Nothing was written so far, and nobody was kept from writing: so look once more under the lease.
        self.take_lease("baseline").await?;
        self.refuse_different(&made).await?;
        let missing = self.not_recorded(&wanted);
        let (connection, lease) = self.connection_and_lease();
        store::adopt_baseline(connection, lease, &all, version).await?;
        self.note("baseline", "adopted", Some(missing.join(", ")), None).await?;
        Ok(missing)
    }

    fn not_recorded(&self, wanted: &[BaselineEntry]) -> Vec<String> {
        let recorded = |entry: &&BaselineEntry| self.facts.baseline.iter().any(|fact| fact.version == entry.version);
        wanted.iter().filter(|entry| !recorded(entry)).map(|entry| entry.label.clone()).collect()
    }

    async fn refuse_different(&mut self, made: &Schema) -> Result<(), EngineError> {
        let live = self.connection.inspect().await?;
        let differences = differences(made, &live);
        if differences.is_empty() { Ok(()) } else { Err(EngineError::BaselineDiffers(differences)) }
    }
}

/// What the baseline makes, in a place that is gone afterwards.
async fn scratch_schema(connection: &Connection, entries: &[BaselineEntry]) -> Result<Schema, EngineError> {
    let dialect = connection.shared_dialect();
    let name = format!("concertina_scratch_{}_{:08x}", std::process::id(), fastrand::u32(..));
    let mut scratch = match dialect.kind() {
        Kind::Sqlite => Connection::open(&Target::parse("sqlite::memory:", Path::new("."))?, true).await?,
        Kind::Postgres | Kind::MySql => connection.another().await?,
    };
    let (enter, leave) = dialect.scratch(&name).unwrap_or_default();
    scratch.at("scratch");
    let work = async |scratch: &mut Connection| -> Result<Schema, EngineError> {
        for statement in &enter {
            scratch.run(statement).await?;
        }
        for entry in entries {
            scratch.run(&entry.sql).await?;
        }
        Ok(scratch.inspect().await?)
    };
    let made = work(&mut scratch).await;
    let mut left = Ok(());
    for statement in &leave {
        left = left.and(scratch.run(statement).await);
    }
    scratch.close().await;
    // Where the place could not be made it cannot be left either, and the first error is the one to show.
    let made = made?;
    left?;
    Ok(made)
}

/// What is compared of a table: its triggers are nobody's business here, and are written otherwise in another place.
fn compared(table: &Table) -> Objects {
    table.objects().into_iter().filter(|(object, _)| !object.starts_with("trigger ")).collect()
}

/// What the live schema lacks or has otherwise; tables that the baseline does not know are left alone.
fn differences(made: &Schema, live: &Schema) -> Vec<String> {
    let mut found = Vec::new();
    for (name, table) in made.tables.iter().filter(|(name, _)| !name.contains('.')) {
        match live.table(name) {
            Some(live) => {
                let differences = between(&compared(table), &compared(live));
                found.extend(differences.iter().map(|difference| difference.words("is not the baseline's", "not")));
            }
            None => found.push(format!("table {name} is missing")),
        }
    }
    found
}
