//! `services:` and `workloads:` as they stand in a file.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;

use super::expect::values::ValueSpec;
use crate::language::argv::Argv;
use crate::language::spanned::{Names, Spanned};
use crate::units::{ByteSize, Duration, Rate};

/// A program that runs for the whole time; t = 0 is when all services are ready.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ServiceSpec {
    /// The host it runs in.
    #[serde(rename = "in")]
    pub host: Spanned<String>,
    /// A program and its arguments. It, or `shell`.
    pub command: Option<Spanned<Argv>>,
    /// A line for `sh -c`.
    pub shell: Option<Spanned<String>>,
    /// Environment beyond what every program gets.
    #[serde(default)]
    pub env: IndexMap<String, String>,
    /// Working directory; by default the scenario's folder.
    pub cwd: Option<String>,
    /// As root, not as the caller.
    #[serde(default)]
    pub root: bool,
    /// When it counts as ready. By default as soon as it has started.
    pub ready: Option<Spanned<ReadySpec>>,
}

/// When a service counts as ready: one of `tcp`, `udp`, `port`, `log` and `exec`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a map, as in `ready: { tcp: 80 }`,")]
pub(crate) struct ReadySpec {
    /// A listening TCP socket on this port. It is looked for, not connected to.
    pub tcp: Option<Spanned<u16>>,
    /// A bound UDP socket on this port.
    pub udp: Option<Spanned<u16>>,
    /// `any`: the first port at which anything in its host waits, a listening TCP socket or a bound UDP socket.
    pub port: Option<Spanned<AnyPort>>,
    /// This text in its output.
    pub log: Option<Spanned<String>>,
    /// This program, run in the service's host, exits with 0.
    pub exec: Option<Spanned<Argv>>,
    /// How long that may take. By default 10s.
    pub within: Option<Duration>,
}

/// Whichever port it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AnyPort {
    /// TCP or UDP, of any number.
    Any,
}

/// One piece of work: a program (`in` and `command` or `shell`), `ping`, `udp` or `tcp`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WorkloadSpec {
    /// It starts so long after t = 0.
    pub at: Option<Spanned<Duration>>,
    /// It starts when this workload, or all of these, have ended.
    pub after: Option<Spanned<Names>>,
    /// Of a group: each member starts so much later than the one before.
    #[serde(rename = "stagger")]
    _stagger: Option<Duration>,
    /// It is stopped after this time, and has failed.
    pub timeout: Option<Duration>,
    /// The host that a program runs in.
    #[serde(rename = "in")]
    pub host: Option<Spanned<String>>,
    /// A program and its arguments.
    pub command: Option<Spanned<Argv>>,
    /// A line for `sh -c`.
    pub shell: Option<Spanned<String>>,
    /// A program's environment beyond what every program gets.
    pub env: Option<Spanned<IndexMap<String, String>>>,
    /// A program's working directory; by default the scenario's folder.
    pub cwd: Option<Spanned<String>>,
    /// A program runs as root, not as the caller.
    pub root: Option<Spanned<bool>>,
    /// The exit code with which a program succeeds. By default 0.
    pub exit: Option<Spanned<u8>>,
    /// Numbers in a program's output, by name, for expectations and the report.
    pub values: Option<Spanned<IndexMap<Spanned<String>, Spanned<ValueSpec>>>>,
    /// Sends echo requests.
    pub ping: Option<Spanned<PingSpec>>,
    /// Sends UDP datagrams at a steady pace.
    pub udp: Option<Spanned<UdpSpec>>,
    /// Sends over one TCP connection as fast as it goes.
    pub tcp: Option<Spanned<TcpSpec>>,
}

/// The family of the addresses used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FamilySpec {
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
}

/// Echo requests. Without `count` and `for` they go on for the scenario's whole duration.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PingSpec {
    /// `HOST` or `HOST.INTERFACE`.
    pub from: Spanned<String>,
    /// `HOST`, `HOST.INTERFACE` or an address.
    pub to: Spanned<String>,
    /// Time from one request to the next. By default 1s.
    pub every: Option<Spanned<Duration>>,
    /// So many requests.
    pub count: Option<Spanned<u64>>,
    /// For so long.
    #[serde(rename = "for")]
    pub length: Option<Spanned<Duration>>,
    /// ICMP payload, 16B to 65000B. By default 56B.
    pub size: Option<Spanned<ByteSize>>,
    /// A reply later than this is a lost one. By default 3s, or half a second more than a round trip may take.
    pub timeout: Option<Duration>,
    /// The addresses' family. By default IPv4 where both ends have it.
    pub family: Option<Spanned<FamilySpec>>,
}

/// UDP datagrams. Without `count` and `for` they go on for the scenario's whole duration.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UdpSpec {
    /// `HOST` or `HOST.INTERFACE`.
    pub from: Spanned<String>,
    /// `HOST`, `HOST.INTERFACE` or a host's address.
    pub to: Spanned<String>,
    /// So many bits of UDP payload a second. It, or `every`.
    pub rate: Option<Spanned<Rate>>,
    /// Time from one datagram to the next.
    pub every: Option<Spanned<Duration>>,
    /// UDP payload, 24B to 65000B. By default 1200B.
    pub size: Option<Spanned<ByteSize>>,
    /// So many datagrams.
    pub count: Option<Spanned<u64>>,
    /// For so long.
    #[serde(rename = "for")]
    pub length: Option<Spanned<Duration>>,
    /// How long the receiver waits after the last datagram was sent, or came. By default 1s, or half a second more than a
    /// datagram may be on its way.
    pub linger: Option<Duration>,
    /// The receiver's port. By default any that is free.
    pub port: Option<Spanned<u16>>,
    /// The addresses' family. By default IPv4 where both ends have it.
    pub family: Option<Spanned<FamilySpec>>,
}

/// One TCP connection. Without `bytes` and `for` it goes on for the scenario's whole duration.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TcpSpec {
    /// The sender, which connects: `HOST` or `HOST.INTERFACE`.
    pub from: Spanned<String>,
    /// The receiver: `HOST`, `HOST.INTERFACE` or a host's address.
    pub to: Spanned<String>,
    /// So many bytes.
    pub bytes: Option<Spanned<ByteSize>>,
    /// For so long.
    #[serde(rename = "for")]
    pub length: Option<Spanned<Duration>>,
    /// The receiver's port. By default any that is free.
    pub port: Option<Spanned<u16>>,
    /// Congestion control, as in tcp(7): `cubic`, `reno`, `bbr`. By default the kernel's.
    pub congestion: Option<Spanned<String>>,
    /// The addresses' family. By default IPv4 where both ends have it.
    pub family: Option<Spanned<FamilySpec>>,
    /// Socket buffers of both sides. By default the kernel tunes them.
    pub sockbuf: Option<ByteSize>,
}
