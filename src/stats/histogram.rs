//! How often values occurred, in bounded memory: count, sum and extremes exactly, percentiles to a known precision.

/// Counts in a piece.
const PIECE: usize = 1024;

/// An HDR histogram (the layout of Tene's HdrHistogram with a unit of 1) whose counts are allocated piece by piece, where
/// values fall. At four digits all counts up to a second take 2.2 MB, and those of each power of two above 16 µs 131 kB.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    bits: u32,
    count: u64,
    sum: u128,
    min: u64,
    max: u64,
    pieces: Vec<Option<Box<[u64; PIECE]>>>,
}

/// Values are right to two digits.
pub const TWO_DIGITS: u32 = 8;
/// Values are right to three digits.
pub const THREE_DIGITS: u32 = 11;
/// Values are right to four digits.
pub const FOUR_DIGITS: u32 = 15;

impl Histogram {
    /// An empty one that tells the highest `bits` binary digits of a value apart: two values that count as one differ by
    /// less than 1 in 2^(bits − 1).
    pub fn new(bits: u32) -> Histogram {
        Histogram { bits, count: 0, sum: 0, min: u64::MAX, max: 0, pieces: Vec::new() }
    }

    /// Counts a value that occurred `times` times.
    pub fn add(&mut self, value: u64, times: u64) {
        self.count += times;
        self.sum += u128::from(value) * u128::from(times);
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        let slot = slot(value, self.bits);
        let (piece, at) = (slot / PIECE, slot % PIECE);
        if self.pieces.len() <= piece {
            self.pieces.resize(piece + 1, None);
        }
        self.pieces[piece].get_or_insert_with(|| Box::new([0; PIECE]))[at] += times;
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Their sum.
    pub fn sum(&self) -> u128 {
        self.sum
    }

    /// The smallest; `u64::MAX` before the first.
    pub fn min(&self) -> u64 {
        self.min
    }

    /// The largest; 0 before the first.
    pub fn max(&self) -> u64 {
        self.max
    }

    /// The values with how often each occurred, the smallest first, each rounded up to its precision and within the extremes.
    pub fn values(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let pieces = self.pieces.iter().enumerate().filter_map(|(n, piece)| Some((n, piece.as_ref()?)));
        let slots = pieces.flat_map(|(n, piece)| piece.iter().enumerate().map(move |(slot, c)| (n * PIECE + slot, *c)));
        let counted = slots.filter(|(_, count)| *count > 0);
        counted.map(|(slot, count)| (highest(slot, self.bits).clamp(self.min, self.max), count))
    }

    /// What a share of the values (0 to 1, to a millionth) did not exceed, never rounded down; `None` before the first.
    pub fn at_share(&self, share: f64) -> Option<u64> {
        at_share(self.values(), self.count, share)
    }
}

#[cfg(test)]
impl Histogram {
    /// Pieces of memory in use.
    pub(crate) fn pieces(&self) -> usize {
        self.pieces.iter().flatten().count()
    }
}

/// The smallest value that a share of `count` values, to a millionth, does not exceed. `values`: with how often each occurred, the smallest
/// first.
pub fn at_share(values: impl IntoIterator<Item = (u64, u64)>, count: u64, share: f64) -> Option<u64> {
    // in whole millionths: 0.07 of 100 is 7, and 7.000000000000001 in binary
    let millionths = (share * 1e6).round() as u128;
    let rank = (millionths * u128::from(count)).div_ceil(1_000_000) as u64;
    at_rank(values, rank.clamp(1, count.max(1)))
}

/// The `rank`-th smallest of values, from 1.
pub fn at_rank(values: impl IntoIterator<Item = (u64, u64)>, rank: u64) -> Option<u64> {
    let mut below = 0;
    values.into_iter().find_map(|(value, times)| {
        below += times;
        (below >= rank).then_some(value)
    })
}

/// A value rounded up to its highest `bits` binary digits, as a histogram of them counts it.
pub fn rounded(value: u64, bits: u32) -> u64 {
    highest(slot(value, bits), bits)
}

/// Where a value is counted: values below 2^bits each by itself, those above in steps that double with every power of two.
fn slot(value: u64, bits: u32) -> usize {
    let shift = (u64::BITS - value.leading_zeros()).saturating_sub(bits);
    ((u64::from(shift) << (bits - 1)) + (value >> shift)) as usize
}

/// The largest value of a slot.
fn highest(slot: usize, bits: u32) -> u64 {
    let slot = slot as u64;
    let shift = (slot >> (bits - 1)).saturating_sub(1);
    let base = slot - (shift << (bits - 1));
    // 2^64 − 1 in the last slot of all
    (base << shift) + ((1 << shift) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_slot_holds_neighbours_within_its_digits_and_nothing_is_between_slots() {
        assert_eq!(slot(u64::MAX, FOUR_DIGITS), 50 * 16_384 + 16_383);
        for (bits, precision) in [(TWO_DIGITS, 100), (THREE_DIGITS, 1_000), (FOUR_DIGITS, 10_000)] {
            let (slot, highest) = (|value| slot(value, bits), |slot| highest(slot, bits));
            let edges = (0..64).flat_map(|n| [(1u64 << n) - 1, 1 << n, (1 << n) + 1, 3 << (n - n.min(2))]);
            for value in edges.chain([0, u64::MAX, 20_000_001]) {
                let top = highest(slot(value));
                assert!(top >= value && top - value <= value / precision, "{value} counts as {top}");
                assert_eq!(slot(top), slot(value));
                if let Some(next) = top.checked_add(1) {
                    assert_eq!(slot(next), slot(value) + 1, "{value}");
                }
            }
        }
    }

    #[test]
    fn only_what_is_needed_takes_memory() {
        let mut histogram = Histogram::new(FOUR_DIGITS);
        for value in [80_000, 20_000_000, 20_001_000, 100_000_000_000] {
            histogram.add(value, 1);
        }
        assert_eq!(histogram.pieces(), 3);
        assert!(histogram.pieces.len() < 400, "{}", histogram.pieces.len());
    }

    #[test]
    fn shares_are_never_rounded_down_and_extremes_are_exact() {
        let mut histogram = Histogram::new(THREE_DIGITS);
        assert_eq!(histogram.at_share(0.5), None);
        (1..=1000).for_each(|value| histogram.add(value * 1000 + 1, 2));
        assert_eq!((histogram.count(), histogram.min(), histogram.max()), (2000, 1_001, 1_000_001));
        for (share, exact) in [(0.0, 1_001), (0.5, 500_001), (0.99, 990_001), (1.0, 1_000_001)] {
            let got = histogram.at_share(share).expect("values");
            assert!(got >= exact && got - exact <= exact / 1000 + 1, "{got} for {exact}");
        }
        assert_eq!(histogram.values().map(|(_, times)| times).sum::<u64>(), 2000);
        let hundred = || (1..=100).map(|value| (value, 1));
        assert_eq!([0.07, 0.55, 0.95].map(|share| at_share(hundred(), 100, share)), [Some(7), Some(55), Some(95)]);
    }
    proptest! {
        #[test]
        fn percentiles_are_those_of_the_published_histogram(
            values in prop::collection::vec((0u64..200_000_000_000, 1u64..4), 1..300),
            digits in 3u8..=4,
        ) {
            let mut own = Histogram::new(if digits == 3 { THREE_DIGITS } else { FOUR_DIGITS });
            let mut published = hdrhistogram::Histogram::<u64>::new(digits).expect("1 to 5 digits");
            for (value, times) in values {
                own.add(value, times);
                published.record_n(value, times).expect("it grows");
            }
            for share in [0.5, 0.9, 0.99, 0.999, 1.0] {
                let theirs = published.value_at_quantile(share).clamp(own.min(), own.max());
                prop_assert_eq!(own.at_share(share), Some(theirs), "{}", share);
            }
        }
    }
}
