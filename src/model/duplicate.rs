//! Duplication: frames that arrive twice. A duplicate uses no wire, and draws its own jitter.

use schemars::JsonSchema;
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::chain::{Correlation, Picker};
use super::chance::{self, Chance};
use super::form::{Short, short_or_long};
use super::only::Only;
use crate::rng::FrameRng;

/// Which frames arrive twice. Short forms: a probability, as in `duplicate: 1%`, or `none`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DuplicateSpec {
    /// The probability for each frame.
    pub probability: Chance,
    /// How much the duplication of a frame says of the next.
    pub correlation: Correlation,
    /// Which frames it applies to; all where nothing is said.
    pub only: Option<Only>,
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
    /// Which frames it applies to. By default all.
    #[serde(default)]
    only: Option<Only>,
}

impl From<Long> for DuplicateSpec {
    fn from(Long { probability, correlation, only }: Long) -> DuplicateSpec {
        DuplicateSpec { probability, correlation, only }
    }
}

/// As the short form wherever that says all.
impl Serialize for DuplicateSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.correlation.is_none() && self.only.is_none() {
            return self.probability.serialize(serializer);
        }
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("probability", &self.probability)?;
        if !self.correlation.is_none() {
            map.serialize_entry("correlation", &self.correlation)?;
        }
        if let Some(only) = &self.only {
            map.serialize_entry("only", only)?;
        }
        map.end()
    }
}

impl Short for DuplicateSpec {
    type Long = Long;
    const EXPECTED: &'static str =
        "a probability of duplication, as in `1%`, or a map with `probability`, `correlation` and `only`, or `none`";
    fn from_text(text: &str) -> Result<DuplicateSpec, String> {
        chance::from_text(text).map(DuplicateSpec::independent)
    }
}

impl<'de> Deserialize<'de> for DuplicateSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<DuplicateSpec, D::Error> {
        short_or_long(deserializer)
    }
}

impl JsonSchema for DuplicateSpec {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Duplicate".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let long = Long::json_schema(generator);
        schemars::json_schema!({
            "description": "Frames that arrive twice: `1%`, a map, or `none`.",
            "anyOf": [generator.subschema_for::<Chance>(), { "const": "none" }, long],
        })
    }
}

impl DuplicateSpec {
    /// Each frame by itself.
    pub fn independent(probability: Chance) -> DuplicateSpec {
        DuplicateSpec { probability, ..DuplicateSpec::default() }
    }

    /// Whether no frame ever arrives twice.
    pub fn is_none(&self) -> bool {
        self.probability.is_never()
    }
}

/// Duplication at work.
#[derive(Clone, Debug)]
pub struct Duplicate {
    spec: DuplicateSpec,
    picker: Picker,
}

impl Duplicate {
    /// Duplication before its first frame.
    pub fn new(spec: DuplicateSpec) -> Duplicate {
        let picker = Picker::new(spec.probability.0, spec.correlation);
        Duplicate { spec, picker }
    }

    /// What it was made from.
    pub fn spec(&self) -> &DuplicateSpec {
        &self.spec
    }

    /// Changes the parameters in place.
    pub fn set(&mut self, spec: DuplicateSpec) {
        self.picker.set(spec.probability.0, spec.correlation);
        self.spec = spec;
    }

    /// Whether a frame's fate depends on the frames before it, so that it needs [`Duplicate::admit`].
    pub fn is_stateful(&self) -> bool {
        self.picker.is_stateful()
    }

    /// Takes the next of its frames in, and returns its mark.
    pub fn admit(&mut self, rng: impl FnOnce() -> FrameRng) -> bool {
        self.picker.admit(rng)
    }

    /// Whether the frame with this mark and generator arrives twice.
    pub fn picks(&self, mark: bool, rng: impl FnOnce() -> FrameRng) -> bool {
        self.picker.picks(mark, rng)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::form::from_json;
    use crate::model::statistics::{assert_share, lag1};
    use crate::rng::{StreamKey, Way};
    use serde_json::json;

    #[test]
    fn edges_are_certain_and_a_share_is_binomial() {
        let key = StreamKey::new(1, "link", Way::Forward, "duplicate");
        let picked = |text: &str| {
            let duplicate = Duplicate::new(from_json(json!(text)).unwrap());
            (0..100_000).filter(|n| duplicate.picks(false, || key.frame(*n, 0))).count() as f64
        };
        assert_eq!((picked("none"), picked("0%"), picked("100%")), (0.0, 0.0, 100_000.0));
        // 5,000 ± 3.29 σ
        assert!((picked("5%") - 5_000.0).abs() < 3.29 * (100_000.0 * 0.05 * 0.95f64).sqrt());
    }

    #[test]
    fn a_correlation_keeps_the_share() {
        let key = StreamKey::new(1, "link", Way::Forward, "duplicate");
        let mut duplicate = Duplicate::new(from_json(json!({"probability": "20%", "correlation": "40%"})).unwrap());
        assert!(duplicate.is_stateful());
        let all: Vec<bool> = (0..160_000)
            .map(|n| {
                let mark = duplicate.admit(|| key.frame(n, 0));
                duplicate.picks(mark, || key.frame(n, 0))
            })
            .collect();
        assert_share(&all, 0.2, 1.4 / 0.6);
        assert!((lag1(&all) - 0.4).abs() < 0.02, "{}", lag1(&all));
    }

    #[test]
    fn scenario_forms() {
        let one = DuplicateSpec::independent(Chance("1%".parse().unwrap()));
        assert_eq!(from_json(json!("1%")), Ok(one.clone()));
        assert_eq!(from_json(json!({"probability": "1%"})), Ok(one.clone()));
        assert!(from_json::<DuplicateSpec>(json!(1)).unwrap_err().contains("write `1%`"));
        assert_eq!(serde_json::to_value(&one).unwrap(), json!("1%"));
        let all = json!({"probability": "1%", "correlation": "25%", "only": {"udp": 53}});
        let spec: DuplicateSpec = from_json(all.clone()).unwrap();
        assert_eq!(serde_json::to_value(&spec).unwrap(), all);
    }
}
