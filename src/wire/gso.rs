//! What a super-frame is: a train of wire frames that share one header, and how long each of them is.
//!
//! The kernel hands over TCP of up to 64 KiB behind one header, with the size at which a device would cut it (generic
//! segmentation offload). [`Layout`] checks such a frame once, against its own headers, and answers from then on
//! without looking at bytes again; [`super::segmentation`] does the cutting.

use core::ops::Range;

use super::ethernet::EtherType;
use super::ipv6::{self, Transport};
use super::tcp::Flags;
use super::{Malformed, ipv4, tcp, udp, vlan};

/// The longest header of a wire frame, Ethernet to transport, that is cut: what a frame's head holds, tags that switches put
/// in included.
pub const MAX_HEADER_LEN: usize = 200;

/// What a train consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GsoKind {
    /// TCP over IPv4 (TSO).
    Tcp4,
    /// TCP over IPv6 (TSO6).
    Tcp6,
    /// UDP datagrams over IPv4 (USO).
    Udp4,
    /// UDP datagrams over IPv6 (USO).
    Udp6,
}

impl GsoKind {
    /// Over IPv4.
    pub const fn is_v4(self) -> bool {
        matches!(self, GsoKind::Tcp4 | GsoKind::Udp4)
    }

    /// TCP, whose segments are one stream; else UDP.
    pub const fn is_tcp(self) -> bool {
        matches!(self, GsoKind::Tcp4 | GsoKind::Tcp6)
    }

    /// Offset of the checksum in the transport header.
    pub const fn checksum_offset(self) -> u16 {
        if self.is_tcp() { tcp::CHECKSUM_OFFSET as u16 } else { udp::CHECKSUM_OFFSET as u16 }
    }
}

/// How a train is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Gso {
    /// What it consists of.
    pub kind: GsoKind,
    /// Bytes of payload in each wire frame but the last, which holds the rest. 1 or more.
    pub size: u16,
    /// The TCP header has CWR set, which the first wire frame alone may have (RFC 3168 §6.1.2).
    pub ecn: bool,
}

/// A checksum that is still to be completed: from `start` to the frame's end, into the two bytes at `start + offset`,
/// which hold the sum of the pseudo header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PartialChecksum {
    /// Offset of the transport header from the frame's start.
    pub start: u16,
    /// Offset of the checksum from `start`.
    pub offset: u16,
}

impl PartialChecksum {
    /// Offset of the checksum from the frame's start.
    pub const fn field(self) -> usize {
        self.start as usize + self.offset as usize
    }
}

/// Why a frame cannot be the train that it is said to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotATrain {
    /// One of its headers is malformed.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// A size of 0 cuts nothing.
    #[error("the segment size is 0")]
    NoSize,
    /// The headers are those of something else.
    #[error("the frame is said to be {said:?}, and its headers are {ethertype} with protocol {protocol}")]
    OtherKind {
        /// What the train was said to consist of.
        said: GsoKind,
        /// What its Ethernet header says.
        ethertype: EtherType,
        /// What its IP header says; 0 where it is not IP.
        protocol: u8,
    },
    /// Fragments of IP are wire frames already.
    #[error("the frame is an IP fragment")]
    Fragment,
    /// A length in a header is not the frame's.
    #[error("the {header} header says {said} bytes, and there are {present}")]
    Length {
        /// Which header.
        header: &'static str,
        /// What it says.
        said: usize,
        /// Bytes that are there.
        present: usize,
    },
    /// Longer than [`MAX_HEADER_LEN`], or than the head that is there.
    #[error("the headers take {needed} bytes, and the frame's head has room for {room}")]
    HeaderTooLong {
        /// Bytes from Ethernet to transport.
        needed: usize,
        /// Bytes that may be.
        room: usize,
    },
    /// The checksum is not where that of this transport is.
    #[error("the checksum is said to be at {start}+{offset}, and that of the transport is at {l4_offset}+{expected}")]
    ChecksumPlace {
        /// Said start.
        start: u16,
        /// Said offset.
        offset: u16,
        /// Where the transport header is.
        l4_offset: usize,
        /// Where in it the checksum is.
        expected: u16,
    },
    /// The kernel segments UDP only with a partial checksum.
    #[error("a train of UDP datagrams needs a partial checksum")]
    ChecksumMissing,
}

