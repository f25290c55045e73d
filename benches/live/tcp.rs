//! The two ends of a TCP connection, as programs in the hosts. They do nothing but move bytes: checking each, as the
//! built-in workload does, would measure the check.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::socket::{setsockopt, sockopt};
use serde::{Deserialize, Serialize};

use super::job::{Stop, TcpFlow};

/// Bytes read or written at once.
const CHUNK: usize = 256 << 10;
/// How long either end waits for the other.
const PATIENCE: Duration = Duration::from_secs(10);

/// One end of a connection.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct TcpEnd {
    /// Where the receiver listens.
    pub(crate) address: SocketAddr,
    /// Whether this end sends.
    pub(crate) sends: bool,
    /// The connection.
    pub(crate) flow: TcpFlow,
}

/// What the receiver writes in the end.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Received {
    /// Bytes between the two instants.
    pub(crate) bytes: u64,
    /// Time between them.
    pub(crate) ns: u64,
}

impl Received {
    /// Bits of payload per second.
    pub(crate) fn goodput_bps(self) -> f64 {
        self.bytes as f64 * 8e9 / self.ns.max(1) as f64
    }
}

/// Plays one end.
pub(crate) fn run(end: &TcpEnd) -> Result<(), Stop> {
    for name in ["tcp_rmem", "tcp_wmem"] {
        let path = format!("/proc/sys/net/ipv4/{name}");
        let limits = format!("4096 {} {}", 131_072.min(end.flow.buffer), end.flow.buffer);
        std::fs::write(&path, limits).map_err(Stop::at(&format!("raising {path}")))?;
    }
    if end.sends { send(end) } else { receive(end) }
}

fn send(end: &TcpEnd) -> Result<(), Stop> {
    let begun = Instant::now();
    let mut stream = loop {
        match TcpStream::connect_timeout(&end.address, Duration::from_secs(1)) {
            Ok(stream) => break stream,
            // The receiver is started at the same time.
            Err(_) if begun.elapsed() < PATIENCE => std::thread::sleep(Duration::from_millis(5)),
            Err(error) => return Err(Stop::at("connecting")(error)),
        }
    };
    set_congestion(&stream, &end.flow)?;
    let chunk: Vec<u8> = (0..CHUNK).map(|n| n as u8).collect();
    loop {
        match stream.write(&chunk) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // The receiver has seen enough.
            Err(error) if matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => return Ok(()),
            Err(error) => return Err(Stop::at("sending")(error)),
        }
    }
}

fn receive(end: &TcpEnd) -> Result<(), Stop> {
    use std::os::fd::AsFd;
    let listener = TcpListener::bind(end.address).map_err(Stop::at("listening"))?;
    let patience = u16::try_from(PATIENCE.as_millis()).expect("ten seconds");
    match poll(&mut [PollFd::new(listener.as_fd(), PollFlags::POLLIN)], patience) {
        Ok(n) if n > 0 => {}
        other => return Err(Stop::Failed(format!("nobody connected ({other:?})"))),
    }
    let (mut stream, _) = listener.accept().map_err(Stop::at("accepting"))?;
    set_congestion(&stream, &end.flow)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(Stop::at("setting a time limit"))?;
    let mut buffer = vec![0; CHUNK];
    let mut until = |at: Instant| -> Result<(u64, Instant), Stop> {
        let mut bytes = 0;
        loop {
            match stream.read(&mut buffer) {
                Ok(0) => return Err(Stop::Failed("the sender closed early".into())),
                Ok(n) => bytes += n as u64,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Stop::at("receiving")(error)),
            }
            let now = Instant::now();
            if now >= at {
                return Ok((bytes, now));
            }
        }
    };
    let (_, from) = until(Instant::now() + Duration::from_nanos(end.flow.settle_ns))?;
    let (bytes, to) = until(from + Duration::from_nanos(end.flow.span_ns))?;
    super::say(&Received { bytes, ns: (to - from).as_nanos() as u64 });
    Ok(())
}

fn set_congestion(stream: &TcpStream, flow: &TcpFlow) -> Result<(), Stop> {
    let Some(name) = &flow.congestion else { return Ok(()) };
    setsockopt(stream, sockopt::TcpCongestion, &name.into()).map_err(Stop::at(&format!("using `{name}`")))
}

/// Whether the kernel offers a congestion control to everybody here.
pub(crate) fn offers(congestion: &str) -> bool {
    std::fs::read_to_string("/proc/sys/net/ipv4/tcp_available_congestion_control")
        .is_ok_and(|text| text.split_whitespace().any(|name| name == congestion))
}

/// Both ends of a flow to a receiver's address.
pub(crate) fn ends(to: IpAddr, flow: &TcpFlow) -> [TcpEnd; 2] {
    let end = |sends| TcpEnd { address: SocketAddr::new(to, 5001), sends, flow: flow.clone() };
    [end(true), end(false)]
}
