//! `ping`: round-trip times by ICMP echo, from the send call to the kernel's receive timestamp.

use std::io::IoSliceMut;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::poll::PollFlags;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockProtocol, SockType, SockaddrStorage, recvmsg, sockopt};
use nix::sys::time::TimeSpec;
use xxhash_rust::xxh3::xxh3_64;

use super::clock::{Reading, ReceiveClock, now, timestamp};
use super::distribution::Distribution;
use super::echo::{Echo, HEADER, MARK};
use super::error::Error;
use super::job::PingJob;
use super::report::Progress;
use super::requests::Requests;
use super::session::Session;
use super::socket::{self, Peer};
use crate::measured::Ping;

/// Time that the kernel gets to switch receive timestamps on, 5 ms in ns: it does so in the background for the first
/// socket of a machine that asks, and until then a packet is stamped when it is read.
const SETTLE: u64 = 5_000_000;
/// Replies read between two looks at the clock and the control lines.
const BATCH: usize = 64;

fn check(job: &PingJob) -> Result<(), Error> {
    if !(MARK as u32..=65_507).contains(&job.size) {
        return Err(Error::value("size", format!("{} bytes do not fit: give 16 to 65,507", job.size)));
    }
    if job.every_ns == 0 {
        return Err(Error::value("every_ns", "requests need some time between them: give 1 or more"));
    }
    if job.timeout_ns == 0 {
        return Err(Error::value("timeout_ns", "no reply comes in no time: give 1 or more"));
    }
    if job.to.is_multicast() || job.to.is_unspecified() {
        return Err(Error::value("to", format!("{} is not the address of one host", job.to)));
    }
    Ok(())
}

/// An ICMP socket, and whether it is a raw one.
fn open(job: &PingJob, raw_only: bool) -> Result<(OwnedFd, bool), Error> {
    let family = socket::family(job.to);
    let protocol = if job.to.is_ipv4() { SockProtocol::Icmp } else { SockProtocol::IcmpV6 };
    let refused = if raw_only {
        Errno::EACCES
    } else {
        match socket::open(family, SockType::Datagram, Some(protocol)) {
            Ok(fd) => return Ok((fd, false)),
            Err(errno) => errno,
        }
    };
    // As root in a namespace whose net.ipv4.ping_group_range is empty, as it is by default.
    match socket::open(family, SockType::Raw, Some(protocol)) {
        Ok(fd) => Ok((fd, true)),
        Err(_) => Err(Error::system(
            "opening an ICMP socket",
            "set net.ipv4.ping_group_range to hold this group, or run with CAP_NET_RAW",
        )(refused)),
    }
}

/// Runs the job to its end.
pub(super) fn run(job: &PingJob, session: &mut Session<'_>) -> Result<Ping, Error> {
    check(job)?;
    let opened = open(job, false)?;
    run_over(job, session, opened)
}

