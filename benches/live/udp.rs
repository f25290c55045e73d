//! The built-in UDP and ping workloads, between hosts that no scenario made.

use longwire::host::What;
use longwire::workload::job::{PingJob, UdpReceiveJob, UdpSendJob};
use longwire::workload::report::{Line, PingReport, UdpReceiveReport, UdpSendReport};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::hosts::{ADDRESSES, Hosts, NAMES, Running};
use super::job::{Measured, Stop, UdpFlow};

/// Sends the stream from the first host to the second.
pub(crate) fn run(hosts: &mut Hosts, flow: &UdpFlow) -> Result<Measured, Stop> {
    let job = UdpReceiveJob {
        bind: Some(ADDRESSES[1]),
        port: 0,
        interface: None,
        stream: 1,
        linger_ns: flow.linger_ns,
        delays_by_interval: false,
        percentiles: Vec::new(),
    };
    let mut receiver = hosts.start(NAMES[1], builtin("udp-receive", &job)?)?;
    let port = match receiver.line::<Line<UdpReceiveReport>>()? {
        Line::Ready { port } => port,
        other => return Err(Stop::Failed(format!("the receiver is not ready: {other:?}"))),
    };
    let job = UdpSendJob {
        to: ADDRESSES[1],
        port,
        interface: None,
        source: None,
        pace: flow.pace,
        size: flow.size,
        count: None,
        for_ns: Some(flow.span_ns),
        seed: 1,
        stream: 1,
        percentiles: Vec::new(),
    };
    std::thread::sleep(std::time::Duration::from_nanos(flow.wait_ns));
    let mut sender = hosts.start(NAMES[0], builtin("udp-send", &job)?)?;
    let sent: UdpSendReport = result(&mut sender)?;
    receiver.tell(&format!("sent {}", sent.sent))?;
    Ok(measured(&sent, &result(&mut receiver)?))
}

/// Sends one echo request from the first host to the second, and waits for the answer.
pub(crate) fn ping(hosts: &mut Hosts, timeout_ns: u64) -> Result<PingReport, Stop> {
    let job = PingJob {
        to: ADDRESSES[1],
        interface: None,
        source: None,
        every_ns: timeout_ns,
        count: Some(1),
        for_ns: None,
        size: 56,
        timeout_ns,
        percentiles: Vec::new(),
    };
    result(&mut hosts.start(NAMES[0], builtin("ping", &job)?)?)
}

/// What both ends' reports say.
pub(crate) fn measured(sent: &UdpSendReport, received: &UdpReceiveReport) -> Measured {
    Measured {
        goodput_bps: received.throughput_bps.map(|bps| bps as f64),
        sent: Some(sent.sent),
        lost: Some(received.lost),
        socket_dropped: received.socket_dropped,
        delay_p50_ns: received.delay_ns.as_ref().map(|delay| delay.p50),
        delay_p99_ns: received.delay_ns.as_ref().map(|delay| delay.p99),
        ..Measured::default()
    }
}

fn builtin(name: &str, job: &impl Serialize) -> Result<What, Stop> {
    let job = serde_json::to_string(job).map_err(Stop::at("writing a job"))?;
    Ok(What::Builtin { name: name.into(), job })
}

fn result<R: DeserializeOwned>(program: &mut Running) -> Result<R, Stop> {
    loop {
        match program.line::<Line<R>>()? {
            Line::Result(report) => return Ok(report),
            Line::Error(why) => return Err(Stop::Failed(why)),
            Line::Ready { .. } | Line::Progress(_) => {}
        }
    }
}
