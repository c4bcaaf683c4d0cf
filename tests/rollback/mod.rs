//! `rollback` takes an expanded release back, and the database is what it was before.

mod bundled;
mod dying;
mod kinds;
mod refusals;

use crate::conformance::schema::Schema;
use crate::conformance::{introspect, leftovers};
use crate::support::TestDatabase;

/// What a rollback must bring back.
struct Before {
    schema: Schema,
    ours: std::collections::BTreeSet<leftovers::Object>,
}

impl Before {
    async fn of(db: &TestDatabase) -> Self {
        Self { schema: introspect::schema(db).await, ours: leftovers::ours(db).await }
    }

    /// The schema is the one before, nothing of ours is there that was not, and nothing of a release is recorded as begun.
    async fn expect(&self, db: &TestDatabase, release: &str, when: &str) {
        assert_eq!(Schema::differences(&self.schema, &introspect::schema(db).await), [], "{when}");
        assert_eq!(self.ours, leftovers::ours(db).await, "{when}");
        let records = db
            .owner()
            .await
            .lines(format!(
                "SELECT step_id FROM concertina_step WHERE release_name = '{release}' UNION ALL \
                 SELECT backfill_id FROM concertina_backfill WHERE release_name = '{release}' UNION ALL \
                 SELECT phase FROM concertina_phase WHERE release_name = '{release}' UNION ALL \
                 SELECT step_id FROM concertina_undo WHERE step_id LIKE '{release}/%' UNION ALL \
                 SELECT backfill_id FROM concertina_range WHERE backfill_id LIKE '{release}/%'"
            ))
            .await;
        assert!(records.is_empty(), "{when}: {records:?}");
    }
}
