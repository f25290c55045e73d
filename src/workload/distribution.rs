//! Distributions of measured times. Minimum, maximum and mean are exact; percentiles of delays are right to four digits, those of
//! how late processes were to three.

use crate::measured::{Part, Percentile, Times};
use crate::stats::Histogram;
use crate::stats::histogram::{FOUR_DIGITS, THREE_DIGITS};

/// A distribution in the making.
#[derive(Debug)]
pub(super) struct Distribution {
    all: Histogram,
    mean: f64,
    squares: f64,
}

impl Distribution {
    /// For delays of frames.
    pub(super) fn of_delays() -> Distribution {
        Distribution { all: Histogram::new(FOUR_DIGITS), mean: 0.0, squares: 0.0 }
    }

    /// For how late a process was.
    pub(super) fn of_lateness() -> Distribution {
        Distribution { all: Histogram::new(THREE_DIGITS), mean: 0.0, squares: 0.0 }
    }

    /// Takes in one value, in ns.
    pub(super) fn record(&mut self, value: u64) {
        self.all.add(value, 1);
        // Welford 1962: stable where the sum of squares would lose all digits.
        let distance = value as f64 - self.mean;
        self.mean += distance / self.all.count() as f64;
        self.squares += distance * (value as f64 - self.mean);
    }

    /// The values with how often each occurred, the smallest first.
    pub(super) fn values(&self) -> Vec<(u64, u64)> {
        self.all.values().collect()
    }

    /// Its parts, and `more` percentiles; `None` without values. The mean is rounded to a nanosecond from an exact sum.
    pub(super) fn times(&self, more: &[Percentile]) -> Option<Times> {
        let count = u128::from(self.all.count());
        let mean = (self.all.sum() + count / 2).checked_div(count)? as u64;
        let stddev = (self.squares / count as f64).max(0.0).sqrt().round() as u64;
        let mut percentiles = [&Percentile::KEPT, more].concat();
        percentiles.sort_unstable();
        let ends = [
            (Part::Count, self.all.count()),
            (Part::Max, self.all.max()),
            (Part::Mean, mean),
            (Part::Min, self.all.min()),
        ];
        let at = |one: Percentile| Some((Part::Percentile(one), self.all.at_share(one.share())?));
        Some(ends.into_iter().chain(percentiles.into_iter().filter_map(at)).chain([(Part::Stddev, stddev)]).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_values_have_no_percentiles() {
        assert_eq!(Distribution::of_delays().times(&[]), None);
    }

    #[test]
    fn percentiles_of_known_values() {
        let mut distribution = Distribution::of_delays();
        for value in 1..=1000 {
            distribution.record(value * 1000);
        }
        let p95 = Percentile::parse("p95").unwrap();
        let times = distribution.times(&[p95]).unwrap();
        let get = |part| times.get(part).unwrap();
        assert_eq!(
            [Part::Count, Part::Min, Part::Max, Part::Mean].map(get),
            [1000, 1000, 1_000_000, 500_500],
            "these are exact"
        );
        let names: Vec<String> = serde_json::to_string(&times).unwrap().split('"').map(str::to_owned).collect();
        let names: Vec<&str> = names.iter().skip(1).step_by(2).map(String::as_str).collect();
        assert_eq!(names, ["count", "max", "mean", "min", "p50", "p90", "p95", "p99", "p999", "stddev"]);
        let values = distribution.values();
        assert_eq!((values.len(), values[0], values[999]), (1000, (1000, 1), (1_000_000, 1)));
        for (part, exact) in [
            (Part::P50, 500_000),
            (Part::P90, 900_000),
            (Part::Percentile(p95), 950_000),
            (Part::P99, 990_000),
            (Part::P999, 999_000),
        ] {
            let got = get(part);
            assert!(got >= exact && got - exact <= exact / 10_000 + 1, "{got} for {exact}");
        }
        // The population of 1…n has variance (n² − 1) / 12.
        assert_eq!(get(Part::Stddev), ((1e6f64 - 1.0) / 12.0).sqrt().mul_add(1000.0, 0.0).round() as u64);
    }

    const FIVE: [Part; 5] = [Part::Min, Part::P50, Part::P999, Part::Max, Part::Mean];

    #[test]
    fn one_value_is_told_exactly() {
        let mut distribution = Distribution::of_delays();
        distribution.record(20_000_001);
        let times = distribution.times(&[]).unwrap();
        assert_eq!(FIVE.map(|part| times.get(part)), [Some(20_000_001); 5]);
        assert_eq!(times.get(Part::Stddev), Some(0));
    }

    #[test]
    fn the_largest_values_are_told_too() {
        let mut distribution = Distribution::of_delays();
        distribution.record(0);
        distribution.record(u64::MAX);
        let times = distribution.times(&[]).unwrap();
        assert_eq!(FIVE.map(|part| times.get(part)), [0, 0, u64::MAX, u64::MAX, 1 << 63].map(Some));
    }

    #[test]
    fn large_offsets_do_not_eat_the_deviation() {
        let mut times = Distribution::of_delays();
        for value in [99_000_000_000u64, 99_000_000_010] {
            times.record(value);
        }
        assert_eq!(times.times(&[]).unwrap().get(Part::Stddev), Some(5));
    }
}
