//! A stream without the lateness of its datagrams: the same distributions again, once it is known how late each was.

use super::super::distribution::Distribution;
use super::super::series::Series;
use super::jitter::JitterEstimator;
use crate::measured::{Corrected, Percentile};

/// Takes the lateness out of samples: when each arrived, from the receiver's start, and its delay. `late` is told both.
/// `None` if none was late. `percentiles`: those that are told beside the usual ones.
pub(crate) fn corrected(
    samples: &[(u64, u64)],
    unique: u64,
    percentiles: &[Percentile],
    late: impl Fn(u64, u64) -> u64,
) -> Option<Corrected> {
    let late: Vec<u64> = samples.iter().map(|(at, delay)| late(*at, *delay)).collect();
    if late.iter().all(|late| *late == 0) {
        return None;
    }
    let (mut delays, mut jitter, mut series) =
        (Distribution::of_delays(), JitterEstimator::default(), Series::new(true));
    for ((at, delay), late) in samples.iter().zip(late) {
        let delay = delay.saturating_sub(late);
        delays.record(delay);
        jitter.record(delay);
        series.add(*at, 1, 0, Some(delay));
    }
    Some(Corrected {
        delay_ns: delays.times(percentiles),
        intervals: series.intervals(),
        jitter_ns: jitter.jitter(),
        omitted: unique.saturating_sub(samples.len() as u64),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measured::Part;

    #[test]
    fn each_datagram_loses_its_own_lateness() {
        let samples = [(0, 10), (100, 60), (200, 10), (300, 110)];
        let on_time = |at: u64, _| match at {
            100 => 50,
            300 => 1_000,
            _ => 0,
        };
        let corrected = corrected(&samples, 6, &[], on_time).unwrap();
        let delays = corrected.delay_ns.unwrap();
        assert_eq!(
            [Part::Count, Part::Min, Part::P50, Part::Max].map(|part| delays.get(part)),
            [4, 0, 10, 10].map(Some)
        );
        assert_eq!(corrected.intervals.list[0].delays, [(0, 1), (10, 3)]);
        assert_eq!((corrected.jitter_ns.unwrap().max(), corrected.omitted), (0, 2));
        assert_eq!(super::corrected(&samples, 4, &[], |_, _| 0), None);
    }
}
