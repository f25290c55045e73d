//! `tcp-send`: connects, sends, and sees that all of it has arrived.

use std::ffi::OsString;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::poll::PollFlags;
use nix::sys::socket::{
    MsgFlags, Shutdown, SockType, SockaddrStorage, connect, getsockopt, recv, send, setsockopt, shutdown, sockopt,
};

use super::super::clock::now;
use super::super::error::Error;
use super::super::job::TcpSendJob;
use super::super::report::Progress;
use super::super::series::Series;
use super::super::session::Session;
use super::super::socket;
use super::content::{BLOCK, Source};
use super::info;
use crate::measured::TcpSend;

/// Time between two looks at the control lines while the connection takes all there is, 5 ms in ns.
const LOOK: u64 = 5_000_000;

fn check(job: &TcpSendJob) -> Result<(), Error> {
    if !(1..=BLOCK as u32).contains(&job.write) {
        return Err(Error::value("write", format!("{} bytes at once do not go: give 1 to 1 MiB", job.write)));
    }
    if job.port == 0 {
        return Err(Error::value("port", "nobody listens on port 0: give the receiver's port"));
    }
    Ok(())
}

/// Sets the congestion control by name.
pub(super) fn set_congestion(fd: &OwnedFd, name: Option<&str>) -> Result<(), Error> {
    let Some(name) = name else { return Ok(()) };
    setsockopt(fd, sockopt::TcpCongestion, &OsString::from(name)).map_err(Error::system(
        format!("using congestion control `{name}`"),
        "name one that `sysctl net.ipv4.tcp_available_congestion_control` lists, or load its module (`modprobe tcp_…`)",
    ))
}

/// Why a connection could not be made, with the cure.
fn refused(to: &str, errno: Errno) -> Error {
    let cure = match errno {
        Errno::ECONNREFUSED => "nothing listens there: start the receiver first, and check the port",
        Errno::ETIMEDOUT => "nothing answered: check the links and routes on the way, or give it more time",
        Errno::ENETUNREACH | Errno::EHOSTUNREACH => {
            "there is no way there: check this host's addresses, routes and links"
        }
        Errno::EADDRNOTAVAIL => "check the source address, and that ports are left",
        _ => "check the address and the job's options",
    };
    Error::system(format!("connecting to {to}"), cure)(errno)
}

/// Connects, unless told to finish meanwhile.
fn connected(job: &TcpSendJob, session: &mut Session<'_>) -> Result<OwnedFd, Error> {
    let to = socket::address(job.to, job.port, job.interface.as_deref())?;
    let fd =
        socket::open(socket::family(job.to), SockType::Stream, None).map_err(Error::resources("opening a socket"))?;
    set_congestion(&fd, job.congestion.as_deref())?;
    if let Some(bytes) = job.send_buffer {
        let bytes = bytes as usize;
        if setsockopt(&fd, sockopt::SndBufForce, &bytes).is_err() {
            socket::set(&fd, sockopt::SndBuf, &bytes, "setting the send buffer", "give a smaller `send_buffer`")?;
        }
    }
    socket::set(&fd, sockopt::TcpNoDelay, &job.nodelay, "setting TCP_NODELAY", "leave `nodelay` out")?;
    socket::bind_sender(&fd, job.to, job.interface.as_deref(), job.source)?;
    let target = to.to_string();
    match connect(fd.as_raw_fd(), &SockaddrStorage::from(to)) {
        Ok(()) => return Ok(fd),
        Err(Errno::EINPROGRESS | Errno::EINTR) => {}
        Err(errno) => return Err(refused(&target, errno)),
    }
    let deadline = now().saturating_add(job.connect_timeout_ns);
    loop {
        let woken = session.wait(Some((fd.as_fd(), PollFlags::POLLOUT)), Some(deadline), now())?;
        if woken.socket {
            return match getsockopt(&fd, sockopt::SocketError) {
                Ok(0) => Ok(fd),
                Ok(error) => Err(refused(&target, Errno::from_raw(error))),
                Err(errno) => Err(refused(&target, errno)),
            };
        }
        if woken.input {
            session.commands(|_| {})?;
        }
        let at = now();
        if at >= deadline || session.at_once() {
            return Err(refused(&target, Errno::ETIMEDOUT));
        }
        session.progress(at, || Progress { at_ns: at, ..Progress::default() })?;
    }
}

