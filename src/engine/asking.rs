//! How a step asks for its locks: an instant at a time, with nothing held in between, until it has them or its time is over.

use std::time::{Duration, Instant};

use super::blockers::Attempts;
use super::{Event, Observer};
use crate::db::{Class, Connection, DbError};
use crate::dialect::{Patience, Script};

/// A step's way to its locks.
pub(super) struct Asking<'a> {
    /// Until when it is tried again.
    pub(super) deadline: Instant,
    /// How long an instant is, where the database's own word does not stand.
    pub(super) instant: Option<Duration>,
    /// What the step does.
    pub(super) summary: &'a str,
    pub(super) observer: &'a dyn Observer,
    pub(super) attempts: &'a Attempts,
}

/// Between two tries nothing is held; the jitter keeps two tools from meeting again and again.
pub(super) async fn pause() {
    tokio::time::sleep(Duration::from_millis(fastrand::u64(60..140))).await;
}

impl Asking<'_> {
    /// Sets how long the next try waits.
    pub(super) async fn set_patience(&self, connection: &mut Connection, patience: Patience) -> Result<(), DbError> {
        let patience = match patience {
            Patience::Instant if self.attempts.takes_a_moment() => Patience::Moment,
            other => other,
        };
        connection.set_patience(patience, self.instant).await
    }

    /// Whether what failed did so for want of a lock, and there is time left.
    pub(super) fn may_try_again(&self, error: &DbError) -> bool {
        matches!(error.class(), Class::LockTimeout | Class::Conflict) && Instant::now() < self.deadline
    }

    /// Whether to try again what did not get its lock; if so, after a pause.
    pub(super) async fn again(&self, error: &DbError) -> bool {
        if !self.may_try_again(error) || self.observer.interrupted() {
            return false;
        }
        // Who it is, is said by the watch, where that can be known.
        if self.attempts.failed() == 2 {
            self.observer.event(Event::Waiting { what: self.summary.to_owned(), reason: error.to_string() });
        }
        pause().await;
        true
    }

    /// Runs a statement; where it may be tried again by itself, with that patience, until it gets its lock.
    pub(super) async fn run(
        &self,
        connection: &mut Connection,
        sql: &str,
        again: Option<Patience>,
    ) -> Result<(), DbError> {
        loop {
            self.attempts.sends(sql);
            let Err(error) = connection.run(sql).await else {
                self.attempts.got();
                return Ok(());
            };
            let Some(patience) = again else { return Err(error) };
            if !self.again(&error).await {
                return Err(error);
            }
            if patience == Patience::Instant {
                self.set_patience(connection, patience).await?;
            }
        }
    }

    /// Waits until nobody has the table of a script whose first statement would make everyone wait behind it for seconds.
    /// Nobody keeps others from taking it again; but whoever held it for long has let it go.
    pub(super) async fn have_for_an_instant(
        &self,
        connection: &mut Connection,
        script: &Script,
    ) -> Result<(), DbError> {
        let statements = script.taken_first(connection.shared_dialect().as_ref());
        if statements.is_empty() {
            return Ok(());
        }
        self.set_patience(connection, Patience::Instant).await?;
        for sql in &statements {
            match self.run(connection, sql, Some(Patience::Instant)).await {
                // It is a courtesy: who may not lock tables waits for a while, and so do others.
                Err(error) if error.class() == Class::Denied => return Ok(()),
                done => done?,
            }
        }
        Ok(())
    }
}
