//! Counting values: how often each occurred, percentiles, bins of round widths; the normal distribution. No units, no clock.

pub mod bins;
pub mod histogram;
pub mod normal;

pub use bins::{Bins, round_up};
pub use histogram::Histogram;

/// The middle of values, of which the smallest is first: the mean of the two in the middle where their number is even. `None` of none.
pub(crate) fn median(sorted: &[f64]) -> Option<f64> {
    let middle = sorted.len().checked_sub(1)? / 2;
    Some((sorted[middle] + sorted[sorted.len() / 2]) / 2.0)
}

/// Makes one of each two neighbours; the last stands alone where their number is odd.
pub fn pairs<T: Clone>(all: &[T], join: impl Fn(&T, &T) -> T) -> Vec<T> {
    all.chunks(2).map(|pair| pair[1..].iter().fold(pair[0].clone(), |a, b| join(&a, b))).collect()
}
