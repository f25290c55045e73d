//! Workloads: programs and built-in traffic, run inside the hosts.
//!
//! The built-in ones send and receive over the host's own kernel, each in a process of its own: the supervisor forks it
//! inside the host, hands it a [`job`] as JSON, and reads [`report::Line`]s from its standard output, one JSON object a line.
//! On standard input it takes the lines `finish` (come to an end, report; said again: at once) and, for `udp-receive`,
//! `sent N`. The end of standard input says `finish`.

mod arp;
mod clock;
mod distribution;
mod echo;
mod error;
mod forward;
pub mod job;
mod pace;
mod ping;
pub mod report;
mod requests;
mod series;
mod session;
mod socket;
mod tcp;
#[cfg(test)]
mod testing;
mod udp;

use std::os::fd::{AsFd, BorrowedFd};

use serde::de::DeserializeOwned;

pub use error::Error;
use report::Line;
use session::Session;

use crate::measured::ProcessReport;
pub(crate) use udp::corrected::corrected;

/// Names of the built-in workloads, as [`main`] takes them.
pub const BUILT_IN: [&str; 5] = ["ping", "udp-send", "udp-receive", "tcp-send", "tcp-receive"];

/// Name of the built-in that relays TCP connections for `forward`; it reports nothing.
pub const FORWARD: &str = "forward";

/// Name of the built-in that asks a machine by ARP whether it is there; it reports by its exit code alone.
pub const ARP: &str = "arp";

/// Runs a built-in workload over this process's standard input and output, and returns its exit code: 0 with a result,
/// 1 with an error line, or without one if nobody reads.
pub fn main(name: &str, job_json: &str) -> i32 {
    if name == FORWARD {
        return forward::main(job_json, std::io::stdin().as_fd());
    }
    if name == ARP {
        return arp::main(job_json);
    }
    run(name, job_json, std::io::stdin().as_fd(), std::io::stdout().as_fd())
}

/// Runs a built-in workload with `input` and `output` in the place of standard input and output.
pub fn run(name: &str, job_json: &str, input: BorrowedFd<'_>, output: BorrowedFd<'_>) -> i32 {
    let outcome = match name {
        "ping" => work(name, job_json, input, output, ping::run, ProcessReport::Ping),
        "udp-send" => work(name, job_json, input, output, udp::send::run, ProcessReport::UdpSend),
        "udp-receive" => work(name, job_json, input, output, udp::receive::run, ProcessReport::UdpReceive),
        "tcp-send" => work(name, job_json, input, output, tcp::send::run, ProcessReport::TcpSend),
        "tcp-receive" => work(name, job_json, input, output, tcp::receive::run, ProcessReport::TcpReceive),
        _ => Err(Error::Unknown(name.to_owned())),
    };
    match outcome {
        Ok(()) => 0,
        Err(Error::Output(_)) => 1,
        Err(error) => {
            // If this fails too, nobody reads, and the exit code is all there is to tell.
            let _ = session::write_line(output, &Line::Error(error.to_string()));
            1
        }
    }
}

fn work<J: DeserializeOwned, R>(
    name: &str,
    job_json: &str,
    input: BorrowedFd<'_>,
    output: BorrowedFd<'_>,
    run: impl FnOnce(&J, &mut Session<'_>) -> Result<R, Error>,
    report: impl FnOnce(Box<R>) -> ProcessReport,
) -> Result<(), Error> {
    let job =
        serde_json::from_str(job_json).map_err(|e| Error::Job { workload: name.to_owned(), reason: e.to_string() })?;
    let mut session = Session::new(input, output)?;
    let measured = run(&job, &mut session)?;
    session.result(report(Box::new(measured)))
}

/// Bits per second of `bytes` in `time` ns; `None` where no time has passed.
fn rate(bytes: u64, time: u64) -> Option<u64> {
    let bits = u128::from(bytes) * 8 * 1_000_000_000;
    u64::try_from(bits.checked_div(u128::from(time))?).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::testing::Process;
    use crate::measured::Ping;

    #[test]
    fn what_cannot_run_says_so_in_one_line() {
        let error = Process::start("pong", json!({})).end::<()>().unwrap_err();
        assert!(error.contains("`pong`") && error.contains("udp-receive"), "{error}");
        let error = Process::start("ping", json!({ "to": "nowhere" })).end::<()>().unwrap_err();
        assert!(error.contains("`ping`") && error.contains("IP address"), "{error}");
        let error = Process::start("ping", json!({ "to": "127.0.0.1", "size": 1 })).end::<()>().unwrap_err();
        assert!(error.contains("`size`"), "{error}");
    }

    #[test]
    fn the_end_of_standard_input_finishes() {
        let mut ping = Process::start("ping", json!({ "to": "127.0.0.1", "every_ns": 5_000_000 }));
        let (_, writer) = std::io::pipe().unwrap();
        drop(std::mem::replace(&mut ping.control, writer));
        let report: Ping = ping.end().unwrap();
        assert_eq!(report.sent, report.received);
    }
}
