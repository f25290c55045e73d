//! `udp-send`: a paced stream of numbered datagrams.

use core::num::NonZeroU64;

use nix::errno::Errno;
use nix::poll::PollFlags;
use nix::sys::socket::{SockType, setsockopt, sockopt};
use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::super::clock::now;
use super::super::distribution::Distribution;
use super::super::error::Error;
use super::super::job::{Pace, UdpSendJob};
use super::super::pace::{Pacer, Spacing, Step};
use super::super::report::Progress;
use super::super::series::Series;
use super::super::session::Session;
use super::super::socket::{self, Peer};
use super::datagram::{HEAD, Head, LARGEST};
use crate::measured::UdpSend;
use crate::units::Rate;

/// How long after `for_ns` a late sender still sends what is due, 1 s in ns.
const OVERRUN: u64 = 1_000_000_000;
/// Time between two looks at the control lines while there is no time to wait, 5 ms in ns.
const LOOK: u64 = 5_000_000;
/// Pause after the kernel was out of buffers, 100 µs in ns.
const BREATH: u64 = 100_000;
/// Send buffer: a burst, without ever filling it.
const SEND_BUFFER: usize = 4 << 20;

fn spacing(job: &UdpSendJob) -> Result<Spacing, Error> {
    if !(HEAD as u32..=LARGEST).contains(&job.size) {
        return Err(Error::value("size", format!("{} bytes do not fit: give 24 to 65,507", job.size)));
    }
    if job.port == 0 {
        return Err(Error::value("port", "nobody receives on port 0: give the receiver's port"));
    }
    match job.pace {
        Pace::RateBps(bps) => Rate::from_bps(bps)
            .map(|rate| Spacing::Rate { rate, bits: u64::from(job.size) * 8 })
            .ok_or_else(|| Error::value("pace", "0 bits per second never send anything: give 1 or more")),
        Pace::EveryNs(ns) => NonZeroU64::new(ns)
            .map(Spacing::Every)
            .ok_or_else(|| Error::value("pace", "datagrams need some time between them: give 1 ns or more")),
    }
}

