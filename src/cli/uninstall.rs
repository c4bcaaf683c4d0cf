//! `concertina uninstall`

use super::{Failure, Shell, exit};
use crate::dialect::OwnObject;
use crate::engine::{UninstallOptions, Uninstalled, uninstall};
use crate::plan::Gate;

/// List all that Concertina made for itself in the database, and with --yes remove it
///
/// The application's tables stay as they are, and so does refinery's own record of the baseline. It refuses while a release is
/// open: its old and new nodes rely on the syncs.
#[derive(Debug, clap::Args)]
pub(super) struct Uninstall {
    /// Remove it
    #[arg(long)]
    yes: bool,
    /// Override a gate, `open_release`
    #[arg(long, value_name = "GATE", value_parser = open_release_gate)]
    force: Vec<Gate>,
}

fn open_release_gate(word: &str) -> Result<Gate, String> {
    if word == Gate::OpenRelease.word() { Ok(Gate::OpenRelease) } else { Err("expected `open_release`".to_owned()) }
}

impl Uninstall {
    pub(super) async fn run(self, shell: &Shell) -> Result<u8, Failure> {
        let options = UninstallOptions { remove: self.yes, force: self.force };
        let found = uninstall(&shell.project, &shell.target, &options, &shell.talk).await?;
        shell.print(&found, text)?;
        Ok(exit::DONE)
    }
}

fn line(object: &OwnObject) -> String {
    let on = object.table.as_ref().map_or_else(String::new, |table| format!(" on {table}"));
    format!("  {} {}{on}\n", object.kind.word(), object.name)
}

fn text(found: &Uninstalled) -> String {
    if found.objects.is_empty() {
        return "nothing to do: nothing of Concertina's is in this database".to_owned();
    }
    let mut text = if found.removed { "removed:\n" } else { "would be removed:\n" }.to_owned();
    text.extend(found.objects.iter().map(line));
    if let Some(kept) = found.kept {
        text.push_str(&format!("stays: table {kept}, refinery's record of the baseline\n"));
    }
    text.push_str(&match (&found.refused, found.removed) {
        (_, true) => "done: the application's tables are as they were".to_owned(),
        (Some(reason), false) => format!("not now: {reason}"),
        (None, false) => "nothing was changed; remove it with concertina uninstall --yes".to_owned(),
    });
    text
}
