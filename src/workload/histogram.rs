//! Distributions of measured times: percentiles from a histogram, with minimum, maximum and mean exact.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::tasks::expect::Percentile;

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
    /// Further percentiles that were asked for, by name.
    #[serde(flatten)]
    pub more: BTreeMap<String, u64>,
}

/// A distribution in the making.
#[derive(Debug)]
pub(super) struct Distribution {
    counts: Counts,
    count: u64,
    min: u64,
    max: u64,
    sum: u128,
    mean: f64,
    squares: f64,
}

impl Default for Distribution {
    fn default() -> Distribution {
        let counts = Counts::default();
        Distribution { counts, count: 0, min: u64::MAX, max: 0, sum: 0, mean: 0.0, squares: 0.0 }
    }
}

impl Distribution {
    /// Takes in one value, in ns.
    pub(super) fn record(&mut self, value: u64) {
        self.counts.add(value);
        self.count += 1;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        self.sum += u128::from(value);
        // Welford 1962: stable where the sum of squares would lose all digits.
        let distance = value as f64 - self.mean;
        self.mean += distance / self.count as f64;
        self.squares += distance * (value as f64 - self.mean);
    }

    /// The values with how often each occurred, the smallest first, to five digits.
    pub(super) fn values(&self) -> Vec<(u64, u64)> {
        self.counts.iter().map(|(value, count)| (value.clamp(self.min, self.max), count)).collect()
    }

    /// The percentiles, and `more` of them; `None` without values.
    pub(super) fn percentiles(&self, more: &[Percentile]) -> Option<Percentiles> {
        if self.count == 0 {
            return None;
        }
        let at = |quantile: f64| {
            let rank = ((quantile * self.count as f64).ceil() as u64).clamp(1, self.count);
            self.counts.value_at(rank).clamp(self.min, self.max)
        };
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
            more: more.iter().map(|percentile| (percentile.to_string(), at(percentile.share()))).collect(),
        })
    }
}

/// Bits of a value that are told apart: two values that count as one differ by less than 1 in 131,072, so that five digits
/// are right. A delay of 20 ms is known to 0.2 µs, one of 1 s to 8 µs.
const BITS: u32 = 18;
/// Counts in a piece.
const PIECE: usize = 1024;

/// An HDR histogram (the layout of Tene's HdrHistogram with a unit of 1) whose counts are made piece by piece, where values
/// fall. At five digits all of them would be tens of megabytes, and to clear those takes tens of milliseconds: a stall of
/// the very stream that is being measured, when its first value comes.
#[derive(Debug, Default)]
struct Counts {
    pieces: Vec<Option<Box<[u64; PIECE]>>>,
}

impl Counts {
    fn add(&mut self, value: u64) {
        let slot = slot(value);
        if self.pieces.len() <= slot / PIECE {
            self.pieces.resize(slot / PIECE + 1, None);
        }
        self.pieces[slot / PIECE].get_or_insert_with(|| Box::new([0; PIECE]))[slot % PIECE] += 1;
    }

    /// The largest value of each slot in use, from the smallest, with its count.
    fn iter(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let pieces = self.pieces.iter().enumerate().filter_map(|(n, piece)| Some((n, piece.as_ref()?)));
        let slots = pieces.flat_map(|(n, piece)| piece.iter().enumerate().map(move |(slot, c)| (n * PIECE + slot, *c)));
        slots.filter(|(_, count)| *count > 0).map(|(slot, count)| (highest(slot), count))
    }

    /// The largest value that counts as one with the `rank`-th smallest, from 1.
    fn value_at(&self, rank: u64) -> u64 {
        let mut below = 0;
        for (value, count) in self.iter() {
            below += count;
            if below >= rank {
                return value;
            }
        }
        u64::MAX
    }
}

/// Where a value is counted: values below 2^18 each by itself, those above in steps that double with every power of two.
fn slot(value: u64) -> usize {
    let shift = (u64::BITS - value.leading_zeros()).saturating_sub(BITS);
    ((u64::from(shift) << (BITS - 1)) + (value >> shift)) as usize
}

/// The largest value of a slot.
fn highest(slot: usize) -> u64 {
    let slot = slot as u64;
    let shift = (slot >> (BITS - 1)).saturating_sub(1);
    let base = slot - (shift << (BITS - 1));
    // 2^64 − 1 in the last slot of all
    (base << shift) + ((1 << shift) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_values_have_no_percentiles() {
        assert_eq!(Distribution::default().percentiles(&[]), None);
    }

    #[test]
    fn percentiles_of_known_values() {
        let mut times = Distribution::default();
        for value in 1..=1000 {
            times.record(value * 1000);
        }
        let p = times.percentiles(&[Percentile::parse("p95").unwrap()]).unwrap();
        assert!((950_000..=950_010).contains(&p.more["p95"]), "{p:?}");
        let json = serde_json::to_value(&p).unwrap();
        assert_eq!(
            (json["p95"].as_u64(), serde_json::from_value::<Percentiles>(json).unwrap()),
            (p.more.get("p95").copied(), p.clone())
        );
        assert_eq!((p.count, p.min, p.max, p.mean), (1000, 1000, 1_000_000, 500_500));
        let values = times.values();
        assert_eq!((values.len(), values[0], values[999]), (1000, (1000, 1), (1_000_000, 1)));
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
        let p = times.percentiles(&[]).unwrap();
        assert_eq!(
            (p.min, p.p50, p.p999, p.max, p.mean, p.stddev),
            (20_000_001, 20_000_001, 20_000_001, 20_000_001, 20_000_001, 0)
        );
    }

    #[test]
    fn a_slot_holds_neighbours_within_five_digits_and_nothing_is_between_slots() {
        assert_eq!(slot(u64::MAX), 47 * 131_072 + 131_071);
        let edges = (0..64).flat_map(|n| [(1u64 << n) - 1, 1 << n, (1 << n) + 1, 3 << (n - n.min(2))]);
        for value in edges.chain([0, u64::MAX, 20_000_001]) {
            let top = highest(slot(value));
            assert!(top >= value && top - value <= value / 100_000, "{value} counts as {top}");
            assert_eq!(slot(top), slot(value));
            if let Some(next) = top.checked_add(1) {
                assert_eq!(slot(next), slot(value) + 1, "{value}");
            }
        }
    }

    #[test]
    fn only_what_is_needed_takes_memory() {
        let mut counts = Counts::default();
        for value in [80_000, 20_000_000, 20_001_000, 100_000_000_000] {
            counts.add(value);
        }
        assert_eq!(counts.pieces.iter().flatten().count(), 3);
        assert!(counts.pieces.len() < 3_000, "{}", counts.pieces.len());
    }

    #[test]
    fn the_largest_values_are_told_too() {
        let mut times = Distribution::default();
        times.record(0);
        times.record(u64::MAX);
        let p = times.percentiles(&[]).unwrap();
        assert_eq!((p.min, p.p50, p.p999, p.max, p.mean), (0, 0, u64::MAX, u64::MAX, 1 << 63));
    }

    #[test]
    fn large_offsets_do_not_eat_the_deviation() {
        let mut times = Distribution::default();
        for value in [99_000_000_000u64, 99_000_000_010] {
            times.record(value);
        }
        assert_eq!(times.percentiles(&[]).unwrap().stddev, 5);
    }
}
