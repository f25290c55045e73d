//! Lengths of time in a few bins of one round width: what a picture of a distribution needs, and no more.

use serde::{Deserialize, Serialize, Serializer};

use crate::stats::Bins;
use crate::stats::histogram::at_rank;

/// So many bins at most: more are read no better.
const MOST_BINS: u64 = 48;

/// How often lengths of time occurred, in bins of one width.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Histogram {
    /// Where the first bin begins.
    pub from_ns: u64,
    /// The width of each: 1, 2 or 5 times a power of ten.
    pub width_ns: u64,
    /// How many fell into each bin, its lower edge included; at most 50.
    #[serde(serialize_with = "one_line")]
    pub counts: Vec<u64>,
    /// How many were longer than the last bin: at most one in a thousand, unless all bins are needed below it.
    pub longer: u64,
}

/// Hundreds of numbers on a line of their own each would hide the rest of a report.
pub(crate) fn one_line<T: Serialize, S: Serializer>(counts: &[T], serializer: S) -> Result<S::Ok, S::Error> {
    serde_json::value::to_raw_value(counts).map_err(serde::ser::Error::custom)?.serialize(serializer)
}

impl Histogram {
    /// Of lengths with how often each occurred, the shortest first. The bins reach from the shortest to the
    /// one-in-a-thousand longest. `None` where no two lengths differ.
    pub fn of(lengths: &[(u64, u64)]) -> Option<Histogram> {
        let ((first, _), (last, _)) = (*lengths.first()?, *lengths.last()?);
        if first == last {
            return None;
        }
        let all: u64 = lengths.iter().map(|(_, count)| count).sum();
        let high = at_rank(lengths.iter().copied(), all - all / 1000).unwrap_or(last);
        let bins = Bins::over(first, high, MOST_BINS);
        let (_, counts, longer) = bins.fill(lengths.iter().copied());
        Some(Histogram { from_ns: bins.from, width_ns: bins.width, counts, longer })
    }

    /// All that were counted.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum::<u64>() + self.longer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_and_one_length_have_no_shape() {
        assert_eq!(Histogram::of(&[]), None);
        assert_eq!(Histogram::of(&[(5, 1_000)]), None);
    }

    #[test]
    fn every_length_is_counted_once_and_bins_are_round_and_few() {
        let lengths: Vec<(u64, u64)> = (0..10_000).map(|n| (10_000_000 + n * 1_000, 2)).collect();
        let histogram = Histogram::of(&lengths).unwrap();
        assert_eq!((histogram.from_ns, histogram.width_ns), (10_000_000, 500_000));
        assert_eq!((histogram.counts.len(), histogram.counts[0], histogram.total()), (20, 1_000, 20_000));
        for spread in [1, 7, 46, 47, 48, 999, u64::MAX / 2, u64::MAX] {
            let histogram = Histogram::of(&[(0, 1), (spread, 1)]).unwrap();
            assert!(histogram.counts.len() <= 50 && histogram.total() == 2, "{spread}: {histogram:?}");
        }
    }

    #[test]
    fn a_few_stragglers_do_not_make_the_rest_one_bin() {
        let mut lengths: Vec<(u64, u64)> = (0..100).map(|n| (n, 100)).collect();
        lengths.push((1_000_000, 3));
        let histogram = Histogram::of(&lengths).unwrap();
        assert_eq!((histogram.longer, histogram.width_ns, histogram.total()), (3, 5, 10_003));
    }

    #[test]
    fn it_stands_on_a_line_and_reads_back() {
        let histogram = Histogram::of(&[(0, 1), (3, 2)]).unwrap();
        let json = serde_json::to_string_pretty(&histogram).unwrap();
        assert!(json.contains("\"counts\": [1,0,0,2]"), "{json}");
        assert_eq!(serde_json::from_str::<Histogram>(&json).unwrap(), histogram);
    }
}
