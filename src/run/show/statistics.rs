//! What is computed of single frames: bins of delays, runs of lost frames, bounds of a share.

use crate::draw::show::{Binned, Histogram, Runs};
use crate::stats::Bins;

/// At most so many bins: a histogram of more is read no better.
const MOST_BINS: u64 = 60;
/// The 97.5th percentile of the normal distribution: 95 % lie within ± so many σ.
const Z: f64 = 1.959_964;

/// Delays as drawn and as delivered, in the same bins: from the one-in-a-thousand shortest to the one-in-a-thousand
/// longest of both. `None` where neither has two different ones. Sorts both.
pub(super) fn histogram(drawn: &mut [u64], delivered: &mut [u64]) -> Option<Histogram> {
    drawn.sort_unstable();
    delivered.sort_unstable();
    let ends = |sorted: &[u64]| Some((*sorted.first()?, *sorted.last()?));
    let same = |ends: Option<(u64, u64)>| ends.is_none_or(|(first, last)| first == last);
    if same(ends(drawn)) && same(ends(delivered)) {
        return None;
    }
    let inner = |sorted: &[u64]| {
        let cut = sorted.len() / 1000;
        Some((*sorted.get(cut)?, *sorted.get(sorted.len().checked_sub(cut + 1)?)?))
    };
    let parts = [inner(drawn), inner(delivered)];
    let low = parts.iter().flatten().map(|(low, _)| *low).min()?;
    let high = parts.iter().flatten().map(|(_, high)| *high).max()?;
    let all = Bins::over(low, high, MOST_BINS);
    let bin = |sorted: &[u64]| {
        let (below, bins, above) = all.fill(sorted.iter().map(|delay| (*delay, 1)));
        Binned { below, bins, above }
    };
    Some(Histogram { from_ns: all.from, width_ns: all.width, drawn: bin(drawn), delivered: bin(delivered) })
}

/// How often frames were lost in a row, by length. `lost` are numbers of frames, in any order.
pub(super) fn runs(lost: &mut Vec<u64>) -> Vec<Runs> {
    lost.sort_unstable();
    lost.dedup();
    let mut lengths: Vec<u64> = lost.chunk_by(|a, b| *b == *a + 1).map(|run| run.len() as u64).collect();
    lengths.sort_unstable();
    lengths.chunk_by(|a, b| a == b).map(|same| Runs { length: same[0], count: same.len() as u64 }).collect()
}

/// How many frames of a sequence were hit, and bounds of the true share at 95 %.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Share {
    /// Of all.
    pub(super) share: f64,
    /// Lower and upper.
    pub(super) bounds: [f64; 2],
}

/// The share of `true` in a sequence, and where the true share lies at 95 %.
///
/// Wilson's score interval (E. B. Wilson, J. Am. Stat. Assoc. 22 (1927) 209), which is right at the edges too: no loss
/// among n frames leaves up to about 3.8/n. It takes frames to be independent; losses in bursts are not, so n is divided by
/// the design effect (L. Kish, Survey Sampling, 1965): the variance of the shares of 100 stretches of the sequence by what it
/// would be of independent frames, 1 at the least.
pub(super) fn share(hits: &[bool]) -> Share {
    let n = hits.len() as f64;
    if hits.is_empty() {
        return Share { share: 0.0, bounds: [0.0, 1.0] };
    }
    let count = |part: &[bool]| part.iter().filter(|hit| **hit).count() as f64;
    let p = count(hits) / n;
    let n = n / design_effect(hits, p, count);
    let centre = p + Z * Z / (2.0 * n);
    let half = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + Z * Z / n;
    let low = if p == 0.0 { 0.0 } else { (centre - half) / scale };
    let high = if p == 1.0 { 1.0 } else { (centre + half) / scale };
    Share { share: p, bounds: [low.clamp(0.0, 1.0), high.clamp(0.0, 1.0)] }
}

/// Stretches into which a sequence is cut, and the fewest frames of one that say something.
const STRETCHES: usize = 100;
const STRETCH: usize = 50;

