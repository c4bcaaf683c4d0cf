//! What operators set while a backfill runs, from whichever terminal: workers look at it every moment.

use super::process::Process;
use super::{StoreError, is_installed};
use crate::db::Connection;

/// What is set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Control {
    /// Who holds the backfills, and since when in milliseconds.
    pub paused: Option<(String, i64)>,
    /// Settings that win over the manifest's, as JSON.
    pub tuning: Option<String>,
}

/// What there is to set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setting {
    /// Backfills hold.
    Pause,
    /// Settings of batches and throttles.
    Tuning,
    /// The version of the program that made our tables: an older one can then say which it takes.
    Program,
}

impl Setting {
    fn name(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Tuning => "tuning",
            Self::Program => "program",
        }
    }
}

/// Reads what is set.
pub async fn control(connection: &mut Connection) -> Result<Control, StoreError> {
    let now = connection.dialect().now();
    let sql = format!("SELECT name, setting, set_by, {now} - set_at FROM concertina_control");
    let mut control = Control::default();
    for row in connection.query(&sql, &[]).await? {
        let name = row.text(0).unwrap_or_default();
        if name == Setting::Pause.name() {
            control.paused = Some((row.text(2).unwrap_or_default(), row.integer(3).unwrap_or(0)));
        } else if name == Setting::Tuning.name() {
            control.tuning = row.text(1);
        }
    }
    Ok(control)
}

/// The version of the program that made our tables, if it says; they may be of any later version.
pub(super) async fn program(connection: &mut Connection) -> Option<String> {
    let sql = "SELECT setting FROM concertina_control WHERE name = ?";
    let sql = connection.dialect().placeholders(sql);
    let rows = connection.query(&sql, &[Setting::Program.name().into()]).await;
    rows.ok()?.first()?.text(0)
}

/// Sets something, or takes it back; false where it was so already. Needs no lease: it changes no data and no schema.
pub async fn set(connection: &mut Connection, setting: Setting, value: Option<&str>) -> Result<bool, StoreError> {
    if !is_installed(connection).await? {
        return Ok(false);
    }
    connection
        .transaction(async |connection: &mut Connection| -> Result<bool, StoreError> {
            let dialect = connection.shared_dialect();
            let delete = dialect.placeholders("DELETE FROM concertina_control WHERE name = ?");
            let was = connection.execute(&delete, &[setting.name().into()]).await? > 0;
            let Some(value) = value else { return Ok(was) };
            let insert = format!(
                "INSERT INTO concertina_control (name, setting, set_by, set_at) VALUES (?, ?, ?, {})",
                dialect.now()
            );
            let values = [setting.name().into(), value.into(), Process::this().shown.into()];
            connection.execute(&dialect.placeholders(&insert), &values).await?;
            Ok(!was)
        })
        .await
}
