//! The virtio-net header in front of every frame of a TAP with `IFF_VNET_HDR`: what is left for a device to do (virtio 1.2
//! §5.1.6, `include/uapi/linux/virtio_net.h`).
//!
//! It comes from outside, so [`VnetHeader::check`] holds it against the frame itself and says what does not fit, as the
//! kernel does with what is written to a TAP (`virtio_net_hdr_to_skb`).

use super::gso::{Gso, GsoKind, Layout, NotATrain, PartialChecksum};
use super::{Malformed, ethernet, need, vlan};

/// Bytes of the header as TAPs have it by default.
pub const HEADER_LEN: usize = 10;
/// Bytes of the header with the number of buffers (`TUNSETVNETHDRSZ` 12; the only one of virtio 1.0).
pub const HEADER_LEN_V1: usize = 12;

/// Flag: the checksum is partial and must be completed.
pub const NEEDS_CSUM: u8 = 1;
/// Flag: the checksum was found right.
pub const DATA_VALID: u8 = 2;

/// No train: a plain frame.
pub const GSO_NONE: u8 = 0;
/// TCP over IPv4.
pub const GSO_TCPV4: u8 = 1;
/// One UDP datagram that is to be sent as IP fragments (UFO).
pub const GSO_UDP: u8 = 3;
/// TCP over IPv6.
pub const GSO_TCPV6: u8 = 4;
/// UDP datagrams (USO), over IPv4 or IPv6.
pub const GSO_UDP_L4: u8 = 5;
/// Beside a type: the TCP header has CWR set.
pub const GSO_ECN: u8 = 0x80;

/// The byte order of the header's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endian {
    /// `TUNSETVNETLE`, and virtio 1.0.
    Little,
    /// The machine's own, as a TAP has it without being asked.
    Native,
}

/// The header, as it stands: nothing of it is checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VnetHeader {
    /// [`NEEDS_CSUM`], [`DATA_VALID`].
    pub flags: u8,
    /// One of the types, perhaps with [`GSO_ECN`].
    pub gso_type: u8,
    /// A hint: bytes of headers or more.
    pub hdr_len: u16,
    /// Bytes of payload in each wire frame.
    pub gso_size: u16,
    /// Where the checksum starts to sum.
    pub csum_start: u16,
    /// Where, from there, it stands.
    pub csum_offset: u16,
}

/// What is known of a frame's transport checksum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChecksumState {
    /// It is what it is.
    #[default]
    AsIs,
    /// It is to be completed.
    Partial(PartialChecksum),
    /// It was found right.
    Valid,
}

/// What a header says of its frame, checked against the frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offload {
    /// The state of the transport checksum.
    pub checksum: ChecksumState,
    /// The train, if it is one of two wire frames or more.
    pub train: Option<Layout>,
}

impl Offload {
    /// The checksum to complete, if there is one.
    pub const fn partial(&self) -> Option<PartialChecksum> {
        match self.checksum {
            ChecksumState::Partial(partial) => Some(partial),
            _ => None,
        }
    }

    /// The same once bytes have come or gone in front of the network header, so that what stood at `from` and behind stands
    /// `by` bytes further on. `None` if part of it began before `from`, or would not fit any more.
    pub(crate) fn moved(self, from: usize, by: i32) -> Option<Offload> {
        let checksum = match self.checksum {
            ChecksumState::Partial(PartialChecksum { start, .. }) if usize::from(start) < from => return None,
            ChecksumState::Partial(PartialChecksum { start, offset }) => {
                let start = start.checked_add_signed(i16::try_from(by).ok()?)?;
                ChecksumState::Partial(PartialChecksum { start, offset })
            }
            state => state,
        };
        let train = match self.train {
            Some(layout) => Some(layout.moved(from, by)?),
            None => None,
        };
        Some(Offload { checksum, train })
    }
}

