//! What the two ends of a UDP stream measure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Heard, Histogram, Intervals, Times};

/// Result of `udp-send`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct UdpSend {
    /// When it began, from t = 0. The run says it; `None` from the process itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub began_ns: Option<i64>,
    /// How often the socket's send buffer was full (EAGAIN). The datagram was sent later, with the same number.
    pub blocked: u64,
    /// Bytes of UDP payload in `sent − unsent`.
    pub bytes: u64,
    /// From when the first datagram was due to the last sent.
    pub duration_ns: u64,
    /// Errors that the kernel reported, with their numbers: "Connection refused" means that an ICMP error came back.
    pub errors: BTreeMap<String, u64>,
    /// Datagrams given to the kernel per interval since `started_ns`, by sequence number: their sum up to an interval is
    /// the first number sent in it.
    pub intervals: Intervals,
    /// How much later than due datagrams were given to the kernel.
    pub lateness_ns: Option<Times>,
    /// How often the kernel was out of buffers (ENOBUFS). The datagram was sent later, with the same number.
    pub no_buffers: u64,
    /// Datagrams that `count` and `for_ns` ask for; `None` without either.
    pub planned: Option<u64>,
    /// Bits of UDP payload per second from the start to the last datagram, the last one's own bits left out, so that an
    /// undisturbed stream shows its nominal rate, and none shows more. `None` where no time has passed.
    pub rate_bps: Option<u64>,
    /// Sequence numbers used: datagrams sent, including those that this host's kernel refused. This is the N of the
    /// receiver's control line `sent N`.
    pub sent: u64,
    /// Planned datagrams that were not sent, because it was told to finish, or was more than a second behind at the end.
    pub skipped: u64,
    /// When the first datagram was due.
    pub started_ns: u64,
    /// Datagrams of `sent` that this host's kernel refused: no route, no carrier.
    pub unsent: u64,
}

/// Result of `udp-receive`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct UdpReceive {
    /// When it began, from t = 0. The run says it; `None` from the process itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub began_ns: Option<i64>,
    /// Bytes of UDP payload of `received`.
    pub bytes: u64,
    /// Datagrams with a wrong UDP checksum that the host's kernel dropped meanwhile, for any of its sockets. `None` where
    /// /proc/self/net cannot be read.
    pub checksum_errors: Option<u64>,
    /// Delays and jitter without the lateness of this machine; the run says it, where any datagram was late.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub corrected: Option<Corrected>,
    /// One-way delays in bins; `None` where no two differ.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay_histogram: Option<Histogram>,
    /// One-way delays, from the sender's clock reading before the datagram was given to the kernel to the receive
    /// timestamp of the kernel; of first copies. Never reads short.
    pub delay_ns: Option<Times>,
    /// Datagrams whose number had come before.
    pub duplicates: u64,
    /// When the first datagram arrived, by the kernel's timestamp.
    pub first_at_ns: Option<u64>,
    /// Datagrams that are not of this stream, or too short to tell.
    pub foreign: u64,
    /// When what arrived and when nothing did. The run takes it out, and says how long the longest silence was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heard: Option<Heard>,
    /// Datagrams that had not come, and may still have been on their way when it stopped listening: they had been sent less
    /// than the slowest transit of their path before. Only the run knows; 0 from the receiver itself.
    pub inside: u64,
    /// Arrivals (duplicates included) and delays of first copies, per interval since `started_ns`.
    pub intervals: Intervals,
    /// Interarrival jitter of RFC 3550 §6.4.1, in the integer arithmetic of its appendix A.8, over first copies in the order of
    /// arrival: the last estimate, which an RTP receiver would have reported, the largest and their mean. `None` for fewer than two
    /// datagrams.
    pub jitter_ns: Option<Times>,
    /// When the last datagram arrived.
    pub last_at_ns: Option<u64>,
    /// Datagrams that did not come: of those sent if that was told, else of those numbered below the highest that came. In
    /// a run's report without those `inside`.
    pub lost: u64,
    /// The numbers that did not come, as ranges (first, last), both included; the first 10,000 ranges.
    pub missing: Vec<(u64, u64)>,
    /// Ranges beyond those in `missing`.
    pub missing_omitted: u64,
    /// Bytes of the socket's receive buffer as the kernel counts them.
    pub receive_buffer: u64,
    /// Datagrams of the stream, duplicates included.
    pub received: u64,
    /// The largest reordering extent (RFC 4737 §4.2.1): how many different datagrams before it had come since the first
    /// that overtook it, that one included.
    pub reorder_extent_max: u64,
    /// Datagrams that came after one with a higher number (RFC 4737 §3.3: number below the next expected).
    pub reordered: u64,
    /// First copies in the order of arrival: when each arrived, since `started_ns`, and its delay; the first 100,000. The
    /// run takes them out, once the lateness of each has been reckoned with.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub samples: Vec<(u64, u64)>,
    /// The number sent, if it was told.
    pub sent: Option<u64>,
    /// Datagrams that this receiver's own socket dropped because its buffer was full: lost here, not in the network.
    /// `None` where the kernel does not tell.
    pub socket_dropped: Option<u64>,
    /// When it was ready.
    pub started_ns: u64,
    /// Bits of UDP payload per second from the first to the last arrival, the first datagram's own bits left out.
    pub throughput_bps: Option<u64>,
    /// Different datagrams of the stream.
    pub unique: u64,
    /// When it stopped listening.
    pub until_ns: Option<u64>,
    /// How long datagrams lay in the socket before this process read them.
    pub wakeup_ns: Option<Times>,
}

/// What a receiver would have measured at the least.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Corrected {
    /// One-way delays.
    pub delay_ns: Option<Times>,
    /// Delays by interval of the arrivals as they were.
    pub intervals: Intervals,
    /// Interarrival jitter.
    pub jitter_ns: Option<Times>,
    /// Datagrams that it is not known of.
    pub omitted: u64,
}