fn design_effect(hits: &[bool], p: f64, count: impl Fn(&[bool]) -> f64) -> f64 {
    let length = hits.len() / STRETCHES;
    if length < STRETCH || p == 0.0 || p == 1.0 {
        return 1.0;
    }
    let shares: Vec<f64> = hits.chunks_exact(length).map(|part| count(part) / length as f64).collect();
    let mean = shares.iter().sum::<f64>() / shares.len() as f64;
    let variance = shares.iter().map(|share| (share - mean).powi(2)).sum::<f64>() / (shares.len() - 1) as f64;
    (variance * length as f64 / (p * (1.0 - p))).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{StreamKey, Way};
    use rand_xoshiro::rand_core::Rng;

    #[test]
    fn bins_hold_every_frame_once_and_their_width_is_round() {
        let mut drawn: Vec<u64> = (0..10_000).map(|n| 5_000_000 + n * 37).collect();
        let mut delivered: Vec<u64> = drawn.iter().map(|d| d * 2).collect();
        let h = histogram(&mut drawn, &mut delivered).unwrap();
        assert!((h.drawn.bins.len() as u64) <= MOST_BINS + 1);
        assert_eq!((h.drawn.total(), h.delivered.total()), (10_000, 10_000));
        assert_eq!((h.width_ns, h.from_ns), (100_000, 5_000_000));
        // 5,000,000 … 5,099,999: every 37 ns one, all but the 10 shortest of the range
        assert_eq!(h.drawn.bins[0], 2703);
        assert_eq!((h.drawn.below, h.delivered.above), (0, 0));
    }

    #[test]
    fn rare_long_delays_stand_beyond_the_bins() {
        let mut drawn: Vec<u64> = (0..10_000).map(|n| 1_000 + n % 100).collect();
        drawn[17] = u64::MAX;
        let h = histogram(&mut drawn, &mut []).unwrap();
        assert_eq!((h.drawn.above, h.drawn.total(), h.delivered.total()), (1, 10_000, 0));
        assert!(h.from_ns + h.width_ns * h.drawn.bins.len() as u64 <= 1_200);
    }

    #[test]
    fn equal_delays_need_no_bins_but_two_different_ones_do() {
        assert_eq!(histogram(&mut [5; 10], &mut [5; 10]), None);
        assert_eq!(histogram(&mut [5; 10], &mut []), None);
        assert_eq!(histogram(&mut [], &mut []), None);
        assert_eq!(histogram(&mut [5; 10], &mut [6; 10]), None);
        let two = histogram(&mut [5; 10], &mut [5, 6]).unwrap();
        assert_eq!((two.width_ns, two.drawn.bins, two.delivered.bins), (1, vec![10, 0], vec![1, 1]));
        let huge = histogram(&mut [0, u64::MAX], &mut []).unwrap();
        assert_eq!(huge.drawn.total(), 2);
    }

    #[test]
    fn runs_are_counted_by_length() {
        let of = |lost: &[u64]| runs(&mut lost.to_vec()).iter().map(|r| (r.length, r.count)).collect::<Vec<_>>();
        assert_eq!(of(&[]), []);
        assert_eq!(of(&[3]), [(1, 1)]);
        assert_eq!(of(&[9, 1, 2, 3, 7, 8, 20]), [(1, 1), (3, 2)]);
        assert_eq!(of(&[5, 5, 6]), [(2, 1)]);
    }

    #[test]
    fn bounds_are_wilsons() {
        // 10 of 100: 5.52 % … 17.44 % (the textbook example)
        let some: Vec<bool> = (0..100).map(|n| n % 10 == 0).collect();
        let Share { share: p, bounds: [low, high] } = share(&some);
        assert!((p - 0.1).abs() < 1e-12 && (low - 0.05523).abs() < 1e-4 && (high - 0.17437).abs() < 1e-4);
        let none = share(&[false; 1000]);
        assert!(none.bounds[0] == 0.0 && (none.bounds[1] - 0.003_827).abs() < 1e-5, "{none:?}");
        assert_eq!(share(&[true; 10]).bounds[1], 1.0);
        assert_eq!(share(&[]).bounds, [0.0, 1.0]);
    }

    /// 5 % in bursts of 10, and independent 5 %: each set of bounds holds the truth about as often as it claims.
    #[test]
    fn bounds_hold_the_truth_as_often_as_they_claim_in_bursts_too() {
        let covered = |burst: f64| {
            let (enter, leave) = (0.05 / (0.95 * burst), 1.0 / burst);
            let sequence = |seed: u64| {
                let mut rng = StreamKey::new(seed, "link", Way::Forward, "test").frame(0, 0);
                let mut bad = false;
                (0..10_000)
                    .map(|_| {
                        let draw = rng.next_u64() as f64 / u64::MAX as f64;
                        bad = if bad { draw >= leave } else { draw < enter };
                        bad
                    })
                    .collect::<Vec<bool>>()
            };
            let holds = |seed| {
                let [low, high] = share(&sequence(seed)).bounds;
                (low..=high).contains(&0.05)
            };
            (0..200).filter(|seed| holds(*seed)).count()
        };
        // of 200 at 95 %: 190 ± 3.29 · 3.1; estimating the design effect costs a little
        for burst in [1.0 / 0.95, 10.0] {
            let covered = covered(burst);
            assert!((178..=200).contains(&covered), "bursts of {burst}: {covered} of 200");
        }
    }
}
