//! Corruption: bits that flip on the way.
//!
//! The frame is corrupted as it was sent: checksums that the sender left to be completed are completed first, so that the
//! receiver notices. One bit is always noticed by a 16-bit sum; several can cancel out. Bits flip behind the network
//! header (of a frame that is not IP: behind the Ethernet header), where the transport's checksum covers them: a real
//! Ethernet drops a frame whose header is damaged before any program could notice.

use rand_xoshiro::rand_core::Rng;
use serde::Deserializer;

use super::chain::Correlation;
use super::chance::Chance;
use super::only::Only;
use super::share::{Impairment, Passing, share_of_frames};
use crate::frame::{Frame, FramePool};
use crate::rng::FrameRng;
use crate::wire::summary::FrameSummary;

/// The most bits that may be asked for.
const MOST: u8 = 64;

share_of_frames! {
    /// Which frames arrive with flipped bits. Short forms: a probability, as in `corrupt: 0.1%`, or `none`.
    CorruptSpec, "Corrupt", "Flipped bits: `0.1%` of the frames, a map, or `none`.", "corruption", "0.1%",
    /// How many bits flip in such a frame, 1 to 64. One is always noticed by a checksum; several can cancel out.
    bits: u8 = 1 {
        #[serde(default = "one", deserialize_with = "bits")]
        #[schemars(range(min = 1, max = 64))]
    }
}

fn one() -> u8 {
    1
}

fn bits<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
    let bits = <u64 as serde::Deserialize>::deserialize(deserializer)?;
    u8::try_from(bits)
        .ok()
        .filter(|bits| (1..=MOST).contains(bits))
        .ok_or_else(|| serde::de::Error::custom(format!("{bits} bits are not between 1 and {MOST}")))
}

impl CorruptSpec {
    /// Chooses which bits of `bytes` bytes flip: different ones, as many as there are at most. Calls `flip` with the byte's
    /// position and the mask to apply by XOR.
    fn flip(&self, rng: &mut FrameRng, bytes: usize, mut flip: impl FnMut(usize, u8)) {
        let room = bytes as u64 * 8;
        let mut chosen: [u64; MOST as usize] = [0; MOST as usize];
        for n in 0..usize::from(self.bits).min(bytes * 8) {
            let bit = loop {
                // multiplication instead of a remainder: the bias is below room / 2^64
                let bit = ((u128::from(rng.next_u64()) * u128::from(room)) >> 64) as u64;
                if !chosen[..n].contains(&bit) {
                    break bit;
                }
            };
            chosen[n] = bit;
            flip((bit / 8) as usize, 1 << (bit % 8));
        }
    }
}

impl Impairment for CorruptSpec {
    fn words(&self) -> Option<String> {
        (self.bits != 1).then(|| format!("{} bits", self.bits))
    }

    fn apply(&self, mut rng: FrameRng, passing: &mut Passing, pool: &mut FramePool) {
        passing.corrupted = true;
        pool.materialize(&mut passing.frame);
        let frame = &passing.frame;
        let (from, total) = exposed(pool, frame);
        self.flip(&mut rng, total - from, |at, mask| pool.flip(frame, from + at, mask));
    }
}

