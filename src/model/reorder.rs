//! Reordering as netem means it (tc-netem(8)): picked frames run ahead of those that the delay holds. Where there is no
//! delay there is nothing to run ahead of.

use rand_xoshiro::rand_core::Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::chance::{self, Chance};
use super::form::{Short, short_or_long};
use crate::rng::FrameRng;

/// Which frames are sent without delay, ahead of those before them. Short forms: a probability, as in `reorder: 25%`, or
/// `none`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReorderSpec {
    /// The probability for each candidate.
    pub probability: Chance,
    /// Every frame is a candidate with 1; with N, the first N − 1 frames after one that ran ahead are not.
    pub gap: u32,
}

impl Default for ReorderSpec {
    fn default() -> ReorderSpec {
        ReorderSpec { probability: Chance::default(), gap: 1 }
    }
}

/// The map form, as it stands in a file.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Long {
    /// The probability for each candidate.
    probability: Chance,
    /// Every frame is a candidate with 1, the default; with N, the first N − 1 frames after one that ran ahead are not.
    #[serde(default = "one", deserialize_with = "gap")]
    #[schemars(range(min = 1))]
    gap: u32,
}

fn one() -> u32 {
    1
}

fn gap<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    match u32::deserialize(deserializer)? {
        0 => Err(serde::de::Error::custom("a gap of 0 has no candidates: write 1 or more")),
        gap => Ok(gap),
    }
}

impl From<Long> for ReorderSpec {
    fn from(Long { probability, gap }: Long) -> ReorderSpec {
        ReorderSpec { probability, gap }
    }
}

impl Short for ReorderSpec {
    type Long = Long;
    const EXPECTED: &'static str =
        "a probability of running ahead, as in `25%`, or a map with `probability` and `gap`, or `none`";
    fn from_text(text: &str) -> Result<ReorderSpec, String> {
        chance::from_text(text).map(|probability| ReorderSpec { probability, gap: 1 })
    }
}

impl<'de> Deserialize<'de> for ReorderSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ReorderSpec, D::Error> {
        short_or_long(deserializer)
    }
}

impl JsonSchema for ReorderSpec {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Reorder".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let long = Long::json_schema(generator);
        schemars::json_schema!({
            "description": "Frames that run ahead of the delay: `25%`, a map, or `none`.",
            "anyOf": [generator.subschema_for::<Chance>(), { "const": "none" }, long],
        })
    }
}

impl ReorderSpec {
    /// Whether no frame ever runs ahead.
    pub fn is_none(&self) -> bool {
        self.probability.is_never()
    }
}

/// Decides which frames run ahead.
#[derive(Clone, Debug)]
pub struct Reorder {
    spec: ReorderSpec,
    /// Frames since the last one that ran ahead.
    since: u32,
}

impl Reorder {
    /// Reordering as asked.
    pub fn new(spec: ReorderSpec) -> Reorder {
        Reorder { spec, since: 0 }
    }

    /// What it was asked to do.
    pub fn spec(&self) -> &ReorderSpec {
        &self.spec
    }

    /// Changes the parameters in place.
    pub fn set(&mut self, spec: ReorderSpec) {
        self.spec = spec;
    }

    /// Whether no frame ever runs ahead.
    pub fn is_none(&self) -> bool {
        self.spec.is_none()
    }

    /// Whether the next frame, whose generator this is, runs ahead.
    pub fn draw(&mut self, rng: impl FnOnce() -> FrameRng) -> bool {
        if self.is_none() {
            return false;
        }
        // sch_netem.c: delayed while counter < gap − 1, else by chance; the counter starts again at a frame that ran ahead
        let ahead = self.since >= self.spec.gap - 1 && self.spec.probability.0.happens(rng().next_u64());
        self.since = if ahead { 0 } else { self.since.saturating_add(1) };
        ahead
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::form::from_json;
    use crate::rng::{StreamKey, Way};
    use serde_json::json;

    fn ahead(value: serde_json::Value, n: u64) -> Vec<u64> {
        let key = StreamKey::new(1, "link", Way::Forward, "reorder");
        let mut reorder = Reorder::new(from_json(value).unwrap());
        (0..n).filter(|i| reorder.draw(|| key.frame(*i, 0))).collect()
    }

    #[test]
    fn edges_are_certain() {
        assert!(ahead(json!("none"), 1000).is_empty());
        assert_eq!(ahead(json!("100%"), 1000).len(), 1000);
        // netem's `gap 5` with 100 %: every fifth
        assert_eq!(ahead(json!({"probability": "100%", "gap": 5}), 20), [4, 9, 14, 19]);
    }

    #[test]
    fn the_share_is_binomial_and_gaps_are_kept() {
        let quarter = ahead(json!("25%"), 100_000).len() as f64;
        assert!((quarter - 25_000.0).abs() < 3.29 * (100_000.0 * 0.25 * 0.75f64).sqrt(), "{quarter}");
        let spaced = ahead(json!({"probability": "50%", "gap": 4}), 10_000);
        assert!(spaced.windows(2).all(|w| w[1] - w[0] >= 4));
        // a wait of 3, then a geometric one of mean 2
        let mean = 10_000.0 / spaced.len() as f64;
        assert!((mean - 5.0).abs() < 0.15, "{mean}");
    }

    #[test]
    fn scenario_forms() {
        let spec = ReorderSpec { probability: Chance("25%".parse().unwrap()), gap: 1 };
        assert_eq!(from_json(json!("25%")), Ok(spec.clone()));
        assert_eq!(from_json(json!({"probability": "25%", "gap": 5})), Ok(ReorderSpec { gap: 5, ..spec.clone() }));
        assert!(from_json::<ReorderSpec>(json!({"probability": "1%", "gap": 0})).unwrap_err().contains("1 or more"));
        assert_eq!(from_json(serde_json::to_value(&spec).unwrap()), Ok(spec.clone()));
    }
}
