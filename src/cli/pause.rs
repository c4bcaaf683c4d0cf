//! `concertina pause` and `concertina resume`

use serde::Serialize;

use super::{Failure, Shell, exit};
use crate::engine::pause;

/// Hold every backfill of this database, within a batch, whoever runs it and wherever; they wait until resume
#[derive(Debug, clap::Args)]
pub(super) struct Pause {}

/// Let the backfills that pause holds go on
#[derive(Debug, clap::Args)]
pub(super) struct Resume {}

#[derive(Serialize)]
struct Ended {
    paused: bool,
    changed: bool,
}

impl Pause {
    pub(super) async fn run(self, shell: &Shell) -> Result<u8, Failure> {
        set(shell, true).await
    }
}

impl Resume {
    pub(super) async fn run(self, shell: &Shell) -> Result<u8, Failure> {
        set(shell, false).await
    }
}

async fn set(shell: &Shell, hold: bool) -> Result<u8, Failure> {
    let changed = pause(&shell.project, &shell.target, hold, &shell.talk).await?;
    shell.print(&Ended { paused: hold, changed }, |ended| {
        match (ended.paused, ended.changed) {
            (true, true) => "paused: no backfill begins another batch until concertina resume",
            (true, false) => "nothing to do: paused already",
            (false, true) => "resumed",
            (false, false) => "nothing to do: not paused",
        }
        .to_owned()
    })?;
    Ok(exit::DONE)
}