/// Why a header cannot be that of its frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Untrusted {
    /// A type that nobody negotiated.
    #[error("the virtio-net header has GSO type {0:#04x}, which was not asked for")]
    Type(u8),
    /// UDP fragmentation: it does not cut a frame into frames, but a packet into fragments.
    #[error("the virtio-net header asks for UDP fragmentation (UFO), which was not offered")]
    Ufo,
    /// The headers are said to be longer than the frame.
    #[error("the virtio-net header says {said} bytes of headers, and the frame has {frame_len}")]
    HeaderLen {
        /// What it says.
        said: u16,
        /// Bytes of the frame.
        frame_len: usize,
    },
    /// The checksum is outside of what a transport header may take.
    #[error("the virtio-net header has the checksum at {start}+{offset}, outside of the frame's {frame_len} bytes")]
    Checksum {
        /// Said start.
        start: u16,
        /// Said offset.
        offset: u16,
        /// Bytes of the frame.
        frame_len: usize,
    },
    /// It does not fit the frame's own headers.
    #[error("the virtio-net header does not fit its frame: {0}")]
    Train(#[from] NotATrain),
}

impl VnetHeader {
    /// The header of a frame that leaves with `gso` and `partial`, and `header_len` bytes of headers.
    pub const fn new(gso: Option<Gso>, partial: Option<PartialChecksum>, header_len: usize) -> VnetHeader {
        let mut header =
            VnetHeader { flags: 0, gso_type: GSO_NONE, hdr_len: 0, gso_size: 0, csum_start: 0, csum_offset: 0 };
        if let Some(gso) = gso {
            let kind = match gso.kind {
                GsoKind::Tcp4 => GSO_TCPV4,
                GsoKind::Tcp6 => GSO_TCPV6,
                GsoKind::Udp4 | GsoKind::Udp6 => GSO_UDP_L4,
            };
            header.gso_type = if gso.ecn && gso.kind.is_tcp() { kind | GSO_ECN } else { kind };
            header.gso_size = gso.size;
            header.hdr_len = header_len as u16;
        }
        if let Some(partial) = partial {
            header.flags = NEEDS_CSUM;
            header.csum_start = partial.start;
            header.csum_offset = partial.offset;
        }
        header
    }

    /// Reads the first ten of `bytes`. The number of buffers of the longer header says nothing on a TAP.
    pub fn decode(bytes: &[u8], endian: Endian) -> Result<VnetHeader, Malformed> {
        need("virtio-net", HEADER_LEN, bytes.len())?;
        let word = |at: usize| match endian {
            Endian::Little => u16::from_le_bytes([bytes[at], bytes[at + 1]]),
            Endian::Native => u16::from_ne_bytes([bytes[at], bytes[at + 1]]),
        };
        Ok(VnetHeader {
            flags: bytes[0],
            gso_type: bytes[1],
            hdr_len: word(2),
            gso_size: word(4),
            csum_start: word(6),
            csum_offset: word(8),
        })
    }

    /// The header as it is written, with zero buffers: the first [`HEADER_LEN`] or all [`HEADER_LEN_V1`] bytes, as the TAP is set.
    pub const fn encode(&self, endian: Endian) -> [u8; HEADER_LEN_V1] {
        const fn word(value: u16, endian: Endian) -> [u8; 2] {
            match endian {
                Endian::Little => value.to_le_bytes(),
                Endian::Native => value.to_ne_bytes(),
            }
        }
        let [a, b] = word(self.hdr_len, endian);
        let [c, d] = word(self.gso_size, endian);
        let [e, f] = word(self.csum_start, endian);
        let [g, h] = word(self.csum_offset, endian);
        [self.flags, self.gso_type, a, b, c, d, e, f, g, h, 0, 0]
    }

    /// What it says of a frame into whose Ethernet header `bytes` have been put.
    pub fn moved_by(&mut self, bytes: u16) {
        if self.flags & NEEDS_CSUM != 0 {
            self.csum_start = self.csum_start.saturating_add(bytes);
        }
        if self.hdr_len > 0 {
            self.hdr_len = self.hdr_len.saturating_add(bytes);
        }
    }

