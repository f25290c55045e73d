//! Messages between processes over a stream socket: JSON, with descriptors beside it.
//!
//! On the wire: an 8-byte head (length of the JSON, number of descriptors; u32 each, native order, since both ends are
//! one machine), then the descriptors in groups, each riding on one byte, then the JSON. A stream has no limit on the
//! length of a message, which a sequenced-packet socket has.
#![allow(unsafe_code)]

use std::cmp::Ordering;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType, sendmsg, socketpair};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Descriptors that travel on one byte; the kernel takes up to 253 (unix(7)).
const GROUP: usize = 128;
/// Descriptors that one message can bring (SCM_MAX_FD), whoever sends it.
const MOST: usize = 253;

/// The longest JSON taken from the other end: far more than a host of 10,000 neighbours needs.
const MAX_LENGTH: usize = 64 << 20;

/// A connected pair of stream sockets, close-on-exec.
///
/// # Errors
/// Those of socketpair(2).
pub fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(socketpair(AddressFamily::Unix, SockType::Stream, None, SockFlag::SOCK_CLOEXEC)?)
}

/// Bytes before the JSON and its descriptors.
pub const HEAD: usize = 8;

/// Length of the JSON, and number of descriptors, from a message's head.
pub fn head(head: &[u8; HEAD]) -> (usize, usize) {
    let word = |at: usize| u32::from_ne_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]) as usize;
    (word(0), word(4))
}

/// Sends one message with its descriptors; the caller keeps its own copies of them.
///
/// # Errors
/// `BrokenPipe` when the other end is closed; those of sendmsg(2).
pub fn send<T: Serialize>(socket: impl AsFd, message: &T, fds: &[BorrowedFd<'_>]) -> io::Result<()> {
    let socket = socket.as_fd();
    let body = begin(socket, message, fds)?;
    send_all(socket, &body)
}

/// Sends a message's head and its descriptors; the JSON, which is returned, is the caller's to send, at its own pace.
///
/// # Errors
/// As [`send`].
pub fn begin<T: Serialize>(socket: impl AsFd, message: &T, fds: &[BorrowedFd<'_>]) -> io::Result<Vec<u8>> {
    let socket = socket.as_fd();
    let body = serde_json::to_vec(message).map_err(io::Error::other)?;
    let length = u32::try_from(body.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let count = u32::try_from(fds.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let mut head = [0; HEAD];
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
    Ok(body)
}

/// Receives one message with its descriptors (close-on-exec); `None` when the other end is closed.
///
/// # Errors
/// `UnexpectedEof` when the other end vanished in mid-message, `InvalidData` for a message of another shape; `EMFILE`
/// where not all descriptors could be taken in, with the message read to its end, so that the next one can follow.
pub fn receive<T: DeserializeOwned>(socket: impl AsFd) -> io::Result<Option<(T, Vec<OwnedFd>)>> {
    let socket = socket.as_fd();
    let mut bytes = [0; HEAD];
    if !receive_exact(socket, &mut bytes)? {
        return Ok(None);
    }
    let (length, count) = head(&bytes);
    if length > MAX_LENGTH {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a message is too long"));
    }
    let mut fds = Vec::new();
    let mut cut = false;
    for group in 0..count.div_ceil(GROUP) {
        receive_group(socket, &mut fds)?;
        match fds.len().cmp(&count.min((group + 1) * GROUP)) {
            Ordering::Equal => {}
            // The kernel closes what does not fit into the table of descriptors (MSG_CTRUNC).
            Ordering::Less => cut = true,
            Ordering::Greater => {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "more descriptors than announced"));
            }
        }
    }
    let mut body = vec![0; length];
    if !receive_exact(socket, &mut body)? && length > 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    if cut {
        return Err(io::Error::from_raw_os_error(libc::EMFILE));
    }
    let message = serde_json::from_slice(&body).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))?;
    Ok(Some((message, fds)))
}

