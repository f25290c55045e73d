//! Loss on the wire. A lost frame has used its share of the wire, as on a real link.

use rand_xoshiro::rand_core::Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::data::NamedFile;
use super::form::{Short, short_or_long};
use crate::rng::FrameRng;
use crate::units::Probability;

/// Which frames are lost on the wire. Short forms: a probability, as in `loss: 1%`, or `none`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LossSpec {
    /// No frame.
    #[default]
    None,
    /// Each frame with this probability, independently of all others.
    Random(Probability),
}

/// The map form, as it stands in a file.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Long {
    /// Each frame with this probability, independently of all others.
    Random(Probability),
}

impl From<Long> for LossSpec {
    fn from(long: Long) -> LossSpec {
        match long {
            Long::Random(probability) => LossSpec::Random(probability),
        }
    }
}

impl Short for LossSpec {
    type Long = Long;
    const EXPECTED: &'static str = "a loss probability, as in `1%`, or a map with `random`, or `none`";
    fn from_text(text: &str) -> Result<LossSpec, String> {
        if text == "none" {
            return Ok(LossSpec::None);
        }
        text.parse().map(LossSpec::Random).map_err(|e: crate::units::ParseError| e.to_string())
    }
}

impl<'de> Deserialize<'de> for LossSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<LossSpec, D::Error> {
        short_or_long(deserializer)
    }
}

impl JsonSchema for LossSpec {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Loss".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let long = Long::json_schema(generator);
        schemars::json_schema!({
            "description": "Loss on the wire: `1%`, a map, or `none`.",
            "anyOf": [generator.subschema_for::<Probability>(), { "const": "none" }, long],
        })
    }
}

impl LossSpec {
    /// Visits every file that it takes a table from.
    pub fn files(&mut self, _visit: &mut dyn FnMut(&mut dyn NamedFile)) {}
}

/// Decides which frames are lost.
#[derive(Clone, Debug)]
pub struct Loss {
    spec: LossSpec,
}

impl Loss {
    /// Loss as asked.
    pub fn new(spec: LossSpec) -> Loss {
        Loss { spec }
    }

    /// What it was made from.
    pub fn spec(&self) -> &LossSpec {
        &self.spec
    }

    /// Whether no frame is ever lost, so that a train may pass whole.
    pub fn is_none(&self) -> bool {
        matches!(self.spec, LossSpec::None | LossSpec::Random(Probability::NEVER))
    }

    /// Whether the frame whose generator this is is lost.
    #[inline]
    pub fn draw(&self, rng: impl FnOnce() -> FrameRng) -> bool {
        match self.spec {
            LossSpec::None => false,
            LossSpec::Random(Probability::NEVER) => false,
            LossSpec::Random(probability) => probability.happens(rng().next_u64()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::form::from_json;
    use crate::rng::{StreamKey, Way};
    use serde_json::json;

    fn lost(spec: LossSpec, n: u64) -> Vec<u64> {
        let key = StreamKey::new(1, "link", Way::Forward, "loss");
        let loss = Loss::new(spec);
        (0..n).filter(|i| loss.draw(|| key.frame(*i, 0))).collect()
    }

    #[test]
    fn edges_are_certain() {
        assert!(lost(LossSpec::None, 10_000).is_empty());
        assert!(lost(LossSpec::Random(Probability::NEVER), 10_000).is_empty());
        assert_eq!(lost(LossSpec::Random(Probability::ALWAYS), 10_000).len(), 10_000);
    }

    #[test]
    fn random_loss_is_binomial_with_independent_gaps() {
        let p = "5%".parse::<Probability>().unwrap();
        let n = 200_000;
        let frames = lost(LossSpec::Random(p), n);
        let (mean, sigma) = (n as f64 * 0.05, (n as f64 * 0.05 * 0.95).sqrt());
        assert!((frames.len() as f64 - mean).abs() < 3.29 * sigma, "{} of {mean} ± {sigma}", frames.len());
        // A loss follows a loss directly as often as after any other frame.
        let pairs = frames.windows(2).filter(|w| w[1] == w[0] + 1).count() as f64;
        let expected = frames.len() as f64 * 0.05;
        assert!((pairs - expected).abs() < 4.0 * expected.sqrt(), "{pairs} of {expected}");
    }

    #[test]
    fn a_higher_rate_loses_the_same_frames_and_more() {
        let at = |text: &str| lost(LossSpec::Random(text.parse().unwrap()), 20_000);
        let (few, many) = (at("1%"), at("2%"));
        assert!(few.iter().all(|n| many.contains(n)));
    }

    #[test]
    fn scenario_forms() {
        let one = LossSpec::Random("1%".parse().unwrap());
        assert_eq!(from_json(json!("1%")), Ok(one.clone()));
        assert_eq!(from_json(json!({"random": "1%"})), Ok(one.clone()));
        assert_eq!(from_json(json!("none")), Ok(LossSpec::None));
        assert!(from_json::<LossSpec>(json!(0.5)).unwrap_err().contains("could mean"));
        assert!(from_json::<LossSpec>(json!({"randm": "1%"})).unwrap_err().contains("unknown variant `randm`"));
        assert_eq!(from_json(serde_json::to_value(&one).unwrap()), Ok(one.clone()));
    }
}
