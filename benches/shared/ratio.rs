//! Figures of several rounds.

/// Ratios of the rounds.
#[derive(Default)]
pub(crate) struct Ratio(Vec<f64>);

impl Ratio {
    pub(crate) fn add(&mut self, ratio: f64) {
        self.0.push(ratio);
    }

    /// The median, with the least and the greatest.
    pub(crate) fn text(&self) -> String {
        let (least, greatest) = bounds(&self.0);
        format!("{:.3} ({least:.2} to {greatest:.2})", median(self.0.clone()))
    }
}

/// The middle value.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The least and the greatest value.
pub(crate) fn bounds(values: &[f64]) -> (f64, f64) {
    (values.iter().copied().fold(f64::INFINITY, f64::min), values.iter().copied().fold(0.0, f64::max))
}

/// The median, with the least and the greatest, to so many places; a dash when there is none.
pub(crate) fn spread(values: &[f64], places: usize) -> String {
    if values.is_empty() {
        return "-".to_owned();
    }
    let (least, greatest) = bounds(values);
    format!("{:.places$} ({least:.places$}–{greatest:.places$})", median(values.to_vec()))
}