/// Runs the job to its end.
pub(in super::super) fn run(job: &TcpSendJob, session: &mut Session<'_>) -> Result<TcpSend, Error> {
    check(job)?;
    let mut source = Source::new(job.seed);
    let started = now();
    let fd = connected(job, session)?;
    let stood = now();
    let mut report = TcpSend { started_ns: started, connect_ns: stood - started, ..TcpSend::default() };
    let mut series = Series::new(false);
    let end = job.for_ns.map(|time| stood.saturating_add(time));
    let mut looked = stood;

    loop {
        let left = job.bytes.map_or(u64::MAX, |bytes| bytes - report.bytes);
        let at = now();
        if left == 0 || end.is_some_and(|end| at >= end) || session.finishing() {
            break;
        }
        let most = (job.write as usize).min(usize::try_from(left).unwrap_or(usize::MAX));
        let full = match send(fd.as_raw_fd(), source.next(most), MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT) {
            Ok(bytes) => {
                source.sent(bytes);
                report.bytes += bytes as u64;
                series.add(at - stood, 0, bytes as u64, None);
                // less than was offered: the buffer is full
                bytes < most
            }
            Err(Errno::EAGAIN) => true,
            Err(Errno::EINTR) => false,
            Err(errno) => {
                report.broken = Some(errno.desc().to_owned());
                break;
            }
        };
        if full || at.saturating_sub(looked) >= LOOK {
            looked = at;
            let until = if full { end } else { Some(0) };
            if session.wait(full.then(|| (fd.as_fd(), PollFlags::POLLOUT)), until, at)?.input {
                session.commands(|_| {})?;
            }
            session.progress(at, || Progress { at_ns: at, sent: 0, received: 0, bytes: report.bytes })?;
        }
    }
    if report.broken.is_none() {
        // The connection may have broken since the last write; draining finds out.
        let _ = shutdown(fd.as_raw_fd(), Shutdown::Write);
        drain(job, session, &fd, &mut report)?;
    }
    if session.at_once() {
        // What has failed is not delivered behind the sender's back: closing resets the connection.
        let _ = setsockopt(&fd, sockopt::Linger, &libc::linger { l_onoff: 1, l_linger: 0 });
    }
    report.duration_ns = now() - stood;
    report.tcp = info::read(&fd);
    report.congestion =
        getsockopt(&fd, sockopt::TcpCongestion).map(|name| clean(&name.to_string_lossy())).unwrap_or_default();
    report.hash = source.hash();
    report.intervals = series.intervals();
    Ok(report)
}

/// The kernel fills the name up with zeros.
fn clean(name: &str) -> String {
    name.trim_end_matches('\0').to_owned()
}