/// Where things are in a train, checked. Small and free of borrows, to be kept beside the frame.
///
/// It stays right while nothing moves: addresses, ports, TTL, ECN may be rewritten in place. When tags come or go, it moves
/// with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    gso: Gso,
    partial: bool,
    l3_offset: u8,
    l4_offset: u8,
    header_len: u8,
    payload_len: u32,
}

impl Layout {
    /// Checks a super-frame of `frame_len` bytes, of which `head` holds the first, at least all headers.
    ///
    /// Without a `partial` checksum a TCP train's own is not looked at: as in the kernel, it is made anew.
    pub fn new(head: &[u8], frame_len: usize, gso: Gso, partial: Option<PartialChecksum>) -> Result<Layout, NotATrain> {
        if gso.size == 0 {
            return Err(NotATrain::NoSize);
        }
        let head = &head[..head.len().min(frame_len)];
        let link = vlan::untag(head)?;
        let (l3, ethertype) = (link.l3_offset, link.ethertype);
        let other = |protocol| NotATrain::OtherKind { said: gso.kind, ethertype, protocol };
        let expected = if gso.kind.is_v4() { EtherType::IPV4 } else { EtherType::IPV6 };
        if ethertype != expected {
            return Err(other(0));
        }
        let (protocol, l4) = network(&head[l3..], frame_len - l3, gso.kind)?;
        if protocol != if gso.kind.is_tcp() { tcp::PROTOCOL } else { udp::PROTOCOL } {
            return Err(other(protocol));
        }
        let l4 = l3 + l4;
        let transport_len = if gso.kind.is_tcp() {
            tcp::Packet::new_checked(&head[l4..])?.header_len()
        } else {
            let said = usize::from(udp::Packet::new_checked(&head[l4..])?.length());
            if said != frame_len - l4 {
                return Err(NotATrain::Length { header: "UDP", said, present: frame_len - l4 });
            }
            udp::HEADER_LEN
        };
        let header = l4 + transport_len;
        if header > MAX_HEADER_LEN {
            return Err(NotATrain::HeaderTooLong { needed: header, room: MAX_HEADER_LEN });
        }
        match partial {
            Some(p) if usize::from(p.start) != l4 || p.offset != gso.kind.checksum_offset() => {
                let expected = gso.kind.checksum_offset();
                return Err(NotATrain::ChecksumPlace { start: p.start, offset: p.offset, l4_offset: l4, expected });
            }
            None if !gso.kind.is_tcp() => return Err(NotATrain::ChecksumMissing),
            _ => {}
        }
        Ok(Layout {
            gso,
            partial: partial.is_some(),
            l3_offset: l3 as u8,
            l4_offset: l4 as u8,
            header_len: header as u8,
            // the lengths in the IP headers, of 16 bits, were found to be the frame's
            payload_len: (frame_len - header) as u32,
        })
    }

    /// The same once bytes have come or gone in front of the network header, so that what stood at `from` and behind stands
    /// `by` bytes further on. `None` if the network header began before `from`, or would begin inside of the Ethernet
    /// header, or if the headers would be longer than [`MAX_HEADER_LEN`].
    pub(crate) fn moved(self, from: usize, by: i32) -> Option<Layout> {
        let moved = |offset: u8| u8::try_from(i32::from(offset) + by).ok();
        let (l3_offset, header_len) = (moved(self.l3_offset)?, moved(self.header_len)?);
        let fits = usize::from(l3_offset) >= super::ethernet::HEADER_LEN && usize::from(header_len) <= MAX_HEADER_LEN;
        let l4_offset = moved(self.l4_offset)?;
        (fits && from <= self.l3_offset()).then_some(Layout { l3_offset, l4_offset, header_len, ..self })
    }

    /// How it is cut.
    pub const fn gso(&self) -> Gso {
        self.gso
    }

    /// Whether the checksum field holds the pseudo header's sum, which the segments' are derived from.
    pub const fn has_partial_checksum(&self) -> bool {
        self.partial
    }

    /// Offset of the IP header: 14 and 4 for every VLAN tag.
    pub const fn l3_offset(&self) -> usize {
        self.l3_offset as usize
    }

