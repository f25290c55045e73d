//! A share of frames, as several impairments have it.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::units::Probability;

/// The probability with which a frame is picked; `none` for never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Chance(pub Probability);

impl Chance {
    /// Whether no frame is ever picked.
    pub fn is_never(self) -> bool {
        self.0 == Probability::NEVER
    }
}

impl Serialize for Chance {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

/// Reads a chance's text: a probability, or `none`.
pub(super) fn from_text(text: &str) -> Result<Chance, String> {
    if text == "none" {
        return Ok(Chance::default());
    }
    text.parse().map(Chance).map_err(|e: crate::units::ParseError| e.to_string())
}

impl<'de> Deserialize<'de> for Chance {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Chance, D::Error> {
        Probability::deserialize(deserializer).map(Chance)
    }
}

impl JsonSchema for Chance {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Chance".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Probability::json_schema(generator)
    }
}
