//! Medians, and ratios of what was measured in turn.

/// Of several numbers: the middle one and the span.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub(crate) struct Spread {
    /// The middle one; of an even number of them, the mean of the two in the middle.
    pub(crate) median: f64,
    /// The least.
    pub(crate) min: f64,
    /// The most.
    pub(crate) max: f64,
}

impl Spread {
    /// `None` of nothing.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Spread> {
        let mut sorted: Vec<f64> = values.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let n = sorted.len();
        Some(Spread { median: (sorted[(n - 1) / 2] + sorted[n / 2]) / 2.0, min, max })
    }

    /// Of the ratios within each repetition: what else the machine did meanwhile met both alike. Repetitions in which
    /// either is missing or not positive are left out.
    pub(crate) fn of_ratios(these: &[Option<f64>], those: &[Option<f64>]) -> Option<Spread> {
        let positive = |value: &Option<f64>| value.filter(|v| *v > 0.0);
        let pairs = these.iter().zip(those).filter_map(|(this, that)| Some(positive(this)? / positive(that)?));
        Spread::of(pairs)
    }
}
