//! Distributions of measured times: percentiles from an HDR histogram, with minimum, maximum and mean exact.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// Significant decimal digits: a delay of 20 ms is known to 0.2 µs, one of 1 s to 10 µs.
const DIGITS: u8 = 5;
/// The longest time that is told apart, 100 s in ns. Longer ones count as this in percentiles and as themselves in
/// `max` and `mean`. It bounds the histogram to 22 MB of address space, of which only touched pages take memory.
const LONGEST: u64 = 100_000_000_000;

/// What a distribution of times boils down to, in nanoseconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Percentiles {
    /// Number of values.
    pub count: u64,
    /// The smallest value, exact.
    pub min: u64,
    /// The median: half of the values are not above it. Percentiles are exact to five digits and never rounded down.
    pub p50: u64,
    /// 90 % of the values are not above it.
    pub p90: u64,
    /// 99 % of the values are not above it.
    pub p99: u64,
    /// 99.9 % of the values are not above it.
    pub p999: u64,
    /// The largest value, exact.
    pub max: u64,
    /// The arithmetic mean, rounded to a nanosecond from an exact sum.
    pub mean: u64,
    /// The standard deviation of the population.
    pub stddev: u64,
}

/// A distribution in the making.
#[derive(Debug)]
pub(super) struct Distribution {
    // Allocated with the first value: most reports have distributions that stay empty.
    histogram: Option<Histogram<u64>>,
    count: u64,
    min: u64,
    max: u64,
    sum: u128,
    mean: f64,
    squares: f64,
}

impl Default for Distribution {
    fn default() -> Distribution {
        Distribution { histogram: None, count: 0, min: u64::MAX, max: 0, sum: 0, mean: 0.0, squares: 0.0 }
    }
}

impl Distribution {
    /// Takes in one value, in ns.
    pub(super) fn record(&mut self, value: u64) {
        self.histogram
            .get_or_insert_with(|| {
                Histogram::new_with_bounds(1, LONGEST, DIGITS).expect("bounds and digits are in the allowed range")
            })
            .saturating_record(value);
        self.count += 1;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        self.sum += u128::from(value);
        // Welford 1962: stable where the sum of squares would lose all digits.
        let distance = value as f64 - self.mean;
        self.mean += distance / self.count as f64;
        self.squares += distance * (value as f64 - self.mean);
    }

    /// The percentiles; `None` without values.
    pub(super) fn percentiles(&self) -> Option<Percentiles> {
        let histogram = self.histogram.as_ref()?;
        let at = |quantile| histogram.value_at_quantile(quantile).clamp(self.min, self.max);
        let count = u128::from(self.count);
        Some(Percentiles {
            count: self.count,
            min: self.min,
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: self.max,
            mean: ((self.sum + count / 2) / count) as u64,
            stddev: (self.squares / self.count as f64).max(0.0).sqrt().round() as u64,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_values_have_no_percentiles() {
        assert_eq!(Distribution::default().percentiles(), None);
    }

    #[test]
    fn percentiles_of_known_values() {
        let mut times = Distribution::default();
        for value in 1..=1000 {
            times.record(value * 1000);
        }
        let p = times.percentiles().unwrap();
        assert_eq!((p.count, p.min, p.max, p.mean), (1000, 1000, 1_000_000, 500_500));
        for (got, exact) in [(p.p50, 500_000), (p.p90, 900_000), (p.p99, 990_000), (p.p999, 999_000)] {
            assert!(got >= exact && got - exact <= exact / 100_000 + 1, "{got} for {exact}");
        }
        // The population of 1…n has variance (n² − 1) / 12.
        assert_eq!(p.stddev, ((1e6f64 - 1.0) / 12.0).sqrt().mul_add(1000.0, 0.0).round() as u64);
    }

    #[test]
    fn one_value_is_told_exactly() {
        let mut times = Distribution::default();
        times.record(20_000_001);
        let p = times.percentiles().unwrap();
        assert_eq!(
            (p.min, p.p50, p.p999, p.max, p.mean, p.stddev),
            (20_000_001, 20_000_001, 20_000_001, 20_000_001, 20_000_001, 0)
        );
    }

    #[test]
    fn values_beyond_the_range_keep_maximum_and_mean_exact() {
        let mut times = Distribution::default();
        times.record(0);
        times.record(10 * LONGEST);
        let p = times.percentiles().unwrap();
        assert_eq!((p.min, p.max, p.mean), (0, 10 * LONGEST, 5 * LONGEST));
        assert!(p.p999 >= LONGEST);
    }

    #[test]
    fn large_offsets_do_not_eat_the_deviation() {
        let mut times = Distribution::default();
        for value in [99_000_000_000u64, 99_000_000_010] {
            times.record(value);
        }
        assert_eq!(times.percentiles().unwrap().stddev, 5);
    }
}
