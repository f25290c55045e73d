//! An Ethernet switch: learns addresses, forgets them with age, floods what it does not know (IEEE 802.1D §7.8, §7.9).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::units::Duration;

/// An Ethernet switch. Short form in a scenario: `ap: switch`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SwitchSpec {
    /// An address that was not heard for so long is forgotten. IEEE 802.1D recommends 300 s.
    pub ageing: Duration,
}

impl Default for SwitchSpec {
    fn default() -> SwitchSpec {
        SwitchSpec { ageing: Duration::from_secs(300) }
    }
}
