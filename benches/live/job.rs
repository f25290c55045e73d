//! What is measured: one traffic through one carrier, in a process of its own, and what comes of it.

use longwire::port::tap::Framing;
use longwire::workload::job::Pace;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What lies between the two hosts.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Carrier {
    /// A copy loop over two TAPs, in one thread: what a carrier costs that does nothing else.
    Raw(Raw),
    /// `longwire run` of a scenario with one link, whose fields these are.
    Longwire(Value),
    /// `longwire wire` between two veth pairs that lead to the hosts, as cables lead to network cards; with these options.
    Wire(Vec<String>),
    /// A veth pair of the kernel, with these arguments of netem at both ends.
    Veth(Option<String>),
    /// VDE: a vde_switch at each TAP, joined by wirefilter with these arguments.
    Wirefilter(Vec<String>),
}

/// A copy loop.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Raw {
    /// Plain TAPs, or the virtio-net header with all offloads.
    pub(crate) framing: Framing,
    /// How long each frame is held back.
    pub(crate) delay_ns: u64,
    /// Whether it polls without ever sleeping.
    pub(crate) spin: bool,
}

/// What the first host sends to the second.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Traffic {
    /// One connection, as fast as it goes.
    Tcp(TcpFlow),
    /// A paced stream of the built-in workload.
    Udp(UdpFlow),
}

/// One TCP connection, counted by its receiver between two instants.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct TcpFlow {
    /// From the accepted connection to the first instant.
    pub(crate) settle_ns: u64,
    /// Between the two instants.
    pub(crate) span_ns: u64,
    /// Upper limit of both sides' socket buffers (`tcp_rmem`, `tcp_wmem` of their namespaces).
    pub(crate) buffer: u64,
    /// Congestion control; by default the kernel's.
    pub(crate) congestion: Option<String>,
}

/// A stream of datagrams.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct UdpFlow {
    /// How long to wait before the first.
    pub(crate) wait_ns: u64,
    /// How far apart they are.
    pub(crate) pace: Pace,
    /// UDP payload of each, in bytes.
    pub(crate) size: u32,
    /// How long they are sent.
    pub(crate) span_ns: u64,
    /// How long the receiver waits after the last.
    pub(crate) linger_ns: u64,
}

/// One measurement to be made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) carrier: Carrier,
    pub(crate) traffic: Traffic,
}

/// What one measurement found. What a carrier or a traffic does not tell is left out.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Measured {
    /// Bits of payload per second that arrived.
    pub(crate) goodput_bps: Option<f64>,
    /// Datagrams sent.
    pub(crate) sent: Option<u64>,
    /// Datagrams sent that did not arrive.
    pub(crate) lost: Option<u64>,
    /// Of those, dropped by the receiver's own socket.
    pub(crate) socket_dropped: Option<u64>,
    /// Half the datagrams had at most this delay, by the kernel's timestamps.
    pub(crate) delay_p50_ns: Option<u64>,
    /// 99 % had.
    pub(crate) delay_p99_ns: Option<u64>,
    /// Processor time of the thread that carried the frames.
    pub(crate) cpu_ns: Option<u64>,
    /// Wire frames that it carried, both ways.
    pub(crate) frames: Option<u64>,
    /// Frames that the TAPs' rings dropped.
    pub(crate) ring_drops: Option<u64>,
    /// Why the carrier itself says that the measurement is not to be trusted.
    pub(crate) invalid: Vec<String>,
}

impl Measured {
    /// Processor time per frame carried, in ns.
    pub(crate) fn cpu_per_frame(&self) -> Option<f64> {
        Some(self.cpu_ns? as f64 / self.frames.filter(|n| *n > 0)? as f64)
    }
}

/// How a measurement ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// It was made.
    Measured(Measured),
    /// This machine lacks what it needs.
    Missing(String),
    /// It broke.
    Failed(String),
}

/// Why a measurement was not made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Stop {
    /// This machine lacks something.
    #[error("{0}")]
    Missing(String),
    /// Something broke.
    #[error("{0}")]
    Failed(String),
}

impl Stop {
    /// For `map_err`: an error, with what was being done.
    pub(crate) fn at<E: std::fmt::Display>(doing: &str) -> impl Fn(E) -> Stop {
        move |error| Stop::Failed(format!("{doing}: {error}"))
    }
}

impl From<longwire::host::HostError> for Stop {
    fn from(error: longwire::host::HostError) -> Stop {
        Stop::Failed(error.to_string())
    }
}

impl From<Result<Measured, Stop>> for Outcome {
    fn from(result: Result<Measured, Stop>) -> Outcome {
        match result {
            Ok(measured) => Outcome::Measured(measured),
            Err(Stop::Missing(what)) => Outcome::Missing(what),
            Err(Stop::Failed(why)) => Outcome::Failed(why),
        }
    }
}
