//! A scenario as the rest of the program sees it: checked, names resolved, every default filled in.

use core::net::IpAddr;
use std::path::PathBuf;

use indexmap::IndexMap;
use serde::Serialize;

use super::capture::Capture;
use super::expect::values::OutputValue;
use super::forward::Forward;
use super::series::SeriesSpec;
use super::sim::SimSpec;
use super::timing::TimingSpec;
use super::validity::ValiditySpec;
use crate::language::matrix::Matrix;
use crate::measured::Percentile;
use crate::topology::expand::Groups;
use crate::units::{ByteSize, Duration, Rate};

/// Everything of a scenario that is neither the engine's plan nor the hosts' side of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Scenario {
    /// What the file calls itself; else the file's name without its ending.
    pub name: String,
    /// Every random draw belongs to it.
    pub seed: u64,
    /// How long it runs; `None`: until all workloads are done.
    pub duration: Option<Duration>,
    /// The longest that a run of frames of one train may span in a live run.
    pub coalesce: Duration,
    /// Parameters as text, overrides from the command line included.
    pub params: IndexMap<String, String>,
    /// Values that a suite gives to parameters one after the other, but for those that the command line fixes.
    #[serde(skip_serializing_if = "Matrix::is_empty")]
    pub matrix: Matrix,
    /// Beyond which limits a run claims neither pass nor fail.
    pub validity: ValiditySpec,
    /// How a live run keeps time.
    pub timing: TimingSpec,
    /// What a run in virtual time is given.
    pub sim: SimSpec,
    /// How often every direction is looked at for the report.
    pub series: SeriesSpec,
    /// External machines that t = 0 waits for, in file order.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub awaited: IndexMap<String, Awaited>,
    /// Programs that run for the whole time, in file order.
    pub services: IndexMap<String, Service>,
    /// What the run is for, in file order.
    pub workloads: IndexMap<String, Workload>,
    /// Ways in from the machine.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub forward: Vec<Forward>,
    /// Names that stand for several nodes, links, services or workloads.
    #[serde(skip_serializing_if = "Groups::is_empty")]
    pub groups: Groups,
    /// The folder of the scenario file: where programs start unless they say otherwise. Empty for the current folder.
    pub folder: PathBuf,
    /// Which links leave a file of what went through them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capture: Option<Capture>,
}

/// A program in a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Program {
    /// The host it runs in: position in `NetworkPlan::hosts`.
    pub host: usize,
    /// What is run.
    pub run: Command,
    /// Environment beyond what every program gets.
    pub env: IndexMap<String, String>,
    /// Its working directory, relative to [`Scenario::folder`]; `None` for that folder itself.
    pub cwd: Option<PathBuf>,
    /// As root, not as the caller.
    pub root: bool,
}

/// What is run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// A program and its arguments; at least the program.
    Command(Vec<String>),
    /// A line for `sh -c`.
    Shell(String),
}

/// A program that runs for the whole time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Service {
    /// The program.
    pub program: Program,
    /// When it counts as ready; `None`: as soon as it has started.
    pub ready: Option<Ready>,
}

/// When a service counts as ready.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Ready {
    /// What is looked for.
    pub check: ReadyCheck,
    /// How long that may take.
    pub within: Duration,
}

/// An external machine that t = 0 waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Awaited {
    /// Who asks it, and at which address.
    pub path: Path,
    /// What it has to answer.
    pub check: AwaitedCheck,
    /// How long that may take.
    pub within: Duration,
}

/// What an external machine has to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AwaitedCheck {
    /// An echo request.
    Ping,
    /// A connection to this TCP port.
    Tcp(u16),
    /// A question for its MAC address: ARP, or neighbour discovery.
    Arp,
}

/// What is looked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReadyCheck {
    /// A listening TCP socket on this port, in the service's host.
    Tcp(u16),
    /// A bound UDP socket on this port, in the service's host.
    Udp(u16),
    /// A socket of either kind on any port, in the service's host.
    AnyPort,
    /// This text in the service's output.
    Log(String),
    /// This program, run in the service's host, exits with 0.
    Exec(Vec<String>),
}

/// One piece of work.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Workload {
    /// When it starts.
    pub start: Start,
    /// After which time it is stopped, and has failed.
    pub timeout: Option<Duration>,
    /// What it does.
    pub kind: WorkloadKind,
    /// Numbers in a program's output, by name.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub values: IndexMap<String, OutputValue>,
    /// Percentiles that expectations ask for, beside those that are measured always.
    #[serde(skip)]
    pub percentiles: Vec<Percentile>,
}

