//! A signal that is asked again and again by a task of its own.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use tracing::Instrument;

use super::Hold;
use super::health::Health;
use super::signals::{Answer, Signal, Subject, Trouble};
use crate::db::Target;

/// From one answer to the next question.
const EVERY: Duration = Duration::from_secs(1);
/// The longest pause between two questions that fail: what answers nobody must not be asked ever more often.
const LONGEST: Duration = Duration::from_secs(8);

/// What the task leaves for whoever asks.
#[derive(Debug)]
struct Board {
    health: Health,
    answer: Option<Answer>,
}

/// A watched signal; dropping it ends the task.
#[derive(Debug)]
pub(super) struct Watch {
    subject: Subject,
    board: Arc<Mutex<Board>>,
    task: JoinHandle<()>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Watch {
    /// Asks once, and goes on asking.
    pub(super) async fn tried(subject: Subject, primary: &Target) -> Result<Self, Trouble> {
        let mut signal = Signal::new(subject.clone(), primary)?;
        let answer = signal.ask().await?;
        let mut health = Health::new(Instant::now());
        health.heard(Instant::now());
        Ok(Self::of(subject, signal, Board { health, answer: Some(answer) }))
    }

    /// Goes on asking, without having tried.
    pub(super) fn untried(subject: Subject, primary: &Target) -> Result<Self, Trouble> {
        let signal = Signal::new(subject.clone(), primary)?;
        Ok(Self::of(subject, signal, Board { health: Health::new(Instant::now()), answer: None }))
    }

    fn of(subject: Subject, signal: Signal, board: Board) -> Self {
        let pause = if board.answer.is_some() { EVERY } else { Duration::ZERO };
        let board = Arc::new(Mutex::new(board));
        let task = tokio::spawn(ask_on(signal, Arc::clone(&board), pause).in_current_span());
        Self { subject, board, task }
    }

    pub(super) fn subject(&self) -> &Subject {
        &self.subject
    }

    /// The last answer and its age; or why it may not be relied on.
    pub(super) fn read(&self, now: Instant) -> Result<(Answer, Duration), Hold> {
        let board = self.board.lock().unwrap_or_else(PoisonError::into_inner);
        let age = board.health.age(&self.subject.to_string(), now)?;
        match &board.answer {
            Some(answer) => Ok((answer.clone(), age)),
            None => Err(Hold { reason: format!("{}: no value yet", self.subject), failing_for: Some(age) }),
        }
    }
}

async fn ask_on(mut signal: Signal, board: Arc<Mutex<Board>>, mut pause: Duration) {
    loop {
        tokio::time::sleep(pause).await;
        let asked = signal.ask().await;
        let mut board = board.lock().unwrap_or_else(PoisonError::into_inner);
        pause = match asked {
            Ok(answer) => {
                board.answer = Some(answer);
                board.health.heard(Instant::now());
                EVERY
            }
            Err(trouble) => {
                tracing::debug!(reason = trouble.reason, "signal");
                board.health.failed(Instant::now(), trouble.reason);
                (pause * 2).clamp(EVERY, LONGEST)
            }
        };
    }
}
