//! `udp-receive`: accounts for every datagram of a stream.

use std::fs;
use std::io::IoSliceMut;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::poll::PollFlags;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, MultiHeaders, SockType, recvmmsg, sockopt};
use nix::sys::time::TimeSpec;

use super::super::clock::{Reading, now, timestamp};
use super::super::error::Error;
use super::super::job::UdpReceiveJob;
use super::super::report::Progress;
use super::super::session::{Command, Session};
use super::super::socket;
use super::account::{Accounts, Datagram};
use super::datagram::{HEAD, Head};
use crate::host::sys;
use crate::measured::UdpReceive;

/// Datagrams read by one call.
const BATCH: usize = 64;
/// Batches between two looks at the control lines.
const BATCHES: usize = 16;
/// Receive buffer asked for, 32 MiB: seconds of stall at ordinary rates.
const BUFFER: usize = 32 << 20;

/// Reads what has come, up to a batch.
fn receive(fd: &OwnedFd, heads: &mut [[u8; HEAD]; BATCH], batch: &mut Vec<Datagram>) -> Result<(), Errno> {
    batch.clear();
    // Made anew for each call: the kernel shortens the lengths inside, and nothing sets them back.
    let mut headers = MultiHeaders::<()>::preallocate(BATCH, Some(nix::cmsg_space!(TimeSpec)));
    let mut parts: Vec<[IoSliceMut<'_>; 1]> = heads.iter_mut().map(|head| [IoSliceMut::new(head)]).collect();
    // MSG_TRUNC: lengths are those of the whole datagrams.
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_TRUNC;
    for message in recvmmsg(fd.as_raw_fd(), &mut headers, parts.iter_mut(), flags, None)? {
        let stamp = message.cmsgs()?.find_map(|c| match c {
            ControlMessageOwned::ScmTimestampns(time) => Some(timestamp(time)),
            _ => None,
        });
        batch.push(Datagram { head: None, length: message.bytes as u64, stamp });
    }
    for (datagram, head) in batch.iter_mut().zip(heads.iter()) {
        if datagram.length >= HEAD as u64 {
            datagram.head = Head::read(head);
        }
    }
    Ok(())
}

/// UDP datagrams with a wrong checksum so far, in this process's network namespace.
fn checksum_errors() -> Option<u64> {
    // Two lines, names and values: "Udp: InDatagrams …" and "Udp: 12 …".
    let snmp = fs::read_to_string("/proc/self/net/snmp").ok()?;
    let mut lines = snmp.lines().filter(|line| line.starts_with("Udp:"));
    let (names, values) = (lines.next()?, lines.next()?);
    let at = names.split_whitespace().position(|name| name == "InCsumErrors")?;
    let v4: u64 = values.split_whitespace().nth(at)?.parse().ok()?;
    // The file is not there on a host without IPv6.
    let v6 = fs::read_to_string("/proc/self/net/snmp6")
        .ok()
        .and_then(|text| {
            let line = text.lines().find(|line| line.split_whitespace().next() == Some("Udp6InCsumErrors"))?;
            line.split_whitespace().nth(1)?.parse::<u64>().ok()
        })
        .unwrap_or(0);
    Some(v4 + v6)
}

/// Runs the job to its end.
pub(in super::super) fn run(job: &UdpReceiveJob, session: &mut Session<'_>) -> Result<UdpReceive, Error> {
    let fd = socket::open_receiver(SockType::Datagram, job.bind, job.port, job.interface.as_deref())?;
    socket::set(&fd, sockopt::ReceiveTimestampns, &true, "asking for receive timestamps", "use Linux 5.1 or later")?;
    let buffer = socket::receive_buffer(&fd, BUFFER);
    let wrong_before = checksum_errors();
    // Before the ready line: the sender may be faster than the next line here.
    let mut accounts = Accounts::new(job.stream, now(), Reading::take(), job.delays_by_interval);
    session.ready(socket::port(&fd)?)?;
    accounts.report.receive_buffer = buffer as u64;
    let mut heads = [[0; HEAD]; BATCH];
    let mut batch = Vec::with_capacity(BATCH);
    let mut sent: Option<u64> = None;
    // The last thing that happened: an arrival, or being told the number.
    let mut last_event = now();
    let until = loop {
        let mut drained = false;
        let mut at = None;
        for _ in 0..BATCHES {
            match receive(&fd, &mut heads, &mut batch) {
                Ok(()) => {}
                Err(Errno::EAGAIN) => {
                    drained = true;
                    break;
                }
                // A signal, or what ICMP told about something else; the socket sends nothing.
                Err(_) => continue,
            }
            let reading = Reading::take();
            for datagram in &batch {
                accounts.take(*datagram, reading);
            }
            last_event = reading.after();
            at = Some(last_event);
            if batch.len() < BATCH {
                drained = true;
                break;
            }
        }
        let at = at.unwrap_or_else(now);
        let lingers_until = sent.map(|_| last_event.saturating_add(job.linger_ns));
        let complete = sent.is_some_and(|sent| accounts.sequence.unique() >= sent);
        let over = session.finishing() || lingers_until.is_some_and(|end| at >= end);
        if complete || session.at_once() || (over && drained) {
            break at;
        }
        let report = &accounts.report;
        session.progress(at, || Progress {
            at_ns: at,
            sent: 0,
            received: accounts.sequence.unique(),
            bytes: report.bytes,
        })?;
        let woken = session.wait(Some((fd.as_fd(), PollFlags::POLLIN)), lingers_until, at)?;
        if woken.input {
            session.commands(|command| {
                if let Command::Sent(n) = command {
                    sent = Some(n);
                    last_event = now();
                }
            })?;
        }
    };
    let dropped = sys::socket_drops(&fd).ok().map(u64::from);
    let wrong = wrong_before.zip(checksum_errors()).map(|(before, after)| after.saturating_sub(before));
    let mut report = accounts.finish(sent, &job.percentiles);
    report.until_ns = Some(until);
    // The socket counts wrong checksums among its drops; those are the network's.
    report.socket_dropped = dropped.map(|dropped| dropped.saturating_sub(wrong.unwrap_or(0)));
    report.checksum_errors = wrong;
    Ok(report)
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use serde_json::json;

    use super::*;
    use crate::measured::{Part, UdpSend};
    use crate::workload::testing::Process;

    fn head(number: u64) -> [u8; 100] {
        let mut datagram = [0; 100];
        Head { stream: 5, number, sent_at: now() }.write(&mut datagram);
        datagram
    }

    fn sender(port: u16) -> UdpSocket {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(("127.0.0.1", port)).unwrap();
        socket
    }

    /// Sends these numbers, tells how many there were, and reads the report.
    fn play(numbers: &[u64], sent: u64, linger_ms: u64) -> UdpReceive {
        let mut receiver = Process::start("udp-receive", json!({ "stream": 5, "linger_ns": linger_ms * 1_000_000 }));
        let out = sender(receiver.port());
        for number in numbers {
            out.send(&head(*number)).unwrap();
        }
        receiver.say(&format!("sent {sent}"));
        receiver.end().unwrap()
    }

    #[test]
    fn it_ends_as_soon_as_all_have_come() {
        let report = play(&[0, 1, 2, 3], 4, 3_600_000);
        assert_eq!((report.received, report.unique, report.lost, report.duplicates), (4, 4, 0, 0));
        assert_eq!((report.bytes, report.foreign, report.reordered, report.sent), (400, 0, 0, Some(4)));
        assert_eq!(report.delay_ns.and_then(|d| d.get(Part::Count)), Some(4));
        assert_eq!(report.intervals.list.iter().map(|i| i.frames).sum::<u64>(), 4);
        assert!(report.first_at_ns.unwrap() >= report.started_ns && report.last_at_ns >= report.first_at_ns);
        assert_eq!(play(&[], 0, 3_600_000).lost, 0, "nothing sent is nothing to wait for");
    }

    #[test]
    fn losses_duplicates_and_reordering_are_told_apart() {
        let report = play(&[0, 2, 2, 5, 1, 1, 7], 10, 500);
        assert_eq!((report.received, report.unique, report.duplicates, report.lost), (7, 5, 2, 5));
        assert_eq!((report.reordered, report.reorder_extent_max), (1, 2));
        assert_eq!((report.missing, report.missing_omitted), (vec![(3, 4), (6, 6), (8, 9)], 0));
    }

    #[test]
    fn what_is_not_of_the_stream_is_foreign() {
        let mut receiver = Process::start("udp-receive", json!({ "stream": 5, "bind": "127.0.0.1" }));
        let out = sender(receiver.port());
        out.send(b"").unwrap();
        out.send(&[7; 23]).unwrap();
        out.send(&[7; 1000]).unwrap();
        let mut other = head(0);
        other[7] ^= 1;
        out.send(&other).unwrap();
        out.send(&head(0)[..HEAD]).unwrap();
        receiver.say("sent 1");
        let report: UdpReceive = receiver.end().unwrap();
        assert_eq!((report.foreign, report.received, report.bytes), (4, 1, 24));
    }

    #[test]
    fn finish_without_a_number_reports_what_there_is() {
        let mut receiver = Process::start("udp-receive", json!({ "stream": 5 }));
        let out = sender(receiver.port());
        for number in [0, 1, 3] {
            out.send(&head(number)).unwrap();
        }
        receiver.progress(|p| p.received == 3);
        receiver.say("finish");
        let report: UdpReceive = receiver.end().unwrap();
        assert_eq!((report.received, report.sent, report.lost, report.missing), (3, None, 1, vec![(2, 2)]));
    }

    #[test]
    fn the_waiting_of_the_reader_is_not_in_the_delay() {
        let fd = socket::open_receiver(SockType::Datagram, None, 0, None).unwrap();
        nix::sys::socket::setsockopt(&fd, sockopt::ReceiveTimestampns, &true).unwrap();
        // The kernel switches timestamps on in the background.
        std::thread::sleep(std::time::Duration::from_millis(50));
        let mut accounts = Accounts::new(5, now(), Reading::take(), false);
        let out = sender(socket::port(&fd).unwrap());
        out.send(&head(0)).unwrap();
        std::thread::sleep(std::time::Duration::from_secs(1));
        let (mut heads, mut batch) = ([[0; HEAD]; BATCH], Vec::new());
        receive(&fd, &mut heads, &mut batch).unwrap();
        assert_eq!((batch.len(), batch[0].length), (1, 100));
        accounts.take(batch[0], Reading::take());
        let report = accounts.finish(Some(1), &[]);
        // Over loopback the datagram is received within the send call, or soon after.
        assert!(report.delay_ns.as_ref().unwrap().max() < 500_000_000, "{report:?}");
        assert!(report.wakeup_ns.as_ref().unwrap().min() > 500_000_000, "{report:?}");
    }

    #[test]
    fn the_sockets_own_drops_are_not_the_networks() {
        let fd = socket::open_receiver(SockType::Datagram, None, 0, None).unwrap();
        nix::sys::socket::setsockopt(&fd, sockopt::RcvBuf, &1).unwrap();
        let out = sender(socket::port(&fd).unwrap());
        for number in 0..200 {
            out.send(&head(number)).unwrap();
        }
        let (mut heads, mut batch) = ([[0; HEAD]; BATCH], Vec::new());
        let mut accounts = Accounts::new(5, now(), Reading::take(), false);
        // A busy kernel may hand datagrams over a little later.
        while accounts.sequence.unique() + u64::from(sys::socket_drops(&fd).unwrap()) < 200 {
            if receive(&fd, &mut heads, &mut batch).is_ok() {
                batch.iter().for_each(|d| accounts.take(*d, Reading::take()));
            }
        }
        let report = accounts.finish(Some(200), &[]);
        assert!(report.lost > 0);
        assert_eq!(sys::socket_drops(&fd).map(u64::from), Ok(report.lost));
        assert!(checksum_errors().is_some());
    }

    #[test]
    fn a_relay_that_spoils_the_stream_is_seen_through() {
        let relay = UdpSocket::bind("127.0.0.1:0").unwrap();
        let relay_port = relay.local_addr().unwrap().port();
        let mut receiver = Process::start("udp-receive", json!({ "stream": 3, "linger_ns": 1_000_000_000 }));
        let to = ("127.0.0.1", receiver.port());
        // Of every ten: 3 is lost, 5 comes twice, 7 and 8 swap.
        let relaying = std::thread::spawn(move || {
            let mut buffer = [0; 2000];
            let mut held: Option<Vec<u8>> = None;
            for n in 0..200 {
                let length = relay.recv(&mut buffer).unwrap();
                let datagram = &buffer[..length];
                let copies = match n % 10 {
                    3 => 0,
                    5 => 2,
                    7 => {
                        held = Some(datagram.to_vec());
                        0
                    }
                    _ => 1,
                };
                for _ in 0..copies {
                    relay.send_to(datagram, to).unwrap();
                }
                if n % 10 == 8 {
                    relay.send_to(&held.take().unwrap(), to).unwrap();
                }
            }
        });
        let sender = Process::start(
            "udp-send",
            json!({ "to": "127.0.0.1", "port": relay_port, "pace": { "every_ns": 200_000 }, "size": 200, "count": 200,
                    "stream": 3, "seed": 1 }),
        );
        let sent: UdpSend = sender.end().unwrap();
        relaying.join().unwrap();
        receiver.say(&format!("sent {}", sent.sent));
        let report: UdpReceive = receiver.end().unwrap();
        assert_eq!((sent.sent, report.received, report.unique, report.lost), (200, 200, 180, 20));
        assert_eq!((report.duplicates, report.reordered, report.reorder_extent_max), (20, 20, 1));
        assert_eq!(report.missing, (0..20).map(|i| (10 * i + 3, 10 * i + 3)).collect::<Vec<_>>());
        assert_eq!((report.delay_ns.and_then(|d| d.get(Part::Count)), report.socket_dropped), (Some(180), Some(0)));
        assert!(report.jitter_ns.is_some() && report.throughput_bps.is_some());
    }

    #[test]
    fn a_delay_never_reads_shorter_than_it_was() {
        const HELD: std::time::Duration = std::time::Duration::from_millis(5);
        let relay = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut receiver = Process::start("udp-receive", json!({ "stream": 1 }));
        let to = ("127.0.0.1", receiver.port());
        let sender = Process::start(
            "udp-send",
            json!({ "to": "127.0.0.1", "port": relay.local_addr().unwrap().port(), "pace": { "every_ns": 1_000_000 },
                    "size": 24, "count": 20, "stream": 1 }),
        );
        let mut buffer = [0; 100];
        for _ in 0..20 {
            let length = relay.recv(&mut buffer).unwrap();
            std::thread::sleep(HELD);
            relay.send_to(&buffer[..length], to).unwrap();
        }
        sender.end::<UdpSend>().unwrap();
        receiver.say("sent 20");
        let report: UdpReceive = receiver.end().unwrap();
        assert_eq!(report.unique, 20);
        assert!(report.delay_ns.unwrap().min() >= HELD.as_nanos() as u64);
    }
}
