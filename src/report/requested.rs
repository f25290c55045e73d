//! What a scenario asked of a direction, as a report carries it.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::engine::DirectionSpec;

/// What a scenario asked of a direction. Where the run is this program's own, in the engine's terms; where the report was
/// read back, as it is written.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Requested {
    /// In the engine's terms.
    Spec(Box<DirectionSpec>),
    /// As a report has it: `{ "delay": { "mean": "10ms" }, "rate": "20Mbit", … }`.
    Json(Value),
}

impl Requested {
    /// As a report has it, whichever it is.
    pub fn json(&self) -> Value {
        match self {
            // plain data
            Requested::Spec(spec) => serde_json::to_value(spec).unwrap_or(Value::Null),
            Requested::Json(value) => value.clone(),
        }
    }
}

impl From<DirectionSpec> for Requested {
    fn from(spec: DirectionSpec) -> Requested {
        Requested::Spec(Box::new(spec))
    }
}

impl<'de> Deserialize<'de> for Requested {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Requested, D::Error> {
        Value::deserialize(deserializer).map(Requested::Json)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::DelaySpec;
    use crate::units::Duration;

    #[test]
    fn it_reads_back_as_it_is_written() {
        let delay = DelaySpec { mean: Duration::from_millis(10), ..DelaySpec::default() };
        let here = Requested::from(DirectionSpec { delay, ..DirectionSpec::default() });
        let text = serde_json::to_string(&here).unwrap();
        assert!(text.contains("10ms"), "{text}");
        let read: Requested = serde_json::from_str(&text).unwrap();
        assert!(matches!(read, Requested::Json(_)));
        assert_eq!(serde_json::to_string(&read).unwrap().len(), text.len());
        assert_eq!(read.json(), here.json());
    }
}
