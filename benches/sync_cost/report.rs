//! The lines that are printed.

use super::ratio::{Ratio, median};

/// What one slice of one variant took, for each write.
#[derive(Clone, Copy, Default)]
pub(crate) struct Slice {
    pub(crate) seconds: f64,
    pub(crate) cpu: f64,
}

/// One kind of write: its rounds, each without and with the sync.
#[derive(Default)]
pub(crate) struct Measured {
    pub(crate) client: Vec<[Slice; 2]>,
    pub(crate) server: Vec<[Slice; 2]>,
}

impl Measured {
    /// The two lines of a table.
    pub(crate) fn lines(&self, title: &str) -> String {
        let of = |rounds: &[[Slice; 2]], value: &dyn Fn(&[Slice; 2]) -> f64| median(rounds.iter().map(value).collect());
        let mut ratio = Ratio::default();
        for [bare, synced] in &self.client {
            ratio.add(bare.seconds / synced.seconds);
        }
        let cpu_ratio = of(&self.client, &|[bare, synced]| bare.cpu / synced.cpu);
        let mut text = String::new();
        for (position, variant) in ["bare", "synced"].into_iter().enumerate() {
            let rate = of(&self.client, &|slices| 1.0 / slices[position].seconds);
            let cpu = of(&self.client, &|slices| slices[position].cpu);
            let (title, ratios) = if position == 0 {
                (title, String::new())
            } else {
                ("", format!("{:<24} {cpu_ratio:>9.3}", ratio.text()))
            };
            text.push_str(&format!("{title:<28}{variant:<8}{rate:>9.0}{cpu:>10.1}   {ratios}"));
            if position == 1 && !self.server.is_empty() {
                let added = of(&self.server, &|[bare, synced]| synced.cpu - bare.cpu);
                let loop_bare = of(&self.server, &|[bare, _]| bare.cpu);
                text.push_str(&format!("  {loop_bare:>8.1} {added:>+8.1}"));
            }
            text = format!("{}\n", text.trim_end());
        }
        text
    }
}

/// The head of a table.
pub(crate) const HEAD: &str =
    "                                        ops/s  CPU µs/op ratio of ops/s            ratio of CPU  loop µs    added";
