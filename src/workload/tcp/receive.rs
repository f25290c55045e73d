//! `tcp-receive`: accepts one connection and checks every byte of it.

use std::net::TcpListener;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::poll::PollFlags;
use nix::sys::socket::{Backlog, MsgFlags, SockType, listen, recv, setsockopt, sockopt};

use super::super::clock::now;
use super::super::error::Error;
use super::super::job::TcpReceiveJob;
use super::super::report::Progress;
use super::super::series::Series;
use super::super::session::Session;
use super::super::socket;
use super::content::Sink;
use super::send::set_congestion;
use crate::measured::gap::Silences;
use crate::measured::{Ended, TcpReceive};

/// Time between two looks at the control lines while the connection brings all that it can, 5 ms in ns.
const LOOK: u64 = 5_000_000;

/// Waits for a connection; `None` if told to finish first.
fn accepted(listener: &TcpListener, session: &mut Session<'_>) -> Result<Option<OwnedFd>, Error> {
    loop {
        match listener.accept() {
            Ok((connection, _)) => {
                connection
                    .set_nonblocking(true)
                    .map_err(|e| Error::resources("accepting")(Errno::from_raw(e.raw_os_error().unwrap_or(0))))?;
                return Ok(Some(connection.into()));
            }
            Err(error) => {
                let errno = Errno::from_raw(error.raw_os_error().unwrap_or(0));
                if matches!(errno, Errno::EMFILE | Errno::ENFILE | Errno::ENOMEM | Errno::ENOBUFS) {
                    return Err(Error::resources("accepting")(errno));
                }
                // All else is EAGAIN, or an error of that connection: accept(2) says to treat it alike.
            }
        }
        if session.finishing() {
            return Ok(None);
        }
        if session.wait(Some((listener.as_fd(), PollFlags::POLLIN)), None, now())?.input {
            session.commands(|_| {})?;
        }
        let at = now();
        session.progress(at, || Progress { at_ns: at, ..Progress::default() })?;
    }
}

