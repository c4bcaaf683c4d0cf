//! How far a backfill is: rows, rate, and what is left by the key's position, as the database's own planner puts it. Nothing is
//! counted for it.

use std::time::{Duration, Instant};

use crate::db::{Connection, Value};
use crate::plan::Walk;
use crate::store::ranges::RangeRecord;

/// How often the estimate is made anew.
const EVERY: Duration = Duration::from_secs(1);
/// How many ranges the planner is asked about each time; the rest counts as these do.
const ASKED: usize = 16;
/// How much the last second counts in the rate.
const WEIGHT: f64 = 0.3;

/// The progress of one process on one backfill.
#[derive(Debug)]
pub(super) struct Progress {
    looked: Instant,
    walked: u64,
    /// Rows a second.
    pub(super) rate: f64,
    /// Rows left in this walk, about.
    pub(super) left: Option<u64>,
}

impl Progress {
    pub(super) fn new() -> Self {
        Self { looked: Instant::now(), walked: 0, rate: 0.0, left: None }
    }

    /// Whether it is time to look again.
    pub(super) fn is_due(&self) -> bool {
        self.left.is_none() || self.looked.elapsed() >= EVERY
    }

    /// Takes how many rows were walked so far, and what is open.
    pub(super) async fn look(&mut self, connection: &mut Connection, walk: &Walk, open: &[RangeRecord], walked: u64) {
        let time = self.looked.elapsed().as_secs_f64();
        if time > 0.0 {
            #[expect(clippy::cast_precision_loss, reason = "a rate needs few digits")]
            let rate = walked.saturating_sub(self.walked) as f64 / time;
            self.rate = if self.rate == 0.0 { rate } else { self.rate + WEIGHT * (rate - self.rate) };
        }
        (self.looked, self.walked) = (Instant::now(), walked);
        let mut left = Some(0);
        for range in open.iter().take(ASKED) {
            left = match (left, rows_left(connection, walk, range).await) {
                (Some(sum), Some(rows)) => Some(sum + rows),
                _ => None,
            };
        }
        let (asked, all) = (open.len().clamp(1, ASKED), open.len().max(1));
        self.left = left.map(|rows: u64| rows * u64::try_from(all).unwrap_or(1) / u64::try_from(asked).unwrap_or(1));
    }

    /// How long the rest takes at this rate.
    pub(super) fn time_left(&self) -> Option<Duration> {
        let left = u32::try_from(self.left?).unwrap_or(u32::MAX);
        (self.rate >= 1.0).then(|| Duration::from_secs_f64(f64::from(left) / self.rate))
    }
}

/// About how many rows of a range are left.
pub(super) async fn rows_left(connection: &mut Connection, walk: &Walk, range: &RangeRecord) -> Option<u64> {
    let start = range.start();
    let dialect = connection.shared_dialect();
    let Some(explain) = dialect.explain(&walk.span_all(start.is_some())) else {
        // Where the place is a row's number, the numbers between are as many rows at most.
        return match (start.map_or(Some(&Value::Integer(0)), |place| place.first()), range.upper.first()) {
            (Some(Value::Integer(start)), Some(Value::Integer(upper))) if range.upper.len() == 1 => {
                u64::try_from(upper.saturating_sub(*start)).ok()
            }
            _ => None,
        };
    };
    let values: Vec<Value> =
        start.map(|place| walk.bind(place)).unwrap_or_default().into_iter().chain(walk.bind(&range.upper)).collect();
    // An estimate is a comfort: where it cannot be had, there is none.
    let rows = connection.query(&explain, &values).await.ok()?;
    let row = rows.first()?;
    let texts: Vec<_> = (0..row.len()).map(|position| row.text(position)).collect();
    dialect.explained_rows(&texts)
}
