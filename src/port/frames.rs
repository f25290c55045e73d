//! Frames between a port and the pool: what the virtio-net header says of a frame comes in with it, and what a port cannot
//! leave to its host is finished before it goes out.
//!
//! A run of a train goes out as one super-frame where the port has the offload for it, else cut into wire frames with
//! complete checksums. A frame with a partial checksum goes out as it is where the port knows partial checksums.

use std::io::{self, IoSlice, IoSliceMut};

use super::tap::TapPort;
use crate::frame::{Frame, FramePool, FrameView, HEAD_ROOM, PARTS, Rest};
use crate::wire::gso::{Gso, GsoKind, MAX_HEADER_LEN};
use crate::wire::segmentation::{Checksum, Cut, Segmenter, complete_checksum};
use crate::wire::site;
use crate::wire::vnet::{ChecksumState, DATA_VALID, Endian, HEADER_LEN, VnetHeader};

/// Longest frame that a port hands over: an IP packet of 65,535 bytes, an Ethernet header and two VLAN tags.
pub(super) const LONGEST_FRAME: usize = 65_535 + 14 + 8;

/// The longest of what stands before a frame: the header of longwire's encapsulation.
pub(super) const LONGEST_PREFIX: usize = site::HEADER_LEN;

/// What came from a port.
#[derive(Debug)]
pub enum Received {
    /// A frame, in the pool.
    Frame(Frame),
    /// One whose header, of virtio-net or of a tunnel, does not fit it; it is gone.
    Malformed,
    /// Something that is no frame for this port; it is gone, and the port has counted it.
    Foreign,
}

/// What the other end of a port can finish by itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Abilities {
    /// Partial checksums.
    pub checksum: bool,
    /// Super-frames of TCP over IPv4.
    pub tso4: bool,
    /// Super-frames of TCP over IPv6.
    pub tso6: bool,
    /// Super-frames of TCP with ECN.
    pub tso_ecn: bool,
    /// Super-frames of UDP.
    pub uso: bool,
    /// Super-frames with a VLAN tag.
    pub tagged: bool,
}

impl Abilities {
    fn takes(&self, gso: Gso) -> bool {
        self.checksum
            && match gso.kind {
                GsoKind::Tcp4 => self.tso4 && (self.tso_ecn || !gso.ecn),
                GsoKind::Tcp6 => self.tso6 && (self.tso_ecn || !gso.ecn),
                GsoKind::Udp4 | GsoKind::Udp6 => self.uso,
            }
    }
}

/// What frames are written to.
pub trait Output {
    /// Writes what stands before a frame of `len` bytes into `prefix`; returns how long that is.
    fn prefix(&mut self, vnet: VnetHeader, len: usize, prefix: &mut [u8; LONGEST_PREFIX]) -> usize;

