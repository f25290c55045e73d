//! Datagrams to a virtual machine and back: QEMU's `-netdev dgram` over Unix sockets.
//!
//! A datagram is a frame (QEMU `net/dgram.c`). There is no virtio-net header, so neither side leaves a checksum or a segmentation to the
//! other. The kernel loses none: a reader that is slow makes it refuse more. It lets few of them wait (`net.unix.max_dgram_qlen`, 10 by
//! default), so frames that come together find room here.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::net::UnixDatagram;

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, recvmsg, sendmsg};

use super::frames::{self, LONGEST_FRAME, LONGEST_PREFIX, Output, Received};
use crate::frame::FramePool;
use crate::wire::vnet::VnetHeader;

/// Bytes that wait here at most: what a stream socket takes by default (`net.core.wmem_default`).
const MOST: usize = 212_992;

/// A socket that is connected to the machine's: non-blocking, close-on-exec, closed on drop.
#[derive(Debug)]
pub struct DatagramPort {
    socket: UnixDatagram,
    /// Frames that the machine has no room for yet, and their bytes.
    kept: VecDeque<Vec<u8>>,
    bytes: usize,
}

impl DatagramPort {
    /// A socket that is connected, and non-blocking.
    pub fn new(socket: UnixDatagram) -> DatagramPort {
        DatagramPort { socket, kept: VecDeque::new(), bytes: 0 }
    }

    /// Reads the frame of one datagram into the pool. One that is empty, or longer than any that a TAP hands over, is malformed.
    ///
    /// # Errors
    /// `WouldBlock` where none waits. It is not told that the machine is gone.
    pub fn receive(&self, pool: &mut FramePool) -> io::Result<Received> {
        let mut whole = true;
        let frame = frames::read(pool, &mut [], |parts| {
            let got = recvmsg::<()>(self.socket.as_raw_fd(), parts, None, MsgFlags::empty())?;
            whole = (1..=LONGEST_FRAME).contains(&got.bytes) && !got.flags.contains(MsgFlags::MSG_TRUNC);
            Ok::<_, io::Error>(got.bytes)
        })?;
        if whole {
            return Ok(Received::Frame(frame));
        }
        pool.release(frame);
        Ok(Received::Malformed)
    }

    /// Whether frames wait for room.
    pub fn has_rest(&self) -> bool {
        !self.kept.is_empty()
    }

    /// Sends what waits for room, as far as there is any.
    pub fn flush(&mut self) {
        while let Some(frame) = self.kept.front() {
            if self.socket.send(frame).is_err_and(|error| error.kind() == ErrorKind::WouldBlock) {
                return;
            }
            // it is sent, or the machine is gone
            self.bytes -= frame.len();
            self.kept.pop_front();
        }
    }
}

impl Output for DatagramPort {
    fn prefix(&mut self, _: VnetHeader, _: usize, _: &mut [u8; LONGEST_PREFIX]) -> usize {
        0
    }

    /// `WouldBlock` where the machine does not read; `ECONNREFUSED`, `ENOTCONN` where it is gone.
    fn write(&mut self, parts: &[IoSlice<'_>]) -> io::Result<()> {
        self.flush();
        if !self.has_rest() {
            match sendmsg::<()>(self.socket.as_raw_fd(), parts, &[], MsgFlags::MSG_NOSIGNAL, None) {
                Err(Errno::EAGAIN) => {}
                sent => return Ok(sent.map(drop)?),
            }
        }
        let len: usize = parts.iter().map(|part| part.len()).sum();
        if self.bytes + len > MOST {
            return Err(ErrorKind::WouldBlock.into());
        }
        self.bytes += len;
        self.kept.push_back(parts.iter().flat_map(|part| part.iter().copied()).collect());
        Ok(())
    }
}

impl AsFd for DatagramPort {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::frames::{Abilities, Sent};

    fn pair() -> (DatagramPort, UnixDatagram) {
        let (ours, theirs) = UnixDatagram::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        (DatagramPort::new(ours), theirs)
    }

    fn frame(len: usize) -> Vec<u8> {
        (0..len).map(|n| n as u8).collect()
    }

    /// What a port reads next: the bytes of a frame.
    fn next(port: &DatagramPort, pool: &mut FramePool) -> io::Result<Vec<u8>> {
        match port.receive(pool)? {
            Received::Frame(frame) => {
                let view = pool.view(&frame);
                let rest: Vec<&[u8]> = view.rest.slices(0..view.rest.len()).collect();
                let bytes = [view.head, &rest.concat()].concat();
                pool.release(frame);
                Ok(bytes)
            }
            other => Err(io::Error::other(format!("{other:?}"))),
        }
    }

    fn send(port: &mut DatagramPort, pool: &mut FramePool, bytes: &[u8]) -> Sent {
        let frame = pool.store(bytes).unwrap();
        let sent = frames::send(port, Abilities::default(), pool.view(&frame));
        pool.release(frame);
        sent
    }

    #[test]
    fn frames_of_all_lengths_pass_both_ways() {
        let (mut port, other) = pair();
        let (mut pool, mut buffer) = (FramePool::default(), vec![0; 1 << 17]);
        for len in [1, 14, 60, 192, 193, 1_514, 9_014, LONGEST_FRAME] {
            other.send(&frame(len)).unwrap();
            assert!(next(&port, &mut pool).is_ok_and(|bytes| bytes == frame(len)), "{len}");
            if len <= 60_000 {
                assert_eq!(send(&mut port, &mut pool, &frame(len)), Sent { taken: 1, refused: 0 });
                let n = other.recv(&mut buffer).unwrap();
                assert!(buffer[..n] == frame(len), "{len}");
            }
        }
        for len in [0, LONGEST_FRAME + 1, 100_000] {
            other.send(&frame(len)).unwrap();
            assert!(next(&port, &mut pool).is_err_and(|error| error.to_string() == "Malformed"), "{len}");
        }
        assert_eq!(next(&port, &mut pool).unwrap_err().kind(), ErrorKind::WouldBlock);
        assert_eq!(pool.live(), 0);
    }

    /// What finds no room in the kernel waits, up to a bound; all that was taken arrives whole and in order.
    #[test]
    fn a_reader_that_is_slow_gets_all_that_was_taken() {
        let (mut port, other) = pair();
        let mut pool = FramePool::default();
        let mut taken = 0_u32;
        for n in 0..1_000_u32 {
            taken += send(&mut port, &mut pool, &[&n.to_be_bytes()[..], &[7; 1_500]].concat()).taken as u32;
        }
        assert!((MOST as u32 / 1_504..1_000).contains(&taken) && port.has_rest(), "{taken}");
        other.set_nonblocking(true).unwrap();
        let mut buffer = [0; 2_000];
        for n in 0..taken {
            port.flush();
            assert_eq!(other.recv(&mut buffer).unwrap(), 1_504);
            assert_eq!(buffer[..4], n.to_be_bytes());
        }
        assert!(!port.has_rest() && port.bytes == 0);
        assert!(other.recv(&mut buffer).is_err());
    }

    #[test]
    fn a_machine_that_is_gone_refuses_and_leaves_nothing_waiting() {
        let (mut port, other) = pair();
        let mut pool = FramePool::default();
        while !port.has_rest() {
            send(&mut port, &mut pool, &frame(1_500));
        }
        drop(other);
        for _ in 0..2 {
            assert_eq!(send(&mut port, &mut pool, &frame(60)), Sent { taken: 0, refused: 1 });
        }
        assert!(!port.has_rest() && port.bytes == 0);
    }
}
