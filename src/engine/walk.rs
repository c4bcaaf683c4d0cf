//! Asks a question of every row of a table, span by span, each in a short statement of its own, with pauses.

use std::time::{Duration, Instant};

use super::pace::Pacer;
use super::session::Session;
use super::span::{last_place, next_span};
use super::{EngineError, Event, Settings, Throttles};
use crate::db::Value;
use crate::plan::Walk;

/// How many rows the first span has, and the most that one has: a look locks nothing, so a batch's bounds are not its own.
const FIRST: u64 = 4_000;
const MOST: u64 = 200_000;
/// How many seconds one statement over a whole table may take.
const SOON: u32 = 5;
/// How often rows that were found are looked at again, before they are believed.
const LOOKS: u32 = 4;
/// How often a pause looks whether it is to end.
const MOMENT: Duration = Duration::from_millis(100);
/// How often a walk that goes on says how far it is.
const TELL: Duration = Duration::from_secs(10);

/// How a walk goes about it.
#[derive(Debug, Default)]
pub(super) struct Manner<'t> {
    /// What may hold it, besides its pauses.
    pub(super) throttles: Option<&'t Throttles>,
    /// Where an earlier walk stopped.
    pub(super) from: Option<Vec<Value>>,
    /// How many rows may be found before it stops.
    pub(super) most: usize,
}

/// What a walk came to.
#[derive(Debug, Default)]
pub(super) struct Walked {
    /// The keys of the rows that were found, in words.
    pub(super) found: Vec<String>,
    /// How many rows were looked at, about.
    pub(super) rows: u64,
}

impl Session<'_> {
    /// Walks a table for rows that a query finds; the query is given whether its span begins behind a place. `save` is told where
    /// the walk is, now and then.
    pub(super) async fn walk_for(
        &mut self,
        subject: &str,
        walk: &Walk,
        query: impl Fn(bool) -> String,
        manner: Manner<'_>,
        mut save: impl AsyncFnMut(&mut Self, &[Value]) -> Result<(), EngineError>,
    ) -> Result<Walked, EngineError> {
        self.suit(walk).await?;
        let mut walked = Walked::default();
        let Some(upper) = last_place(&mut self.connection, walk).await? else { return Ok(walked) };
        let settings = Settings::new(&self.project.manifest, &[&self.overrides]);
        let mut pacer = Pacer::new(FIRST, MOST, settings.target);
        let mut start = manner.from;
        let mut told = Instant::now();
        loop {
            self.refuse_interrupted()?;
            let mut pause = settings.pause_factor();
            if let Some(throttles) = manner.throttles {
                let verdict = throttles.verdict();
                pause = verdict.pause_factor;
                if let Some(hold) = verdict.hold {
                    if hold.failing_for.is_some_and(|time| time > settings.patience) {
                        let reason = format!("gave up: {}", hold.reason);
                        return Err(EngineError::Backfill { id: subject.to_owned(), reason });
                    }
                    if told.elapsed() > TELL {
                        told = Instant::now();
                        self.tell(Event::Waiting { what: format!("verify {subject}"), reason: hold.reason });
                    }
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            }
            let since = Instant::now();
            let size = pacer.size();
            let span = next_span(&mut self.connection, walk, start.as_ref(), &upper, size).await?;
            let found = self.still_found(&query(span.after), &span.values).await?;
            let took = since.elapsed();
            let full = !found.is_empty();
            walked.found.extend(found);
            walked.rows += if span.last {
                let counted = self.connection.integer(&walk.span_rows(span.after), &span.values).await?;
                counted.and_then(|rows| u64::try_from(rows).ok()).unwrap_or(0)
            } else {
                size
            };
            if span.last || walked.found.len() >= manner.most {
                return Ok(walked);
            }
            if !full {
                pacer.record(size, took);
            }
            save(self, &span.end).await?;
            if told.elapsed() > TELL {
                told = Instant::now();
                self.tell(Event::Verifying { subject: subject.to_owned(), rows: walked.rows });
            }
            start = Some(span.end);
            let rested = Instant::now() + took.min(settings.target * 4).mul_f64(pause);
            while Instant::now() < rested {
                self.refuse_interrupted()?;
                tokio::time::sleep(rested.saturating_duration_since(Instant::now()).min(MOMENT)).await;
            }
        }
    }

    /// Whether a query over a whole table finds nothing, by one statement that is ended when it takes long; where it takes longer,
    /// fails, or would keep writers waiting, the answer is no, and a walk has to tell. One statement reads the table in the order
    /// of its rows, which a walk by a key does not: on PostgreSQL it took a fiftieth of the time.
    pub(super) async fn finds_nothing_soon(&mut self, query: &str) -> bool {
        let dialect = self.connection.shared_dialect();
        let limit = dialect.query_limit(SOON).filter(|_| dialect.locks_rows());
        let (Some(limit), Ok(mut connection)) = (limit, self.connection.another().await) else { return false };
        let found = match connection.set(&limit).await {
            Ok(()) => connection.query(query, &[]).await,
            Err(error) => Err(error),
        };
        connection.close().await;
        match found {
            Ok(rows) => rows.is_empty(),
            Err(error) => {
                tracing::debug!(%error, "ask of a whole table");
                false
            }
        }
    }

    /// Sets what a walk asks of its session.
    pub(super) async fn suit(&mut self, walk: &Walk) -> Result<(), EngineError> {
        if let Some(setting) = walk.session {
            self.connection.keep_setting(setting).await?;
        }
        Ok(())
    }

    /// The rows that a query finds, and finds again: a row that changes just now is looked at once it is settled.
    async fn still_found(&mut self, query: &str, values: &[Value]) -> Result<Vec<String>, EngineError> {
        let mut found = self.shown(query, values).await?;
        for look in 1..LOOKS {
            if found.is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50 * u64::from(look))).await;
            let again = self.shown(query, values).await?;
            // As many as a query shows may hide others, so what is new counts for the next look.
            found = if found.iter().any(|key| again.contains(key)) {
                again.into_iter().filter(|key| found.contains(key)).collect()
            } else {
                again
            };
        }
        Ok(found)
    }

    async fn shown(&mut self, query: &str, values: &[Value]) -> Result<Vec<String>, EngineError> {
        let rows = self.connection.query(query, values).await?;
        let words = |row: crate::db::Row| row.into_values().iter().map(Value::shown).collect::<Vec<_>>().join(", ");
        Ok(rows.into_iter().map(words).collect())
    }
}