    /// Writes one frame from its parts, the prefix first.
    ///
    /// # Errors
    /// The frame was not taken, whatever for; it is lost.
    fn write(&mut self, parts: &[IoSlice<'_>]) -> io::Result<()>;
}

/// Reads one frame into the pool.
///
/// # Errors
/// Those of [`TapPort::read`]; `WouldBlock` where none waits.
pub fn receive(tap: &TapPort, pool: &mut FramePool) -> io::Result<Received> {
    let mut header = [0; HEADER_LEN];
    let prefix = tap.header_len();
    let mut frame = read(pool, &mut header[..prefix], |parts| tap.read_parts(parts))?;
    if prefix > 0 {
        let view = pool.view(&frame);
        let checked =
            VnetHeader::decode(&header, Endian::Native).ok().and_then(|h| h.check(view.head, view.total()).ok());
        match checked {
            Some(offload) => pool.set_offload(&mut frame, offload),
            None => {
                pool.release(frame);
                return Ok(Received::Malformed);
            }
        }
    }
    Ok(Received::Frame(frame))
}

/// Reads one frame into the pool. `read` fills slices one behind the other, the header first, and returns how many bytes came.
pub(super) fn read<E>(
    pool: &mut FramePool,
    header: &mut [u8],
    read: impl FnOnce(&mut [IoSliceMut<'_>]) -> Result<usize, E>,
) -> Result<Frame, E> {
    pool.read_into(LONGEST_FRAME, |[head, first], more| {
        let prefix = header.len();
        let mut parts: [IoSliceMut<'_>; 1 + PARTS] = std::array::from_fn(|_| IoSliceMut::new(&mut []));
        let slices = [header, head, first].into_iter().chain(more.iter_mut().map(|piece| &mut piece[..]));
        let mut count = 0;
        for (part, slice) in parts.iter_mut().zip(slices) {
            *part = IoSliceMut::new(slice);
            count += 1;
        }
        Ok(read(&mut parts[..count])?.saturating_sub(prefix))
    })
}

/// What became of a run that was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Wire frames that the host's kernel took.
    pub taken: u64,
    /// Wire frames that it refused: its interface is down, the frame is shorter than an Ethernet header, or a virtual machine does not
    /// read what it is sent.
    pub refused: u64,
}

/// Writes a run of wire frames to a port.
pub fn send(output: &mut impl Output, abilities: Abilities, view: FrameView<'_>) -> Sent {
    Writer { output, abilities, sent: Sent::default() }.run(view)
}

struct Writer<'a, O> {
    output: &'a mut O,
    abilities: Abilities,
    sent: Sent,
}

impl<O: Output> Writer<'_, O> {
    fn run(mut self, view: FrameView<'_>) -> Sent {
        match view.offload.train {
            None => self.plain(view),
            Some(layout) => match Segmenter::new(layout, view.head, view.rest) {
                Ok(segmenter) => self.train(&segmenter, view),
                // The layout was checked against this very head when it came in.
                Err(_) => self.sent.refused += u64::from(view.count),
            },
        }
        self.sent
    }

    fn plain(&mut self, view: FrameView<'_>) {
        match view.offload.checksum {
            ChecksumState::Partial(partial) if !self.abilities.checksum => {
                let mut head = [0; HEAD_ROOM];
                let head = &mut head[..view.head.len()];
                head.copy_from_slice(view.head);
                match complete_checksum(head, view.rest, partial) {
                    Ok(()) => self.write(VnetHeader::default(), head, view.rest.slices(0..view.rest.len()), 1),
                    // its place was checked when it came in
                    Err(_) => self.sent.refused += 1,
                }
            }
            ChecksumState::Partial(partial) => {
                self.whole(VnetHeader::new(None, Some(partial), 0), view);
            }
            ChecksumState::Valid => {
                let header = VnetHeader { flags: DATA_VALID, ..VnetHeader::default() };
                self.whole(header, view);
            }
            ChecksumState::AsIs => self.whole(VnetHeader::default(), view),
        }
    }

    fn whole(&mut self, vnet: VnetHeader, view: FrameView<'_>) {
        self.write(vnet, view.head, view.rest.slices(0..view.rest.len()), 1);
    }

    fn train(&mut self, segmenter: &Segmenter<'_, Rest<'_>>, view: FrameView<'_>) {
        let range = u32::from(view.first)..u32::from(view.first) + u32::from(view.count);
        let mut header = [0; MAX_HEADER_LEN];
        let gso = view.offload.train.map(|layout| layout.gso());
        let tagged = || matches!(view.head.get(12..14), Some([0x81, 0] | [0x88, 0xa8]));
        if range.len() == 1 || gso.is_some_and(|gso| self.abilities.takes(gso)) && (self.abilities.tagged || !tagged())
        {
            let checksum = if self.abilities.checksum { Checksum::Partial } else { Checksum::Complete };
            let cut = segmenter.run(range, checksum, &mut header);
            return self.cut(&header, &cut, view, u64::from(view.count));
        }
        for k in range {
            let cut = segmenter.segment(k, Checksum::Complete, &mut header);
            self.cut(&header, &cut, view, 1);
        }
    }

    fn cut(&mut self, header: &[u8; MAX_HEADER_LEN], cut: &Cut, view: FrameView<'_>, frames: u64) {
        let vnet = VnetHeader::new(cut.gso, cut.partial, cut.header_len);
        self.write(vnet, &header[..cut.header_len], view.slices(cut.payload.clone()), frames);
    }

    fn write<'b>(&mut self, vnet: VnetHeader, head: &'b [u8], rest: impl Iterator<Item = &'b [u8]>, frames: u64) {
        let mut prefix = [0; LONGEST_PREFIX];
        let mut parts = [IoSlice::new(&[]); 2 + PARTS];
        let (mut count, mut len) = (1, 0);
        for (part, slice) in parts[1..].iter_mut().zip([head].into_iter().chain(rest.map(|slice| -> &[u8] { slice }))) {
            *part = IoSlice::new(slice);
            count += 1;
            len += slice.len();
        }
        let prefixed = self.output.prefix(vnet, len, &mut prefix);
        parts[0] = IoSlice::new(&prefix[..prefixed]);
        match self.output.write(&parts[..count]) {
            Ok(()) => self.sent.taken += frames,
            Err(_) => self.sent.refused += frames,
        }
    }
}
