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

/// The middle value, or the mean of the two in the middle.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    match values.get(half) {
        Some(middle) if values.len() % 2 == 1 => *middle,
        Some(middle) => f64::midpoint(values[half - 1], *middle),
        None => f64::NAN,
    }
}

/// The least and the greatest value.
pub(crate) fn bounds(values: &[f64]) -> (f64, f64) {
    (values.iter().copied().fold(f64::INFINITY, f64::min), values.iter().copied().fold(0.0, f64::max))
}

/// The median, with the least and the greatest, to so many places, and to none from 100 on; a dash for no values.
pub(crate) fn spread(values: &[f64], places: usize) -> String {
    if values.is_empty() {
        return "-".to_owned();
    }
    let (least, greatest) = bounds(values);
    let places = if greatest < 100.0 { places } else { 0 };
    format!("{:.places$} ({least:.places$}–{greatest:.places$})", median(values.to_vec()))
}
