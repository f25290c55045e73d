//! Whether a machine on a host's network answers ARP (RFC 826) or IPv6 neighbour discovery (RFC 4861).
//!
//! A datagram to the discard port (RFC 863) makes the host's kernel resolve the address; the result is read from its neighbour table.
//! This needs no privileges, and works with machines that drop pings and have no open ports.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::io;
use std::net::UdpSocket;
use std::thread;
use std::time::{Duration, Instant};

use super::job::ArpJob;
use crate::host::Netlink;

/// The discard port.
const DISCARD: u16 = 9;
/// Time between two looks at the neighbour table.
const LOOK: Duration = Duration::from_millis(20);

/// Asks once; returns an exit code: 0 if the machine has answered.
pub(super) fn main(job: &str) -> i32 {
    let Ok(job) = serde_json::from_str::<ArpJob>(job) else { return 1 };
    i32::from(!answers(&job).is_ok_and(|answered| answered))
}

fn answers(job: &ArpJob) -> io::Result<bool> {
    let any = if job.to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { IpAddr::from(Ipv6Addr::UNSPECIFIED) };
    let until = Instant::now() + Duration::from_nanos(job.timeout_ns);
    let socket = UdpSocket::bind((job.source.unwrap_or(any), 0))?;
    let mut neighbours = Netlink::open().map_err(io::Error::other)?;
    socket.send_to(&[0], (job.to, DISCARD))?;
    loop {
        if neighbours.is_reachable(job.to).map_err(io::Error::other)? {
            return Ok(true);
        }
        if Instant::now() >= until {
            return Ok(false);
        }
        thread::sleep(LOOK);
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::workload::testing::in_empty_namespace;

    /// `$0`: the machine's network namespace.
    const WIRE: &str = "
        ip link add vb type veth peer name va
        ip link set va netns $0
        nsenter --net=$0 ip address add 10.0.0.2/24 dev va
        nsenter --net=$0 ip address add fd00::2/64 dev va nodad
        nsenter --net=$0 ip link set va up
        ip address add 10.0.0.1/24 dev vb
        ip address add fd00::1/64 dev vb nodad
        ip link set vb up";

    fn ask(to: &str, timeout: Duration) -> i32 {
        let timeout_ns = u64::try_from(timeout.as_nanos()).unwrap();
        main(&serde_json::to_string(&ArpJob { to: to.parse().unwrap(), source: None, timeout_ns }).unwrap())
    }

    #[test]
    fn a_machine_that_is_there_answers_by_both_families() {
        in_empty_namespace(|| {
            let machine = format!("/proc/{}/task/{}/ns/net", std::process::id(), nix::unistd::gettid());
            in_empty_namespace(|| {
                if !Command::new("sh").args(["-ec", WIRE, &machine]).status().is_ok_and(|status| status.success()) {
                    return eprintln!("skipped: `ip` or `nsenter` cannot be used");
                }
                for (there, absent) in [("10.0.0.2", "10.0.0.3"), ("fd00::2", "fd00::3")] {
                    assert_eq!(ask(absent, Duration::from_millis(200)), 1, "{absent}");
                    // the kernel needs a moment to see that the wire is up
                    assert!((0..50).any(|_| ask(there, Duration::from_millis(200)) == 0), "{there}");
                }
                assert_eq!(ask("192.0.2.1", Duration::from_secs(60)), 1, "there is no route");
            });
        });
    }
}
