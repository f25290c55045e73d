//! Loss of every N-th frame: exact, for tests that count.

use std::num::NonZeroU64;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::LongRun;

/// Of N frames the last: frames N, 2 N, 3 N, … counted from 1. With 1 every frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct EverySpec(pub NonZeroU64);

impl EverySpec {
    /// Whether the frame with this number, counted from 0, is lost.
    #[inline]
    pub fn is_lost(self, number: u64) -> bool {
        number % self.0 == self.0.get() - 1
    }

    pub(super) fn long_run(self) -> LongRun {
        let n = self.0.get() as f64;
        LongRun { loss: Some(1.0 / n), mean_burst: Some(if n == 1.0 { f64::INFINITY } else { 1.0 }) }
    }
}

impl<'de> Deserialize<'de> for EverySpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<EverySpec, D::Error> {
        NonZeroU64::new(u64::deserialize(deserializer)?).map(EverySpec).ok_or_else(|| {
            serde::de::Error::custom("every 0th frame is none: write 1 (every frame) or more, or `none` for no loss")
        })
    }
}

impl JsonSchema for EverySpec {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "EveryLoss".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "description": "A whole number, 1 or more.", "type": "integer", "minimum": 1 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::form::from_json;
    use crate::model::loss::tests::lost;
    use serde_json::json;

    #[test]
    fn exactly_every_nth_frame_is_lost() {
        let places = |n: u64| -> Vec<usize> {
            lost(json!({ "every": n }), 20)
                .iter()
                .enumerate()
                .filter(|(_, lost)| **lost)
                .map(|(at, _)| at + 1)
                .collect()
        };
        assert_eq!(places(7), [7, 14]);
        assert_eq!(places(1), (1..=20).collect::<Vec<_>>());
        assert!(places(21).is_empty() && places(u64::MAX).is_empty());
        let last: EverySpec = from_json(json!(u64::MAX)).unwrap();
        assert!(last.is_lost(u64::MAX - 1) && !last.is_lost(u64::MAX) && !last.is_lost(0));
    }

    #[test]
    fn scenario_forms() {
        assert!(from_json::<EverySpec>(json!(0)).unwrap_err().contains("write 1 (every frame) or more"));
        assert!(from_json::<EverySpec>(json!("5%")).is_err());
        assert!(from_json::<EverySpec>(json!(-1)).is_err());
        let ten: EverySpec = from_json(json!(10)).unwrap();
        assert_eq!(serde_json::to_value(ten).unwrap(), json!(10));
    }
}