fn run_over(job: &PingJob, session: &mut Session<'_>, (fd, raw): (OwnedFd, bool)) -> Result<Ping, Error> {
    let v6 = job.to.is_ipv6();
    let to = socket::address(job.to, 0, job.interface.as_deref())?;
    socket::bind_sender(&fd, job.to, job.interface.as_deref(), job.source)?;
    socket::set(&fd, sockopt::ReceiveTimestampns, &true, "asking for receive timestamps", "use Linux 5.1 or later")?;
    socket::receive_buffer(&fd, 4 << 20);
    let mut peer = Peer::new(fd, to);
    let mut clock = ReceiveClock::new(Reading::take());

    let started = now() + SETTLE;
    let token = xxh3_64(&[started.to_le_bytes(), u64::from(std::process::id()).to_le_bytes()].concat());
    let mut message: Vec<u8> = (0..HEADER + job.size as usize).map(|i| i as u8).collect();
    let mut buffer = vec![0; 65_536];
    let mut control = nix::cmsg_space!(TimeSpec);
    let mut requests = Requests::new(job.timeout_ns, started);
    let mut wakeup = Distribution::of_lateness();
    // The slot of the schedule that comes next; slots that were skipped count too.
    let mut slot: u64 = 0;

    loop {
        let at = now();
        let due = started.saturating_add(slot.saturating_mul(job.every_ns));
        let over = job.for_ns.is_some_and(|time| due - started >= time);
        let sending = !session.finishing() && !over && job.count.is_none_or(|count| requests.report.sent < count);
        if sending && at >= due {
            let number = requests.report.sent;
            let echo = Echo { id: token as u16, token, number };
            let mut sent_at = at;
            // The message is complete before the clock is read, which is the last thing before the call.
            echo.write(v6, &mut message);
            let outcome = peer.send(&mut message, |_| sent_at = now());
            requests.sent(sent_at, outcome.is_err());
            if let Err(errno @ (Errno::EAGAIN | Errno::ENOBUFS)) = outcome {
                peer.note(errno);
            }
            slot += 1;
            // No bursts after a stall: slots that have passed as a whole are left out.
            let mut passed = sent_at.saturating_sub(due) / job.every_ns;
            if let Some(time) = job.for_ns {
                passed = passed.min(time.div_ceil(job.every_ns).saturating_sub(slot));
            }
            slot += passed;
            requests.report.skipped += passed;
        }
        // Before any request is given up, replies that lie in the socket are counted by their own time.
        for _ in 0..BATCH {
            match receive(&peer, &mut buffer, &mut control) {
                Ok((length, stamp)) => {
                    let reading = Reading::take();
                    let Some(echo) = Echo::read(v6, raw && !v6, &buffer[..length]).filter(|e| e.token == token) else {
                        continue;
                    };
                    if echo.number >= requests.report.sent {
                        continue;
                    }
                    let earliest = requests.sent_at(echo.number).unwrap_or(started);
                    let arrived = stamp.map_or(reading.after(), |stamp| clock.received(stamp, earliest, reading));
                    wakeup.record(reading.after().saturating_sub(arrived));
                    requests.replied(echo.number, arrived);
                }
                Err(Errno::EAGAIN) => break,
                Err(Errno::EINTR) => {}
                Err(errno) => peer.note(errno),
            }
        }
        let expires = requests.expire(at);
        let sending = sending && job.count.is_none_or(|count| requests.report.sent < count);
        let due = started.saturating_add(slot.saturating_mul(job.every_ns));
        if session.at_once() || (!sending && requests.waiting == 0) {
            break;
        }
        let report = &requests.report;
        session.progress(at, || Progress {
            at_ns: at,
            sent: report.sent,
            received: report.received,
            bytes: report.sent * u64::from(job.size),
        })?;
        let deadline = [sending.then_some(due), expires].into_iter().flatten().min();
        let woken = session.wait(Some((peer.fd(), PollFlags::POLLIN)), deadline, at)?;
        if woken.input {
            session.commands(|_| {})?;
        }
    }
    let mut report = requests.finish(now(), &job.percentiles);
    report.errors = peer.errors;
    report.wakeup_ns = wakeup.times(&job.percentiles);
    Ok(report)
}

