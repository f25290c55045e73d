//! Numbers in a program's output.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Unit;
use crate::diag::suggestion;
use crate::units;

/// The numbers that a scenario asked for, as the program printed them. `None` where it asked for none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProgramValues {
    /// By name, those that were found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub values: Option<BTreeMap<String, f64>>,
    /// What each is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value_units: Option<BTreeMap<String, ValueUnit>>,
}

/// What a number in a program's output is in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ValueUnit {
    /// A unit, as `ms`.
    Of(units::Unit),
    /// How many of something.
    Count,
    /// A bare number.
    #[default]
    None,
}

impl ValueUnit {
    /// What expectations compare it with.
    pub const fn unit(self) -> Unit {
        match self {
            ValueUnit::Of(unit) => Unit::of(unit.dimension()),
            ValueUnit::Count => Unit::Count,
            ValueUnit::None => Unit::Number,
        }
    }

    /// What one of it is in ns, bit/s, bytes, or parts of one.
    pub fn factor(self) -> f64 {
        match self {
            ValueUnit::Of(unit) => Unit::of(unit.dimension()).scale(unit.factor()),
            ValueUnit::Count | ValueUnit::None => 1.0,
        }
    }

    fn names() -> impl Iterator<Item = &'static str> + Clone {
        units::Unit::names_of_columns().chain(["count", "none"])
    }
}

impl Serialize for ValueUnit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(match self {
            ValueUnit::Of(unit) => unit.name(),
            ValueUnit::Count => "count",
            ValueUnit::None => "none",
        })
    }
}

impl<'de> Deserialize<'de> for ValueUnit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ValueUnit, D::Error> {
        let word = String::deserialize(deserializer)?;
        match (word.as_str(), units::Unit::of_column(&word)) {
            ("count", _) => Ok(ValueUnit::Count),
            ("none", _) => Ok(ValueUnit::None),
            (_, Some(unit)) => Ok(ValueUnit::Of(unit)),
            (_, None) => {
                let help = suggestion(&word, ValueUnit::names());
                Err(D::Error::custom(format!("`{word}` is not a unit: {help}")))
            }
        }
    }
}

impl JsonSchema for ValueUnit {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ValueUnit".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let names: Vec<&str> = ValueUnit::names().collect();
        schemars::json_schema!({ "description": "What a number in a program's output is in.", "enum": names })
    }
}

/// Its name, as scenarios and reports have it.
impl fmt::Display for ValueUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}
