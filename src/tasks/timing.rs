//! How a live run keeps time: how long it may spin before a deadline, with what priority, on which processor.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

use crate::model::form::forms;
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

forms! {
    SpinSpec, "Spin", "`off`, or a duration up to 1ms, as in `50us`";
    words { "off" => SpinSpec(Duration::ZERO) }
    bool => |on| if on { SpinSpec::default() } else { SpinSpec(Duration::ZERO) };
    text { "$ref": "#/$defs/Duration" } => |text| match text.parse::<Duration>() {
        Ok(spin) if spin > LONGEST => Err(format!("`{text}` is too long a spin: at most {LONGEST}")),
        spin => spin.map(SpinSpec).map_err(|error| error.to_string()),
    };
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

forms! {
    Priority, "RealTimePriority", "`auto`, or a real-time priority from 1 to 99 (sched(7))";
    words { "auto" => Priority::Auto }
    number { "type": "integer", "minimum": 1, "maximum": 99 } => |number| match number {
        1..=99 => Ok(Priority::Fixed(number as u8)),
        _ => Err(format!("expected `auto`, or a real-time priority from 1 to 99 (sched(7)), found `{number}`")),
    };
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
