//! Asks a question of every row of a table, span by span, each in a short statement of its own.

use std::time::Instant;

use super::backfill::{CHEAPER, last_place, next_span};
use super::pace::Pacer;
use super::session::Session;
use super::{EngineError, Settings};
use crate::db::Row;
use crate::plan::Walk;

impl Session<'_> {
    /// The first rows that a query finds, which is given whether its span begins behind a place.
    pub(super) async fn first_rows(
        &mut self,
        walk: &Walk,
        query: impl Fn(bool) -> String,
    ) -> Result<Vec<Row>, EngineError> {
        let Some(upper) = last_place(&mut self.connection, walk).await? else { return Ok(Vec::new()) };
        let settings = Settings::new(&self.project.manifest, &[]);
        let mut pacer =
            Pacer::new(u64::from(settings.rows) * CHEAPER, u64::from(settings.max_rows) * CHEAPER, settings.target);
        let mut start = None;
        loop {
            self.refuse_interrupted()?;
            let since = Instant::now();
            let size = pacer.size();
            let span = next_span(&mut self.connection, walk, start.as_ref(), &upper, size).await?;
            let found = self.connection.query(&query(span.after), &span.values).await?;
            if !found.is_empty() || span.last {
                return Ok(found);
            }
            let took = since.elapsed();
            pacer.record(size, took);
            start = Some(span.end);
        }
    }
}