/// Runs the job to its end.
pub(in super::super) fn run(job: &UdpSendJob, session: &mut Session<'_>) -> Result<UdpSend, Error> {
    let spacing = spacing(job)?;
    let by_time = job.for_ns.map(|time| spacing.frames_before(time));
    let planned = [job.count, by_time].into_iter().flatten().min();

    let to = socket::address(job.to, job.port, job.interface.as_deref())?;
    let fd =
        socket::open(socket::family(job.to), SockType::Datagram, None).map_err(Error::resources("opening a socket"))?;
    socket::bind_sender(&fd, job.to, job.interface.as_deref(), job.source)?;
    if setsockopt(&fd, sockopt::SndBufForce, &SEND_BUFFER).is_err() {
        // A smaller buffer costs waiting, which is counted.
        let _ = setsockopt(&fd, sockopt::SndBuf, &SEND_BUFFER);
    }
    let mut peer = Peer::new(fd, to);
    let mut datagram = vec![0; job.size as usize];
    Xoshiro256PlusPlus::seed_from_u64(job.seed).fill_bytes(&mut datagram);

    let started = now();
    let give_up = job.for_ns.map(|time| started.saturating_add(time).saturating_add(OVERRUN));
    let mut pacer = Pacer::new(spacing, started);
    let mut report = UdpSend { started_ns: started, planned, ..UdpSend::default() };
    let (mut lateness, mut series) = (Distribution::of_lateness(), Series::new(false));
    let mut last_at = started;
    let mut looked = started;

    while planned.is_none_or(|planned| report.sent < planned) {
        let at = now();
        if give_up.is_some_and(|end| at >= end) {
            break;
        }
        let mut wait = match pacer.next(at) {
            Step::Wait(until) => Some((None, until)),
            Step::Send { due } => {
                let number = report.sent;
                let mut sent_at = at;
                let outcome = peer.send(&mut datagram, |datagram| {
                    sent_at = now();
                    Head { stream: job.stream, number, sent_at }.write(datagram);
                });
                match outcome {
                    // Not this host's network, but this process, has to wait: the same datagram is sent later.
                    Err(Errno::EAGAIN) => {
                        report.blocked += 1;
                        Some((Some(PollFlags::POLLOUT), u64::MAX))
                    }
                    Err(Errno::ENOBUFS) => {
                        report.no_buffers += 1;
                        Some((None, at.saturating_add(BREATH)))
                    }
                    outcome => {
                        pacer.sent();
                        lateness.record(sent_at.saturating_sub(due));
                        let bytes = if outcome.is_ok() { u64::from(job.size) } else { 0 };
                        series.add(sent_at.saturating_sub(started), 1, bytes, None);
                        last_at = sent_at;
                        report.sent += 1;
                        report.bytes += bytes;
                        report.unsent += u64::from(outcome.is_err());
                        None
                    }
                }
            }
        };
        if wait.is_none() && at.saturating_sub(looked) >= LOOK {
            wait = Some((None, 0));
        }
        if let Some((events, until)) = wait {
            looked = at;
            let end = until.min(give_up.unwrap_or(u64::MAX));
            if session.wait(events.map(|events| (peer.fd(), events)), Some(end), at)?.input {
                session.commands(|_| {})?;
            }
            if session.finishing() {
                break;
            }
            session.progress(at, || Progress { at_ns: at, sent: report.sent, received: 0, bytes: report.bytes })?;
        }
    }
    report.duration_ns = last_at - started;
    report.skipped = planned.map_or(0, |planned| planned - report.sent);
    report.rate_bps = crate::workload::rate(report.bytes.saturating_sub(u64::from(job.size)), last_at - started);
    report.errors = peer.errors;
    report.lateness_ns = lateness.times(&job.percentiles);
    report.intervals = series.intervals();
    Ok(report)
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;
    use crate::measured::Part;
    use crate::workload::testing::{job, run_with, run_with_control};

    fn receiver(to: &str) -> (UdpSocket, u16) {
        let socket = UdpSocket::bind((to, 0)).unwrap();
        socket.set_nonblocking(true).unwrap();
        let port = socket.local_addr().unwrap().port();
        (socket, port)
    }

    fn received(socket: &UdpSocket) -> Vec<(Head, usize)> {
        let mut buffer = vec![0; 65_536];
        std::iter::from_fn(|| {
            let length = socket.recv(&mut buffer).ok()?;
            Some((Head::read(&buffer[..length]).unwrap(), length))
        })
        .collect()
    }

    #[test]
    fn as_many_as_the_pace_puts_into_the_time_numbered_and_stamped() {
        for to in ["127.0.0.1", "::1"] {
            let (socket, port) = receiver(to);
            // 100 bytes at 800 kbit/s: one a millisecond.
            let job = job::<UdpSendJob>(&format!(
                r#"{{"to":"{to}","port":{port},"pace":{{"rate_bps":800000}},"size":100,"for_ns":50500000,"stream":7,"interface":"lo"}}"#
            ));
            let report: UdpSend = run_with(|s| run(&job, s)).unwrap();
            // A machine that stands still for a second leaves some out, and says so.
            assert_eq!((report.planned, report.sent + report.skipped, report.unsent), (Some(51), 51, 0));
            assert_eq!(
                (report.bytes, report.lateness_ns.and_then(|l| l.get(Part::Count))),
                (report.sent * 100, Some(report.sent))
            );
            let all = received(&socket);
            assert_eq!(all.len() as u64, report.sent);
            for (n, (head, length)) in all.iter().enumerate() {
                assert_eq!((head.stream, head.number, *length), (7, n as u64, 100));
                assert!(head.sent_at >= report.started_ns + n as u64 * 1_000_000, "{n} left before its time");
            }
            assert_eq!(report.intervals.list.iter().map(|i| i.frames).sum::<u64>(), report.sent);
            assert!(
                report.rate_bps.is_none_or(|rate| rate <= 800_000),
                "never faster than asked: {:?}",
                report.rate_bps
            );
        }
    }

    #[test]
    fn a_count_of_none_sends_none_and_sizes_reach_both_limits() {
        let (socket, port) = receiver("127.0.0.1");
        for (count, size, expected) in [(0, 100, 0), (2, 24, 2), (2, 65_507, 2)] {
            let job = job::<UdpSendJob>(&format!(
                r#"{{"to":"127.0.0.1","port":{port},"pace":{{"every_ns":1000}},"size":{size},"count":{count},"stream":1}}"#
            ));
            let report: UdpSend = run_with(|s| run(&job, s)).unwrap();
            assert_eq!((report.sent, received(&socket).len()), (expected, expected as usize));
            assert_eq!(report.rate_bps.is_some(), expected > 1);
        }
    }

    #[test]
    fn finish_ends_it_and_what_was_planned_is_told() {
        let (_socket, port) = receiver("127.0.0.1");
        let job = job::<UdpSendJob>(&format!(
            r#"{{"to":"127.0.0.1","port":{port},"pace":{{"every_ns":3600000000000}},"size":100,"count":9,"stream":1}}"#
        ));
        let report: UdpSend = run_with_control(&[(20, "finish\n")], |s| run(&job, s)).unwrap();
        assert_eq!(report.sent + report.skipped, 9);
        assert!(report.sent <= 1);
    }

    #[test]
    fn nobody_there_is_told_and_does_not_stop_the_stream() {
        let (socket, port) = receiver("127.0.0.1");
        drop(socket);
        let job = job::<UdpSendJob>(&format!(
            r#"{{"to":"127.0.0.1","port":{port},"pace":{{"every_ns":1000000}},"size":100,"count":10,"stream":1}}"#
        ));
        let report: UdpSend = run_with(|s| run(&job, s)).unwrap();
        assert_eq!((report.sent, report.unsent), (10, 0));
        assert!(report.errors["Connection refused"] >= 1);
    }

    #[test]
    fn values_that_cannot_be_carried_out_are_told() {
        for (port, pace, size, word) in [
            (5, r#"{"every_ns":1}"#, 23, "size"),
            (5, r#"{"every_ns":1}"#, 65_508, "size"),
            (5, r#"{"every_ns":0}"#, 100, "pace"),
            (5, r#"{"rate_bps":0}"#, 100, "pace"),
            (0, r#"{"rate_bps":1}"#, 100, "port"),
        ] {
            let job = job::<UdpSendJob>(&format!(
                r#"{{"to":"127.0.0.1","port":{port},"pace":{pace},"size":{size},"count":1,"stream":1}}"#
            ));
            let error = run_with(|s| run(&job, s)).map(|_: UdpSend| ()).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
    }
}