/// The bytes of a frame in which bits may flip: behind the network header of IP, else behind the Ethernet header.
fn exposed(pool: &FramePool, frame: &Frame) -> (usize, usize) {
    let view = pool.view(frame);
    let summary = FrameSummary::new(view.head, view.total());
    let from = summary.l4_offset.map_or(usize::from(summary.l3_offset), usize::from);
    (from.min(view.total()), view.total())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::form::from_json;
    use crate::model::statistics::{assert_share, lag1};
    use crate::rng::{StreamKey, Way};
    use serde_json::json;

    fn key() -> StreamKey {
        StreamKey::new(1, "link", Way::Forward, "corrupt")
    }

    #[test]
    fn edges_are_certain() {
        let never = CorruptSpec::default().picker();
        assert!(never.pick(false, || panic!("a chance of nothing needs no generator")).is_none());
        let always = from_json::<CorruptSpec>(json!("100%")).unwrap().picker();
        assert!((0..1000).all(|n| always.pick(false, || key().frame(n, 0)).is_some()));
    }

    #[test]
    fn as_many_bits_flip_as_asked_and_all_are_different() {
        for (bits, bytes, flipped) in [(1, 100, 1), (64, 100, 64), (64, 8, 64), (64, 2, 16), (3, 0, 0)] {
            let spec = CorruptSpec::independent(Chance::default(), bits);
            for n in 0..100 {
                let mut frame = vec![0u8; bytes];
                spec.flip(&mut key().frame(n, 0), bytes, |at, mask| frame[at] ^= mask);
                assert_eq!(frame.iter().map(|b| b.count_ones()).sum::<u32>(), flipped);
            }
        }
    }

    #[test]
    fn every_bit_is_as_likely_as_any_other() {
        let spec = CorruptSpec::default();
        let mut hits = [0u32; 80];
        for n in 0..80_000 {
            spec.flip(&mut key().frame(n, 0), 10, |at, mask| hits[at * 8 + mask.trailing_zeros() as usize] += 1);
        }
        // 79 degrees of freedom: 123.6 at α = 0.001
        let chi2: f64 = hits.iter().map(|h| (f64::from(*h) - 1000.0).powi(2) / 1000.0).sum();
        assert!(chi2 < 123.6, "χ² {chi2}");
    }

    #[test]
    fn a_correlation_keeps_the_share_and_the_bits_that_flip() {
        let draw = |correlation: &str| {
            let spec = json!({"probability": "20%", "correlation": correlation});
            let mut corrupt = from_json::<CorruptSpec>(spec).unwrap().picker();
            (0..160_000)
                .map(|n| {
                    let mark = corrupt.admit(|| key().frame(n, 0));
                    corrupt.pick(mark, || key().frame(n, 0)).map(|mut rng| rng.next_u64())
                })
                .collect::<Vec<_>>()
        };
        let (alone, chained) = (draw("0%"), draw("40%"));
        let hits = |all: &[Option<u64>]| all.iter().map(Option::is_some).collect::<Vec<_>>();
        // 160,000 frames with a correlation of 0.4 are worth 68,600
        assert_share(&hits(&alone), 0.2, 1.0);
        assert_share(&hits(&chained), 0.2, 1.4 / 0.6);
        assert!(lag1(&hits(&alone)).abs() < 0.02 && (lag1(&hits(&chained)) - 0.4).abs() < 0.02);
        assert!(alone.iter().zip(&chained).all(|(a, b)| a.is_none() || b.is_none() || a == b));
    }

    #[test]
    fn scenario_forms() {
        let one = CorruptSpec::independent(Chance("0.1%".parse().unwrap()), 1);
        assert_eq!(from_json(json!("0.1%")), Ok(one.clone()));
        assert_eq!(from_json(json!({"probability": "0.1%", "bits": 3})), Ok(CorruptSpec { bits: 3, ..one.clone() }));
        let all = json!({"probability": "1%", "correlation": "25%", "bits": 2, "only": "tcp"});
        let spec: CorruptSpec = from_json(all.clone()).unwrap();
        assert_eq!(serde_json::to_value(&spec).unwrap(), all);
        assert_eq!(from_json(json!("none")), Ok(CorruptSpec::default()));
        assert!(
            from_json::<CorruptSpec>(json!({"probability": "1%", "bits": 65}))
                .unwrap_err()
                .contains("between 1 and 64")
        );
        assert!(from_json::<CorruptSpec>(json!({"bits": 1})).unwrap_err().contains("missing field `probability`"));
        assert_eq!(from_json(serde_json::to_value(&one).unwrap()), Ok(one.clone()));
    }
}