impl Workload {
    /// From where to where it sends; `None` for a program, which decides that itself.
    pub fn path(&self) -> Option<&Path> {
        match &self.kind {
            WorkloadKind::Program { .. } => None,
            WorkloadKind::Ping(ping) => Some(&ping.path),
            WorkloadKind::Udp(udp) => Some(&udp.path),
            WorkloadKind::Tcp(tcp) => Some(&tcp.path),
        }
    }

    /// The hosts in which processes of it run: positions in `NetworkPlan::hosts`.
    pub fn hosts(&self) -> impl Iterator<Item = usize> {
        let (first, second) = match &self.kind {
            WorkloadKind::Program { program, .. } => (program.host, None),
            WorkloadKind::Ping(ping) => (ping.path.from, None),
            WorkloadKind::Udp(udp) => (udp.path.from, udp.path.to),
            WorkloadKind::Tcp(tcp) => (tcp.path.from, tcp.path.to),
        };
        std::iter::once(first).chain(second)
    }

    /// Whether it moves so many bytes and then ends, however long that takes.
    pub fn is_fixed(&self) -> bool {
        matches!(&self.kind, WorkloadKind::Tcp(tcp) if matches!(tcp.amount, Amount::Bytes(_)))
    }
}

/// When a workload starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// So long after t = 0.
    At(Duration),
    /// When all of these workloads have ended.
    After(Vec<String>),
}

/// What a workload does.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkloadKind {
    /// Runs a program.
    Program {
        /// The program.
        program: Program,
        /// The exit code that counts as success.
        exit: i32,
    },
    /// Sends echo requests.
    Ping(Ping),
    /// Sends UDP datagrams at a steady pace.
    Udp(Udp),
    /// Sends over one TCP connection as fast as it goes.
    Tcp(Tcp),
}

/// From where to where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Path {
    /// The sending host: position in `NetworkPlan::hosts`. Always one that longwire makes, or a container.
    pub from: usize,
    /// The address that the sender binds to; `None` where the scenario names no interface of it.
    pub source: Option<IpAddr>,
    /// The receiving host, if `destination` is one of a host's addresses. `udp` and `tcp` always have one.
    pub to: Option<usize>,
    /// Where it goes.
    pub destination: IpAddr,
}

/// How much is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Amount {
    /// So many packets.
    Count(u64),
    /// For so long.
    For(Duration),
    /// So many bytes.
    Bytes(ByteSize),
    /// Until the scenario's duration is over.
    Whole,
}

/// Echo requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Ping {
    /// From where to where.
    pub path: Path,
    /// Time from one request to the next.
    pub every: Duration,
    /// [`Amount::Count`], [`Amount::For`] or [`Amount::Whole`].
    pub amount: Amount,
    /// ICMP payload in bytes, 16 to 65,000.
    pub size: ByteSize,
    /// A reply later than this is a lost one.
    pub timeout: Duration,
}

/// UDP datagrams.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Udp {
    /// From where to where.
    pub path: Path,
    /// How often.
    pub pace: Pace,
    /// UDP payload in bytes, 24 to 65,000.
    pub size: ByteSize,
    /// [`Amount::Count`], [`Amount::For`] or [`Amount::Whole`].
    pub amount: Amount,
    /// How long the receiver waits after the last datagram was sent.
    pub linger: Duration,
    /// How long a datagram may be on its way.
    #[serde(skip)]
    pub transit: Duration,
    /// The receiver's port; `None`: any that is free.
    pub port: Option<u16>,
    /// The receiver keeps delays by interval, because an expectation asks for those of a part of the run.
    pub delays_by_interval: bool,
}

/// How often datagrams are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Pace {
    /// One each time.
    Every(Duration),
    /// So many bits of UDP payload a second.
    Rate(Rate),
}

/// One TCP connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Tcp {
    /// From where to where: the sender connects.
    pub path: Path,
    /// [`Amount::Bytes`], [`Amount::For`] or [`Amount::Whole`].
    pub amount: Amount,
    /// The receiver's port; `None`: any that is free.
    pub port: Option<u16>,
    /// Congestion control, as in tcp(7) TCP_CONGESTION; `None`: the kernel's default.
    pub congestion: Option<String>,
    /// How long a round trip may take.
    #[serde(skip)]
    pub round_trip: Duration,
    /// Socket buffers of both sides, as in socket(7) SO_SNDBUF and SO_RCVBUF; `None`: the kernel tunes them.
    pub sockbuf: Option<ByteSize>,
}
