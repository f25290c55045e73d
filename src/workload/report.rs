//! What the built-in workloads answer: lines of JSON on standard output, the last one with the result.
//!
//! Times are in nanoseconds; those called `…_at_ns` and `started_ns` are points on `CLOCK_MONOTONIC`, which all processes
//! of a machine share, so that reports can be laid side by side.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use super::histogram::Percentiles;
pub use super::series::{Interval, Intervals};
pub use super::silence::{Gap, Heard};
use crate::report::histogram::Histogram;

/// One line of standard output. `R` is the report that the workload ends with, or `serde_json::Value` for any.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line<R> {
    /// A receiver is bound or listens; what is sent from now on is heard.
    Ready {
        /// The port, also where the job left it to the kernel.
        port: u16,
    },
    /// How far it is, about once a second. Left out where nobody reads fast enough.
    Progress(Progress),
    /// The result; the last line of a workload that did its job.
    Result(R),
    /// Why there is no result, in one sentence with what to do about it; the last line, with exit code 1.
    Error(String),
}

/// How far a workload is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// When this was so.
    pub at_ns: u64,
    /// Requests or datagrams sent so far; 0 for receivers.
    pub sent: u64,
    /// Replies or datagrams received so far, each once; 0 for senders.
    pub received: u64,
    /// Bytes of payload sent or received so far.
    pub bytes: u64,
}

/// Result of `ping`. `sent = received + lost + pending`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PingReport {
    /// When the first request was due.
    pub started_ns: u64,
    /// From then to the end, waiting for the last replies included.
    pub duration_ns: u64,
    /// Requests whose time came, including those that this host's kernel refused.
    pub sent: u64,
    /// Of those, requests that this host's kernel refused: no route, no carrier.
    pub unsent: u64,
    /// Requests answered in time.
    pub received: u64,
    /// Requests not answered in time, including `late` and `unsent`.
    pub lost: u64,
    /// Requests neither answered nor overdue when it had to stop at once.
    pub pending: u64,
    /// Requests that were answered, but later than the timeout.
    pub late: u64,
    /// Replies beyond the first to the same request.
    pub duplicates: u64,
    /// Requests that were never sent because this process was stalled when they were due.
    pub skipped: u64,
    /// Errors that the kernel reported for requests, with their numbers: "No route to host" and the like.
    pub errors: BTreeMap<String, u64>,
    /// Round-trip times of answered requests: from before the request was given to the kernel to the kernel's receive
    /// timestamp of the reply. This process's own wake-up delay is not in it, and it never reads short.
    pub rtt_ns: Option<Percentiles>,
    /// How long replies lay in the socket before this process read them.
    pub wakeup_ns: Option<Percentiles>,
    /// Each request: when it was sent, in ns since `started_ns`, and its round-trip time if it was answered in time. The
    /// first 100,000.
    pub samples: Vec<(u64, Option<u64>)>,
    /// Requests beyond those in `samples`.
    pub samples_omitted: u64,
    /// The longest silence: no answer came in time, from the first request to the last, each later by the quickest round trip.
    /// `None` where no request was sent.
    #[serde(default)]
    pub gap: Option<Gap>,
}

/// Result of `udp-send`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct UdpSendReport {
    /// When the first datagram was due.
    pub started_ns: u64,
    /// From then to the last datagram sent.
    pub duration_ns: u64,
    /// Datagrams that `count` and `for_ns` ask for; `None` without either.
    pub planned: Option<u64>,
    /// Sequence numbers used: datagrams sent, including those that this host's kernel refused. This is the N of the
    /// receiver's control line `sent N`.
    pub sent: u64,
    /// Of those, datagrams that this host's kernel refused: no route, no carrier.
    pub unsent: u64,
    /// Planned datagrams that were not sent, because it was told to finish, or was more than a second behind at the end.
    pub skipped: u64,
    /// Bytes of UDP payload in `sent − unsent`.
    pub bytes: u64,
    /// Bits of UDP payload per second from the start to the last datagram, the last one's own bits left out, so that an
    /// undisturbed stream shows its nominal rate, and none shows more. `None` where no time has passed.
    pub rate_bps: Option<u64>,
    /// How often the socket's send buffer was full (EAGAIN). The datagram was sent later, with the same number.
    pub blocked: u64,
    /// How often the kernel was out of buffers (ENOBUFS). The datagram was sent later, with the same number.
    pub no_buffers: u64,
    /// Errors that the kernel reported, with their numbers: "Connection refused" means that an ICMP error came back.
    pub errors: BTreeMap<String, u64>,
    /// How much later than due datagrams were given to the kernel.
    pub lateness_ns: Option<Percentiles>,
    /// Datagrams given to the kernel per interval since `started_ns`, by sequence number: their sum up to an interval is
    /// the first number sent in it.
    pub intervals: Intervals,
}

