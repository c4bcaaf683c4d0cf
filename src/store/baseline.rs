//! The baseline's history, in refinery's own table, so that a team's refinery and Concertina see the same facts.

use std::hash::{Hash, Hasher};

use refinery_core::Target;
use siphasher::sip::SipHasher13;

use super::{Lease, StoreError, refinery_bridge};
use crate::db::Connection;

/// refinery's own table, which says which files of the baseline ran.
pub const HISTORY: &str = "refinery_schema_history";

/// A file to run.
#[derive(Debug, Clone)]
pub struct BaselineEntry {
    /// `V1__liberty`.
    pub label: String,
    /// Its version.
    pub version: i64,
    /// The words after the version.
    pub name: String,
    /// Its text.
    pub sql: String,
}

/// A file that was run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppliedBaseline {
    /// Its version.
    pub version: i64,
    /// The words after the version.
    pub name: String,
    /// refinery's checksum.
    pub checksum: String,
}

impl AppliedBaseline {
    /// Whether this is what was run; refinery's checksum depends on whether it was built with 32- or 64-bit versions.
    pub fn is(&self, entry: &BaselineEntry) -> bool {
        let wide = checksum(&entry.name, entry.version, &entry.sql);
        self.name == entry.name
            && (self.checksum == wide || narrow_checksum(entry).is_some_and(|narrow| narrow == self.checksum))
    }
}

/// refinery's checksum: SipHash-1-3 over name, version and text.
fn checksum(name: &str, version: impl Hash, sql: &str) -> String {
    let mut hasher = SipHasher13::new();
    name.hash(&mut hasher);
    version.hash(&mut hasher);
    sql.hash(&mut hasher);
    hasher.finish().to_string()
}

/// What was run, by version.
pub async fn applied_baseline(connection: &mut Connection) -> Result<Vec<AppliedBaseline>, StoreError> {
    if !connection.has_table(HISTORY).await? {
        return Ok(Vec::new());
    }
    let rows =
        connection.query(&format!("SELECT version, name, checksum FROM {HISTORY} ORDER BY version"), &[]).await?;
    Ok(rows
        .iter()
        .map(|row| AppliedBaseline {
            version: row.integer(0).unwrap_or(0),
            name: row.text(1).unwrap_or_default(),
            checksum: row.text(2).unwrap_or_default(),
        })
        .collect())
}

fn files(entries: &[BaselineEntry]) -> Vec<(String, String)> {
    entries.iter().map(|entry| (entry.label.clone(), entry.sql.clone())).collect()
}

/// Runs what was not run of the baseline up to a version, each file's history row with it.
pub async fn run_baseline(
    connection: &mut Connection,
    lease: &Lease,
    entries: &[BaselineEntry],
    version: i64,
) -> Result<(), StoreError> {
    run_to(connection, lease, entries, Target::Version(version)).await
}

/// Records the baseline up to a version as run without running it.
pub async fn adopt_baseline(
    connection: &mut Connection,
    lease: &Lease,
    entries: &[BaselineEntry],
    version: i64,
) -> Result<(), StoreError> {
    run_to(connection, lease, entries, Target::FakeVersion(version)).await
}

async fn run_to(
    connection: &mut Connection,
    lease: &Lease,
    entries: &[BaselineEntry],
    target: Target,
) -> Result<(), StoreError> {
    let recorded = applied_baseline(connection).await?;
    let afterwards = if is_narrow(&recorded, entries) { narrowed(entries) } else { Vec::new() };
    let holder = (lease.token(), "baseline.file");
    refinery_bridge::run(connection, holder, &files(entries), HISTORY, target, &afterwards).await.map(drop)
}

/// Whether the history is kept by a refinery with 32-bit versions, which would call our checksums divergent.
fn is_narrow(recorded: &[AppliedBaseline], entries: &[BaselineEntry]) -> bool {
    recorded.iter().any(|row| {
        let entry = entries.iter().find(|entry| entry.version == row.version);
        entry.and_then(narrow_checksum).is_some_and(|narrow| narrow == row.checksum)
    })
}

/// Statements that give what we recorded the form that such a refinery reads.
fn narrowed(entries: &[BaselineEntry]) -> Vec<String> {
    entries
        .iter()
        .filter_map(|entry| {
            let (narrow, wide) = (narrow_checksum(entry)?, checksum(&entry.name, entry.version, &entry.sql));
            let version = entry.version;
            Some(format!(
                "UPDATE {HISTORY} SET checksum = '{narrow}' WHERE version = {version} AND checksum = '{wide}'"
            ))
        })
        .collect()
}

fn narrow_checksum(entry: &BaselineEntry) -> Option<String> {
    let version = i32::try_from(entry.version).ok()?;
    Some(checksum(&entry.name, version, &entry.sql))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wide_checksum_is_the_one_refinery_computes() {
        let sql = "CREATE TABLE a (b int);\n";
        let theirs = refinery_core::Migration::unapplied("V7__first_table", sql).unwrap().checksum();
        assert_eq!(checksum("first_table", 7_i64, sql), theirs.to_string());
    }

    #[test]
    fn both_forms_are_accepted_and_nothing_else() {
        let entry = BaselineEntry { label: "V7__a".into(), version: 7, name: "a".into(), sql: "SELECT 1".into() };
        let applied = |checksum| AppliedBaseline { version: 7, name: "a".into(), checksum };
        assert!(applied(checksum("a", 7_i32, "SELECT 1")).is(&entry));
        assert!(applied(checksum("a", 7_i64, "SELECT 1")).is(&entry));
        assert!(!applied(checksum("a", 7_i64, "SELECT 2")).is(&entry));
    }
}
