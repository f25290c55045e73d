//! What the built-in workloads are told: one job, as JSON, per process.
//!
//! Times are in nanoseconds, sizes in bytes, rates in bits per second. Fields with a default may be left out; a field
//! that is not known is an error. [`super::report`] has what they answer.

use core::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::measured::Percentile;

const fn one_second() -> u64 {
    1_000_000_000
}

const fn two_seconds() -> u64 {
    2_000_000_000
}

const fn ten_seconds() -> u64 {
    10_000_000_000
}

const fn ping_size() -> u32 {
    56
}

const fn tcp_write() -> u32 {
    128 * 1024
}

const fn yes() -> bool {
    true
}

/// `ping`: measures round-trip times with ICMP echo (RFC 792, RFC 4443). With neither `count` nor `for_ns` it goes on
/// until it is told to finish; with both, whichever ends first. At the end it waits for outstanding replies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PingJob {
    /// The address to ping, IPv4 or IPv6.
    pub to: IpAddr,
    /// The interface to send by and to hear replies from, whatever the routes say. Needed for link-local addresses.
    #[serde(default)]
    pub interface: Option<String>,
    /// The source address; by default the kernel picks it as for any program.
    #[serde(default)]
    pub source: Option<IpAddr>,
    /// Time from one request to the next, 1 ns or more; by default a second. The schedule is absolute: a request that
    /// leaves late does not delay the next. After a stall, requests whose time is past are skipped and counted, not
    /// sent in a burst.
    #[serde(default = "one_second")]
    pub every_ns: u64,
    /// Number of requests.
    #[serde(default)]
    pub count: Option<u64>,
    /// How long requests are sent. A request is due at every multiple of `every_ns` below this, the first at 0.
    #[serde(default)]
    pub for_ns: Option<u64>,
    /// Bytes of ICMP payload, 16 to 65,507; by default 56, which makes an IPv4 packet of 84 bytes.
    #[serde(default = "ping_size")]
    pub size: u32,
    /// A reply that takes longer counts as lost, and as late if it comes at all; by default two seconds.
    #[serde(default = "two_seconds")]
    pub timeout_ns: u64,
    /// Percentiles to tell beside those that are told always.
    #[serde(default)]
    pub percentiles: Vec<Percentile>,
}

/// `arp`: asks a machine on the host's own network for its MAC address, once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArpJob {
    /// The machine's address, IPv4 or IPv6.
    pub to: IpAddr,
    /// The source address; by default the kernel picks it as for any program.
    #[serde(default)]
    pub source: Option<IpAddr>,
    /// How long the answer is waited for.
    pub timeout_ns: u64,
}

/// The distance of a UDP stream's datagrams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pace {
    /// Bits of UDP payload per second, 1 or more; IP and Ethernet headers come on top. Exact over time: what does not
    /// fit into whole nanoseconds is carried on.
    RateBps(u64),
    /// Time from one datagram to the next in ns, 1 or more.
    EveryNs(u64),
}

/// `udp-send`: sends a paced stream of numbered datagrams. With neither `count` nor `for_ns` it goes on until it is told
/// to finish; with both, whichever ends first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UdpSendJob {
    /// The receiver's address.
    pub to: IpAddr,
    /// The receiver's port.
    pub port: u16,
    /// The interface to send by, whatever the routes say. Needed for link-local addresses.
    #[serde(default)]
    pub interface: Option<String>,
    /// The source address; by default the kernel picks it as for any program.
    #[serde(default)]
    pub source: Option<IpAddr>,
    /// How fast. The schedule is absolute; a sender that woke up late catches up at twice the pace, in bursts of at most
    /// 4 ms worth of datagrams (16 at least, 1,024 at most).
    pub pace: Pace,
    /// Bytes of UDP payload of each datagram, 24 to 65,507. What exceeds the MTU travels in fragments.
    pub size: u32,
    /// Number of datagrams.
    #[serde(default)]
    pub count: Option<u64>,
    /// How long datagrams are due: all that the pace puts below this time, the first at 0.
    #[serde(default)]
    pub for_ns: Option<u64>,
    /// Seed of the payload's pseudo-random bytes.
    #[serde(default)]
    pub seed: u64,
    /// The stream's number, which its datagrams carry, so that a receiver counts no other.
    pub stream: u32,
    /// Percentiles to tell beside those that are told always.
    #[serde(default)]
    pub percentiles: Vec<Percentile>,
}

/// `udp-receive`: receives a stream of `udp-send`. It ends when it is told to finish; or, once it has been told how many
/// were sent, when all of them have come or none has come for `linger_ns`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UdpReceiveJob {
    /// The address to receive on; by default every address of the host, IPv4 and IPv6.
    #[serde(default)]
    pub bind: Option<IpAddr>,
    /// The port; 0, the default, lets the kernel pick one, which the ready line tells.
    #[serde(default)]
    pub port: u16,
    /// The interface to receive from; by default any.
    #[serde(default)]
    pub interface: Option<String>,
    /// The number of the stream that is counted. Datagrams of others count as foreign.
    pub stream: u32,
    /// How long to wait for stragglers after the last arrival, once the number sent is known; by default two seconds.
    #[serde(default = "two_seconds")]
    pub linger_ns: u64,
    /// Keep delays by interval, to two digits: percentiles of a part of the run.
    #[serde(default)]
    pub delays_by_interval: bool,
    /// Percentiles to tell beside those that are told always.
    #[serde(default)]
    pub percentiles: Vec<Percentile>,
}

