//! Random streams: one generator for each (seed, link, direction, model, frame, copy), so that nothing that another
//! frame, model or link does can shift a draw.
//!
//! The keys are part of what users rely on: a scenario with its seed meets the same fates in every release. The known
//! answers at the bottom hold that.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;
use xxhash_rust::xxh3::xxh3_128;

/// The generator of one frame in one model: it may be drawn from freely, a rejecting sampler included.
pub type FrameRng = Xoshiro256PlusPlus;

/// Names the random stream of one model in one direction of one link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamKey {
    low: u64,
    high: u64,
}

/// Which way along a link: from its first end to its second, or back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Way {
    /// From the first end that the scenario names to the second.
    Forward,
    /// From the second end to the first.
    Backward,
}

impl StreamKey {
    /// The key is the XXH3 (128 bits, seed 0) of: `longwire.stream.1`, the seed as 8 bytes little endian, then link,
    /// way (`forward` or `backward`) and model, each preceded by its length as 4 bytes little endian.
    pub fn new(seed: u64, link: &str, way: Way, model: &str) -> StreamKey {
        let way = match way {
            Way::Forward => "forward",
            Way::Backward => "backward",
        };
        let mut text = b"longwire.stream.1".to_vec();
        text.extend_from_slice(&seed.to_le_bytes());
        for part in [link, way, model] {
            let length = u32::try_from(part.len()).expect("names are shorter than 4 GiB");
            text.extend_from_slice(&length.to_le_bytes());
            text.extend_from_slice(part.as_bytes());
        }
        let hash = xxh3_128(&text);
        StreamKey { low: hash as u64, high: (hash >> 64) as u64 }
    }

    /// The generator of wire frame `number` (from 0, in the order in which the model met them); `copy` is 0 for the
    /// frame itself and counts its duplicates.
    ///
    /// Xoshiro256++ seeded by SplitMix64 (as Vigna recommends) from mix(mix(low ⊕ number) ⊕ high ⊕ copy), mix being
    /// SplitMix64's finalizer: neighbouring numbers end far apart, and no stream is a shifted copy of another.
    pub fn frame(self, number: u64, copy: u32) -> FrameRng {
        let seed = mix(mix(self.low ^ number) ^ self.high ^ u64::from(copy));
        FrameRng::seed_from_u64(seed)
    }
}

/// The finalizer of SplitMix64 (Steele, Lea, Flood 2014; variant 13 of Stafford's mixers).
const fn mix(z: u64) -> u64 {
    let z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_xoshiro::rand_core::Rng;
    use std::collections::HashSet;

    #[test]
    fn known_answers_hold_across_releases() {
        let key = StreamKey::new(7, "wifi", Way::Forward, "loss");
        assert_eq!((key.low, key.high), (KNOWN_KEY.0, KNOWN_KEY.1));
        let draws: Vec<u64> = (0..4).map(|n| key.frame(n, 0).next_u64()).collect();
        assert_eq!(draws, KNOWN_DRAWS);
        assert_eq!(key.frame(0, 1).next_u64(), KNOWN_COPY);
    }

    #[test]
    fn every_part_of_the_key_makes_another_stream() {
        let keys = [
            StreamKey::new(1, "a", Way::Forward, "loss"),
            StreamKey::new(2, "a", Way::Forward, "loss"),
            StreamKey::new(1, "b", Way::Forward, "loss"),
            StreamKey::new(1, "a", Way::Backward, "loss"),
            StreamKey::new(1, "a", Way::Forward, "delay"),
            // lengths are part of the key: moving a letter over a boundary is another stream
            StreamKey::new(1, "al", Way::Forward, "oss"),
        ];
        let mut draws = HashSet::new();
        for key in keys {
            for number in 0..1000 {
                for copy in 0..2 {
                    assert!(draws.insert(key.frame(number, copy).next_u64()));
                }
            }
        }
    }

    #[test]
    fn first_draws_of_neighbouring_frames_are_uniform_and_uncorrelated() {
        let key = StreamKey::new(1, "link", Way::Forward, "loss");
        let n = 100_000;
        let draws: Vec<f64> = (0..n).map(|i| key.frame(i, 0).next_u64() as f64 / 2f64.powi(64)).collect();
        let mean = draws.iter().sum::<f64>() / n as f64;
        // σ of the mean is 1/√(12 n) ≈ 0.0009; five of them
        assert!((mean - 0.5).abs() < 0.0046, "mean {mean}");
        let lag1: f64 = draws.windows(2).map(|w| (w[0] - 0.5) * (w[1] - 0.5)).sum::<f64>() * 12.0 / n as f64;
        assert!(lag1.abs() < 5.0 / (n as f64).sqrt(), "lag-1 correlation {lag1}");
        let mut cells = [0u32; 256];
        draws.iter().for_each(|d| cells[(d * 256.0) as usize] += 1);
        let expected = n as f64 / 256.0;
        let chi2: f64 = cells.iter().map(|c| (f64::from(*c) - expected).powi(2) / expected).sum();
        // 255 degrees of freedom: 330.5 at α = 0.001
        assert!(chi2 < 330.5, "χ² {chi2}");
    }

    // From an independent implementation of the text above.
    const KNOWN_KEY: (u64, u64) = (15_258_607_134_688_951_306, 17_229_758_873_780_816_295);
    const KNOWN_DRAWS: [u64; 4] =
        [6_676_790_855_683_292_435, 4_537_739_711_153_535_069, 17_065_608_555_315_238_224, 3_589_380_470_664_307_169];
    const KNOWN_COPY: u64 = 3_994_802_466_856_667_050;
}
