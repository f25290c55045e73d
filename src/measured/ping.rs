//! What `ping` measures.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Gap, Times};

/// Result of `ping`. `sent = received + lost + pending`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Ping {
    /// Replies beyond the first to the same request.
    pub duplicates: u64,
    /// From the first request to the end, waiting for the last replies included.
    pub duration_ns: u64,
    /// Errors that the kernel reported for requests, with their numbers: "No route to host" and the like.
    pub errors: BTreeMap<String, u64>,
    /// The longest silence: no answer came in time, from the first request to the last, each later by the quickest round trip.
    /// `None` where no request was sent.
    pub gap: Option<Gap>,
    /// Requests that were answered, but later than the timeout.
    pub late: u64,
    /// Requests not answered in time, including `late` and `unsent`.
    pub lost: u64,
    /// Requests neither answered nor overdue when it had to stop at once.
    pub pending: u64,
    /// Requests answered in time.
    pub received: u64,
    /// Round-trip times of answered requests: from before the request was given to the kernel to the kernel's receive
    /// timestamp of the reply. This process's own wake-up delay is not in it, and it never reads short.
    pub rtt_ns: Option<Times>,
    /// Each request: when it was sent, in ns since the first was due, and its round-trip time if it was answered in time. The
    /// first 100,000.
    pub samples: Vec<(u64, Option<u64>)>,
    /// Requests beyond those in `samples`.
    pub samples_omitted: u64,
    /// Requests whose time came, including those that this host's kernel refused.
    pub sent: u64,
    /// Requests that were never sent because this process was stalled when they were due.
    pub skipped: u64,
    /// When the first request was due. The run takes it out: see `began_ns`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_ns: Option<u64>,
    /// Requests of `sent` that this host's kernel refused: no route, no carrier.
    pub unsent: u64,
    /// How long replies lay in the socket before this process read them.
    pub wakeup_ns: Option<Times>,
    /// When it began, from t = 0. The run says it; `None` from the process itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub began_ns: Option<i64>,
}
