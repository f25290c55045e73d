//! The built-in UDP and ping workloads, between hosts that no scenario made.

use longwire::host::What;
use longwire::measured::{Part, Ping, ProcessReport, UdpReceive, UdpSend};
use longwire::workload::job::{PingJob, UdpReceiveJob, UdpSendJob};
use longwire::workload::report::Line;
use serde::Serialize;

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
    let port = match receiver.line::<Line>()? {
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
    let ProcessReport::UdpSend(sent) = result(&mut sender)? else { return Err(other("sender")) };
    receiver.tell(&format!("sent {}", sent.sent))?;
    let ProcessReport::UdpReceive(received) = result(&mut receiver)? else { return Err(other("receiver")) };
    Ok(measured(&sent, &received))
}

/// Sends one echo request from the first host to the second, and waits for the answer.
pub(crate) fn ping(hosts: &mut Hosts, timeout_ns: u64) -> Result<Ping, Stop> {
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
    match result(&mut hosts.start(NAMES[0], builtin("ping", &job)?)?)? {
        ProcessReport::Ping(ping) => Ok(*ping),
        _ => Err(other("ping")),
    }
}

fn other(name: &str) -> Stop {
    Stop::Failed(format!("the {name} reported as another workload"))
}

/// What both ends' reports say.
pub(crate) fn measured(sent: &UdpSend, received: &UdpReceive) -> Measured {
    let delay = |part| received.delay_ns.as_ref().and_then(|delay| delay.get(part));
    Measured {
        goodput_bps: received.throughput_bps.map(|bps| bps as f64),
        sent: Some(sent.sent),
        lost: Some(received.lost),
        socket_dropped: received.socket_dropped,
        delay_p50_ns: delay(Part::P50),
        delay_p99_ns: delay(Part::P99),
        ..Measured::default()
    }
}

fn builtin(name: &str, job: &impl Serialize) -> Result<What, Stop> {
    let job = serde_json::to_string(job).map_err(Stop::at("writing a job"))?;
    Ok(What::Builtin { name: name.into(), job })
}

fn result(program: &mut Running) -> Result<ProcessReport, Stop> {
    loop {
        match program.line::<Line>()? {
            Line::Result(report) => return Ok(report),
            Line::Error(why) => return Err(Stop::Failed(why)),
            Line::Ready { .. } | Line::Progress(_) => {}
        }
    }
}
