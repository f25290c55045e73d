//! Messages between processes over a stream socket: JSON, with descriptors beside it.
//!
//! On the wire: an 8-byte head (length of the JSON, number of descriptors; u32 each, native order, since both ends are
//! one machine), then the descriptors in groups, each riding on one byte, then the JSON. A stream has no limit on the
//! length of a message, which a sequenced-packet socket has.
#![allow(unsafe_code)]

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, recvmsg, sendmsg, socketpair,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Descriptors that travel on one byte; the kernel takes up to 253 (SCM_MAX_FD, unix(7)).
const GROUP: usize = 128;

/// The longest JSON taken from the other end: far more than a host of 10,000 neighbours needs.
const MAX_LENGTH: usize = 64 << 20;

/// A connected pair of stream sockets, close-on-exec.
///
/// # Errors
/// Those of socketpair(2).
pub fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(socketpair(AddressFamily::Unix, SockType::Stream, None, SockFlag::SOCK_CLOEXEC)?)
}

/// Sends one message with its descriptors; the caller keeps its own copies of them.
///
/// # Errors
/// `BrokenPipe` when the other end is closed; those of sendmsg(2).
pub fn send<T: Serialize>(socket: impl AsFd, message: &T, fds: &[BorrowedFd<'_>]) -> io::Result<()> {
    let socket = socket.as_fd();
    let body = serde_json::to_vec(message).map_err(io::Error::other)?;
    let length = u32::try_from(body.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let count = u32::try_from(fds.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let mut head = [0; 8];
    head[..4].copy_from_slice(&length.to_ne_bytes());
    head[4..].copy_from_slice(&count.to_ne_bytes());
    send_all(socket, &head)?;
    for group in fds.chunks(GROUP) {
        let raw: Vec<RawFd> = group.iter().map(AsRawFd::as_raw_fd).collect();
        retry(|| {
            let rights = [ControlMessage::ScmRights(&raw)];
            sendmsg::<()>(socket.as_raw_fd(), &[IoSlice::new(&[0])], &rights, MsgFlags::MSG_NOSIGNAL, None)
        })?;
    }
    send_all(socket, &body)
}

/// Receives one message with its descriptors (close-on-exec); `None` when the other end is closed.
///
/// # Errors
/// `UnexpectedEof` when the other end vanished in mid-message, `InvalidData` for a message of another shape; `EMFILE`
/// where not all descriptors could be taken in.
pub fn receive<T: DeserializeOwned>(socket: impl AsFd) -> io::Result<Option<(T, Vec<OwnedFd>)>> {
    let socket = socket.as_fd();
    let mut head = [0; 8];
    if !receive_exact(socket, &mut head)? {
        return Ok(None);
    }
    let word = |at: usize| u32::from_ne_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]) as usize;
    let (length, count) = (word(0), word(4));
    if length > MAX_LENGTH {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a message is too long"));
    }
    let mut fds = Vec::new();
    for group in 0..count.div_ceil(GROUP) {
        receive_group(socket, &mut fds)?;
        if fds.len() != count.min((group + 1) * GROUP) {
            // The kernel closes what does not fit into the table of descriptors (MSG_CTRUNC).
            return Err(io::Error::from_raw_os_error(libc::EMFILE));
        }
    }
    let mut body = vec![0; length];
    if !receive_exact(socket, &mut body)? && length > 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let message = serde_json::from_slice(&body).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))?;
    Ok(Some((message, fds)))
}

/// Whether the other end is closed. What it sent before may still wait to be read.
pub(crate) fn is_closed(socket: impl AsFd) -> bool {
    let mut polled = [PollFd::new(socket.as_fd(), PollFlags::POLLIN)];
    let found = retry(|| poll(&mut polled, PollTimeout::ZERO)).unwrap_or(0);
    found > 0 && polled[0].revents().is_some_and(|r| r.contains(PollFlags::POLLHUP))
}

fn send_all(socket: BorrowedFd<'_>, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let n = retry(|| nix::sys::socket::send(socket.as_raw_fd(), bytes, MsgFlags::MSG_NOSIGNAL))?;
        bytes = &bytes[n..];
    }
    Ok(())
}

