//! A connection to a virtual machine: QEMU's `-netdev stream` over a Unix socket, which passt speaks too.
//!
//! Each frame comes after its length, 32 bits in network byte order (QEMU `net/stream.c`, `net_fill_rstate` in `net/net.c`). There
//! is no virtio-net header, so neither side leaves a checksum or a segmentation to the other.

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use super::frames::{LONGEST_FRAME, LONGEST_PREFIX, Output, Received};
use crate::frame::FramePool;
use crate::wire::vnet::VnetHeader;

/// The length before each frame.
const PREFIX: usize = 4;
/// The longest frame that QEMU sends (`NET_BUFSIZE` in include/net/net.h).
const LONGEST: usize = 4_096 + 65_536;
/// Bytes read at a time, a whole frame at least.
const INPUT: usize = 2 * LONGEST;

/// An open connection: non-blocking, close-on-exec, closed on drop.
#[derive(Debug)]
pub struct StreamPort {
    stream: UnixStream,
    input: Box<[u8]>,
    /// Where in `input` stands what was read and not taken.
    unread: std::ops::Range<usize>,
    /// What is left of a frame of which the kernel took a part; nothing may come between.
    rest: Vec<u8>,
}

impl StreamPort {
    /// A connection that has been accepted.
    ///
    /// # Errors
    /// It cannot be made non-blocking.
    pub fn new(stream: UnixStream) -> io::Result<StreamPort> {
        stream.set_nonblocking(true)?;
        Ok(StreamPort { stream, input: vec![0; INPUT].into(), unread: 0..0, rest: Vec::new() })
    }

    /// Reads one frame into the pool. One that is longer than any that a TAP hands over is malformed.
    ///
    /// # Errors
    /// `WouldBlock` where none has come whole. `UnexpectedEof` when the other side has closed; `InvalidData` of a length that no
    /// frame has. After these there is no more to come.
    pub fn receive(&mut self, pool: &mut FramePool) -> io::Result<Received> {
        loop {
            if let Some(frame) = self.next()? {
                self.unread.start += PREFIX + frame.len();
                let bytes = &self.input[frame];
                if bytes.len() > LONGEST_FRAME {
                    return Ok(Received::Malformed);
                }
                let frame = pool.read_into(bytes.len(), |[head, first], more| {
                    let mut left = bytes;
                    for part in [head, first].into_iter().chain(more.iter_mut().map(|piece| &mut piece[..])) {
                        let (now, later) = left.split_at(left.len().min(part.len()));
                        part[..now.len()].copy_from_slice(now);
                        left = later;
                    }
                    Ok::<_, io::Error>(bytes.len())
                });
                return frame.map(Received::Frame);
            }
            self.fill()?;
        }
    }

    /// Whether a whole frame, or a mistake, can be told from what was read.
    pub fn has_frame(&self) -> bool {
        !matches!(self.next(), Ok(None))
    }

    /// Where the next frame stands in the input, if it is there whole.
    fn next(&self) -> io::Result<Option<std::ops::Range<usize>>> {
        let unread = &self.input[self.unread.clone()];
        let Some((len, rest)) = unread.split_first_chunk::<PREFIX>() else { return Ok(None) };
        let len = u32::from_be_bytes(*len) as usize;
        if len == 0 || len > LONGEST {
            return Err(io::Error::new(ErrorKind::InvalidData, format!("a frame of {len} bytes")));
        }
        let at = self.unread.start + PREFIX;
        Ok((rest.len() >= len).then_some(at..at + len))
    }

    fn fill(&mut self) -> io::Result<()> {
        self.input.copy_within(self.unread.clone(), 0);
        self.unread = 0..self.unread.len();
        match self.stream.read(&mut self.input[self.unread.end..])? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            n => {
                self.unread.end += n;
                Ok(())
            }
        }
    }

    /// Whether a part of a frame waits for room.
    pub fn has_rest(&self) -> bool {
        !self.rest.is_empty()
    }

    /// Writes what waits for room, as far as there is any.
    pub fn flush(&mut self) {
        while !self.rest.is_empty() {
            match self.stream.write(&self.rest) {
                Ok(n) => drop(self.rest.drain(..n)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                // The connection has ended, which the next read tells.
                Err(_) => self.rest.clear(),
            }
        }
    }
}

impl Output for StreamPort {
    fn prefix(&mut self, _: VnetHeader, len: usize, prefix: &mut [u8; LONGEST_PREFIX]) -> usize {
        prefix[..PREFIX].copy_from_slice(&(len as u32).to_be_bytes());
        PREFIX
    }

