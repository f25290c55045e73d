//! Interarrival jitter, RFC 3550 §6.4.1.

use crate::measured::{Part, Times};

/// The estimator of RFC 3550, appendix A.8, in nanoseconds instead of RTP units.
#[derive(Debug, Default)]
pub(super) struct JitterEstimator {
    transit: Option<u64>,
    // Sixteen times the jitter, as in the RFC, so that integers do not round it away.
    scaled: i64,
    sum: u128,
    count: u64,
    max: u64,
}

impl JitterEstimator {
    /// Takes in the transit time (arrival − sending) of the next datagram in the order of arrival.
    pub(super) fn record(&mut self, transit: u64) {
        let Some(last) = self.transit.replace(transit) else { return };
        let distance = i64::try_from(transit.abs_diff(last)).unwrap_or(i64::MAX / 32);
        // s->jitter += d - ((s->jitter + 8) >> 4);
        self.scaled += distance - ((self.scaled + 8) >> 4);
        let jitter = (self.scaled >> 4) as u64;
        self.sum += u128::from(jitter);
        self.count += 1;
        self.max = self.max.max(jitter);
    }

    /// The jitter; `None` for fewer than two datagrams.
    pub(super) fn jitter(&self) -> Option<Times> {
        let mean = self.sum.checked_div(u128::from(self.count))? as u64;
        Some([(Part::Last, (self.scaled >> 4) as u64), (Part::Max, self.max), (Part::Mean, mean)].into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The last, the mean and the largest.
    fn over(transits: impl IntoIterator<Item = u64>) -> Option<[u64; 3]> {
        let mut estimator = JitterEstimator::default();
        transits.into_iter().for_each(|t| estimator.record(t));
        let jitter = estimator.jitter()?;
        Some([Part::Last, Part::Mean, Part::Max].map(|part| jitter.get(part).unwrap()))
    }

    #[test]
    fn one_datagram_has_no_jitter_and_a_constant_delay_none_at_all() {
        assert_eq!(over([]), None);
        assert_eq!(over([5]), None);
        assert_eq!(over([5; 100]), Some([0; 3]));
    }

    #[test]
    fn a_single_change_shows_by_a_sixteenth_and_decays() {
        assert_eq!(over([0, 16_000]), Some([1000, 1000, 1000]));
        // 16,000 − ⌊16,008 / 16⌋ = 15,000
        assert_eq!(over([0, 16_000, 16_000]), Some([937, 968, 1000]));
    }

    #[test]
    fn a_steady_change_converges_to_its_size() {
        let [last, mean, max] = over((0..2000).map(|i| (i % 2) * 1_000_000)).unwrap();
        assert!(last.abs_diff(1_000_000) < 2 && max < 1_000_002 && mean < max, "{last} {mean} {max}");
    }

    #[test]
    fn absurd_transits_do_not_overflow() {
        assert!(over((0..1000).map(|i| if i % 2 == 0 { 0 } else { u64::MAX })).is_some());
    }
}
