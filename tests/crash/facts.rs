//! What two databases must have alike that came to one place by different ways.

use std::collections::BTreeSet;

use crate::conformance::schema::Schema;
use crate::conformance::{introspect, leftovers};
use crate::support::TestDatabase;

/// What must be the same however a database came to it.
#[derive(Debug)]
pub(super) struct Facts {
    schema: Schema,
    ours: BTreeSet<leftovers::Object>,
    records: Vec<String>,
    rows: Vec<String>,
}

impl Facts {
    /// Reads them, with the rows of a query.
    pub(super) async fn of(db: &TestDatabase, rows: &str) -> Self {
        let mut session = db.owner().await;
        let state = "CASE WHEN finished_at IS NULL THEN 'open' ELSE 'done' END";
        let mut records = Vec::new();
        let queries = [
            format!("SELECT step_id, phase, kind, summary, file, checksum, failure, {state} FROM concertina_step"),
            format!("SELECT backfill_id, checksum, {state} FROM concertina_backfill"),
            format!("SELECT release_name, phase, {state} FROM concertina_phase"),
            "SELECT step_id, memory FROM concertina_undo".to_owned(),
            "SELECT table_name, trigger_name, fingerprint FROM concertina_trigger".to_owned(),
            "SELECT table_name, object_number, object, definition FROM concertina_object".to_owned(),
            // Each is done once, whoever did it, and however often it was begun; unless a person says that it is.
            "SELECT subject, COUNT(*) FROM concertina_history WHERE outcome = 'done' AND subject LIKE '%/%' \
             AND subject NOT IN (SELECT step_id FROM concertina_step WHERE kind = 'sql') GROUP BY subject"
                .to_owned(),
        ];
        for query in queries {
            let mut rows = session.lines(query).await;
            rows.sort();
            records.extend(rows);
        }
        let (schema, ours) = (introspect::schema(db).await, leftovers::ours(db).await);
        Self { schema, ours, records, rows: session.lines(rows).await }
    }

    #[track_caller]
    pub(super) fn expect(&self, expected: &Self, when: &str) {
        assert_eq!(Schema::differences(&expected.schema, &self.schema), [], "{when}");
        assert_eq!(self.ours, expected.ours, "{when}");
        let lost: Vec<_> = expected.records.iter().filter(|record| !self.records.contains(record)).collect();
        let added: Vec<_> = self.records.iter().filter(|record| !expected.records.contains(record)).collect();
        assert!(lost.is_empty() && added.is_empty(), "{when}, {added:#?} stand in the place of {lost:#?}");
        assert_eq!(self.rows, expected.rows, "{when}");
    }
}
