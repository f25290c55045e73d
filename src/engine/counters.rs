//! What happened, counted in wire frames and wire bytes, whatever travelled as super-frames.

use hdrhistogram::Histogram;

use crate::frame::DropCause;
use crate::units::Duration;

/// Frames and their bytes (Ethernet frames without FCS).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// Wire frames.
    pub frames: u64,
    /// Wire bytes.
    pub bytes: u64,
}

impl Amount {
    pub(crate) fn add(&mut self, frames: u64, bytes: u64) {
        self.frames += frames;
        self.bytes += bytes;
    }
}

/// Dropped frames by cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped([Amount; DropCause::ALL.len()]);

impl Dropped {
    /// What was dropped for one cause.
    pub fn by(&self, cause: DropCause) -> Amount {
        self.0[cause as usize]
    }

    /// Wire frames dropped, whatever the cause.
    pub fn frames(&self) -> u64 {
        self.0.iter().map(|a| a.frames).sum()
    }

    pub(crate) fn add(&mut self, cause: DropCause, frames: u64, bytes: u64) {
        self.0[cause as usize].add(frames, bytes);
    }
}

/// What happened in one direction of a link. At every moment
/// `offered + duplicated = delivered + dropped + inside`, in wire frames.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DirectionCounters {
    /// What the node at the near end sent into this direction.
    pub offered: Amount,
    /// What arrived at the far end.
    pub delivered: Amount,
    /// Copies that a duplication model made.
    pub duplicated: u64,
    /// Frames whose bits a corruption model changed.
    pub corrupted: u64,
    /// Delivered frames that a later-numbered one had overtaken.
    pub reordered: u64,
    /// Delays that were drawn negative and became zero.
    pub clamped: u64,
    /// Dropped frames by cause.
    pub dropped: Dropped,
    /// From offered to delivered, in model time.
    pub delay: TimeStatistics,
    /// One more than the highest number delivered so far.
    pub(crate) next_number: u64,
}

/// What happened in one node. At every moment
/// `received + originated + replicated = sent + consumed + dropped`, in wire frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeCounters {
    /// What links delivered here.
    pub received: u64,
    /// What entered the network here.
    pub originated: u64,
    /// Copies made for flooding.
    pub replicated: u64,
    /// What was offered to links.
    pub sent: u64,
    /// What left the network here.
    pub consumed: u64,
    /// Dropped frames by cause.
    pub dropped: Dropped,
}

/// A distribution of lengths of time, one a frame. Nothing is allocated before the first.
#[derive(Clone, Debug, Default)]
pub struct TimeStatistics {
    histogram: Option<Box<Histogram<u64>>>,
    count: u64,
    sum: u128,
    min: u64,
    max: u64,
}

/// Three digits: a percentile is right to 0.1 %.
const SIGNIFICANT_DIGITS: u8 = 3;
/// 146 years: what the histogram can still grow to.
const LONGEST: u64 = u64::MAX >> 2;

impl TimeStatistics {
    /// Counts `frames` frames that took `delay`.
    pub fn record(&mut self, delay: Duration, frames: u64) {
        let ns = delay.as_nanos();
        self.min = if self.count == 0 { ns } else { self.min.min(ns) };
        self.max = self.max.max(ns);
        self.count += frames;
        self.sum += u128::from(ns) * u128::from(frames);
        let histogram = self.histogram.get_or_insert_with(|| {
            Box::new(Histogram::new(SIGNIFICANT_DIGITS).expect("one to five digits make a histogram"))
        });
        histogram.record_n(ns.clamp(1, LONGEST), frames).expect("the histogram grows as far as this");
    }

    /// How many were recorded.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The shortest, exactly; `None` before the first frame.
    pub fn min(&self) -> Option<Duration> {
        (self.count > 0).then_some(Duration::from_nanos(self.min))
    }

    /// The longest, exactly; `None` before the first frame.
    pub fn max(&self) -> Option<Duration> {
        (self.count > 0).then_some(Duration::from_nanos(self.max))
    }

    /// The mean, exactly, rounded down to a nanosecond; `None` before the first frame.
    pub fn mean(&self) -> Option<Duration> {
        (self.count > 0).then(|| Duration::from_nanos((self.sum / u128::from(self.count)) as u64))
    }

    /// What a share `quantile` (0 to 1) of the frames did not exceed, to three digits and within minimum and
    /// maximum; `None` before the first frame.
    pub fn quantile(&self, quantile: f64) -> Option<Duration> {
        let ns = self.histogram.as_ref()?.value_at_quantile(quantile);
        Some(Duration::from_nanos(ns.clamp(self.min, self.max)))
    }
}

impl PartialEq for TimeStatistics {
    fn eq(&self, other: &TimeStatistics) -> bool {
        (self.count, self.sum, self.min, self.max) == (other.count, other.sum, other.min, other.max)
            && self.histogram == other.histogram
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
}
