//! What the main process asks of the init that holds the hosts, and what it answers. What concerns programs is asked of the
//! processes for containers too.

use core::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::configure::InterfaceStatistics;
use super::error::{HostError, SpawnError};
use super::sockets::Transport;
use super::spawn::What;
use crate::addressing::neighbour_table::Neighbour;
use crate::addressing::network::HostPlan;
use crate::port::tap::{Framing, TapInfo};

/// A number that the main process gives to each program that it starts.
pub type ProgramId = u64;

/// A host's default routes are to go to these gateways behind one of its interfaces, at most one a family.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DefaultRoute {
    /// The host's name.
    pub host: String,
    /// The interface: position in `HostPlan::interfaces`.
    pub interface: usize,
    /// The gateways.
    pub gateways: Vec<IpAddr>,
}

/// What puts one default route of a host back: a request of rtnetlink(7).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteBefore {
    /// The host's name.
    pub(crate) host: String,
    /// The request, as it is sent.
    pub(crate) request: Vec<u8>,
    /// The route that was to come back with its interface: the interface's position, and the gateway.
    pub(crate) kept: Option<(usize, IpAddr)>,
}

/// From the main process to init, or to the process for a container. Each gets exactly one [`Reply`].
#[derive(Serialize, Deserialize)]
pub(crate) enum Request {
    /// The neighbours on a segment, for hosts that follow and refer to its number.
    Segment { number: usize, entries: Vec<Neighbour> },
    /// Make a host. The control groups of its programs come beside it.
    Build { host: Box<HostPlan>, framing: Framing },
    /// Start a program; its standard input, output and error come beside it.
    Spawn { id: ProgramId, host: String, what: What },
    /// Send a signal to a program's process group.
    Signal { id: ProgramId, signal: i32 },
    /// Look for a waiting socket.
    Listening { host: String, transport: Transport, port: Option<u16> },
    /// Set up an interface of a host that was deleted or moved away, if it is there again.
    Attach { host: String, interface: usize, framing: Framing },
    /// Read all counters.
    Statistics,
    /// Move default routes of hosts: all of these, or none.
    Routes(Vec<DefaultRoute>),
    /// Put default routes back as they were before a move.
    PutBack(Vec<RouteBefore>),
    /// Hand out a host's namespaces.
    Namespaces { host: String },
    /// Make the socket by which programs in a host reach the run, named after it.
    ControlSocket { host: String, name: String },
    /// End all programs, the hard way after this many nanoseconds; then end.
    Shutdown { grace_ns: u64 },
}

/// From init to the main process.
#[derive(Serialize, Deserialize)]
pub(crate) enum Reply {
    /// First of all: the namespaces stand.
    Ready,
    /// The segment is known.
    Noted,
    /// The host stands; its TAPs come beside it.
    Built(Vec<TapInfo>),
    /// The program runs.
    Spawned,
    /// It does not.
    NotSpawned(SpawnError),
    /// Whether there was anybody to hear the signal.
    Signalled(bool),
    /// Whether such a socket waits.
    Listening(bool),
    /// The interface is not there.
    NotThere,
    /// The interface is there again; with another TAP, that comes beside it.
    Attached { tap: Option<TapInfo> },
    /// Counters of the hosts that init made, by name; `None` where an interface is gone.
    Statistics(Vec<(String, Vec<Option<InterfaceStatistics>>)>),
    /// The default routes have moved; this is what puts them back.
    Routed(Vec<RouteBefore>),
    /// The namespaces come beside it, in the order of [`super::NamespaceFds`].
    Namespaces,
    /// The socket comes beside it.
    ControlSocket,
    /// No program is left.
    Down,
    /// It could not be done.
    Failed(HostError),
    /// Not an answer: something happened.
    Event(Event),
}

/// Something that happened in a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// A program ended.
    Exited {
        /// The number that it was started under.
        id: ProgramId,
        /// How.
        status: ExitStatus,
        /// How long its main thread was ready and waited for a processor, in ns; `None` where the kernel does not tell.
        waited_ns: Option<u64>,
    },
    /// A host's process 1 was killed, and with it all of the host's programs.
    HostEnded {
        /// The host.
        host: String,
    },
    /// An interface was deleted, or moved to another network namespace.
    InterfaceGone {
        /// The host that had it.
        host: String,
        /// Its position in `HostPlan::interfaces`.
        interface: usize,
    },
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExitStatus {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

impl ExitStatus {
    /// The code that a shell would show: 128 + n for signal n.
    pub const fn shell_code(self) -> i32 {
        match self {
            ExitStatus::Code(code) => code,
            ExitStatus::Signal(signal) => 128 + signal,
        }
    }
}