/// Whether an error of [`receive`] left the next message where it begins: this one was read to its end, and not understood.
pub(crate) fn is_whole(error: &io::Error) -> bool {
    let not_understood = error.get_ref().is_some_and(|inner| inner.is::<serde_json::Error>());
    not_understood || error.raw_os_error() == Some(libc::EMFILE)
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

/// Takes the descriptors that ride on the next byte. Own code and not nix's `recvmsg`, which leaves those that were taken
/// in open where the kernel had to cut the rest off.
fn receive_group(socket: BorrowedFd<'_>, fds: &mut Vec<OwnedFd>) -> io::Result<()> {
    let mut byte = 0_u8;
    let mut slice = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
    // In units that are aligned as a cmsghdr must be.
    // SAFETY: plain arithmetic.
    let length = unsafe { libc::CMSG_SPACE(size_of::<[RawFd; MOST]>() as libc::c_uint) } as usize;
    let mut space = vec![0_usize; length.div_ceil(size_of::<usize>())];
    // SAFETY: all fields may be zero: no name, no buffers.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut slice;
    message.msg_iovlen = 1;
    message.msg_control = space.as_mut_ptr().cast();
    message.msg_controllen = size_of_val(&space[..]) as _;
    let received = retry(|| {
        // SAFETY: the message points at one byte and at `space`, both with their lengths, and both live on.
        Errno::result(unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, libc::MSG_CMSG_CLOEXEC) })
    })?;
    // SAFETY: the kernel has filled in the message, which CMSG_FIRSTHDR and CMSG_NXTHDR read within its length; what follows
    // a header of SCM_RIGHTS are as many descriptors as fit into its own length, which the kernel has just made for this
    // process and nothing else owns.
    unsafe {
        let mut head = libc::CMSG_FIRSTHDR(&raw const message);
        while !head.is_null() {
            if ((*head).cmsg_level, (*head).cmsg_type) == (libc::SOL_SOCKET, libc::SCM_RIGHTS) {
                let count = ((*head).cmsg_len as usize - libc::CMSG_LEN(0) as usize) / size_of::<RawFd>();
                let first = libc::CMSG_DATA(head).cast::<RawFd>();
                fds.extend((0..count).map(|at| OwnedFd::from_raw_fd(first.add(at).read_unaligned())));
            }
            head = libc::CMSG_NXTHDR(&raw const message, head);
        }
    }
    if received == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
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

    /// Ends of a pipe that the test and whoever else holds: how many of the others' are open shows in its own end.
    #[test]
    fn descriptors_that_nobody_asked_for_are_closed() {
        let send_with = |head: [u32; 2], fds: usize, body: &str| {
            let (a, b) = pair().expect("a socket pair");
            let (reader, writer) = std::io::pipe().expect("a pipe");
            let raw = vec![writer.as_raw_fd(); fds];
            let bytes: Vec<u8> = head.iter().flat_map(|word| word.to_ne_bytes()).collect();
            // on the head, on the byte that is for them, and on the text
            let texts: [&[u8]; 3] = [&bytes, &[0], body.as_bytes()];
            for text in &texts[..if head[1] == 0 { 1 } else { 3 }] {
                let rights = [ControlMessage::ScmRights(&raw)];
                sendmsg::<()>(a.as_raw_fd(), &[IoSlice::new(text)], &rights, MsgFlags::empty(), None).expect("sent");
            }
            if head[1] == 0 {
                nix::unistd::write(&a, body.as_bytes()).expect("sent");
            }
            drop((a, writer));
            let received = receive::<u8>(&b);
            drop(b);
            (received, reader)
        };
        let all_closed = |mut reader: std::io::PipeReader| {
            // the end of the pipe comes when no writer is left
            assert_eq!(reader.read(&mut [0]).expect("a pipe"), 0);
        };
        // fewer were announced than came, on every byte
        let (received, reader) = send_with([1, 1], MOST, "7");
        assert_eq!(received.expect_err("more than announced").kind(), io::ErrorKind::InvalidData);
        all_closed(reader);
        // none was announced
        let (received, reader) = send_with([1, 0], 100, "7");
        assert!(matches!(received, Ok(Some((7, fds))) if fds.is_empty()));
        all_closed(reader);
        // as announced, in a message that is not understood
        let (received, reader) = send_with([1, 3], 3, "x");
        assert_eq!(received.expect_err("no number").kind(), io::ErrorKind::InvalidData);
        all_closed(reader);
    }
}