/// Fills `bytes`; `false` when the other end was closed before the first of them.
fn receive_exact(socket: BorrowedFd<'_>, bytes: &mut [u8]) -> io::Result<bool> {
    let mut done = 0;
    while done < bytes.len() {
        match retry(|| nix::sys::socket::recv(socket.as_raw_fd(), &mut bytes[done..], MsgFlags::empty())) {
            Ok(0) if done == 0 => return Ok(false),
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => done += n,
            // A peer that was killed with unread data of ours in its queue.
            Err(Errno::ECONNRESET) if done == 0 => return Ok(false),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(true)
}

fn receive_group(socket: BorrowedFd<'_>, fds: &mut Vec<OwnedFd>) -> io::Result<()> {
    let mut byte = [0];
    let mut space = nix::cmsg_space!([RawFd; GROUP]);
    let mut slices = [IoSliceMut::new(&mut byte)];
    let message = loop {
        match recvmsg::<()>(socket.as_raw_fd(), &mut slices, Some(&mut space), MsgFlags::MSG_CMSG_CLOEXEC) {
            Err(Errno::EINTR) => {}
            other => break other?,
        }
    };
    if message.bytes == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    for control in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(raw) = control {
            // SAFETY: the kernel has just made these descriptors for this process; nothing else owns them.
            fds.extend(raw.into_iter().map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }));
        }
    }
    Ok(())
}

/// Repeats a system call that a signal interrupted.
fn retry<T>(mut call: impl FnMut() -> nix::Result<T>) -> nix::Result<T> {
    loop {
        match call() {
            Err(Errno::EINTR) => {}
            other => return other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::{Read, Write};

    #[test]
    fn a_message_arrives_whole_with_working_descriptors_in_order() {
        let (a, b) = pair().expect("a socket pair");
        // More than one group of descriptors, and a body beyond any socket buffer.
        let pipes: Vec<_> = (0..GROUP + 3).map(|_| std::io::pipe().expect("a pipe")).collect();
        let text = "x".repeat(1 << 20);
        let sender = std::thread::spawn(move || {
            let fds: Vec<_> = pipes.iter().map(|(_, writer)| writer.as_fd()).collect();
            send(&a, &text, &fds).expect("sent");
            pipes.into_iter().map(|(reader, _)| reader).collect::<Vec<_>>()
        });
        let (text, fds) = receive::<String>(&b).expect("received").expect("not closed");
        let readers = sender.join().expect("no panic");
        assert_eq!((text.len(), fds.len()), (1 << 20, GROUP + 3));
        for (at, fd) in fds.into_iter().enumerate() {
            File::from(fd).write_all(&at.to_ne_bytes()).expect("a pipe");
        }
        for (at, mut reader) in readers.into_iter().enumerate() {
            let mut bytes = Vec::new();
            reader.read_to_end(&mut bytes).expect("a pipe");
            assert_eq!(bytes, at.to_ne_bytes());
        }
    }

    #[test]
    fn a_closed_end_reads_as_none_and_a_torn_message_as_an_error() {
        let (a, b) = pair().expect("a socket pair");
        send(&a, &1_u8, &[]).expect("sent");
        nix::unistd::write(&a, &[9, 0, 0]).expect("half a head");
        drop(a);
        assert_eq!(receive::<u8>(&b).expect("whole").map(|(n, _)| n), Some(1));
        assert_eq!(receive::<u8>(&b).expect_err("torn").kind(), io::ErrorKind::UnexpectedEof);
        let (a, b) = pair().expect("a socket pair");
        assert!(!is_closed(&b));
        drop(a);
        assert!(is_closed(&b));
        assert!(receive::<u8>(&b).expect("closed").is_none());
        assert_eq!(send(&b, &1_u8, &[]).expect_err("closed").kind(), io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn an_absurd_length_is_refused_before_memory_is_taken() {
        let (a, b) = pair().expect("a socket pair");
        let mut head = [0xff; 8];
        head[4..].fill(0);
        nix::unistd::write(&a, &head).expect("a head");
        assert_eq!(receive::<u8>(&b).expect_err("too long").kind(), io::ErrorKind::InvalidData);
    }
}
