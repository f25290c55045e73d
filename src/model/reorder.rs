//! Reordering as netem means it (tc-netem(8)): picked frames run ahead of those that the delay holds. Where there is no
//! delay there is nothing to run ahead of.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::chain::{Correlation, Picker};
use super::chance::{self, Chance};
use super::form::{Short, short_or_long};
use super::only::Only;
use crate::rng::FrameRng;

/// Which frames are sent without delay, ahead of those before them. Short forms: a probability, as in `reorder: 25%`, or
/// `none`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReorderSpec {
    /// The probability for each candidate.
    pub probability: Chance,
    /// How much a candidate says of the next.
    #[serde(skip_serializing_if = "Correlation::is_none")]
    pub correlation: Correlation,
    /// Every frame is a candidate with 1; with N, the first N − 1 frames after one that ran ahead are not.
    pub gap: u32,
    /// Which frames it applies to; all where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub only: Option<Only>,
}

impl Default for ReorderSpec {
    fn default() -> ReorderSpec {
        ReorderSpec::independent(Chance::default(), 1)
    }
}

/// The map form, as it stands in a file.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Long {
    /// The probability for each candidate.
    probability: Chance,
    /// The correlation between a candidate and the next, below 100 %. By default none: each by itself.
    #[serde(default)]
    correlation: Correlation,
    /// Every frame is a candidate with 1, the default; with N, the first N − 1 frames after one that ran ahead are not.
    #[serde(default = "one", deserialize_with = "gap")]
    #[schemars(range(min = 1))]
    gap: u32,
    /// Which frames it applies to. By default all.
    #[serde(default)]
    only: Option<Only>,
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
    fn from(Long { probability, correlation, gap, only }: Long) -> ReorderSpec {
        ReorderSpec { probability, correlation, gap, only }
    }
}

impl Short for ReorderSpec {
    type Long = Long;
    const EXPECTED: &'static str = "a probability of running ahead, as in `25%`, or a map with `probability`, `correlation`, `gap` and `only`, or `none`";
    fn from_text(text: &str) -> Result<ReorderSpec, String> {
        chance::from_text(text).map(|probability| ReorderSpec::independent(probability, 1))
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
    /// Each candidate by itself.
    pub fn independent(probability: Chance, gap: u32) -> ReorderSpec {
        ReorderSpec { probability, correlation: Correlation::NONE, gap, only: None }
    }

    /// Whether no frame ever runs ahead.
    pub fn is_none(&self) -> bool {
        self.probability.is_never()
    }
}

/// Decides which frames run ahead.
#[derive(Clone, Debug)]
pub struct Reorder {
    spec: ReorderSpec,
    picker: Picker,
    /// Frames since the last one that ran ahead.
    since: u32,
}

impl Reorder {
    /// Reordering as asked.
    pub fn new(spec: ReorderSpec) -> Reorder {
        let picker = Picker::new(spec.probability.0, spec.correlation);
        Reorder { spec, picker, since: 0 }
    }

    /// What it was asked to do.
    pub fn spec(&self) -> &ReorderSpec {
        &self.spec
    }

    /// Changes the parameters in place.
    pub fn set(&mut self, spec: ReorderSpec) {
        self.picker.set(spec.probability.0, spec.correlation);
        self.spec = spec;
    }

    /// Whether no frame ever runs ahead.
    pub fn is_none(&self) -> bool {
        self.spec.is_none()
    }

    /// Whether a frame's fate depends on the frames before it, so that it needs [`Reorder::admit`].
    pub fn is_stateful(&self) -> bool {
        self.spec.gap > 1 || self.picker.is_stateful()
    }

    /// Takes the next of its frames in, and returns its mark; `false` without a draw where frames are independent.
    pub fn admit(&mut self, rng: impl FnOnce() -> FrameRng) -> bool {
        if self.is_none() || !self.is_stateful() {
            return false;
        }
        // sch_netem.c: delayed while counter < gap − 1, else by chance; the counter starts again at a frame that ran ahead.
        // Only candidates draw, so the correlation is that of one candidate and the next.
        let ahead = self.since >= self.spec.gap - 1
            && match self.picker.is_stateful() {
                true => self.picker.admit(rng),
                false => self.picker.picks(false, rng),
            };
        self.since = if ahead { 0 } else { self.since.saturating_add(1) };
        ahead
    }

    /// Whether the frame with this mark and generator runs ahead.
    pub fn is_ahead(&self, mark: bool, rng: impl FnOnce() -> FrameRng) -> bool {
        if self.is_stateful() { mark && !self.is_none() } else { self.picker.picks(false, rng) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::form::from_json;
    use crate::model::statistics::{assert_share, lag1};
    use crate::rng::{StreamKey, Way};
    use serde_json::json;

    fn ahead(value: serde_json::Value, n: u64) -> Vec<u64> {
        let key = StreamKey::new(1, "link", Way::Forward, "reorder");
        let mut reorder = Reorder::new(from_json(value).unwrap());
        let frame = |i: u64| move || key.frame(i, 0);
        (0..n)
            .filter(|i| {
                let mark = reorder.admit(frame(*i));
                reorder.is_ahead(mark, frame(*i))
            })
            .collect()
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
    fn a_correlation_keeps_the_share_of_the_candidates() {
        let n = 160_000;
        let places = ahead(json!({"probability": "20%", "correlation": "40%"}), n);
        let mut hits = vec![false; n as usize];
        places.iter().for_each(|at| hits[*at as usize] = true);
        assert_share(&hits, 0.2, 1.4 / 0.6);
        assert!((lag1(&hits) - 0.4).abs() < 0.02, "{}", lag1(&hits));
        // with a gap a candidate comes after each pick at the earliest 3 frames later
        let spaced = ahead(json!({"probability": "50%", "correlation": "60%", "gap": 4}), 10_000);
        assert!(spaced.windows(2).all(|w| w[1] - w[0] >= 4));
        // a run of picks: with 80 % the next candidate is picked too
        let direct = spaced.windows(2).filter(|w| w[1] - w[0] == 4).count() as f64 / spaced.len() as f64;
        assert!((direct - 0.8).abs() < 0.04, "{direct}");
    }

    #[test]
    fn scenario_forms() {
        let spec = ReorderSpec::independent(Chance("25%".parse().unwrap()), 1);
        assert_eq!(from_json(json!("25%")), Ok(spec.clone()));
        assert_eq!(from_json(json!({"probability": "25%", "gap": 5})), Ok(ReorderSpec { gap: 5, ..spec.clone() }));
        assert!(from_json::<ReorderSpec>(json!({"probability": "1%", "gap": 0})).unwrap_err().contains("1 or more"));
        assert_eq!(from_json(serde_json::to_value(&spec).unwrap()), Ok(spec.clone()));
        let all = json!({"probability": "1%", "correlation": "25%", "gap": 2, "only": "udp"});
        let spec: ReorderSpec = from_json(all.clone()).unwrap();
        assert_eq!(serde_json::to_value(&spec).unwrap(), all);
    }
}