    /// Offset of the TCP or UDP header.
    pub const fn l4_offset(&self) -> usize {
        self.l4_offset as usize
    }

    /// Bytes of all headers, Ethernet to TCP or UDP: every wire frame starts with as many.
    pub const fn header_len(&self) -> usize {
        self.header_len as usize
    }

    /// Bytes of payload in the whole train.
    pub const fn payload_len(&self) -> usize {
        self.payload_len as usize
    }

    /// Bytes of the super-frame.
    pub const fn frame_len(&self) -> usize {
        self.header_len() + self.payload_len()
    }

    /// How many wire frames the train is. 1 or more.
    pub const fn frames(&self) -> u32 {
        wire_frames(self.payload_len as usize, self.gso.size)
    }

    /// Bytes of wire frame `index`, Ethernet header included; 0 behind the last.
    pub const fn wire_len(&self, index: u32) -> usize {
        if index < self.frames() { self.header_len() + self.payload_of(index, index + 1) } else { 0 }
    }

    /// Bytes of wire frame `index` as an MTU counts them; 0 behind the last.
    pub const fn l3_len(&self, index: u32) -> usize {
        self.wire_len(index).saturating_sub(self.l3_offset())
    }

    /// Bytes of wire frames `start` to before `end` together, each with its header. What is behind the last counts 0.
    pub const fn wire_bytes(&self, start: u32, end: u32) -> u64 {
        let end = if end < self.frames() { end } else { self.frames() };
        let headers = end.saturating_sub(start) as u64 * self.header_len as u64;
        headers + self.payload_of(start, end) as u64
    }

    /// Offset in the payload at which wire frame `index` starts.
    pub const fn payload_start(&self, index: u32) -> usize {
        let at = index as u64 * self.gso.size as u64;
        if at < self.payload_len as u64 { at as usize } else { self.payload_len as usize }
    }

    /// The flags of the wire frames of `range`, cut out of a train with `flags`: FIN and PSH only with its last, CWR only with
    /// its first.
    pub(crate) fn flags_of(&self, range: Range<u32>, mut flags: Flags) -> Flags {
        if range.end != self.frames() {
            flags = flags & !(Flags::FIN | Flags::PSH);
        }
        if range.start != 0 {
            flags = flags & !Flags::CWR;
        }
        flags
    }

    const fn payload_of(&self, start: u32, end: u32) -> usize {
        self.payload_start(end).saturating_sub(self.payload_start(start))
    }
}

/// The wire frames that `payload_len` bytes make at `size` bytes each: 1 for no payload, or a size of 0.
pub const fn wire_frames(payload_len: usize, size: u16) -> u32 {
    if size == 0 || payload_len == 0 { 1 } else { payload_len.div_ceil(size as usize) as u32 }
}