/// Reads one packet: its length, and the kernel's timestamp.
fn receive(peer: &Peer, buffer: &mut [u8], control: &mut [u8]) -> Result<(usize, Option<i64>), Errno> {
    let mut parts = [IoSliceMut::new(buffer)];
    let message = recvmsg::<SockaddrStorage>(peer.fd().as_raw_fd(), &mut parts, Some(control), MsgFlags::MSG_DONTWAIT)?;
    let stamp = message.cmsgs()?.find_map(|c| match c {
        ControlMessageOwned::ScmTimestampns(time) => Some(timestamp(time)),
        _ => None,
    });
    Ok((message.bytes, stamp))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measured::Part;
    use crate::workload::testing::{Process, in_empty_namespace, job, run_with, run_with_control};

    const MS: u64 = 1_000_000;

    fn ping(json: &str) -> PingJob {
        job(json)
    }

    #[test]
    fn loopback_answers_every_request_of_both_families() {
        for to in ["127.0.0.1", "::1"] {
            let job =
                ping(&format!(r#"{{"to":"{to}","every_ns":2000000,"count":20,"interface":"lo","source":"{to}"}}"#));
            let report: Ping = run_with(|s| run(&job, s)).unwrap();
            assert_eq!((report.sent, report.received, report.lost, report.pending), (20, 20, 0, 0), "{to}");
            assert_eq!((report.duplicates, report.late, report.errors.len()), (0, 0, 0));
            let rtt = report.rtt_ns.unwrap();
            assert!(rtt.get(Part::Count) == Some(20) && rtt.min() > 0 && rtt.max() < 2000 * MS, "{rtt:?}");
            assert!(report.samples.windows(2).all(|w| w[1].0 > w[0].0), "{:?}", report.samples);
            assert!(report.samples.iter().all(|(_, rtt)| rtt.is_some()));
        }
    }

    #[test]
    fn raw_sockets_do_the_same() {
        for to in ["127.0.0.1", "::1"] {
            let job = ping(&format!(r#"{{"to":"{to}","every_ns":1000000,"count":10,"size":16}}"#));
            let opened = match open(&job, true) {
                Ok(opened) => opened,
                Err(error) => return eprintln!("skipped: {error}"),
            };
            let report: Ping = run_with(|s| run_over(&job, s, opened)).unwrap();
            assert_eq!((report.sent, report.received, report.duplicates), (10, 10, 0), "{to}");
        }
    }

    #[test]
    fn datagram_sockets_do_the_same_where_the_group_may() {
        let outcome = in_empty_namespace(|| {
            let up = std::process::Command::new("ip").args(["link", "set", "lo", "up"]).status();
            // Both are this thread's namespace's.
            let allowed = std::fs::write("/proc/sys/net/ipv4/ping_group_range", "0 2147483647");
            if !up.is_ok_and(|status| status.success()) || allowed.is_err() {
                eprintln!("skipped: `ip` or /proc/sys/net/ipv4/ping_group_range cannot be used");
                return;
            }
            for to in ["127.0.0.1", "::1"] {
                let job = ping(&format!(r#"{{"to":"{to}","every_ns":1000000,"count":10,"size":2000}}"#));
                let opened = open(&job, false).unwrap();
                assert!(!opened.1, "not a raw socket");
                let report: Ping = run_with(|s| run_over(&job, s, opened)).unwrap();
                assert_eq!((report.sent, report.received, report.duplicates), (10, 10, 0), "{to}");
                assert!(report.wakeup_ns.is_some_and(|w| w.get(Part::Count) == Some(10)));
            }
        });
        outcome.unwrap_or_default();
    }

    #[test]
    fn the_schedule_says_how_many() {
        let job = ping(r#"{"to":"127.0.0.1","every_ns":10000000,"for_ns":95000000}"#);
        let report: Ping = run_with(|s| run(&job, s)).unwrap();
        assert_eq!(report.sent + report.skipped, 10);
        assert_eq!(report.received, report.sent);
        for (n, (at, _)) in report.samples.iter().enumerate() {
            assert!(*at >= n as u64 * 10 * MS, "request {n} left at {at}, before its time");
        }
    }

    #[test]
    fn finish_waits_for_what_is_under_way() {
        let job = ping(r#"{"to":"127.0.0.1","every_ns":5000000}"#);
        let report: Ping = run_with_control(&[(30, "finish\n")], |s| run(&job, s)).unwrap();
        assert_eq!((report.received, report.pending), (report.sent, 0));
    }

    #[test]
    fn silence_is_loss_and_told_twice_it_stops_at_once() {
        // Over the loopback interface, where nobody has this address.
        let job = ping(r#"{"to":"192.0.2.1","interface":"lo","every_ns":1000000,"count":3,"timeout_ns":20000000}"#);
        let report: Ping = run_with(|s| run(&job, s)).unwrap();
        assert_eq!((report.sent, report.received, report.lost), (3, 0, 3));
        assert_eq!(report.rtt_ns, None);
        let job = ping(r#"{"to":"127.0.0.1","every_ns":3600000000000,"source":"127.0.0.2"}"#);
        let report: Ping = run_with_control(&[(20, "finish\nfinish\n")], |s| run(&job, s)).unwrap();
        assert_eq!(report.sent, report.received + report.lost + report.pending);
    }

    #[test]
    fn a_host_without_a_way_out_refuses_until_there_is_one() {
        let job = r#"{"to":"127.0.0.1","every_ns":2000000}"#;
        let outcome = in_empty_namespace(move || {
            let job: PingJob = ping(job);
            let mut ping = Process::start("ping", serde_json::to_value(&job).unwrap());
            ping.progress(|p| p.sent > 0);
            let up = std::process::Command::new("ip").args(["link", "set", "lo", "up"]).status();
            let up = up.is_ok_and(|status| status.success());
            if up {
                // It goes on as soon as there is a way.
                ping.progress(|p| p.received > 0);
            }
            ping.say("finish");
            (up, ping.end::<Ping>().unwrap())
        });
        let Some((up, report)) = outcome else { return };
        assert!(report.unsent > 0 && report.errors["Network is unreachable"] >= report.unsent, "{report:?}");
        assert_eq!(report.sent, report.received + report.lost);
        if up {
            assert!(report.received > 0, "{report:?}");
        } else {
            eprintln!("skipped in part: `ip` cannot bring lo up");
        }
    }

    #[test]
    fn values_that_cannot_be_carried_out_are_told() {
        for (json, word) in [
            (r#"{"to":"127.0.0.1","size":15}"#, "size"),
            (r#"{"to":"127.0.0.1","size":65508}"#, "size"),
            (r#"{"to":"127.0.0.1","every_ns":0}"#, "every_ns"),
            (r#"{"to":"127.0.0.1","timeout_ns":0}"#, "timeout_ns"),
            (r#"{"to":"224.0.0.1"}"#, "to"),
            (r#"{"to":"127.0.0.1","interface":"nosuchif0"}"#, "nosuchif0"),
            (r#"{"to":"127.0.0.1","source":"192.0.2.77"}"#, "192.0.2.77"),
        ] {
            let job = ping(json);
            let error = run_with(|s| run(&job, s)).map(|_: Ping| ()).unwrap_err().to_string();
            assert!(error.contains(word), "{json}: {error}");
        }
    }
}