    /// Holds the header against its frame of `frame_len` bytes, of which `head` holds the first, at least all headers.
    ///
    /// A train of a single wire frame is none, as in the kernel.
    pub fn check(&self, head: &[u8], frame_len: usize) -> Result<Offload, Untrusted> {
        let head = &head[..head.len().min(frame_len)];
        if usize::from(self.hdr_len) > frame_len {
            return Err(Untrusted::HeaderLen { said: self.hdr_len, frame_len });
        }
        let partial = PartialChecksum { start: self.csum_start, offset: self.csum_offset };
        let checksum = if self.flags & NEEDS_CSUM != 0 {
            if usize::from(partial.start) < ethernet::HEADER_LEN || partial.field() + 2 > frame_len {
                return Err(Untrusted::Checksum { start: partial.start, offset: partial.offset, frame_len });
            }
            ChecksumState::Partial(partial)
        } else if self.flags & DATA_VALID != 0 {
            ChecksumState::Valid
        } else {
            ChecksumState::AsIs
        };
        let mut offload = Offload { checksum, train: None };
        let kind = match self.gso_type & !GSO_ECN {
            GSO_NONE if self.gso_type == GSO_NONE => return Ok(offload),
            GSO_TCPV4 => GsoKind::Tcp4,
            GSO_TCPV6 => GsoKind::Tcp6,
            GSO_UDP => return Err(Untrusted::Ufo),
            // the type does not say which IP; the frame does
            GSO_UDP_L4 if self.gso_type & GSO_ECN == 0 => match vlan::untag(head).map_err(NotATrain::from)?.ethertype {
                ethernet::EtherType::IPV6 => GsoKind::Udp6,
                _ => GsoKind::Udp4,
            },
            _ => return Err(Untrusted::Type(self.gso_type)),
        };
        let gso = Gso { kind, size: self.gso_size, ecn: self.gso_type & GSO_ECN != 0 };
        let layout = Layout::new(head, frame_len, gso, offload.partial())?;
        offload.train = (layout.frames() > 1).then_some(layout);
        Ok(offload)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{Train, train};
    use super::*;

    fn header_of(t: &Train) -> VnetHeader {
        VnetHeader::new(Some(t.gso), t.partial, t.header)
    }

    #[test]
    fn the_bytes_are_those_of_the_specification() {
        let t = Train::plain(GsoKind::Tcp4, 1448, 4000);
        let mut header = header_of(&t);
        header.gso_type |= GSO_ECN;
        let bytes = header.encode(Endian::Little);
        assert_eq!(bytes, [1, 0x81, 54, 0, 0xa8, 0x05, 34, 0, 16, 0, 0, 0]);
        assert_eq!(VnetHeader::decode(&bytes[..10], Endian::Little), Ok(header));
        assert_eq!(VnetHeader::decode(&header.encode(Endian::Native), Endian::Native), Ok(header));
        assert!(VnetHeader::decode(&bytes[..9], Endian::Little).is_err());
        assert_eq!(VnetHeader::new(None, None, 54), VnetHeader::default());
    }

    #[test]
    fn plain_frames_keep_what_is_known_of_their_checksum() {
        let frame = [0; 60];
        let check = |flags, csum_start, csum_offset| {
            VnetHeader { flags, csum_start, csum_offset, ..VnetHeader::default() }.check(&frame, 60)
        };
        assert_eq!(check(0, 0, 0), Ok(Offload::default()));
        assert_eq!(check(DATA_VALID, 0, 0).unwrap().checksum, ChecksumState::Valid);
        let partial = PartialChecksum { start: 34, offset: 24 };
        assert_eq!(check(NEEDS_CSUM, 34, 24).unwrap().partial(), Some(partial));
        for (start, offset) in [(34, 25), (13, 16), (60, 0), (u16::MAX, u16::MAX)] {
            assert!(matches!(check(NEEDS_CSUM, start, offset), Err(Untrusted::Checksum { .. })), "{start}+{offset}");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_with_the_reason() {
        let t = Train::plain(GsoKind::Udp6, 1200, 2400);
        let refused = |change: &dyn Fn(&mut VnetHeader)| {
            let mut header = header_of(&t);
            change(&mut header);
            header.check(&t.frame, t.frame.len()).unwrap_err()
        };
        assert_eq!(refused(&|h| h.gso_type = GSO_UDP), Untrusted::Ufo);
        assert_eq!(refused(&|h| h.gso_type = 2), Untrusted::Type(2));
        assert_eq!(refused(&|h| h.gso_type = GSO_ECN), Untrusted::Type(GSO_ECN));
        assert_eq!(refused(&|h| h.gso_type |= GSO_ECN), Untrusted::Type(0x85));
        assert!(matches!(refused(&|h| h.gso_type = GSO_TCPV6), Untrusted::Train(NotATrain::OtherKind { .. })));
        assert_eq!(refused(&|h| h.gso_size = 0), Untrusted::Train(NotATrain::NoSize));
        assert_eq!(refused(&|h| h.flags = 0), Untrusted::Train(NotATrain::ChecksumMissing));
        assert!(matches!(refused(&|h| h.csum_offset = 16), Untrusted::Train(NotATrain::ChecksumPlace { .. })));
        assert!(matches!(refused(&|h| h.hdr_len = 2463), Untrusted::HeaderLen { said: 2463, frame_len: 2462 }));
    }

    #[test]
    fn a_train_of_one_is_none() {
        let mut t = Train::plain(GsoKind::Tcp4, 1448, 1448);
        let offload = header_of(&t).check(&t.frame, t.frame.len()).unwrap();
        assert_eq!((offload.train, offload.partial()), (None, t.partial));
        t = Train::plain(GsoKind::Tcp4, 1448, 1449);
        let offload = header_of(&t).check(&t.frame, t.frame.len()).unwrap();
        assert_eq!(offload.train.map(|l| l.frames()), Some(2));
    }

    #[test]
    fn what_moves_is_where_a_look_at_the_moved_frame_finds_it() {
        for kind in [GsoKind::Tcp4, GsoKind::Udp6] {
            let t = Train::plain(kind, 1000, 3000);
            let look = |frame: &[u8], by: u16| {
                let mut header = header_of(&t);
                (header.csum_start, header.hdr_len) = (header.csum_start + by, header.hdr_len + by);
                header.check(frame, frame.len()).unwrap()
            };
            let plain = look(&t.frame, 0);
            let tagged = look(&[&t.frame[..12], &[0x81, 0, 0, 10], &t.frame[12..]].concat(), 4);
            assert_eq!(plain.moved(12, 4), Some(tagged));
            assert_eq!(tagged.moved(16, -4), Some(plain));
            // nothing moves from under what is known of it
            assert_eq!((plain.moved(15, 4), plain.moved(14, -4), plain.moved(12, 4000)), (None, None, None));
        }
        let partial = ChecksumState::Partial(PartialChecksum { start: 14, offset: 0 });
        assert_eq!(Offload { checksum: partial, train: None }.moved(16, -4), None);
        assert_eq!(Offload::default().moved(16, -4), Some(Offload::default()));
    }

    proptest! {
        #[test]
        fn what_was_encoded_is_found(t in train()) {
            let header = VnetHeader::decode(&header_of(&t).encode(Endian::Native), Endian::Native).unwrap();
            let offload = header.check(&t.frame, t.frame.len()).unwrap();
            prop_assert_eq!(offload.partial(), t.partial);
            if let Some(layout) = offload.train {
                prop_assert_eq!((layout.gso(), layout.header_len()), (t.gso, t.header));
            } else {
                prop_assert!(t.frame.len() - t.header <= t.gso.size.into());
            }
        }
    }
}