    /// `WouldBlock` where the other side does not read; `EPIPE` where it has ended.
    fn write(&mut self, parts: &[IoSlice<'_>]) -> io::Result<()> {
        self.flush();
        if self.has_rest() {
            return Err(ErrorKind::WouldBlock.into());
        }
        let mut written = self.stream.write_vectored(parts)?;
        for part in parts {
            let taken = written.min(part.len());
            self.rest.extend_from_slice(&part[taken..]);
            written -= taken;
        }
        Ok(())
    }
}

impl AsFd for StreamPort {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Frame;
    use crate::port::frames::{self, Abilities};
    use nix::sys::socket::{setsockopt, sockopt::SndBuf};

    fn pair() -> (StreamPort, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        (StreamPort::new(ours).unwrap(), theirs)
    }

    fn framed(frame: &[u8]) -> Vec<u8> {
        [&(frame.len() as u32).to_be_bytes()[..], frame].concat()
    }

    fn receive(port: &mut StreamPort, pool: &mut FramePool) -> io::Result<Frame> {
        match port.receive(pool)? {
            Received::Frame(frame) => Ok(frame),
            other => panic!("{other:?}"),
        }
    }

    fn bytes(pool: &FramePool, frame: &Frame) -> Vec<u8> {
        let view = pool.view(frame);
        let rest: Vec<&[u8]> = view.rest.slices(0..view.rest.len()).collect();
        [view.head, &rest.concat()].concat()
    }

    #[test]
    fn frames_of_all_lengths_arrive_however_the_stream_is_cut() {
        let (mut port, mut other) = pair();
        let mut pool = FramePool::default();
        let frames: Vec<Vec<u8>> =
            [1, 14, 60, 192, 193, 1_514, 9_014, LONGEST_FRAME].map(|len| (0..len).map(|n| n as u8).collect()).into();
        let sent: Vec<u8> = frames.iter().flat_map(|frame| framed(frame)).collect();
        let mut got = Vec::new();
        for piece in sent.chunks(997) {
            other.write_all(piece).unwrap();
            loop {
                match receive(&mut port, &mut pool) {
                    Ok(frame) => {
                        got.push(bytes(&pool, &frame));
                        pool.release(frame);
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => panic!("{error}"),
                }
            }
        }
        assert!(got == frames);
        assert!(!port.has_frame());
        other.write_all(&[framed(b"a frame that"), framed(b"came with another")].concat()).unwrap();
        let first = receive(&mut port, &mut pool).unwrap();
        assert!(bytes(&pool, &first) == b"a frame that" && port.has_frame());
    }

    #[test]
    fn an_end_and_an_impossible_length_are_told() {
        let mut pool = FramePool::default();
        let (mut port, mut other) = pair();
        other.write_all(&framed(&[0; LONGEST_FRAME + 1])).unwrap();
        assert!(matches!(port.receive(&mut pool), Ok(Received::Malformed)));
        drop(other);
        assert_eq!(port.receive(&mut pool).unwrap_err().kind(), ErrorKind::UnexpectedEof);
        for len in [0, LONGEST as u32 + 1, u32::MAX] {
            let (mut port, mut other) = pair();
            other.write_all(&len.to_be_bytes()).unwrap();
            assert_eq!(port.receive(&mut pool).unwrap_err().kind(), ErrorKind::InvalidData, "{len}");
        }
    }

    /// What the other side has not read waits or is refused; what was taken arrives whole and in order.
    #[test]
    fn a_reader_that_is_slow_loses_whole_frames_only() {
        let (mut port, mut other) = pair();
        let mut pool = FramePool::default();
        setsockopt(&port, SndBuf, &8_192).unwrap();
        let mut taken = 0;
        for n in 0..1_000_u32 {
            let frame = pool.store(&[&n.to_be_bytes()[..], &[7; 9_000]].concat()).unwrap();
            taken += frames::send(&mut port, Abilities::default(), pool.view(&frame)).taken;
            pool.release(frame);
        }
        assert!((1..1_000).contains(&taken) && port.has_rest(), "{taken}");
        other.set_nonblocking(true).unwrap();
        let (mut read, mut buffer) = (Vec::new(), vec![0; 1 << 16]);
        loop {
            port.flush();
            match other.read(&mut buffer) {
                Ok(n) => read.extend_from_slice(&buffer[..n]),
                Err(_) if port.has_rest() => {}
                Err(_) => break,
            }
        }
        let whole: Vec<u8> =
            (0..taken as u32).flat_map(|n| framed(&[&n.to_be_bytes()[..], &[7; 9_000]].concat())).collect();
        assert!(read == whole);
    }
}
