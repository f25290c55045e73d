//! How a live run keeps time: how long it may spin before a deadline, with what priority, on which processor.

use std::fmt;

use schemars::JsonSchema;
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::units::Duration;

/// `timing:` of a scenario.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TimingSpec {
    /// The longest that the engine's thread may spin before a deadline, instead of sleeping up to it: `50us`, or `off`. By
    /// default 50us. All of it is used where nobody else wants the processor, less the longer the thread has to wait for
    /// one, and none on a machine that is short of processor time.
    pub spin: SpinSpec,
    /// Real-time priority (SCHED_FIFO, 1 to 99) of the engine's thread; needs CAP_SYS_NICE. By default none. The report
    /// says so if it is refused.
    #[schemars(range(min = 1, max = 99))]
    pub priority: Option<Priority>,
    /// The processor that the engine's thread is pinned to, counted from 0. By default none. The report says so if it is
    /// refused.
    pub cpu: Option<u32>,
}

/// The longest spin before a deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpinSpec(pub Duration);

/// The longest spin that may be asked for: more would only be a busy loop.
const LONGEST: Duration = Duration::from_millis(1);

impl Default for SpinSpec {
    fn default() -> SpinSpec {
        SpinSpec(Duration::from_micros(50))
    }
}

impl Serialize for SpinSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0 == Duration::ZERO { serializer.serialize_str("off") } else { self.0.serialize(serializer) }
    }
}

impl<'de> Deserialize<'de> for SpinSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<SpinSpec, D::Error> {
        struct OffOrDuration;
        impl Visitor<'_> for OffOrDuration {
            type Value = SpinSpec;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "`off`, or a duration up to {LONGEST}, as in `50us`")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<SpinSpec, E> {
                if text == "off" {
                    return Ok(SpinSpec(Duration::ZERO));
                }
                let spin: Duration = text.parse().map_err(E::custom)?;
                if spin > LONGEST {
                    return Err(E::custom(format!("`{text}` is too long a spin: at most {LONGEST}")));
                }
                Ok(SpinSpec(spin))
            }
            // YAML 1.1 readers take `off` for a boolean
            fn visit_bool<E: de::Error>(self, on: bool) -> Result<SpinSpec, E> {
                Ok(if on { SpinSpec::default() } else { SpinSpec(Duration::ZERO) })
            }
        }
        deserializer.deserialize_any(OffOrDuration)
    }
}

impl JsonSchema for SpinSpec {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Spin".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "anyOf": [{ "const": "off" }, generator.subschema_for::<Duration>()] })
    }
}

/// A real-time priority, 1 to 99.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "u8")]
pub struct Priority(u8);

impl Priority {
    /// The lowest: before all that have none.
    pub const LOWEST: Priority = Priority(1);

    /// As a number.
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl TryFrom<u8> for Priority {
    type Error = String;
    fn try_from(number: u8) -> Result<Priority, String> {
        match number {
            1..=99 => Ok(Priority(number)),
            _ => Err(format!("{number} is not a real-time priority: write 1 to 99 (sched(7))")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::form::from_json;
    use serde_json::json;

    #[test]
    fn scenario_forms() {
        let read = |value| from_json::<TimingSpec>(value);
        assert_eq!(read(json!({})), Ok(TimingSpec::default()));
        assert_eq!(read(json!({"spin": "off"})).unwrap().spin, SpinSpec(Duration::ZERO));
        assert_eq!(read(json!({"spin": "1ms"})).unwrap().spin.0, Duration::from_millis(1));
        assert!(read(json!({"spin": "1.1ms"})).unwrap_err().contains("at most 1ms"));
        assert_eq!(read(json!({"priority": 99, "cpu": 1})).unwrap().priority.map(Priority::get), Some(99));
        assert!(read(json!({"priority": 0})).unwrap_err().contains("1 to 99"));
        assert!(read(json!({"spinn": "off"})).unwrap_err().contains("spinn"));
        let spec = TimingSpec { spin: SpinSpec(Duration::ZERO), priority: None, cpu: Some(0) };
        assert_eq!(from_json::<TimingSpec>(serde_json::to_value(spec).unwrap()), Ok(spec));
    }
}
