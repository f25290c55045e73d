//! What a run in virtual time is given: `sim:` of a scenario.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de};

use crate::units::ByteSize;

/// `sim:` of a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SimSpec {
    /// Memory of the Linux that a run in virtual time happens in, at least 128MiB. By default 1GiB. What is not used costs nothing.
    #[serde(deserialize_with = "enough")]
    pub memory: ByteSize,
}

/// A guest with less does not boot, or kills programs.
const LEAST: ByteSize = ByteSize::from_bytes(128 << 20);

impl Default for SimSpec {
    fn default() -> SimSpec {
        SimSpec { memory: ByteSize::from_bytes(1 << 30) }
    }
}

fn enough<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ByteSize, D::Error> {
    let memory = ByteSize::deserialize(deserializer)?;
    if memory < LEAST {
        return Err(de::Error::custom(format!("expected at least {LEAST} of memory, found {memory}")));
    }
    Ok(memory)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::form::from_json;
    use serde_json::json;

    #[test]
    fn the_guest_has_a_gigabyte_unless_told_and_never_too_little() {
        assert_eq!(SimSpec::default().memory.to_string(), "1GiB");
        let spec: SimSpec = from_json(json!({ "memory": "2GiB" })).unwrap();
        assert_eq!(spec.memory, ByteSize::from_bytes(2 << 30));
        let least: SimSpec = from_json(json!({ "memory": "128MiB" })).unwrap();
        assert_eq!(least.memory, LEAST);
        let error = from_json::<SimSpec>(json!({ "memory": "134217727B" })).unwrap_err();
        assert!(error.contains("at least 128MiB"), "{error}");
    }
}
