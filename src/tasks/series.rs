//! `series:`: how often every direction is looked at for the report.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

use crate::model::form::forms;
use crate::units::Duration;

/// The time from one look to the next; `None`: never.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeriesSpec(pub Option<Duration>);

/// The shortest interval: below it a report would say more about the looking than about the network.
const SHORTEST: Duration = Duration::from_millis(1);

impl Default for SeriesSpec {
    fn default() -> SeriesSpec {
        SeriesSpec(Some(Duration::from_millis(100)))
    }
}

impl fmt::Display for SeriesSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(every) => write!(f, "{{ every: {every} }}"),
            None => f.write_str("none"),
        }
    }
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "SeriesMap")]
struct Form {
    /// The time from one look to the next, 1ms or more. By default 100ms.
    every: Duration,
}

fn checked(every: Duration) -> Result<SeriesSpec, String> {
    if every < SHORTEST {
        return Err(format!("`{every}` is too short an interval: at least {SHORTEST}"));
    }
    Ok(SeriesSpec(Some(every)))
}

impl Serialize for SeriesSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Some(every) => Form { every }.serialize(serializer),
            None => serializer.serialize_str("none"),
        }
    }
}

forms! {
    SeriesSpec, "Series", "`none`, or an interval, as in `{ every: 100ms }`,";
    words { "none" => SeriesSpec(None) }
    text { "$ref": "#/$defs/Duration" } => |text| checked(text.parse::<Duration>().map_err(|error| error.to_string())?);
    map Form => |form| checked(form.every);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::form::from_json;
    use serde_json::json;

    #[test]
    fn scenario_forms() {
        let read = |value| from_json::<SeriesSpec>(value);
        assert_eq!(read(json!("none")), Ok(SeriesSpec(None)));
        for form in [json!("20ms"), json!({ "every": "20ms" })] {
            let spec = read(form).unwrap();
            assert_eq!(spec, SeriesSpec(Some(Duration::from_millis(20))));
            assert_eq!(read(serde_json::to_value(spec).unwrap()), Ok(spec));
        }
        assert!(read(json!("0.9ms")).unwrap_err().contains("at least 1ms"));
        assert!(read(json!({ "evry": "1s" })).unwrap_err().contains("evry"));
        assert_eq!(SeriesSpec::default().to_string(), "{ every: 100ms }");
    }
}
