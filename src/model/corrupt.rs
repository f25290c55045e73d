//! Corruption: bits that flip on the way.
//!
//! The frame is corrupted as it was sent: checksums that the sender left to be completed are completed first, so that the
//! receiver notices. One bit is always noticed by a 16-bit sum; several can cancel out. Bits flip behind the network
//! header (of a frame that is not IP: behind the Ethernet header), where the transport's checksum covers them: a real
//! Ethernet drops a frame whose header is damaged before any program could notice.

use rand_xoshiro::rand_core::Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::chain::{Correlation, Picker};
use super::chance::{self, Chance};
use super::form::{Short, short_or_long};
use super::only::Only;
use crate::rng::FrameRng;

/// Which frames arrive with flipped bits. Short forms: a probability, as in `corrupt: 0.1%`, or `none`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CorruptSpec {
    /// The probability for each frame.
    pub probability: Chance,
    /// How much the corruption of a frame says of the next.
    #[serde(skip_serializing_if = "Correlation::is_none")]
    pub correlation: Correlation,
    /// How many bits flip in such a frame, 1 to 64.
    pub bits: u8,
    /// Which frames it applies to; all where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub only: Option<Only>,
}

/// The most bits that may be asked for.
const MOST: u8 = 64;

impl Default for CorruptSpec {
    fn default() -> CorruptSpec {
        CorruptSpec::independent(Chance::default(), 1)
    }
}

/// The map form, as it stands in a file.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Long {
    /// The probability for each frame.
    probability: Chance,
    /// The correlation between a frame and the next, below 100 %. By default none: each frame by itself.
    #[serde(default)]
    correlation: Correlation,
    /// How many bits flip in such a frame, 1 to 64. One is always noticed by a checksum; several can cancel out.
    #[serde(default = "one", deserialize_with = "bits")]
    #[schemars(range(min = 1, max = 64))]
    bits: u8,
    /// Which frames it applies to. By default all.
    #[serde(default)]
    only: Option<Only>,
}

fn one() -> u8 {
    1
}

fn bits<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
    let bits = u64::deserialize(deserializer)?;
    u8::try_from(bits)
        .ok()
        .filter(|bits| (1..=MOST).contains(bits))
        .ok_or_else(|| serde::de::Error::custom(format!("{bits} bits are not between 1 and {MOST}")))
}

impl From<Long> for CorruptSpec {
    fn from(Long { probability, correlation, bits, only }: Long) -> CorruptSpec {
        CorruptSpec { probability, correlation, bits, only }
    }
}

impl Short for CorruptSpec {
    type Long = Long;
    const EXPECTED: &'static str = "a probability of corruption, as in `0.1%`, or a map with `probability`, `correlation`, `bits` and `only`, or `none`";
    fn from_text(text: &str) -> Result<CorruptSpec, String> {
        chance::from_text(text).map(|probability| CorruptSpec::independent(probability, 1))
    }
}

impl<'de> Deserialize<'de> for CorruptSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<CorruptSpec, D::Error> {
        short_or_long(deserializer)
    }
}

impl JsonSchema for CorruptSpec {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Corrupt".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let long = Long::json_schema(generator);
        schemars::json_schema!({
            "description": "Flipped bits: `0.1%` of the frames, a map, or `none`.",
            "anyOf": [generator.subschema_for::<Chance>(), { "const": "none" }, long],
        })
    }
}

impl CorruptSpec {
    /// Each frame by itself, so many bits of it.
    pub fn independent(probability: Chance, bits: u8) -> CorruptSpec {
        CorruptSpec { probability, correlation: Correlation::NONE, bits, only: None }
    }

    /// Whether no frame is ever corrupted.
    pub fn is_none(&self) -> bool {
        self.probability.is_never()
    }

    /// Chooses which bits of `bytes` bytes flip: different ones, as many as there are at most. Calls `flip` with the byte's
    /// position and the mask to apply by XOR.
    pub fn flip(&self, rng: &mut FrameRng, bytes: usize, mut flip: impl FnMut(usize, u8)) {
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

/// Corruption at work.
#[derive(Clone, Debug)]
pub struct Corrupt {
    spec: CorruptSpec,
    picker: Picker,
}

impl Corrupt {
    /// Corruption before its first frame.
    pub fn new(spec: CorruptSpec) -> Corrupt {
        let picker = Picker::new(spec.probability.0, spec.correlation);
        Corrupt { spec, picker }
    }

    /// What it was made from.
    pub fn spec(&self) -> &CorruptSpec {
        &self.spec
    }

    /// Changes the parameters in place.
    pub fn set(&mut self, spec: CorruptSpec) {
        self.picker.set(spec.probability.0, spec.correlation);
        self.spec = spec;
    }

    /// Whether a frame's fate depends on the frames before it, so that it needs [`Corrupt::admit`].
    pub fn is_stateful(&self) -> bool {
        self.picker.is_stateful()
    }

    /// Takes the next of its frames in, and returns its mark.
    pub fn admit(&mut self, rng: impl FnOnce() -> FrameRng) -> bool {
        self.picker.admit(rng)
    }

    /// The generator that goes on to choose the bits, if the frame with this mark and generator is corrupted.
    pub fn draw(&self, mark: bool, rng: impl FnOnce() -> FrameRng) -> Option<FrameRng> {
        self.picker.pick(mark, rng)
    }
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
        let never = Corrupt::new(CorruptSpec::default());
        assert!(never.draw(false, || panic!("a chance of nothing needs no generator")).is_none());
        let always = Corrupt::new(from_json(json!("100%")).unwrap());
        assert!((0..1000).all(|n| always.draw(false, || key().frame(n, 0)).is_some()));
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
            let mut corrupt = Corrupt::new(from_json(spec).unwrap());
            (0..160_000)
                .map(|n| {
                    let mark = corrupt.admit(|| key().frame(n, 0));
                    corrupt.draw(mark, || key().frame(n, 0)).map(|mut rng| rng.next_u64())
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
