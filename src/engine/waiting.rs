//! Waits until nodes of a release may run, or nothing is left to do: for init containers and pipelines.

use std::time::{Duration, Instant};

use super::{Check, EngineError, Event, Observer, check};
use crate::catalog::Project;
use crate::db::Target;

/// How soon it is asked again.
const AGAIN: Duration = Duration::from_secs(1);
/// How soon an interruption is seen.
const LOOK: Duration = Duration::from_millis(100);

/// Asks [`check`] until the answer is yes or the time is over, and gives the last answer. A server that is not there yet is
/// waited for as well.
pub async fn check_until(
    project: &Project,
    target: &Target,
    release: Option<&str>,
    patience: Duration,
    observer: &dyn Observer,
) -> Result<Check, EngineError> {
    let deadline = Instant::now() + patience;
    let until = match release {
        Some(release) => format!("nodes of {release} may run"),
        None => "nothing is left to do".to_owned(),
    };
    let mut told = None;
    loop {
        let answer = check(project, target, release, observer).await;
        let reason = match &answer {
            Ok(answer) if answer.is_yes() => None,
            Ok(answer) => Some(answer.reason.clone().unwrap_or_else(|| match &answer.next.command {
                Some(command) => format!("{command} is next"),
                None => format!("{} is next", answer.next.phase),
            })),
            Err(error) if error.is_disconnected() => Some(error.to_string()),
            Err(_) => None,
        };
        let Some(reason) = reason.filter(|_| Instant::now() < deadline) else { return answer };
        if told.as_ref() != Some(&reason) {
            observer.event(Event::Awaiting { until: until.clone(), reason: reason.clone() });
            told = Some(reason);
        }
        let again = (Instant::now() + AGAIN).min(deadline);
        while Instant::now() < again {
            if observer.interrupted() {
                return Err(EngineError::Interrupted);
            }
            tokio::time::sleep(LOOK.min(again.saturating_duration_since(Instant::now()))).await;
        }
    }
}
