//! Named places where a test makes the process die, as `kill -9` would.
//!
//! Whatever a [`Connection`](super::Connection) sends that changes something passes two of them, `PLACE.before` and
//! `PLACE.after`, and a commit `PLACE.commit.before` and `PLACE.commit.after`: PLACE is what the room above says that its
//! statements belong to. So no statement can be forgotten. A few more stand between statements, where work is in memory.
//!
//! `CONCERTINA_FAILPOINT=step.statement.after` dies at the first pass through that name, `step.statement.after:3` at the third,
//! `step.statement.after@r2/expand/01_a/1#2` at the second one of a step, and `*:7` at the seventh pass through any. `!a@b c`
//! dies at the first pass whose name and kind of step are none of these, and `!!a@id#1 c` tells every single pass from the
//! others: so one database goes through all of them, a life each. `CONCERTINA_FAILPOINT_TRACE` names a file that is told of each
//! pass, in both forms.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::OpenOptions;
use std::io::Write;
use std::sync::{Mutex, OnceLock, PoisonError};

/// What a session's statements belong to.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) name: &'static str,
    /// The kind of the step that they belong to, and its id; empty elsewhere.
    pub(super) kind: String,
    pub(super) step: String,
}

impl Place {
    pub(super) fn new(name: &'static str) -> Self {
        Self { name, kind: String::new(), step: String::new() }
    }

    /// Dies here, if a test asked for it.
    pub(super) fn pass(&self, moment: &str) {
        if let Some(plan) = plan() {
            plan.pass(&format!("{}.{moment}", self.name), &self.kind, &self.step);
        }
    }

    /// The same where our own rows are written, in a transaction that is lost with us: these are of one sort, whatever the kind
    /// of step is that they are about.
    pub(super) fn pass_with_state(&self, moment: &str) {
        if let Some(plan) = plan() {
            plan.pass(&format!("{}.{moment}", self.name), "", &self.step);
        }
    }
}

/// Dies here, if a test asked for it.
pub fn pass(name: &str) {
    if let Some(plan) = plan() {
        plan.pass(name, "", "");
    }
}

/// Where to die.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    /// At this pass through a name, or through any; or at the pass of which this is the full name.
    Nth(Option<String>, u32),
    /// At the first pass of a sort that is not among these.
    NewSort(BTreeSet<String>),
    /// At the first pass that is not among these.
    New(BTreeSet<String>),
    Never,
}

struct Plan {
    wanted: Wanted,
    trace: Option<std::path::PathBuf>,
    passes: Mutex<BTreeMap<String, u32>>,
}

fn plan() -> Option<&'static Plan> {
    static PLAN: OnceLock<Option<Plan>> = OnceLock::new();
    let read = || {
        let trace = std::env::var_os("CONCERTINA_FAILPOINT_TRACE").map(Into::into);
        let wanted = std::env::var("CONCERTINA_FAILPOINT").ok();
        if trace.is_none() && wanted.is_none() {
            return None;
        }
        let wanted = wanted.map_or(Wanted::Never, |wanted| Wanted::read(&wanted));
        Some(Plan { wanted, trace, passes: Mutex::default() })
    };
    PLAN.get_or_init(read).as_ref()
}

impl Wanted {
    fn read(text: &str) -> Self {
        let all = |text: &str| text.split_whitespace().map(str::to_owned).collect();
        if let Some(known) = text.strip_prefix("!!") {
            return Self::New(all(known));
        }
        if let Some(known) = text.strip_prefix('!') {
            return Self::NewSort(all(known));
        }
        let (name, count) = text.rsplit_once(':').unwrap_or((text, "1"));
        Self::Nth((name != "*").then(|| name.to_owned()), count.parse().unwrap_or(1))
    }
}

impl Plan {
    fn pass(&self, name: &str, kind: &str, step: &str) {
        let sort = if kind.is_empty() { name.to_owned() } else { format!("{name}@{kind}") };
        let place = if step.is_empty() { name.to_owned() } else { format!("{name}@{step}") };
        let (one, nth, any) = {
            let mut passes = self.passes.lock().unwrap_or_else(PoisonError::into_inner);
            let mut count = |key: &str| {
                let count = passes.entry(key.to_owned()).or_default();
                *count += 1;
                *count
            };
            (format!("{place}#{}", count(&place)), count(&format!("name {name}")), count("any"))
        };
        if let Some(trace) = &self.trace
            && let Ok(mut file) = OpenOptions::new().create(true).append(true).open(trace)
            && let Err(error) = writeln!(file, "{sort} {one}")
        {
            tracing::error!(%error, "trace a failpoint");
        }
        let dies = match &self.wanted {
            Wanted::Nth(None, count) => any == *count,
            Wanted::Nth(Some(wanted), count) => (wanted == name && nth == *count) || *wanted == one,
            Wanted::NewSort(known) => !known.contains(&sort),
            Wanted::New(known) => !known.contains(&one),
            Wanted::Never => false,
        };
        if dies {
            tracing::error!("dies at {sort} {one}");
            // Nothing is flushed, dropped or rolled back: the nearest thing to SIGKILL from inside.
            std::process::abort();
        }
    }
}
