//! What the two ends of a TCP connection measure.

use serde::{Deserialize, Serialize};

use super::{Heard, Intervals};

/// Result of `tcp-send`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TcpSend {
    /// When it began, from t = 0. The run says it; `None` from the process itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub began_ns: Option<i64>,
    /// What broke the connection, if something did.
    pub broken: Option<String>,
    /// Bytes given to the kernel.
    pub bytes: u64,
    /// Whether the receiver got everything and closed.
    pub complete: bool,
    /// The congestion control that was used.
    pub congestion: String,
    /// From when the connection was begun until it stood: one round trip, or more if a SYN was lost.
    pub connect_ns: u64,
    /// From the established connection to the receiver's close, or to the end without one.
    pub duration_ns: u64,
    /// Hash of the bytes given to the kernel, 16 hexadecimal digits; the receiver's is the same if it got the same bytes.
    pub hash: String,
    /// Bytes given to the kernel per interval since the connection stood.
    pub intervals: Intervals,
    /// When the connection was begun.
    pub started_ns: u64,
    /// What the kernel says about the connection at its end; `None` if it does not.
    pub tcp: Option<TcpInfo>,
}

/// What the sender's kernel says about a connection (`TCP_INFO`, linux/tcp.h). Counts are of segments unless they say
/// bytes; they start at the connection's start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TcpInfo {
    /// Time with data outstanding.
    pub busy_ns: u64,
    /// Payload bytes acknowledged.
    pub bytes_acked: u64,
    /// Retransmitted payload, in bytes.
    pub bytes_retransmitted: u64,
    /// Payload bytes sent, repetitions included.
    pub bytes_sent: u64,
    /// Congestion window in segments.
    pub congestion_window: u64,
    /// Segments delivered, as acknowledged or selectively acknowledged.
    pub delivered: u64,
    /// Segments of `delivered` that were acknowledged with an ECN congestion mark.
    pub delivered_ce: u64,
    /// The kernel's latest estimate of the delivery rate in bits per second.
    pub delivery_rate_bps: u64,
    /// Duplicate segments that the receiver reported (DSACK): repeated without need.
    pub dsack_duplicates: u64,
    /// Segments the sender holds for lost at this moment.
    pub lost: u64,
    /// The smallest round-trip time seen lately; `None` before the first.
    pub min_rtt_ns: Option<u64>,
    /// Of that, time limited by the receiver's window.
    pub receive_window_limited_ns: u64,
    /// The receiver's window at the end in bytes, as it advertised it; `None` from kernels before Linux 6.2.
    pub receiver_window: Option<u64>,
    /// Distance of reordering in segments that the sender now tolerates.
    pub reordering: u64,
    /// Times that reordering was seen.
    pub reordering_seen: u64,
    /// Retransmitted segments.
    pub retransmits: u64,
    /// Smoothed round-trip time, exact to a microsecond.
    pub rtt_ns: u64,
    /// Mean deviation of the round-trip time.
    pub rtt_variation_ns: u64,
    /// Bytes of payload in a full segment.
    pub segment_bytes: u64,
    /// Of that, time limited by the send buffer.
    pub send_buffer_limited_ns: u64,
    /// Slow-start threshold in segments; `None` while it has not been set.
    pub slow_start_threshold: Option<u64>,
}

/// Result of `tcp-receive`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TcpReceive {
    /// When the connection was accepted.
    pub accepted_at_ns: Option<u64>,
    /// When it began, from t = 0. The run says it; `None` from the process itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub began_ns: Option<i64>,
    /// Bytes received.
    pub bytes: u64,
    /// How it ended.
    pub ended: Ended,
    /// When the first bytes were read.
    pub first_at_ns: Option<u64>,
    /// Offset of the first byte that is not what was sent; `None` if all are right.
    pub first_difference: Option<u64>,
    /// Bits of payload per second from the first to the last bytes read; what the first read brought is left out, because
    /// it had come before the time began. `None` if one read brought all.
    pub goodput_bps: Option<u64>,
    /// Hash of the bytes received, 16 hexadecimal digits.
    pub hash: String,
    /// When what was read and when nothing was. The run takes it out, and says how long the longest silence was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heard: Option<Heard>,
    /// Bytes received per interval since the connection was accepted.
    pub intervals: Intervals,
    /// When the last bytes were read.
    pub last_at_ns: Option<u64>,
    /// When it listened.
    pub started_ns: u64,
    /// Bits of payload per second from the accepted connection to its end: slow start and waiting included.
    pub whole_bps: Option<u64>,
}

/// How a received connection ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// Nobody connected before it was told to finish.
    #[default]
    NoConnection,
    /// The sender closed after its last byte.
    Closed,
    /// It was told to finish while the connection stood.
    Stopped,
    /// The connection broke, for this reason.
    Broken(String),
}
