//! What the built-in workloads are told, from what the scenario says.

use crate::host::What;
use crate::measured::Percentile;
use crate::tasks::spec::{Amount, Pace, Path, Ping, Tcp, Udp};
use crate::workload::job;
use crate::workload::job::{PingJob, TcpReceiveJob, TcpSendJob, UdpReceiveJob, UdpSendJob};

pub(super) fn receiver(path: &Path) -> usize {
    path.to.expect("the checks have found the receiving host of udp and tcp")
}

pub(super) fn route(path: &Path, hosts: &[String]) -> String {
    let to = path.to.map_or_else(|| path.destination.to_string(), |host| hosts[host].clone());
    format!("{} → {to}", hosts[path.from])
}

pub(in super::super) fn builtin<J: serde::Serialize>(name: &str, job: &J) -> What {
    What::Builtin { name: name.into(), job: serde_json::to_string(job).expect("jobs are plain data") }
}

fn count(amount: Amount) -> Option<u64> {
    if let Amount::Count(n) = amount { Some(n) } else { None }
}

fn for_ns(amount: Amount) -> Option<u64> {
    if let Amount::For(time) = amount { Some(time.as_nanos()) } else { None }
}

fn bytes_u32(size: crate::units::ByteSize) -> u32 {
    u32::try_from(size.as_bytes()).unwrap_or(u32::MAX)
}

pub(super) fn ping_job(ping: &Ping, percentiles: &[Percentile]) -> PingJob {
    PingJob {
        to: ping.path.destination,
        interface: None,
        source: ping.path.source,
        every_ns: ping.every.as_nanos(),
        count: count(ping.amount),
        for_ns: for_ns(ping.amount),
        size: bytes_u32(ping.size),
        timeout_ns: ping.timeout.as_nanos(),
        percentiles: percentiles.to_vec(),
    }
}

pub(super) fn udp_receive_job(udp: &Udp, number: u32, percentiles: &[Percentile]) -> UdpReceiveJob {
    UdpReceiveJob {
        bind: Some(udp.path.destination),
        port: udp.port.unwrap_or(0),
        interface: None,
        stream: number,
        linger_ns: udp.linger.as_nanos(),
        delays_by_interval: udp.delays_by_interval,
        percentiles: percentiles.to_vec(),
    }
}

pub(super) fn udp_send_job(udp: &Udp, port: u16, (number, seed): (u32, u64), percentiles: &[Percentile]) -> UdpSendJob {
    UdpSendJob {
        to: udp.path.destination,
        port,
        interface: None,
        source: udp.path.source,
        pace: match udp.pace {
            Pace::Every(time) => job::Pace::EveryNs(time.as_nanos()),
            Pace::Rate(rate) => job::Pace::RateBps(rate.as_bps()),
        },
        size: bytes_u32(udp.size),
        count: count(udp.amount),
        for_ns: for_ns(udp.amount),
        seed,
        stream: number,
        percentiles: percentiles.to_vec(),
    }
}

pub(super) fn tcp_receive_job(tcp: &Tcp, seed: u64) -> TcpReceiveJob {
    TcpReceiveJob {
        bind: Some(tcp.path.destination),
        port: tcp.port.unwrap_or(0),
        interface: None,
        receive_buffer: tcp.sockbuf.map(bytes_u32),
        congestion: tcp.congestion.clone(),
        seed,
    }
}

pub(super) fn tcp_send_job(tcp: &Tcp, port: u16, seed: u64) -> TcpSendJob {
    let defaults: TcpSendJob = serde_json::from_value(serde_json::json!({ "to": tcp.path.destination, "port": port }))
        .expect("the rest has defaults");
    TcpSendJob {
        interface: None,
        source: tcp.path.source,
        bytes: if let Amount::Bytes(bytes) = tcp.amount { Some(bytes.as_bytes()) } else { None },
        for_ns: for_ns(tcp.amount),
        congestion: tcp.congestion.clone(),
        send_buffer: tcp.sockbuf.map(bytes_u32),
        seed,
        connect_timeout_ns: defaults.connect_timeout_ns.saturating_add(tcp.round_trip.as_nanos()),
        drain_timeout_ns: defaults.drain_timeout_ns.saturating_add(tcp.round_trip.as_nanos()),
        ..defaults
    }
}
