//! Random streams: one generator for each (seed, link, direction, model, frame, copy), so that nothing that another
//! frame, model or link does can shift a draw.
//!
//! The keys are part of what users rely on: a scenario with its seed meets the same fates in every release. The known
//! answers at the bottom hold that.

use std::convert::Infallible;

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng, TryRng, utils};
use xxhash_rust::xxh3::xxh3_128;

/// The generator of one frame in one model: it may be drawn from freely, a rejecting sampler included.
///
/// It is a Xoshiro256++ seeded by SplitMix64, word for word. But most models draw a single word, which depends on half of
/// the generator's state only, so the whole of it is made at the second draw.
#[derive(Clone, Debug)]
pub struct FrameRng {
    seed: u64,
    drawn: Drawn,
}

/// What was drawn from a frame's generator so far.
#[derive(Clone, Debug)]
enum Drawn {
    Nothing,
    One,
    More(Xoshiro256PlusPlus),
}

impl FrameRng {
    #[inline]
    fn new(seed: u64) -> FrameRng {
        FrameRng { seed, drawn: Drawn::Nothing }
    }

    /// The first word: rotl(s₀ + s₃, 23) + s₀, where sᵢ is the i-th word of SplitMix64.
    #[inline]
    fn first(seed: u64) -> u64 {
        let s0 = mix(seed);
        let s3 = mix(seed.wrapping_add(GOLDEN_GAMMA.wrapping_mul(3)));
        s0.wrapping_add(s3).rotate_left(23).wrapping_add(s0)
    }

    #[cold]
    fn later(&mut self) -> u64 {
        if let Drawn::One = self.drawn {
            let mut all = Xoshiro256PlusPlus::seed_from_u64(self.seed);
            let _first = all.next_u64();
            self.drawn = Drawn::More(all);
        }
        match &mut self.drawn {
            Drawn::More(all) => all.next_u64(),
            _ => unreachable!("the first word is drawn without the rest"),
        }
    }
}

impl TryRng for FrameRng {
    type Error = Infallible;

    /// The upper half of a word, as Xoshiro256++ does it.
    #[inline]
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.try_next_u64().map(|word| (word >> 32) as u32)
    }

    #[inline]
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        if let Drawn::Nothing = self.drawn {
            self.drawn = Drawn::One;
            return Ok(FrameRng::first(self.seed));
        }
        Ok(self.later())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        utils::fill_bytes_via_next_word(bytes, || self.try_next_u64())
    }
}

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
    #[inline]
    pub fn frame(self, number: u64, copy: u32) -> FrameRng {
        FrameRng::new(mix(mix(self.low ^ number) ^ self.high ^ u64::from(copy)))
    }
}

/// What SplitMix64 adds from word to word: 2⁶⁴ / φ, odd.
const GOLDEN_GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// One word of SplitMix64 from its state: the step and the finalizer (Steele, Lea, Flood 2014; variant 13 of Stafford's mixers).
const fn mix(z: u64) -> u64 {
    let z = z.wrapping_add(GOLDEN_GAMMA);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    #[test]
    fn known_answers_hold_across_releases() {
        let key = StreamKey::new(7, "wifi", Way::Forward, "loss");
        assert_eq!((key.low, key.high), (KNOWN_KEY.0, KNOWN_KEY.1));
        let draws: Vec<u64> = (0..4).map(|n| key.frame(n, 0).next_u64()).collect();
        assert_eq!(draws, KNOWN_DRAWS);
        assert_eq!(key.frame(0, 1).next_u64(), KNOWN_COPY);
    }

    proptest! {
        #[test]
        fn a_frame_draws_what_the_whole_generator_draws(seed in any::<u64>(), bytes in 0usize..40) {
            let mut whole = Xoshiro256PlusPlus::seed_from_u64(seed);
            let mut frame = FrameRng::new(seed);
            for _ in 0..3 {
                prop_assert_eq!(frame.next_u64(), whole.next_u64());
                prop_assert_eq!(frame.next_u32(), whole.next_u32());
            }
            for mut frame in [frame, FrameRng::new(seed)] {
                let mut whole = match &frame.drawn {
                    Drawn::More(all) => all.clone(),
                    _ => Xoshiro256PlusPlus::seed_from_u64(seed),
                };
                let (mut a, mut b) = (vec![0; bytes], vec![0; bytes]);
                frame.fill_bytes(&mut a);
                whole.fill_bytes(&mut b);
                prop_assert_eq!(a, b);
            }
        }
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