/// `tcp-send`: connects and sends as fast as TCP allows. With neither `bytes` nor `for_ns` it goes on until it is told to
/// finish; with both, whichever ends first. Then it closes its direction and waits until all of it has been received.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TcpSendJob {
    /// The receiver's address.
    pub to: IpAddr,
    /// The receiver's port.
    pub port: u16,
    /// The interface to send by, whatever the routes say. Needed for link-local addresses.
    #[serde(default)]
    pub interface: Option<String>,
    /// The source address; by default the kernel picks it as for any program.
    #[serde(default)]
    pub source: Option<IpAddr>,
    /// Number of bytes to send; 0 connects and closes.
    #[serde(default)]
    pub bytes: Option<u64>,
    /// How long to send, from the moment the connection stands.
    #[serde(default)]
    pub for_ns: Option<u64>,
    /// Bytes given to the kernel at once, 1 to 1 MiB; by default 128 KiB. At every full MiB of the stream a write is
    /// split in two.
    #[serde(default = "tcp_write")]
    pub write: u32,
    /// Congestion control, by the name that `net.ipv4.tcp_available_congestion_control` lists; by default the host's.
    #[serde(default)]
    pub congestion: Option<String>,
    /// Bytes of the socket's send buffer (the kernel doubles it for its bookkeeping); by default it tunes itself.
    #[serde(default)]
    pub send_buffer: Option<u32>,
    /// Whether small writes leave at once (`TCP_NODELAY`), as by default, or wait for acknowledgements (Nagle).
    #[serde(default = "yes")]
    pub nodelay: bool,
    /// How long to try to connect; by default ten seconds, which is four tries on Linux.
    #[serde(default = "ten_seconds")]
    pub connect_timeout_ns: u64,
    /// How long to wait at the end while nothing more is acknowledged; by default ten seconds.
    #[serde(default = "ten_seconds")]
    pub drain_timeout_ns: u64,
    /// Seed of the stream's pseudo-random bytes. The receiver's must be the same.
    #[serde(default)]
    pub seed: u64,
}

/// `tcp-receive`: accepts one connection and receives until its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TcpReceiveJob {
    /// The address to listen on; by default every address of the host, IPv4 and IPv6.
    #[serde(default)]
    pub bind: Option<IpAddr>,
    /// The port; 0, the default, lets the kernel pick one, which the ready line tells.
    #[serde(default)]
    pub port: u16,
    /// The interface to listen on; by default any.
    #[serde(default)]
    pub interface: Option<String>,
    /// Bytes of the socket's receive buffer (the kernel doubles it for its bookkeeping); by default it tunes itself.
    #[serde(default)]
    pub receive_buffer: Option<u32>,
    /// Congestion control of this end, for what little it sends; by default the host's.
    #[serde(default)]
    pub congestion: Option<String>,
    /// Seed of the stream's pseudo-random bytes, which every byte is checked against.
    #[serde(default)]
    pub seed: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_has_its_default() {
        let ping: PingJob = serde_json::from_str(r#"{"to":"10.0.0.2"}"#).unwrap();
        assert_eq!((ping.every_ns, ping.size, ping.timeout_ns, ping.count), (1_000_000_000, 56, 2_000_000_000, None));
        let tcp: TcpSendJob = serde_json::from_str(r#"{"to":"fd00::2","port":80}"#).unwrap();
        assert_eq!((tcp.write, tcp.nodelay, tcp.bytes), (131_072, true, None));
        let udp: UdpReceiveJob = serde_json::from_str(r#"{"stream":3}"#).unwrap();
        assert_eq!((udp.port, udp.bind, udp.linger_ns), (0, None, 2_000_000_000));
    }

    #[test]
    fn jobs_read_back_as_they_were_written() {
        let job = UdpSendJob {
            to: "fe80::1".parse().unwrap(),
            port: 5000,
            interface: Some("eth0".into()),
            source: Some("fe80::2".parse().unwrap()),
            pace: Pace::RateBps(2_000_000),
            size: 1200,
            count: Some(7),
            for_ns: None,
            seed: u64::MAX,
            stream: 9,
            percentiles: vec![Percentile::parse("p95").unwrap()],
        };
        let json = serde_json::to_string(&job).unwrap();
        assert!(json.contains(r#""pace":{"rate_bps":2000000}"#), "{json}");
        assert_eq!(serde_json::from_str::<UdpSendJob>(&json).unwrap(), job);
    }

    #[test]
    fn an_unknown_field_is_an_error() {
        let error = serde_json::from_str::<PingJob>(r#"{"to":"10.0.0.2","evry_ns":5}"#).unwrap_err();
        assert!(error.to_string().contains("evry_ns"), "{error}");
    }
}