/// Waits for the receiver's close, as long as something more is acknowledged from time to time.
fn drain(job: &TcpSendJob, session: &mut Session<'_>, fd: &OwnedFd, report: &mut TcpSend) -> Result<(), Error> {
    let mut acked = None;
    let mut moved_at = now();
    let mut ignored = [0; 4096];
    loop {
        match recv(fd.as_raw_fd(), &mut ignored, MsgFlags::MSG_DONTWAIT) {
            Ok(0) => {
                // A receiver that was told to stop closes too, perhaps before it had everything.
                report.complete = info::read(fd).is_none_or(|tcp| tcp.bytes_acked >= report.bytes);
                return Ok(());
            }
            Ok(_) | Err(Errno::EINTR) => continue,
            Err(Errno::EAGAIN) => {}
            Err(errno) => {
                report.broken = Some(errno.desc().to_owned());
                return Ok(());
            }
        }
        let at = now();
        let acked_now = info::read(fd).map(|tcp| tcp.bytes_acked);
        if acked_now != acked {
            (acked, moved_at) = (acked_now, at);
        }
        let stuck_at = moved_at.saturating_add(job.drain_timeout_ns);
        if session.at_once() || at >= stuck_at {
            return Ok(());
        }
        session.progress(at, || Progress { at_ns: at, sent: 0, received: 0, bytes: report.bytes })?;
        if session.wait(Some((fd.as_fd(), PollFlags::POLLIN)), Some(stuck_at), at)?.input {
            session.commands(|_| {})?;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::TcpListener;

    use serde_json::{Value, json};

    use super::*;
    use crate::workload::testing::{Process, in_empty_namespace};

    fn send_to(port: u16, more: Value) -> Result<TcpSend, String> {
        let mut job = json!({ "to": "127.0.0.1", "port": port });
        job.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Process::start("tcp-send", job).end()
    }

    fn listener() -> (TcpListener, u16) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        (listener, port)
    }

    #[test]
    fn connections_that_cannot_be_made_say_why() {
        let (closed, port) = listener();
        drop(closed);
        let error = send_to(port, json!({ "bytes": 1 })).unwrap_err();
        assert!(error.contains(&format!("127.0.0.1:{port}")) && error.contains("nothing listens there"), "{error}");
        let refused = in_empty_namespace(|| send_to(9, json!({})));
        if let Some(error) = refused.map(Result::unwrap_err) {
            assert!(error.contains("Network is unreachable") && error.contains("there is no way there"), "{error}");
        }
        let error = send_to(9, json!({ "congestion": "nosuchcc" })).unwrap_err();
        assert!(error.contains("`nosuchcc`") && error.contains("tcp_available_congestion_control"), "{error}");
        for (field, value) in [("write", 0), ("write", 1 << 21), ("port", 0)] {
            let error = send_to(9, json!({ field: value })).unwrap_err();
            assert!(error.contains(field), "{error}");
        }
    }

    #[test]
    fn a_listener_that_does_not_answer_times_out() {
        // A backlog of one that is full lets further SYNs fall; hold the connections that fill it.
        let fd = socket::open_receiver(SockType::Stream, Some("127.0.0.1".parse().unwrap()), 0, None).unwrap();
        nix::sys::socket::listen(&fd, nix::sys::socket::Backlog::new(0).unwrap()).unwrap();
        let port = socket::port(&fd).unwrap();
        let held = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
        let error = send_to(port, json!({ "connect_timeout_ns": 50_000_000 })).unwrap_err();
        assert!(error.contains("nothing answered"), "{error}");
        drop(held);
    }

    #[test]
    fn a_reader_that_stops_reading_is_given_up_and_a_reset_is_told() {
        let (listener, port) = listener();
        let stuck = std::thread::spawn(move || {
            let (connection, _) = listener.accept().unwrap();
            (connection, listener)
        });
        // More than all buffers on the way hold, so it never gets rid of it.
        let report = send_to(port, json!({ "for_ns": 30_000_000, "drain_timeout_ns": 50_000_000 })).unwrap();
        assert!(!report.complete && report.bytes > 0, "{report:?}");
        assert_eq!(report.broken, None);
        let (connection, listener) = stuck.join().unwrap();
        drop(connection);
        let reset = std::thread::spawn(move || {
            let (mut connection, _) = listener.accept().unwrap();
            connection.read_exact(&mut [0; 10]).unwrap();
            // Closing with unread data resets.
        });
        let report = send_to(port, json!({ "bytes": 100_000_000u64 })).unwrap();
        reset.join().unwrap();
        assert!(report.broken.is_some() && !report.complete, "{report:?}");
    }
}