/// Result of `udp-receive`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct UdpReceiveReport {
    /// When it was ready.
    pub started_ns: u64,
    /// When the first datagram arrived, by the kernel's timestamp.
    pub first_at_ns: Option<u64>,
    /// When the last datagram arrived.
    pub last_at_ns: Option<u64>,
    /// Datagrams of the stream, duplicates included.
    pub received: u64,
    /// Different datagrams of the stream.
    pub unique: u64,
    /// Datagrams whose number had come before.
    pub duplicates: u64,
    /// Bytes of UDP payload of `received`.
    pub bytes: u64,
    /// Datagrams that are not of this stream, or too short to tell.
    pub foreign: u64,
    /// The number sent, if it was told.
    pub sent: Option<u64>,
    /// Datagrams that did not come: of those sent if that was told, else of those numbered below the highest that came. In
    /// a run's report without those `inside`.
    pub lost: u64,
    /// Datagrams that had not come, and may still have been on their way when it stopped listening: they had been sent less
    /// than the slowest transit of their path before. Only the run knows; 0 from the receiver itself.
    #[serde(default)]
    pub inside: u64,
    /// When it stopped listening.
    #[serde(default)]
    pub until_ns: Option<u64>,
    /// Datagrams that came after one with a higher number (RFC 4737 §3.3: number below the next expected).
    pub reordered: u64,
    /// The largest reordering extent (RFC 4737 §4.2.1): how many different datagrams before it had come since the first
    /// that overtook it, that one included.
    pub reorder_extent_max: u64,
    /// Interarrival jitter; `None` for fewer than two datagrams.
    pub jitter_ns: Option<Jitter>,
    /// One-way delays, from the sender's clock reading before the datagram was given to the kernel to the receive
    /// timestamp of the kernel; of first copies. Never reads short.
    pub delay_ns: Option<Percentiles>,
    /// The same delays in bins; `None` where no two differ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_histogram: Option<Histogram>,
    /// How long datagrams lay in the socket before this process read them.
    pub wakeup_ns: Option<Percentiles>,
    /// Bits of UDP payload per second from the first to the last arrival, the first datagram's own bits left out.
    pub throughput_bps: Option<u64>,
    /// Datagrams that this receiver's own socket dropped because its buffer was full: lost here, not in the network.
    /// `None` where the kernel does not tell.
    pub socket_dropped: Option<u64>,
    /// Datagrams with a wrong UDP checksum that the host's kernel dropped meanwhile, for any of its sockets. `None` where
    /// /proc/self/net cannot be read.
    pub checksum_errors: Option<u64>,
    /// Bytes of the socket's receive buffer as the kernel counts them.
    pub receive_buffer: u64,
    /// The numbers that did not come, as ranges (first, last), both included; the first 10,000 ranges.
    pub missing: Vec<(u64, u64)>,
    /// Ranges beyond those in `missing`.
    pub missing_omitted: u64,
    /// Arrivals (duplicates included) and delays of first copies, per interval since `started_ns`.
    pub intervals: Intervals,
    /// First copies in the order of arrival: when each arrived, since `started_ns`, and its delay; the first 100,000. The
    /// run takes them out, once the lateness of each has been reckoned with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub samples: Vec<(u64, u64)>,
    /// When nothing arrived. The run takes it out, and says how long the longest silence was.
    #[serde(default)]
    pub heard: Heard,
}

/// Interarrival jitter of RFC 3550 §6.4.1, in the integer arithmetic of its appendix A.8, over first copies in the order
/// of arrival.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jitter {
    /// After the last datagram: what an RTP receiver would have reported.
    pub last: u64,
    /// Mean over all datagrams.
    pub mean: u64,
    /// The highest value that it reached.
    pub max: u64,
}

/// Result of `tcp-send`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TcpSendReport {
    /// When the connection was begun.
    pub started_ns: u64,
    /// From then until it stood: one round trip, or more if a SYN was lost.
    pub connect_ns: u64,
    /// From the established connection to the receiver's close, or to the end without one.
    pub duration_ns: u64,
    /// Bytes given to the kernel.
    pub bytes: u64,
    /// Hash of those bytes, 16 hexadecimal digits; the receiver's is the same if it got the same bytes.
    pub hash: String,
    /// Whether the receiver got everything and closed.
    pub complete: bool,
    /// What broke the connection, if something did.
    pub broken: Option<String>,
    /// The congestion control that was used.
    pub congestion: String,
    /// What the kernel says about the connection at its end; `None` if it does not.
    pub tcp: Option<TcpInfo>,
    /// Bytes given to the kernel per interval since the connection stood.
    pub intervals: Intervals,
}

