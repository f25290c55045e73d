//! How a live run keeps time: how long it may spin before a deadline, with what priority, on which processor.

use std::fmt;

use schemars::JsonSchema;
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::units::Duration;

/// `timing:` of a scenario.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Fields", deny_unknown_fields, default)]
pub struct TimingSpec {
    /// The longest spin before a deadline.
    pub spin: SpinSpec,
    /// The real-time priority of the engine's thread.
    pub priority: Option<Priority>,
    /// The processor that it is pinned to.
    pub cpu: Option<u32>,
}

/// How the engine's thread keeps time in a live run.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "TimingSpec")]
struct Fields {
    /// The longest that the engine's thread may spin before a deadline, instead of sleeping up to it: `50us`, or `off`. By
    /// default 50us. All of it is used where nobody else wants the processor, less the longer the thread has to wait for
    /// one, and none on a machine that is short of processor time.
    spin: SpinSpec,
    /// Real-time priority (SCHED_FIFO) of the engine's thread: 1 to 99; or `auto`, which is 1 as long as the thread does not run for
    /// more than half of the time. Needs CAP_SYS_NICE. By default none. The report says so if it is refused.
    priority: Option<Priority>,
    /// The processor that the engine's thread is pinned to, counted from 0. By default none. The report says so if it is
    /// refused.
    cpu: Option<u32>,
}

impl TryFrom<Fields> for TimingSpec {
    type Error = String;
    fn try_from(Fields { spin, priority, cpu }: Fields) -> Result<TimingSpec, String> {
        let default = SpinSpec::default().0;
        if priority == Some(Priority::Auto) && spin.0 > default {
            return Err(format!(
                "`priority: auto` goes with a `spin` up to {default}, found `{}`: a thread that spins longer uses up its share of the \
                 processor. Give a number as priority where it has a processor of its own",
                spin.0
            ));
        }
        Ok(TimingSpec { spin, priority, cpu })
    }
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

/// A real-time priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Priority {
    /// 1 to 99.
    Fixed(u8),
    /// 1, given up for good when the thread has run for more than half of any 100 ms.
    Auto,
}

impl Priority {
    /// The lowest: before all that have none.
    pub const LOWEST: Priority = Priority::Fixed(1);

    /// As a number.
    pub const fn get(self) -> u8 {
        match self {
            Priority::Fixed(number) => number,
            Priority::Auto => 1,
        }
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Priority::Fixed(number) => number.fmt(f),
            Priority::Auto => f.write_str("auto"),
        }
    }
}

impl Serialize for Priority {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Priority::Fixed(number) => number.serialize(serializer),
            Priority::Auto => serializer.serialize_str("auto"),
        }
    }
}

impl<'de> Deserialize<'de> for Priority {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Priority, D::Error> {
        struct AutoOrNumber;
        impl Visitor<'_> for AutoOrNumber {
            type Value = Priority;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`auto`, or a real-time priority from 1 to 99 (sched(7))")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Priority, E> {
                if text == "auto" {
                    Ok(Priority::Auto)
                } else {
                    Err(E::invalid_value(de::Unexpected::Str(text), &self))
                }
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Priority, E> {
                match u8::try_from(number) {
                    Ok(number @ 1..=99) => Ok(Priority::Fixed(number)),
                    _ => Err(E::invalid_value(de::Unexpected::Unsigned(number), &self)),
                }
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Priority, E> {
                match u64::try_from(number) {
                    Ok(number) => self.visit_u64(number),
                    Err(_) => Err(E::invalid_value(de::Unexpected::Signed(number), &self)),
                }
            }
        }
        deserializer.deserialize_any(AutoOrNumber)
    }
}

impl JsonSchema for Priority {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "RealTimePriority".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "anyOf": [{ "const": "auto" }, { "type": "integer", "minimum": 1, "maximum": 99 }] })
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
        assert!(read(json!({"priority": -1})).unwrap_err().contains("1 to 99"));
        assert!(read(json!({"priority": "high"})).unwrap_err().contains("`auto`"));
        assert_eq!(read(json!({"priority": "auto"})).unwrap().priority, Some(Priority::Auto));
        assert!(read(json!({"priority": "auto", "spin": "50us"})).is_ok());
        assert!(read(json!({"priority": "auto", "spin": "51us"})).unwrap_err().contains("up to 50us"));
        assert!(read(json!({"spinn": "off"})).unwrap_err().contains("spinn"));
        for priority in [None, Some(Priority::Auto), Some(Priority::Fixed(7))] {
            let spec = TimingSpec { spin: SpinSpec(Duration::ZERO), priority, cpu: Some(0) };
            assert_eq!(from_json::<TimingSpec>(serde_json::to_value(spec).unwrap()), Ok(spec));
        }
    }
}
