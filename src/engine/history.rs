//! What happened here, for operators.

use super::report::reading;
use super::session::Session;
use super::{EngineError, Observer};
use crate::catalog::Project;
use crate::db::Target;
use crate::store::{self, Event, EventFilter};

/// Reads the history, oldest first.
pub async fn history(
    project: &Project,
    target: &Target,
    filter: &EventFilter,
    observer: &dyn Observer,
) -> Result<Vec<Event>, EngineError> {
    let session = Session::open(project, target, false, observer).await?;
    reading(session, async |session| {
        if !store::is_installed(&mut session.connection).await? {
            return Ok(Vec::new());
        }
        Ok(store::events(&mut session.connection, filter).await?)
    })
    .await
}
