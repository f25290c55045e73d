//! Limits beyond which a run says INVALID: the machine could not keep up, so neither pass nor fail is claimed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::units::{Duration, Probability};

/// `validity:` of a scenario. The defaults are our own choice: an order of magnitude above what a machine that keeps up
/// shows, and below what changes a measurement by more than its noise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ValiditySpec {
    /// Largest 99th percentile of lateness at a port: delivered by the clock − delivered by the model, or the time that a frame
    /// may have waited unread.
    pub lateness_p99: Duration,
    /// Longest time between two drains of a port.
    pub stall: Duration,
    /// Largest share of the run in gaps of 2 ms and more in which the ports were not read.
    pub gaps: Probability,
    /// Largest share of the time for which the engine's thread waited for a processor (schedstat's run delay).
    pub run_delay: Probability,
    /// Frames that a TAP's ring may drop while the model's own queue had room.
    pub ring_drops: u64,
    /// Largest 99th percentile of how late a built-in workload may send its datagrams.
    pub workload_lateness_p99: Duration,
    /// Largest share of its time for which the main thread of a workload waited for a processor, where that is longer than
    /// `stall`.
    pub workload_run_delay: Probability,
}

impl Default for ValiditySpec {
    fn default() -> ValiditySpec {
        ValiditySpec {
            lateness_p99: Duration::from_millis(5),
            stall: Duration::from_millis(100),
            gaps: Probability::from_parts(50_000_000_000).expect("5 % is a probability"),
            run_delay: Probability::from_parts(500_000_000_000).expect("50 % is a probability"),
            ring_drops: 0,
            workload_lateness_p99: Duration::from_millis(100),
            workload_run_delay: Probability::from_parts(500_000_000_000).expect("50 % is a probability"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::form::from_json;
    use serde_json::json;

    #[test]
    fn what_is_left_out_keeps_its_default() {
        let spec: ValiditySpec = from_json(json!({ "stall": "1s" })).unwrap();
        assert_eq!(spec, ValiditySpec { stall: Duration::from_secs(1), ..ValiditySpec::default() });
        assert_eq!(ValiditySpec::default().run_delay.to_string(), "50%");
        assert!(from_json::<ValiditySpec>(json!({ "lateness": "1s" })).unwrap_err().contains("lateness_p99"));
    }
}
