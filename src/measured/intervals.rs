//! What a workload measured over time.

use serde::{Deserialize, Serialize};

/// Counts per interval, all intervals of one width, from the start on and without gaps.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Intervals {
    /// The intervals; number i begins i · `width_ns` after the beginning.
    pub list: Vec<Interval>,
    /// Width of every interval in ns: 100 ms, doubled each time there would be more than 6,000. 0 where there are none.
    pub width_ns: u64,
}

/// One interval.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Interval {
    /// Bytes of payload.
    pub bytes: u64,
    /// Where it was asked for: delays, each rounded up by less than one in a hundred, and how many there were of each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub delays: Vec<(u64, u64)>,
    /// Datagrams. For a sender the sum up to an interval is the first sequence number of it. 0 for TCP.
    pub frames: u64,
    /// Largest delay of the datagrams in ns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_ns: Option<u64>,
    /// Mean delay of the datagrams in ns, where delays are measured and any arrived.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mean_ns: Option<u64>,
}
