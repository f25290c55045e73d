//! Duplication: frames that arrive twice. A duplicate uses no wire, and draws its own jitter.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::chance::{self, Chance};
use super::form::{Short, short_or_long};

/// Which frames arrive twice. A probability, as in `duplicate: 1%`, or `none`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct DuplicateSpec(pub Chance);

/// The map form, as it stands in a file.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Long {
    /// The probability for each frame.
    probability: Chance,
}

impl From<Long> for DuplicateSpec {
    fn from(long: Long) -> DuplicateSpec {
        DuplicateSpec(long.probability)
    }
}

impl Short for DuplicateSpec {
    type Long = Long;
    const EXPECTED: &'static str = "a probability of duplication, as in `1%`, or `none`";
    fn from_text(text: &str) -> Result<DuplicateSpec, String> {
        chance::from_text(text).map(DuplicateSpec)
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
    /// Whether no frame ever arrives twice.
    pub fn is_none(&self) -> bool {
        self.0.is_never()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::form::from_json;
    use crate::rng::{StreamKey, Way};
    use serde_json::json;

    #[test]
    fn edges_are_certain_and_a_share_is_binomial() {
        let key = StreamKey::new(1, "link", Way::Forward, "duplicate");
        let picked = |text: &str| {
            let spec: DuplicateSpec = from_json(json!(text)).unwrap();
            (0..100_000).filter(|n| spec.0.picks(|| key.frame(*n, 0))).count() as f64
        };
        assert_eq!((picked("none"), picked("0%"), picked("100%")), (0.0, 0.0, 100_000.0));
        // 5,000 ± 3.29 σ
        assert!((picked("5%") - 5_000.0).abs() < 3.29 * (100_000.0 * 0.05 * 0.95f64).sqrt());
    }

    #[test]
    fn scenario_forms() {
        let one = DuplicateSpec(Chance("1%".parse().unwrap()));
        assert_eq!(from_json(json!("1%")), Ok(one));
        assert_eq!(from_json(json!({"probability": "1%"})), Ok(one));
        assert!(from_json::<DuplicateSpec>(json!(1)).unwrap_err().contains("write `1%`"));
        assert_eq!(from_json(serde_json::to_value(one).unwrap()), Ok(one));
    }
}
