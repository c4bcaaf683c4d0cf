//! The program's own logs: what goes wrong without failing the command and, with `-v`, what is sent to the database, each line
//! with the release, phase, step, backfill and batch that it is from.
//!
//! Progress is no part of them: [`super::talk`] tells it, and neither says what the other does.

use std::io::{self, Write};

use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

use super::{output, talk};

/// Where a filter is looked for, the first before the second.
const VARIABLES: [&str; 2] = ["CONCERTINA_LOG", "RUST_LOG"];

/// Sends the logs to stderr. What the command line says goes before the environment.
pub(super) fn start(quiet: bool, verbose: u8, as_json: bool) {
    let filter = match (quiet, verbose) {
        (true, _) => EnvFilter::new("error"),
        (false, 0) => from_environment(as_json).unwrap_or_else(|| EnvFilter::new("warn,sqlx=error")),
        (false, 1) => EnvFilter::new("warn,concertina=debug,sqlx=error"),
        (false, _) => EnvFilter::new("warn,concertina=trace,sqlx=debug"),
    };
    // The place that a line is from belongs to it, also where the filter is about another crate alone.
    let filter = match "concertina::engine::place=error".parse() {
        Ok(places) => filter.add_directive(places),
        Err(_) => filter,
    };
    // Of a line in a .pgpass that it cannot read, PostgreSQL's driver logs the whole, password and all.
    let harmless = filter_fn(|metadata| !metadata.target().starts_with("sqlx_postgres::options"));
    let layer = tracing_subscriber::fmt::layer().with_ansi(output::talk_has_colour()).with_writer(|| AboveTheBar);
    let logs = tracing_subscriber::registry().with(filter);
    let started = if as_json {
        logs.with(layer.json().with_filter(harmless)).try_init()
    } else {
        logs.with(layer.with_filter(harmless)).try_init()
    };
    if let Err(error) = started {
        talk::warn(as_json, &format!("logs are off: {error}"));
    }
}

fn from_environment(as_json: bool) -> Option<EnvFilter> {
    let (name, text) = VARIABLES.iter().find_map(|name| Some((name, std::env::var(name).ok()?)))?;
    match EnvFilter::try_new(&text) {
        Ok(filter) => Some(filter),
        Err(error) => {
            talk::warn(as_json, &format!("{name} is no filter such as concertina=debug: {error}"));
            None
        }
    }
}

/// Takes a line at a time, and keeps it out of a bar that is being drawn.
struct AboveTheBar;

impl Write for AboveTheBar {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        talk::say(String::from_utf8_lossy(line).trim_end());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