/// Runs the job to its end.
pub(in super::super) fn run(job: &TcpReceiveJob, session: &mut Session<'_>) -> Result<TcpReceive, Error> {
    let mut sink = Sink::new(job.seed);
    let fd = socket::open_receiver(SockType::Stream, job.bind, job.port, job.interface.as_deref())?;
    set_congestion(&fd, job.congestion.as_deref())?;
    if let Some(bytes) = job.receive_buffer {
        // Before listen: the window scale is agreed on by what the listener has.
        let bytes = bytes as usize;
        if setsockopt(&fd, sockopt::RcvBufForce, &bytes).is_err() {
            socket::set(&fd, sockopt::RcvBuf, &bytes, "setting the receive buffer", "give a smaller `receive_buffer`")?;
        }
    }
    listen(&fd, Backlog::new(1).unwrap_or(Backlog::MAXCONN)).map_err(Error::system("listening", "take a free port"))?;
    let port = socket::port(&fd)?;
    let mut report = TcpReceive { started_ns: now(), ..TcpReceive::default() };
    session.ready(port)?;

    let Some(connection) = accepted(&TcpListener::from(fd), session)? else {
        report.hash = sink.finish().0;
        return Ok(report);
    };
    let accepted_at = now();
    report.accepted_at_ns = Some(accepted_at);
    let mut series = Series::new(false);
    let mut silences = Silences::default();
    let mut first_read = 0;
    let mut looked = accepted_at;
    let ended = loop {
        let space = sink.space();
        let room = space.len();
        let outcome = recv(connection.as_raw_fd(), space, MsgFlags::MSG_DONTWAIT);
        let at = now();
        let idle = match outcome {
            Ok(0) => break Ended::Closed,
            Ok(bytes) => {
                sink.received(bytes);
                if report.first_at_ns.is_none() {
                    report.first_at_ns = Some(at);
                    first_read = bytes as u64;
                }
                report.last_at_ns = Some(at);
                silences.arrived(at);
                report.bytes += bytes as u64;
                series.add(at - accepted_at, 0, bytes as u64, None);
                // less than there was room for: the rest has not come yet
                bytes < room
            }
            Err(Errno::EAGAIN) => true,
            Err(Errno::EINTR) => false,
            Err(errno) => break Ended::Broken(errno.desc().to_owned()),
        };
        if outcome == Err(Errno::EAGAIN) && session.finishing() {
            break Ended::Stopped;
        }
        if session.at_once() {
            break Ended::Stopped;
        }
        if idle || at.saturating_sub(looked) >= LOOK {
            looked = at;
            let until = if idle && !session.finishing() { None } else { Some(0) };
            if session.wait(idle.then(|| (connection.as_fd(), PollFlags::POLLIN)), until, at)?.input {
                session.commands(|_| {})?;
            }
            session.progress(at, || Progress { at_ns: at, sent: 0, received: 0, bytes: report.bytes })?;
        }
    };
    let over_at = now();
    report.ended = ended;
    report.goodput_bps = report
        .first_at_ns
        .zip(report.last_at_ns)
        .and_then(|(first, last)| crate::workload::rate(report.bytes - first_read, last - first));
    report.whole_bps = crate::workload::rate(report.bytes, over_at - accepted_at);
    (report.hash, report.first_difference) = sink.finish();
    report.intervals = series.intervals();
    report.heard = Some(silences.heard());
    Ok(report)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::TcpStream;

    use serde_json::{Value, json};

    use super::*;
    use crate::measured::TcpSend;
    use crate::workload::testing::Process;

    fn transfer(to: &str, send: Value) -> (TcpSend, TcpReceive) {
        let mut receiver = Process::start("tcp-receive", json!({ "seed": 4 }));
        let mut job = json!({ "to": to, "port": receiver.port(), "seed": 4 });
        job.as_object_mut().unwrap().extend(send.as_object().unwrap().clone());
        let sent = Process::start("tcp-send", job).end().unwrap();
        (sent, receiver.end().unwrap())
    }

    #[test]
    fn both_ends_tell_the_same_of_every_amount() {
        for (to, bytes, write) in
            [("127.0.0.1", 0u64, 1), ("::1", 1, 1), ("127.0.0.1", 5_000, 7), ("::1", 30_000_001, 131_072)]
        {
            let (sent, received) = transfer(to, json!({ "bytes": bytes, "write": write }));
            assert_eq!((sent.bytes, received.bytes), (bytes, bytes));
            assert_eq!((sent.hash, received.first_difference), (received.hash, None));
            assert_eq!((received.ended, sent.complete, sent.broken), (Ended::Closed, true, None));
            assert!(!sent.congestion.is_empty() && !sent.congestion.contains('\0'));
            let tcp = sent.tcp.unwrap();
            assert_eq!(tcp.bytes_sent - tcp.bytes_retransmitted, bytes);
            for intervals in [sent.intervals, received.intervals] {
                assert_eq!(intervals.list.iter().map(|i| i.bytes).sum::<u64>(), bytes);
            }
            assert_eq!(received.first_at_ns.is_some(), bytes > 0);
        }
    }

    #[test]
    fn a_transfer_by_time_ends_and_all_of_it_arrives() {
        let (sent, received) = transfer(
            "127.0.0.1",
            json!({ "for_ns": 200_000_000, "nodelay": false, "send_buffer": 200_000, "interface": "lo", "congestion": "reno" }),
        );
        assert!(sent.bytes > 0 && sent.complete && sent.duration_ns >= 200_000_000);
        assert_eq!((sent.bytes, &sent.hash), (received.bytes, &received.hash));
        assert_eq!(sent.congestion, "reno");
        assert!(received.goodput_bps.is_some() && received.whole_bps.is_some());
    }

    #[test]
    fn finish_ends_either_side() {
        let mut receiver = Process::start("tcp-receive", json!({}));
        let mut sender = Process::start("tcp-send", json!({ "to": "127.0.0.1", "port": receiver.port() }));
        std::thread::sleep(std::time::Duration::from_millis(30));
        sender.say("finish");
        let sent: TcpSend = sender.end().unwrap();
        let received: TcpReceive = receiver.end().unwrap();
        assert_eq!((sent.bytes, sent.hash), (received.bytes, received.hash));

        let mut receiver = Process::start("tcp-receive", json!({ "bind": "::1" }));
        receiver.port();
        receiver.say("finish");
        let received: TcpReceive = receiver.end().unwrap();
        assert_eq!((received.ended, received.bytes, received.accepted_at_ns), (Ended::NoConnection, 0, None));

        let mut receiver = Process::start("tcp-receive", json!({}));
        let mut out = TcpStream::connect(("127.0.0.1", receiver.port())).unwrap();
        out.write_all(b"12345").unwrap();
        receiver.say("finish");
        let received: TcpReceive = receiver.end().unwrap();
        // Told before or after it accepted.
        assert!(matches!(received.ended, Ended::Stopped | Ended::NoConnection), "{received:?}");
    }

    #[test]
    fn other_bytes_than_expected_are_found() {
        let mut receiver = Process::start("tcp-receive", json!({ "seed": 1 }));
        let mut out = TcpStream::connect(("127.0.0.1", receiver.port())).unwrap();
        out.write_all(&[0; 8]).unwrap();
        out.write_all(&[0; 1000]).unwrap();
        drop(out);
        let received: TcpReceive = receiver.end().unwrap();
        assert!((8..20).contains(&received.first_difference.unwrap()), "{received:?}");
        assert_eq!((received.ended, received.bytes), (Ended::Closed, 1008));
    }
}
