//! Distributions of lengths of time: extremes and mean exactly, percentiles to a known precision.

use std::borrow::Cow;

use crate::stats::Histogram;
use crate::stats::histogram::{THREE_DIGITS, TWO_DIGITS};
use crate::units::Duration;

/// A distribution of lengths of time, one a frame. Nothing is allocated before two lengths differ.
#[derive(Clone, Debug, Default)]
pub struct TimeStatistics {
    /// The length that was recorded last, and how often in succession: a constant delay meets every frame alike, and
    /// counting on here touches no other memory.
    latest: (u64, u64),
    before: Option<Box<Histogram>>,
}

/// How many distributions may still be told to three digits; further ones are told to two. At three digits those of 10,000
/// busy links can take gigabytes.
#[derive(Debug)]
pub(crate) struct FineLeft(u32);

impl FineLeft {
    /// Beyond so many, distributions are coarse.
    pub(crate) const LIMIT: FineLeft = FineLeft(1000);

    fn take(&mut self) -> u32 {
        match self.0.checked_sub(1) {
            Some(left) => {
                self.0 = left;
                THREE_DIGITS
            }
            None => TWO_DIGITS,
        }
    }
}

impl TimeStatistics {
    /// Counts `frames` frames that took `delay`.
    pub fn record(&mut self, delay: Duration, frames: u64) {
        self.record_as(delay, frames, || THREE_DIGITS);
    }

    /// The same, as one of many: the first so many of them are fine.
    #[inline]
    pub(crate) fn record_among(&mut self, delay: Duration, frames: u64, fine: &mut FineLeft) {
        self.record_as(delay, frames, || fine.take());
    }

    #[inline]
    fn record_as(&mut self, delay: Duration, frames: u64, bits: impl FnOnce() -> u32) {
        let ns = delay.as_nanos();
        if ns == self.latest.0 {
            self.latest.1 += frames;
            return;
        }
        let (before, times) = std::mem::replace(&mut self.latest, (ns, frames));
        if times > 0 {
            self.before.get_or_insert_with(|| Box::new(Histogram::new(bits()))).add(before, times);
        }
    }

    /// Everything recorded, the latest included; `None` before the first.
    fn all(&self) -> Option<Cow<'_, Histogram>> {
        let (latest, times) = self.latest;
        match &self.before {
            None if times == 0 => None,
            Some(before) if times == 0 => Some(Cow::Borrowed(before)),
            before => {
                let mut all = before.as_ref().map_or_else(|| Histogram::new(THREE_DIGITS), |b| Histogram::clone(b));
                all.add(latest, times);
                Some(Cow::Owned(all))
            }
        }
    }

    /// How many were recorded.
    pub fn count(&self) -> u64 {
        self.latest.1 + self.before.as_ref().map_or(0, |before| before.count())
    }

    /// The shortest, exactly; `None` before the first frame.
    pub fn min(&self) -> Option<Duration> {
        self.extreme(Histogram::min, u64::min)
    }

    /// The longest, exactly; `None` before the first frame.
    pub fn max(&self) -> Option<Duration> {
        self.extreme(Histogram::max, u64::max)
    }

    fn extreme(&self, of: impl Fn(&Histogram) -> u64, choose: impl Fn(u64, u64) -> u64) -> Option<Duration> {
        let latest = (self.latest.1 > 0).then_some(self.latest.0);
        let before = self.before.as_ref().map(|before| of(before));
        latest.into_iter().chain(before).reduce(choose).map(Duration::from_nanos)
    }

    /// The mean, exactly, rounded down to a nanosecond; `None` before the first frame.
    pub fn mean(&self) -> Option<Duration> {
        (self.count() > 0).then(|| Duration::from_nanos((self.sum_ns() / u128::from(self.count())) as u64))
    }

    /// All of them together, in ns.
    pub fn sum_ns(&self) -> u128 {
        let (latest, times) = self.latest;
        self.before.as_ref().map_or(0, |before| before.sum()) + u128::from(latest) * u128::from(times)
    }

    /// The lengths in ns with how often each was recorded, the shortest first, as finely as they are told apart:
    /// within minimum and maximum, and right as percentiles are.
    pub fn lengths(&self) -> Vec<(u64, u64)> {
        self.all().map(|all| all.values().collect()).unwrap_or_default()
    }

    /// What a share `quantile` (0 to 1) of the frames did not exceed, to three digits and within minimum and maximum;
    /// `None` before the first frame. To two digits in a network with more than 1,000 busy directions.
    pub fn quantile(&self, quantile: f64) -> Option<Duration> {
        self.all()?.at_share(quantile).map(Duration::from_nanos)
    }
}