/// What the sender's kernel says about a connection (`TCP_INFO`, linux/tcp.h). Counts are of segments unless they say
/// bytes; they start at the connection's start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TcpInfo {
    /// Segments sent again.
    pub retransmits: u64,
    /// Payload bytes sent again.
    pub bytes_retransmitted: u64,
    /// Payload bytes sent, repetitions included.
    pub bytes_sent: u64,
    /// Payload bytes acknowledged.
    pub bytes_acked: u64,
    /// Segments the sender holds for lost at this moment.
    pub lost: u64,
    /// Segments delivered, as acknowledged or selectively acknowledged.
    pub delivered: u64,
    /// Of those, acknowledged with an ECN congestion mark.
    pub delivered_ce: u64,
    /// Times that reordering was seen.
    pub reordering_seen: u64,
    /// Distance of reordering in segments that the sender now tolerates.
    pub reordering: u64,
    /// Duplicate segments that the receiver reported (DSACK): repeated without need.
    pub dsack_duplicates: u64,
    /// Smoothed round-trip time, exact to a microsecond.
    pub rtt_ns: u64,
    /// Its mean deviation.
    pub rtt_variation_ns: u64,
    /// The smallest round-trip time seen lately; `None` before the first.
    pub min_rtt_ns: Option<u64>,
    /// Congestion window in segments.
    pub congestion_window: u64,
    /// Slow-start threshold in segments; `None` while it has not been set.
    pub slow_start_threshold: Option<u64>,
    /// Bytes of payload in a full segment.
    pub segment_bytes: u64,
    /// The kernel's latest estimate of the delivery rate in bits per second.
    pub delivery_rate_bps: u64,
    /// Time with data outstanding.
    pub busy_ns: u64,
    /// Of that, time limited by the receiver's window.
    pub receive_window_limited_ns: u64,
    /// Of that, time limited by the send buffer.
    pub send_buffer_limited_ns: u64,
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

/// Result of `tcp-receive`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TcpReceiveReport {
    /// When it listened.
    pub started_ns: u64,
    /// When the connection was accepted.
    pub accepted_at_ns: Option<u64>,
    /// When the first bytes were read.
    pub first_at_ns: Option<u64>,
    /// When the last bytes were read.
    pub last_at_ns: Option<u64>,
    /// Bytes received.
    pub bytes: u64,
    /// Hash of those bytes, 16 hexadecimal digits.
    pub hash: String,
    /// Offset of the first byte that is not what was sent; `None` if all are right.
    pub first_difference: Option<u64>,
    /// Bits of payload per second from the first to the last bytes read; what the first read brought is left out, because
    /// it had come before the time began. `None` if one read brought all.
    pub goodput_bps: Option<u64>,
    /// Bits of payload per second from the accepted connection to its end: slow start and waiting included.
    pub whole_bps: Option<u64>,
    /// How it ended.
    pub ended: Ended,
    /// Bytes received per interval since the connection was accepted.
    pub intervals: Intervals,
    /// When nothing was read. The run takes it out, and says how long the longest silence was.
    #[serde(default)]
    pub heard: Heard,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_look_as_documented() {
        let ready: Line<PingReport> = Line::Ready { port: 80 };
        assert_eq!(serde_json::to_string(&ready).unwrap(), r#"{"ready":{"port":80}}"#);
        let error: Line<PingReport> = Line::Error("no".into());
        assert_eq!(serde_json::to_string(&error).unwrap(), r#"{"error":"no"}"#);
        let any: Line<serde_json::Value> = serde_json::from_str(r#"{"result":{"bytes":3}}"#).unwrap();
        assert_eq!(any, Line::Result(serde_json::json!({ "bytes": 3 })));
    }

    #[test]
    fn reports_read_back_as_they_were_written() {
        let report = UdpReceiveReport {
            sent: Some(u64::MAX),
            missing: vec![(3, 5)],
            jitter_ns: Some(Jitter { last: 1, mean: 2, max: 3 }),
            intervals: Intervals {
                width_ns: 1,
                list: vec![Interval { frames: 1, mean_ns: Some(2), ..Interval::default() }],
            },
            ..UdpReceiveReport::default()
        };
        let json = serde_json::to_string(&Line::Result(report.clone())).unwrap();
        assert_eq!(serde_json::from_str::<Line<UdpReceiveReport>>(&json).unwrap(), Line::Result(report));
        let tcp = TcpReceiveReport { ended: Ended::Broken("reset".into()), ..TcpReceiveReport::default() };
        let json = serde_json::to_string(&tcp).unwrap();
        assert_eq!(serde_json::from_str::<TcpReceiveReport>(&json).unwrap(), tcp);
    }
}