/// Checks the IP header in `head`, the first of `l3_len` bytes: the transport's protocol and its offset from here.
fn network(head: &[u8], l3_len: usize, kind: GsoKind) -> Result<(u8, usize), NotATrain> {
    if kind.is_v4() {
        let ip = ipv4::Packet::new_checked(head)?;
        if usize::from(ip.total_len()) != l3_len {
            return Err(NotATrain::Length { header: "IPv4", said: ip.total_len().into(), present: l3_len });
        }
        if ip.is_fragment() {
            return Err(NotATrain::Fragment);
        }
        return Ok((ip.protocol(), ip.header_len()));
    }
    let ip = ipv6::Packet::new_checked(head)?;
    let said = ipv6::HEADER_LEN + usize::from(ip.payload_len());
    if said != l3_len {
        return Err(NotATrain::Length { header: "IPv6", said, present: l3_len });
    }
    match ip.transport() {
        Transport { fragment: Some(_), .. } => Err(NotATrain::Fragment),
        Transport { cut: true, offset, .. } => {
            Err(NotATrain::HeaderTooLong { needed: ipv6::HEADER_LEN + offset + 8, room: head.len() })
        }
        Transport { protocol, offset, .. } => Ok((protocol, ipv6::HEADER_LEN + offset)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{Train, train};
    use super::*;

    fn check(t: &Train) -> Result<Layout, NotATrain> {
        Layout::new(&t.frame[..t.frame.len().min(MAX_HEADER_LEN)], t.frame.len(), t.gso, t.partial)
    }

    fn example() -> Train {
        Train::plain(GsoKind::Tcp4, 1448, 4000)
    }

    #[test]
    fn lengths_are_those_of_the_frames_on_the_wire() {
        let layout = check(&example()).unwrap();
        assert_eq!((layout.l3_offset(), layout.l4_offset(), layout.header_len()), (14, 34, 54));
        assert_eq!((layout.frames(), layout.payload_len(), layout.frame_len()), (3, 4000, 4054));
        let lens: Vec<_> = (0..4).map(|k| (layout.wire_len(k), layout.l3_len(k))).collect();
        assert_eq!(lens, [(1502, 1488), (1502, 1488), (1158, 1144), (0, 0)]);
        assert_eq!(layout.wire_bytes(0, 3), 1502 + 1502 + 1158);
        assert_eq!((layout.wire_bytes(2, 9), layout.wire_bytes(2, 2), layout.wire_bytes(7, 9)), (1158, 0, 0));
    }

    #[test]
    fn frames_are_counted_at_the_boundaries() {
        let counts: Vec<_> = [0, 1, 99, 100, 101, 200, 201].iter().map(|len| wire_frames(*len, 100)).collect();
        assert_eq!(counts, [1, 1, 1, 1, 2, 2, 3]);
        assert_eq!(wire_frames(65_535, 1), 65_535);
        assert_eq!(wire_frames(10, 0), 1);
    }

    #[test]
    fn what_does_not_fit_is_refused_with_the_reason() {
        let refused = |change: &dyn Fn(&mut Train)| {
            let mut t = example();
            change(&mut t);
            check(&t).unwrap_err()
        };
        assert_eq!(refused(&|t| t.gso.size = 0), NotATrain::NoSize);
        assert!(matches!(refused(&|t| t.gso.kind = GsoKind::Tcp6), NotATrain::OtherKind { protocol: 0, .. }));
        assert!(matches!(refused(&|t| t.gso.kind = GsoKind::Udp4), NotATrain::OtherKind { protocol: 6, .. }));
        assert_eq!(refused(&|t| t.frame[20] = 0x20), NotATrain::Fragment);
        assert_eq!(
            refused(&|t| t.frame.truncate(4053)),
            NotATrain::Length { header: "IPv4", said: 4040, present: 4039 }
        );
        assert!(matches!(refused(&|t| t.frame[46] = 0x40), NotATrain::Malformed(_)));
        let place = |start, offset| refused(&|t| t.partial = Some(PartialChecksum { start, offset }));
        assert!(matches!(place(33, 16), NotATrain::ChecksumPlace { l4_offset: 34, expected: 16, .. }));
        assert!(matches!(place(34, 6), NotATrain::ChecksumPlace { .. }));

        let mut udp = Train::plain(GsoKind::Udp6, 1200, 2400);
        udp.partial = None;
        assert_eq!(check(&udp), Err(NotATrain::ChecksumMissing));
        let mut udp = Train::plain(GsoKind::Udp6, 1200, 2400);
        udp.frame[59] ^= 1;
        assert!(matches!(check(&udp), Err(NotATrain::Length { header: "UDP", .. })));
    }

    #[test]
    fn a_head_must_hold_all_headers() {
        let t = example();
        for head in 0..54 {
            assert!(Layout::new(&t.frame[..head], t.frame.len(), t.gso, t.partial).is_err(), "{head}");
        }
        assert!(Layout::new(&t.frame[..54], t.frame.len(), t.gso, t.partial).is_ok());
    }

    proptest! {
        #[test]
        fn every_train_is_read_as_it_was_made(t in train()) {
            let layout = check(&t).unwrap();
            prop_assert_eq!((layout.l3_offset(), layout.l4_offset(), layout.header_len()), (t.l3, t.l4, t.header));
            prop_assert_eq!(layout.frame_len(), t.frame.len());
            let n = layout.frames();
            let total: u64 = (0..n).map(|k| layout.wire_len(k) as u64).sum();
            prop_assert_eq!(total, (t.frame.len() - t.header) as u64 + u64::from(n) * t.header as u64);
            prop_assert_eq!(layout.wire_bytes(0, n), total);
        }
    }
}