impl PartialEq for TimeStatistics {
    fn eq(&self, other: &TimeStatistics) -> bool {
        self.all() == other.all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_claimed_before_the_first_frame() {
        let empty = TimeStatistics::default();
        assert_eq!((empty.min(), empty.max(), empty.mean(), empty.quantile(0.5)), (None, None, None, None));
    }

    #[test]
    fn extremes_and_mean_are_exact_and_percentiles_near() {
        let mut delays = TimeStatistics::default();
        for us in 1..=1000 {
            delays.record(Duration::from_micros(us), 2);
        }
        delays.record(Duration::ZERO, 1);
        assert_eq!(delays.count(), 2001);
        assert_eq!((delays.min(), delays.max()), (Some(Duration::ZERO), Some(Duration::from_millis(1))));
        assert_eq!(delays.mean(), Some(Duration::from_nanos(1_001_000_000 / 2001)));
        let p50 = delays.quantile(0.5).unwrap().as_nanos() as f64;
        assert!((p50 / 500_000.0 - 1.0).abs() < 0.001, "{p50}");
        delays.record(Duration::MAX, 1);
        assert_eq!(delays.max(), Some(Duration::MAX));
    }

    #[test]
    fn the_lengths_are_those_recorded_as_often_as_they_were() {
        let mut delays = TimeStatistics::default();
        assert_eq!((delays.lengths(), delays.sum_ns()), (vec![], 0));
        for (us, frames) in [(3, 1), (900, 5), (3, 2), (0, 1)] {
            delays.record(Duration::from_micros(us), frames);
        }
        let lengths = delays.lengths();
        assert_eq!(lengths.iter().map(|(_, count)| *count).collect::<Vec<_>>(), [1, 3, 5]);
        for ((ns, _), exact) in lengths.iter().zip([0f64, 3_000.0, 900_000.0]) {
            assert!((*ns as f64 - exact).abs() <= exact * 0.001 + 1.0, "{ns} for {exact}");
        }
        assert_eq!(lengths.last().unwrap().0, 900_000, "not beyond the maximum");
        assert_eq!(delays.sum_ns(), 4_509_000);
    }

    #[test]
    fn a_repeated_length_counts_as_often_as_it_came_and_allocates_nothing() {
        let mut delays = TimeStatistics::default();
        for _ in 0..3 {
            delays.record(Duration::from_millis(5), 7);
        }
        assert!(delays.before.is_none());
        let five = Some(Duration::from_millis(5));
        assert_eq!((delays.count(), delays.min(), delays.max(), delays.mean()), (21, five, five, five));
        assert_eq!(delays.quantile(0.99), five);
        // zero is a length like any other, also as the first one
        let mut zero = TimeStatistics::default();
        zero.record(Duration::ZERO, 1);
        assert_eq!((zero.count(), zero.min(), zero.quantile(0.5)), (1, Some(Duration::ZERO), Some(Duration::ZERO)));
        // the same frames in another grouping are the same distribution
        let mut grouped = TimeStatistics::default();
        grouped.record(Duration::from_millis(5), 21);
        assert_eq!(grouped, delays);
        assert_ne!(grouped, zero);
    }

    #[test]
    fn distributions_beyond_the_limit_are_coarse_and_still_right_to_one_percent() {
        let mut fine = FineLeft(1);
        let mut both = [TimeStatistics::default(), TimeStatistics::default()];
        for delays in &mut both {
            for us in 1..=1000 {
                delays.record_among(Duration::from_micros(us), 1, &mut fine);
            }
        }
        for (delays, error) in both.iter().zip([0.001, 0.01]) {
            let p90 = delays.quantile(0.9).unwrap().as_nanos() as f64;
            assert!((p90 / 900_000.0 - 1.0).abs() < error, "{p90}");
            assert_eq!((delays.count(), delays.max()), (1000, Some(Duration::from_millis(1))));
        }
        let memory = |delays: &TimeStatistics| delays.before.as_ref().unwrap().pieces();
        assert!(memory(&both[1]) * 4 < memory(&both[0]));
    }
}
